"""Sidecars are true: a model that knows nothing else drives every unit in Icarus Verilog and foretells every beat.

The usual run takes a few of each kind. This takes all:
`make verify PYTEST=tests/hw/sidecar`.
"""

import copy
import json

import jsonschema
import pytest
from few_specs import FEW
from icarus_bench import simulate
from sidecar_model import check, check_ready, plans

from asq_model.common.errors import InputError
from asq_model.spec.array import MAX_STAGES, ArraySpec
from asq_model.spec.asq_blocks import BLOCKS, BlockSpec
from asq_model.spec.levels import EXPONENTIAL, KINDS, MAX_BITS, MIN_BITS
from asq_model.spec.mac import MacSpec
from asq_model.spec.units import FAMILY_OF_UNIT, MULTIPLE, ROUNDING, TWOS_COMPLEMENT, UNITS
from hw.emit import emit
from hw.sidecar import SCHEMA

VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
BATCH = 30  # configurations in one process


def macs():
    for unit in UNITS:
        family = FAMILY_OF_UNIT[unit]
        for bits in sorted({MIN_BITS[family], 4, MAX_BITS[family]}):
            for kind in KINDS if family in EXPONENTIAL else ("",):
                yield from (dict(unit=unit, weight_bits=bits, activation_bits=width, kind=kind) for width in (3, 8))
                yield dict(unit=unit, weight_bits=bits, activation_bits=5, kind=kind, depth=9, signed_activation=True)
        four = dict(unit=unit, weight_bits=4, activation_bits=4, depth=12)
        yield from (four | dict(frac=frac, signed_activation=True) for frac in range(-1, 13) if unit in ROUNDING)
        yield from (four | dict(lanes=lanes) for lanes in (2, 3, 8) if unit != "serial")
        yield from (four | dict(shared=True, lanes=lanes) for lanes in (1, 3) if unit in MULTIPLE)
        yield from (
            four | dict(gated=True, signed_activation=signed) for signed in (False, True) if unit not in TWOS_COMPLEMENT
        )


def arrays():
    for unit in UNITS:
        for stages in range(1, MAX_STAGES + 1):
            for rows, columns, width in ((1, 1, 4), (3, 2, 8), (4, 4, 3)):
                mac = dict(unit=unit, weight_bits=4, activation_bits=width, signed_activation=width == 8, depth=8)
                yield dict(mac=mac, rows=rows, columns=columns, stages=stages)
    for frac in (-1, 0, 5):
        yield dict(mac=dict(unit="post", weight_bits=5, activation_bits=6, frac=frac), rows=2, columns=3, stages=2)


def blocks():
    for unit in BLOCKS:
        for channels, pixels, precision in ((1, 1, 12), (2, 1, 20), (12, 7, 20), (64, 4, 12)):
            for lanes in (1, 2, 4):
                for bits, signed in ((1, True), (3, False), (8, True)):
                    yield dict(zip(("unit", "channels", "pixels"), (unit, channels, pixels), strict=True)) | dict(
                        activation_bits=bits, signed_activation=signed, precision=precision, lanes=lanes
                    )
    yield dict(unit="adapter", channels=8, pixels=4, hidden=7)
    yield dict(unit="adapter-step", channels=8, pixels=4, hidden=3, buffer=40)
    yield dict(unit="rescale", channels=8, pixels=4, total_bits=48)


def every_configuration() -> dict:
    """All that there is of the lists above, by name: what a unit refuses is left out."""
    specs = {}
    made = [lambda row=row: MacSpec(**row) for row in macs()]
    made += [lambda row=row: ArraySpec(**row | {"mac": MacSpec(**row["mac"])}) for row in arrays()]
    made += [lambda row=row: BlockSpec(**row) for row in blocks()]
    for make in made:
        try:
            spec = make()
        except InputError:  # a table too large, lanes that do not divide the channels, stages that a unit has not
            continue
        specs.setdefault(spec.name, spec)
    return specs


