"""Which arrays can be made of an FPGA family's own cells, and what is said of the others."""

import pytest

from asq_model.common.errors import InputError
from asq_model.spec.array import ArraySpec
from asq_model.spec.mac import MacSpec
from asq_model.spec.mapping import tree_steps

REFUSED = [
    (MacSpec("post", 4, 4), 1, "xc8", "family is 'xc8'; allowed: generic, ice40, ecp5, xc7"),
    (
        MacSpec("uniform", 4, 4),
        1,
        "ecp5",
        "allowed with it: post, pot, e2m1, apot, uniform-sign",
    ),
    (MacSpec("post-exact", 4, 4), 1, "ice40", "which has two sums a column"),
    (MacSpec("uniform-sign", 5, 4), 1, "xc7", "weights have 5 bits; allowed with it: 2, 3, 4"),
    (MacSpec("post", 4, 4, "extended"), 1, "xc7", "kind is extended"),
    (MacSpec("post", 4, 4, signed_activation=True), 1, "ecp5", "activations are signed"),
    (MacSpec("post", 4, 4), 2, "ecp5", "stages is 2"),
]


@pytest.mark.parametrize(("mac", "stages", "family", "said"), REFUSED, ids=lambda value: getattr(value, "name", None))
def test_what_cannot_be_mapped_is_refused(mac, stages, family, said):
    with pytest.raises(InputError, match=r"family is") as refused:
        ArraySpec(mac, 8, 8, stages, family)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_tree_adds_in_threes_where_signs_are_settled():
    post, uniform = MacSpec("post", 4, 4, frac=-1), MacSpec("uniform-sign", 4, 4)
    assert tree_steps("generic", post, 8) == tree_steps("ecp5", post, 8) == [2, 2, 2]
    assert tree_steps("xc7", post, 8) == [2, 2] and tree_steps("xc7", uniform, 8) == [2, 3]
    assert tree_steps("xc7", post, 16) == [2, 2, 3] and tree_steps("xc7", post, 1) == []


def test_latency_counts_a_family_s_own_registers():
    post = MacSpec("post", 4, 4, frac=-1)
    assert [ArraySpec(post, 8, 8, 1, family).latency for family in ("generic", "ice40", "ecp5", "xc7")] == [6, 6, 7, 5]
    assert ArraySpec(post, 8, 8, 1, "xc7").name == "post_array8x8_w4a4_fm1_xc7"
