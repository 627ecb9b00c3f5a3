import pytest
import torch

from asq_model.common.errors import InputError
from asq_model.networks import build
from asq_model.studies import training_cost
from asq_model.studies.training_cost_page import BASE, render_page, render_table


def test_the_table_has_ratios_to_full_precision():
    costs = {name: {"seconds": s, "mebibytes": m} for name, s, m in ((BASE, 0.2, 100), ("ASQ", 0.3, 140))}
    report = {"network": "n", "batch": 8, "threads": 2, "torch": "2", "costs": costs}
    assert render_table(report).splitlines()[-1] == "| ASQ | 300 | 1.50 | 140 | 1.40 |"
    assert "of n, batch 8, 2 CPU threads, torch 2:" in render_page(report)


def test_networks_take_turns(monkeypatch):
    """Every network is made, trained and timed; an update moves its parameters."""
    monkeypatch.setattr(training_cost, "BATCH", 4)
    made = []

    def make():
        made.append(build("resnet8", 10))
        return made[-1]

    torch.manual_seed(0)
    times = training_cost.measure_step_times({"one": make, "two": make}, rounds=2)
    assert set(times) == {"one", "two"} and all(seconds > 0 for seconds in times.values())
    assert not torch.equal(made[0].conv1.weight, build("resnet8", 10).conv1.weight)


@pytest.mark.exhaustive
def test_peak_memory_is_measured_in_a_process_of_its_own():
    """A step at batch 128 holds every layer's activations: some hundred MiB, of which this process sees nothing."""
    before = training_cost.read_memory("VmHWM")
    assert 200 < training_cost.measure_peak_memory("full precision", 1) < 2000
    assert training_cost.read_memory("VmHWM") - before < 50


def test_a_process_that_dies_is_named(monkeypatch):
    """A child process that dies, here one that does not know its network, is reported in one line."""
    with pytest.raises(InputError, match=r"measured the memory of spam ended with 1; too little memory\?"):
        training_cost.measure_peak_memory("spam", 1)