def pytest_generate_tests(metafunc):
    if "batch" in metafunc.fixturenames:
        specs = list(every_configuration().values()) if metafunc.config.getoption("exhaustive") else []
        every = {f"every{start}": specs[start : start + BATCH] for start in range(0, len(specs), BATCH)}
        batches = [pytest.param(few, id=name) for name, few in FEW.items()]
        batches += [pytest.param(batch, id=name, marks=pytest.mark.exhaustive) for name, batch in every.items()]
        metafunc.parametrize("batch", batches)


def sidecar_and_verilog(spec, build_root):
    verilog, sidecar = emit(spec, build_root / "verilog")
    return json.loads(sidecar.read_text()), verilog


def test_the_sidecar_alone_foretells_every_beat(batch, build_root, tmp_path):
    made = []
    for spec in batch:
        sidecar, verilog = sidecar_and_verilog(spec, build_root)
        VALIDATOR.validate(sidecar)
        made.append(plans(sidecar, verilog, 0))
    every = [plan for runs in made for plan in runs]
    simulate([plan.run for plan in every], tmp_path)
    for runs in made:
        for plan in runs:
            check(plan)
        check_ready(runs)
    assert sum(len(plan.run.beats("o")) for plan in every) > 9 * len(every)


def test_the_schema_is_one_and_is_strict(build_root):
    VALIDATOR.check_schema(VALIDATOR.schema)
    sidecar, _ = sidecar_and_verilog(MacSpec(), build_root)
    VALIDATOR.validate(sidecar)
    VALIDATOR.validate(sidecar_and_verilog(None, build_root)[0])
    for change in ({"extra": 1}, {"form": "block"}, {"timing": {}}, {"format": 1}):
        assert not VALIDATOR.is_valid(sidecar | change), change


def later(cases):
    return [case | {"cycles": f"{case['cycles']} + 1"} for case in cases]


def test_the_step_of_adapter_step_must_be_taken(build_root, tmp_path):
    sidecar, verilog = sidecar_and_verilog(BlockSpec("adapter-step", 8, 6), build_root)
    plan = plans(sidecar, verilog, 0)[1]
    plan.run.untaken = ("s",)
    simulate([plan.run], tmp_path)
    per_map = plan.variables["words"] * plan.variables["pixels"]
    assert [word for _, word in plan.run.beats("o")] == plan.expected["o"][:per_map]
    assert len(plan.run.beats("i")) < len(plan.run.sent["i"])


def test_a_map_larger_than_the_buffer_never_comes_out(build_root, tmp_path):
    sidecar, verilog = sidecar_and_verilog(BlockSpec("adapter-step", 4, 8, buffer=4), build_root)
    sidecar["constants"]["buffer"] = 1000
    made = [plan for seed in range(9) for plan in plans(sidecar, verilog, seed)[:1]]
    plan = next(plan for plan in made if plan.variables["words"] * plan.variables["pixels"] > 6)
    simulate([plan.run], tmp_path)
    assert plan.run.beats("o") == plan.run.beats("s") == [] and len(plan.run.beats("i")) < 7


