"""What a run says in the end: speed-ups of like with like, a verdict only where every bench passed."""

import pytest

from asq_model.spec.mac import MacSpec
from sim.reports.simulation import list_throughput, sort_by_operands, widths_title
from sim.reports.summary import describe_network, make_accuracy_table, make_bench_table, make_throughput_table
from sim.runner.jobs import Job, Outcome

PRODUCTS = 1000


def outcome(spec: MacSpec, products: int = PRODUCTS) -> Outcome:
    """A bench that passed, with the cycles of its formula."""
    counters = {"operands": products, "cycles": spec.cycles(products), "input_stalls": 0, "output_stalls": 0}
    found = {
        "golden": {"vectors": 1, "failed": 0, "counters": counters},
        "timing": {"latency": spec.latency, "interval": spec.interval},
    }
    return Outcome(Job(spec), {"golden": "passed", "timing": "passed"}, found, cached=False)


def mixed() -> list[Outcome]:
    """A network whose layers have weights of 3, 4 and 8 bits, the same number of products each."""
    specs = [MacSpec(unit, bits, bits) for bits in (4, 3) for unit in ("post", "uniform", "serial")]
    return [outcome(spec) for spec in [*specs, MacSpec("uniform", 8, 8), MacSpec("serial", 8, 8)]]


def test_speed_ups_in_a_network_of_mixed_widths_are_over_the_rival_of_the_same_width():
    groups = sort_by_operands(mixed())
    assert [widths_title(operands) for operands in groups] == ["W3A3", "W4A4", "W8A8"]
    for (bits, _, _), outcomes in groups.items():
        rows = {row["unit"]: row for row in list_throughput(outcomes)}
        assert rows["serial"]["speedup_over_serial"] == 1.0
        assert rows["uniform"]["speedup_over_uniform"] == 1.0
        fast = rows.get("post", rows["uniform"])
        assert fast["speedup_over_serial"] == pytest.approx(bits, rel=0.01)
        assert fast["speedup_over_uniform"] == 1.0


def test_units_of_several_widths_make_no_table():
    with pytest.raises(ValueError, match="several widths"):
        list_throughput(mixed())


def test_a_rival_that_ran_something_else_gives_no_speed_up():
    post, serial, uniform = (MacSpec(unit, 3, 3) for unit in ("post", "serial", "uniform"))
    deeper = MacSpec("serial", 3, 3, depth=4608)
    (row, *_) = list_throughput([outcome(post), outcome(serial, PRODUCTS + 1), outcome(deeper)])
    assert "speedup_over_serial" not in row and "speedup_over_uniform" not in row
    (row, *_) = list_throughput([outcome(post), outcome(uniform)])
    assert row["speedup_over_uniform"] == 1.0 and "speedup_over_serial" not in row


def test_the_network_is_described_by_its_layers():
    layer = {"weight_bits": 3, "activation_bits": 3, "level_set": "post3"}
    layers = [
        {"weight_bits": 8, "activation_bits": 8, "level_set": "uniform8"},
        layer,
        layer | {"weight_bits": 4},
        layer,
    ]
    manifest = {"network": "mine", "layers": layers, "maps": [{"adapter": None}, {"adapter": {"hidden": 4}}]}
    said = "Network: mine; layers: 2 × W3A3 post3, 1 × W4A3 post3, 1 × W8A8 uniform8; 1 with ASQ's adapter"
    assert describe_network(manifest) == said


def test_tables_fit_a_terminal_of_80_columns():
    specs = [MacSpec(unit, 3, 3, depth=1152, signed_activation=True) for unit in ("post-exact", "uniform", "serial")]
    outcomes = [outcome(spec, 112_976) for spec in specs]
    tables = make_throughput_table(outcomes), make_bench_table(outcomes)
    assert max(len(line) for table in tables for line in table.split("\n")) <= 80
    assert all(spec.name in table for spec in specs for table in tables)
    accuracy = {"test_images": 360, "full_precision_correct": 354, "post_frac": 2, "post_correct": 90}
    lines = make_accuracy_table(accuracy).split("\n")
    assert lines[-1].startswith("quantised, products as unit post makes them (F = 2)") and "90  25.00%" in lines[-1]
    assert len(lines) == 4 and max(map(len, lines)) <= 80


def test_a_bench_that_failed_says_why_below_the_table():
    failed = Outcome(Job(MacSpec("post", 3, 3)), {"golden": "3 wrong results"}, {}, cached=False)
    lines = make_bench_table([outcome(MacSpec("pot", 3, 3)), failed]).split("\n")
    assert "passed" in lines[-3] and "FAILED" in lines[-2]
    assert lines[-1] == f"post_mac_w3a3 golden: 3 wrong results; log {failed.log}"
