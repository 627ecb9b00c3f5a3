"""Where training left the steps of activations: measured by layer, and told as the figures have it."""

import pytest
import torch
from conftest import ROOT

from asq_model.common.records import check_content, read_record
from asq_model.datasets import load_in_memory
from asq_model.quantisation.convert import inner_layers
from asq_model.quantisation.observe import observe_inputs
from asq_model.studies.step_sizes import measure_steps
from asq_model.studies.step_sizes_page import STEPS, groups_of, render_page, render_steps_table
from asq_model.studies.trained_out.record import TRAINED_OUT
from asq_model.training.load import load_model

RESULTS = ROOT / "docs" / "results"


def network(method, steps, betas=None, **fields):
    """A network with two layers, whose β have these means and deviations."""
    layers = {name: {"step": step} for name, step in zip(("a", "b"), steps, strict=True)}
    for name, (mean, deviation) in zip(layers, betas or (), strict=bool(betas)):
        layers[name]["beta"] = {"mean": mean, "deviation": deviation, "least": mean / 2, "most": mean * 2}
    same = {"network": "resnet8", "precision": "W3A3", "epochs": 6, "seed": 0, "digest": "0" * 64, "start": "1" * 64}
    return same | {"method": method, "images": 10, "data": "2" * 64, "layers": layers} | fields


LSQ = network("LSQ", (0.5, 0.25))
ASQ = network("ASQ", (0.5, 0.5), [(2.0, 0.2), (1.0, 0.0)])


def sentences(networks):
    """What the page says of networks with adapters."""
    return [line for line in render_page({"networks": networks}).splitlines() if line.startswith("- ")]


def test_steps_are_told_at_the_mean_beta():
    lines = render_steps_table([LSQ, ASQ])
    assert lines[2:] == ["| a | 0.500 | 1.000 | 2.00 | 10.0 |", "| b | 0.250 | 0.500 | 1.00 | 0.0 |"]
    (said,) = sentences([LSQ, ASQ])
    assert said.startswith("- **ResNet-8, W3A3**: ASQ's steps are 2.00 to 2.00 times LSQ's (typically a factor of 2.00")
    assert "by 0.0 to 10.0 %, 5.0 % on average; it is constant in 1 of 2 layers" in said
    (alone,) = sentences([ASQ])
    assert alone.startswith("- **ResNet-8, W3A3**: β of ASQ varies")
    assert not sentences([LSQ])


def test_networks_are_compared_with_their_like():
    other = network("ASQ", (1.0, 1.0), precision="W4A4")
    assert [title for title, _ in groups_of({"networks": [LSQ, other, ASQ]})] == ["ResNet-8, W3A3", "ResNet-8, W4A4"]
    assert "All started from the same network" in render_page({"networks": [LSQ, ASQ]})
    assert "All started" not in render_page({"networks": [LSQ, ASQ | {"seed": 1}]})
    fewer = ASQ | {"layers": {"b": ASQ["layers"]["b"]}}
    assert len(render_steps_table([LSQ, fewer])) == 3


def test_what_is_measured_is_what_the_layers_do(small_checkpoint):
    found = measure_steps(small_checkpoint, 40, None)
    model, config = load_model(small_checkpoint)
    _, test = load_in_memory("digits")
    layers = inner_layers(model)
    inputs = observe_inputs(model, layers, test.scale(test.images[:40]))
    assert (found["digest"], found["images"], list(found["layers"])) == (config["digest"], 40, [n for n, _ in layers])
    for name, layer in layers:
        with torch.no_grad():
            beta = layer.activation_quantiser.adapter(inputs[name])
        told = found["layers"][name]["beta"]
        assert told["mean"] == pytest.approx(float(beta.mean())) and told["most"] == pytest.approx(float(beta.max()))
        assert told["deviation"] == pytest.approx(float(beta.double().std(correction=0)), abs=1e-6)


def test_the_command_writes_the_page(command, small_checkpoint, tmp_path):
    done = command("asq_model", "steps", small_checkpoint, "--images", 10, "--out", tmp_path / "steps.md")
    assert done.returncode == 0 and "mean β, ASQ" in " ".join(done.stdout.split()), done.stderr
    assert (tmp_path / "steps.md").read_text() == render_page(read_record(tmp_path / "steps.json", STEPS))


@pytest.mark.parametrize("networks", [[], [LSQ | {"layers": {}}]])
def test_a_record_of_nothing_is_refused(networks):
    with pytest.raises(ValueError, match="no network, or one without layers"):
        check_content(STEPS, {"networks": networks})


def test_the_published_networks_are_runs_of_the_records():
    runs = set()
    for name in ("trained-out", "trained-out-resnet20"):
        study = read_record(RESULTS / f"{name}.json", TRAINED_OUT)
        runs |= {run["digest"] for run in study["rows"]}
    report = read_record(RESULTS / "steps.json", STEPS)
    assert {one["digest"] for one in report["networks"]} <= runs
    for _, networks in groups_of(report):
        assert [one["method"] for one in networks] == ["LSQ", "LSQ-unscaled", "ASQ"]
        assert len({(one["start"], one["epochs"], one["seed"]) for one in networks}) == 1