# What is wrong in a sidecar, by a name: the unit, the path to an entry, and the change.
WRONG = {
    "a level": ("post", ("product", "weights", "codes", 2, "even"), lambda even: even + 1),
    "a level's real value": ("post", ("product", "weights", "codes", 2, "level"), lambda level: level * 1.06),
    "root": ("post-three-halves", ("product", "weights", "root", "value"), lambda root: 2**0.5),
    "level_unit": ("post-three-halves", ("product", "weights", "level_unit"), lambda unit: unit * 1.06),
    "the table": ("post", ("product", "arithmetic", "odd_table", 5), lambda entry: entry + 1),
    "frac": ("post", ("result", "frac"), lambda frac: frac + 1),
    "the largest result": ("post", ("result", "max"), lambda high: high + 1),
    "latency": ("post", ("timing", "latency", 0, "cycles"), lambda cycles: cycles + 1),
    "interval": ("serial", ("timing", "interval"), lambda cycles: cycles - 1),
    "an offset": ("post", ("ports", "i__payload", "fields", "activation", "offset"), lambda offset: offset - 1),
    "a sign": ("signed", ("ports", "i__payload", "fields", "activation", "signed"), lambda signed: False),
    "reset's polarity": ("post", ("reset", "active"), lambda active: 0),
    "ready in reset": ("post", ("streams", 0, "ready_in_reset"), lambda ready: 0),
    "what ready follows": ("post", ("streams", 0, "ready_follows"), lambda ports: []),
    "multiples": ("shared", ("product", "multiples", "root", 5), lambda entry: entry - 1),
    "the code of zero": ("shared", ("product", "weights", "zero_code"), lambda code: 0),
    "when s is taken": ("array", ("timing", "latency", 1, "cycles"), lambda cycles: cycles + 1),
    "an array's rows": ("array", ("ports", "i__payload", "fields", "0", "offset"), lambda offset: 4),
    "a shift": ("quantiser", ("constants", "value_shift"), lambda shift: shift + 1),
    "the ceiling of β": ("adapter", ("constants", "beta_max"), lambda most: most - 1),
    "a formula's cycles": ("adapter", ("timing", "latency", 0, "cases"), later),
    "the period": ("adapter", ("timing", "period"), later),
    "the memories": ("adapter", ("memories", 0, "select", "unit"), lambda unit: 1),
    "a constant's offset": ("rescale", ("ports", "constants", "fields", "shift", "offset"), lambda offset: offset - 1),
}
RIGHT = {
    "signed": MacSpec("post", 3, 3, depth=16, signed_activation=True),
    "shared": MacSpec("post", 3, 3, depth=16, lanes=2, shared=True),
    "array": ArraySpec(MacSpec("post", 3, 4, depth=8), 2, 1),
    "quantiser": BlockSpec("quantiser", activation_bits=4),
    "adapter": BlockSpec("adapter", 4, 4),
    "rescale": BlockSpec("rescale", 4, 4),
} | {unit: MacSpec(unit, 3, 3, depth=16) for unit in ("post", "post-three-halves", "serial")}


def changed(sidecar, path, change):
    sidecar = copy.deepcopy(sidecar)
    *parents, last = path
    place = sidecar
    for step in parents:  # of a list, the row of that name
        named = isinstance(place, list) and isinstance(step, str)
        place = next(row for row in place if row["name"] == step) if named else place[step]
    before = place[last]
    place[last] = change(before)
    assert place[last] != before
    return sidecar


def some(sidecar, verilog):
    """Runs that see each of those: it takes several adapters to have one whose β is at its ceiling."""
    seeds = range(2) if sidecar["unit"] == "adapter" else range(1)
    return [plan for seed in seeds for plan in plans(sidecar, verilog, seed)]


def test_what_is_wrong_in_a_sidecar_is_seen(build_root, tmp_path):
    found = {name: sidecar_and_verilog(spec, build_root) for name, spec in RIGHT.items()}
    right = {name: some(*pair) for name, pair in found.items()}
    wrong, seen = {}, set()
    for name, (unit, path, change) in WRONG.items():
        sidecar, verilog = found[unit]
        try:
            wrong[name] = some(changed(sidecar, path, change), verilog)
        except AssertionError:
            seen.add(name)
    runs = [plan.run for made in [*right.values(), *wrong.values()] for plan in made]
    simulate(runs, tmp_path)
    for made in right.values():
        for plan in made:
            check(plan)
        check_ready(made)
    for name, made in wrong.items():
        try:
            for plan in made:
                check(plan)
            check_ready(made)
        except AssertionError:
            seen.add(name)
    assert seen == set(WRONG), set(WRONG) - seen
