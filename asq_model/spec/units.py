"""The units by name: which level family each takes, and what sets them apart. What they compute is in `mac.py`."""

FAMILY_OF_UNIT = {
    "post": "post",
    "post-exact": "post",
    "post-sorted": "post",
    "post-three-halves": "post",
    "pot": "pot",
    "apot": "apot",
    "e2m1": "e2m1",
    "uniform": "uniform",
    "uniform-sign": "uniform",
    "uniform-adders": "uniform",
    "uniform-shared": "uniform",
    "uniform-table": "uniform",
    "uniform-booth": "uniform",
    "serial": "uniform",
}
UNITS = tuple(FAMILY_OF_UNIT)
# Units that differ in what they compute: golden vectors hold their results. The others compute the same by another
# circuit, or round otherwise.
GOLDEN_UNITS = ("post", "post-exact", "pot", "apot", "e2m1", "uniform", "serial")
SIGN_MAGNITUDE = ("uniform-sign", "uniform-adders", "uniform-shared")
TWOS_COMPLEMENT = ("uniform", "uniform-table", "uniform-booth", "serial")  # weights have no sign bit of their own
ROUNDING = ("post", "post-exact")  # results are rounded to `frac` fraction bits, which can be chosen
# What a unit needs of an activation a beside it, by unit: round(√2·a·2^frac) or 3·a.
MULTIPLE = {"post": "root", "post-three-halves": "triple", "e2m1": "triple", "uniform-shared": "triple"}
