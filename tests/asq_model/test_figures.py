import pytest
import torch
from PIL import Image

from asq_model.config import LayerConfig
from asq_model.figures import FIGURES, errors
from asq_model.layers import QuantLinear
from asq_model.recipe import recipe_of
from asq_model.train import Run, train


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """The five checkpoints that the figures need, barely trained."""
    folder = tmp_path_factory.mktemp("figures")
    train(recipe_of("digits", full_precision_epochs=1, quantised_epochs=0), folder / "full")
    paths = [folder / "full"]
    for bits in (2, 3):
        for activations in ("lsq", "asq"):
            paths.append(folder / f"{activations}{bits}")
            fields = {"weight_bits": bits, "activation_bits": bits, "activations": activations, "family": "uniform"}
            recipe = recipe_of("digits", full_precision_epochs=0, quantised_epochs=1, **fields)
            train(recipe, paths[-1], Run(start=folder / "full"))
    return paths


def test_every_figure_is_drawn_the_same_twice(checkpoints, command, tmp_path):
    for out in ("a", "b"):
        done = command("asq_model", "figures", *checkpoints, "--out", tmp_path / out)
        assert done.returncode == 0, done.stderr
    for number in FIGURES:
        first, second = (tmp_path / out / f"figure{number}.png" for out in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()
        with Image.open(first) as image:
            assert image.width > 500 and len(image.convert("RGB").getcolors(1 << 20)) > 10


def test_checkpoints_in_the_wrong_place_are_refused(checkpoints, refused):
    full, lsq_2, asq_2, lsq_3, asq_3 = checkpoints
    assert "not one of LSQ at 2 bits" in refused("asq_model", "figures", full, asq_2, lsq_2, lsq_3, asq_3)
    assert "not one of LSQ at 3 bits" in refused("asq_model", "figures", full, lsq_2, asq_2, asq_2, asq_3)
    assert "is quantised; the figures compare" in refused("asq_model", "figures", lsq_2, lsq_2, asq_2, lsq_3, asq_3)


def test_errors_are_told_apart():
    """Codes 0 … 3 of step 1: 0.4 is rounded by 0.4, 5 is clipped by 2, −1 is clipped by 1."""
    layer = QuantLinear.of(torch.nn.Linear(3, 1), LayerConfig("uniform", activations="lsq", activation_bits=2)).eval()
    rounding, clipping = errors(layer, torch.tensor([[0.4, 5.0, -1.0], [3.0, 2.0, 3.0]]))
    torch.testing.assert_close(rounding, torch.tensor([0.4, 0.0]))
    torch.testing.assert_close(clipping, torch.tensor([5**0.5, 0.0]))
