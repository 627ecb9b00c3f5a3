import pytest
import torch

from asq_model.common.errors import InputError
from asq_model.common.records import read_record, write_record
from asq_model.common.result_schemas import BENCH
from asq_model.networks import build_network
from asq_model.quantisation.straight_through import DEVICE_FUNCTIONS
from asq_model.studies import training_cost
from asq_model.studies.training_cost_page import BASE, render_page, render_table


def test_the_table_has_ratios_to_full_precision():
    costs = {
        BASE: {"seconds": 0.2, "ratios": [1.0, 1.0, 1.0], "mebibytes": 100},
        "ASQ": {"seconds": 0.3, "ratios": [1.4, 1.55, 1.6], "mebibytes": 140},
    }
    machine = {"batch": 8, "cpus": 4, "rounds": 3, "torch": "2"}
    measured = [{"network": "n", "threads": threads, "busy": 5.25, "costs": costs} for threads in (1, 2)]
    report = machine | {"measured": measured}
    text = render_page(report)
    assert (
        text.count("| full precision | 200 | 1.00 | 100 | 1.00 |\n| ASQ | 300 | 1.55 (1.40 to 1.60) | 140 | 1.40 |")
        == 2
    )
    assert "batch 8, torch 2, on a machine with 4 CPUs." in text
    assert "n, 1 CPU thread, load 5.2:" in text and "n, 2 CPU threads, load 5.2:" in text
    assert render_table(report) in text


def test_candidates_take_turns(monkeypatch):
    """Every network is made, trained and timed; an update moves its parameters."""
    monkeypatch.setattr(training_cost, "BATCH", 4)
    torch.manual_seed(0)
    steppers = {name: training_cost.Stepper(build_network("resnet8", 10), name == "one") for name in ("one", "two")}
    before = steppers["one"].model.conv1.weight.clone()
    times = training_cost.measure_step_times(steppers, rounds=2)
    assert set(times) == {"one", "two"} and all(len(seconds) == 2 and min(seconds) > 0 for seconds in times.values())
    assert not torch.equal(steppers["one"].model.conv1.weight, before) and not DEVICE_FUNCTIONS


def test_a_report_has_every_candidate_of_every_network(monkeypatch, tmp_path):
    monkeypatch.setattr(training_cost, "BATCH", 4)
    monkeypatch.setattr(training_cost, "NETWORKS", ("resnet8",))
    monkeypatch.setattr(training_cost, "measure_peak_memory", lambda *words: 1.0)
    write_record(tmp_path / "report.json", BENCH, training_cost.measure_training_cost(3, (1, 2)))
    report = read_record(tmp_path / "report.json", BENCH)
    assert [(one["network"], one["threads"]) for one in report["measured"]] == [("resnet8", 1), ("resnet8", 2)]
    costs = report["measured"][1]["costs"]
    assert set(costs) == set(training_cost.list_candidates()) and costs[BASE]["ratios"] == [1.0, 1.0, 1.0]
    assert "ASQ + POST W4A4, without a compiler" in costs
    for cost in costs.values():
        assert cost["ratios"][0] <= cost["ratios"][1] <= cost["ratios"][2]


@pytest.mark.exhaustive
def test_peak_memory_is_measured_in_a_process_of_its_own():
    """A step at batch 128 holds every layer's activations: some hundred MiB, of which this process sees nothing."""
    before = training_cost.read_memory("VmHWM")
    assert 200 < training_cost.measure_peak_memory("resnet20", "full precision", 1) < 2000
    assert training_cost.read_memory("VmHWM") - before < 50


def test_a_process_that_dies_is_named(monkeypatch):
    """A child process that dies, here one that does not know its network, is reported in one line."""
    with pytest.raises(InputError, match=r"measured the memory of spam ended with 1; too little memory\?"):
        training_cost.measure_peak_memory("resnet8", "spam", 1)
