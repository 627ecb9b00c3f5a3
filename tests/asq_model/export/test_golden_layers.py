import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from asq_model.common.errors import InputError
from asq_model.common.files import hash_file
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.datasets import load_dataset
from asq_model.export.golden_checkpoint import count_post_correct, export
from asq_model.export.golden_layers import export_network
from asq_model.export.weight_codes import quantise_by_least_squares
from asq_model.quantisation.convert import convert, quantised_layers
from asq_model.quantisation.observe import observe_inputs
from asq_model.spec.golden_manifest import make_stored_spec, spec_of
from asq_model.spec.golden_vectors import FORMAT, MANIFEST, read_golden, read_manifest, write_layer, write_manifest
from asq_model.spec.levels import LevelSet
from asq_model.studies.integer_parity import compare_network
from asq_model.training.load import load_model


def test_every_quantised_layer_is_there_with_what_the_manifest_says(small_golden, small_checkpoint):
    model, config = load_model(small_checkpoint)
    manifest = read_manifest(small_golden)
    layers = list(read_golden(small_golden))
    assert [layer.name for layer in layers] == [name for name, _ in quantised_layers(model)]
    assert manifest["checkpoint_digest"] == config["digest"]
    assert manifest["checkpoint_sha256"] == hash_file(small_checkpoint)
    low_bit = [layer for layer in layers if layer.entry["weight_bits"] == 3]
    assert sum(layer.activations.size for layer in low_bit) >= 100_000
    assert manifest["products"] == sum(layer.activations.size for layer in layers)
    for layer in layers:
        assert layer.entry["scales"] == layer.arrays[f"scales_{layer.entry['level_set']}"].tolist()
        beta = layer.arrays["steps"] / layer.entry["step"]
        assert np.all(beta >= 2.0**-4 * 0.999) and (layer in low_bit or np.allclose(beta, 1))
        assert layer.activations.shape == (layer.entry["vectors"], layer.entry["terms"])
        assert len(layer.entry["units"]) == (6 if layer in low_bit else 2)


def test_expected_results_are_the_specification_s_and_torch_s_within_its_error(small_golden):
    """Exact units of the trained weights agree with torch to float32; `post` and `post-exact` within their bound."""
    for layer in read_golden(small_golden):
        for name, unit in layer.entry["units"].items():
            spec = spec_of(unit)
            assert spec.name == name and make_stored_spec(spec) == unit["spec"]
            expected = layer.expected(spec)
            np.testing.assert_array_equal(
                expected, spec.dot(layer.codes(spec.level_set)[layer.channels], layer.activations)
            )
            if unit["weights"] != "trained":
                continue
            unit_value = layer.arrays[f"scales_{spec.level_set.name}"][layer.channels] * layer.arrays["steps"]
            unit_value = unit_value / 2.0**spec.result_frac
            bound = spec.product_error() * layer.entry["terms"] + (0.5 if spec.unit == "post-exact" else 0)
            difference = np.abs(expected * unit_value - layer.arrays["torch"])
            float32 = 2e-6 * layer.entry["torch_rms"] * layer.entry["terms"] ** 0.5
            assert np.all(difference <= unit_value * bound + float32)
            assert difference.max() == pytest.approx(unit["difference_max"] * layer.entry["torch_rms"])


def test_operands_are_those_of_the_convolution(small_golden, small_checkpoint):
    """A vector's activations are the receptive field that torch sees, found again by hand for one layer."""
    model, _ = load_model(small_checkpoint)
    test = load_dataset("digits").test
    layer = model.block2.conv1
    inputs = observe_inputs(model, [("block2.conv1", layer)], test.scale(test.images))
    codes, _ = layer.activation_quantiser.encode(inputs["block2.conv1"])
    padded = torch.nn.functional.pad(codes, (1, 1, 1, 1))
    golden = next(layer for layer in read_golden(small_golden) if layer.name == "block2.conv1")
    for vector in range(0, len(golden.activations), 7):
        image, position = golden.arrays["images"][vector], int(golden.arrays["positions"][vector])
        row, column = 2 * (position // 4), 2 * (position % 4)
        field = padded[image, :, row : row + 3, column : column + 3]
        np.testing.assert_array_equal(golden.activations[vector], field.flatten().numpy())


def test_same_checkpoint_same_bytes(small_golden, small_checkpoint, tmp_path):
    export(small_checkpoint, tmp_path / "again")
    for path in small_golden.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_killed_export_leaves_nothing_that_looks_valid(small_golden, small_checkpoint, tmp_path, monkeypatch):
    """Killed over an older export: no manifest, so the next run exports again instead of finding edited files."""
    folder = tmp_path / "golden"
    export(small_checkpoint, folder)
    written = []

    def killed(folder, name, arrays):
        written.append(name)
        if len(written) == 3:
            raise KeyboardInterrupt
        return write_layer(folder, name, arrays)

    monkeypatch.setattr("asq_model.export.golden_layers.write_layer", killed)
    with pytest.raises(KeyboardInterrupt):
        export(small_checkpoint, folder)
    assert not (folder / MANIFEST).exists()


@pytest.fixture
def copy(small_golden, tmp_path):
    for path in small_golden.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_an_edited_cut_or_missing_layer_file_is_refused(copy):
    path = copy / "block1.conv1.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    with pytest.raises(InputError, match=r"block1\.conv1\.npz was changed"):
        list(read_golden(copy))
    path.write_bytes(whole[:-1])
    with pytest.raises(InputError, match="was changed"):
        list(read_golden(copy))
    path.unlink()
    with pytest.raises(InputError, match="is missing"):
        list(read_golden(copy))


def test_an_edited_manifest_is_refused(copy):
    path = copy / MANIFEST
    manifest = json.loads(path.read_text())
    whole = json.dumps(manifest)
    manifest["layers"][0]["vectors"] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="its digest does not match"):
        read_manifest(copy)
    manifest = json.loads(whole)
    write_manifest(copy, manifest | {"format": 99})
    with pytest.raises(InputError, match=f"format 99; this program reads {FORMAT}"):
        read_manifest(copy)


def test_least_squares_codes_are_near_the_best_scale():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 200))
    levels = LevelSet("post", 4, "symmetric")
    codes, scale = quantise_by_least_squares(levels, weights)
    error = ((levels.values[codes] * scale[:, None] - weights) ** 2).sum(1)
    for factor in (0.8, 1.25):
        alpha = scale[:, None] * levels.level_unit * factor
        other = levels.levels[levels.find_nearest(np.clip(weights / alpha, -1, 1))] * alpha
        assert np.all(error <= ((other - weights) ** 2).sum(1))


def test_many_fraction_bits_give_torch_s_accuracy(small_checkpoint):
    """With 8 fraction bits `post`'s rounding is below float noise in all but ties: the same images are right."""
    _, config = load_model(small_checkpoint)
    test = load_dataset("digits").test
    assert abs(count_post_correct(small_checkpoint, test, 8) - config["quantised_correct"]) <= 1


def test_any_converted_network_is_exported(tmp_path):
    """Grouped and signed convolutions, biases, one scale per tensor, other activations than ASQ; its integers mean
    what torch computes."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(4, 8, 3, padding=1),
        nn.Conv2d(8, 8, 3, stride=2, groups=4),
        nn.Flatten(),
        nn.Linear(72, 6),
        nn.Linear(6, 2),
    )
    images = torch.randn(30, 4, 8, 8)
    layer = LayerConfig("post", 4, activations="lsq", activation_bits=4, per_channel=False)
    with torch.no_grad():
        convert(net, QuantConfig(inner=layer), images)
        net.train()(images)
    manifest = export_network(net, images, tmp_path, {"network": "mine"})
    assert manifest["network"] == "mine" and manifest["activations"] == "lsq"
    layers = list(read_golden(tmp_path))
    assert [golden.name for golden in layers] == ["0", "1", "3", "4"]
    assert layers[1].activations.dtype == np.int8 and layers[1].activations.min() < 0
    for golden in layers:
        for unit in golden.entry["units"].values():
            spec = spec_of(unit)
            assert spec.signed_activation
            if unit["weights"] == "trained" and spec.unit in ("uniform", "serial"):
                assert unit["difference_rms"] < 1e-5
            if unit["weights"] == "trained" and spec.unit == "post-exact":
                assert unit["difference_rms"] < 0.02


@pytest.mark.parametrize(
    "layer, said",
    [
        (LayerConfig(activations="lsq+"), r"layer 1 has lsq\+ activations; integers need asq or lsq"),
        (LayerConfig(activations="pot"), "layer 1 has pot activations; integers need asq or lsq"),
        (LayerConfig("dorefa"), "layer 1 has dorefa weights, which have no code here"),
    ],
)
def test_layers_that_hardware_does_not_take_are_named(layer, said, tmp_path):
    net, images = nn.Sequential(*(nn.Conv2d(2, 2, 1) for _ in range(3))), torch.rand(5, 2, 8, 8)
    convert(net, QuantConfig(inner=layer), images)
    with pytest.raises(InputError, match=said):
        export_network(net, images, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_network_that_was_not_converted_is_refused(tmp_path):
    with pytest.raises(InputError, match="Sequential has no quantised layer; export takes a converted network"):
        export_network(nn.Sequential(nn.Linear(2, 2)), torch.rand(3, 2), tmp_path)


def linear_layers(*sizes: int, config: LayerConfig, images: torch.Tensor) -> nn.Module:
    """Linear layers with ReLU between, converted."""
    torch.manual_seed(0)
    net = nn.Sequential(*[part for pair in pairwise(sizes) for part in (nn.Linear(*pair), nn.ReLU())][:-1])
    convert(net, QuantConfig(config), images)
    return net.eval()


def test_a_network_in_training_stays_in_training(tmp_path):
    """A look at how the integers do, between two epochs, must not freeze batch norm and steps in the second."""
    images = torch.rand(6, 4)
    net = linear_layers(4, 8, 8, 2, config=LayerConfig(), images=images).train()
    net[1].eval()
    export_network(net, images, tmp_path)
    compare_network(net, images, torch.zeros(6, dtype=torch.int64))
    assert [module.training for module in net] == [True, False, True, True, True] and net.training
    with pytest.raises(InputError, match=r"labels has shape \[5\]; allowed: \[6\], a class for each image"):
        compare_network(net, images, torch.zeros(5, dtype=torch.int64))


@pytest.mark.parametrize(
    "about, said",
    [
        ({"accuracy": {"test_images": 3, "quantised_correct": 5}}, "quantised_correct is 5 of 3 images"),
        ({"accuracy": {"quantised_correct": 5}}, "quantised_correct is 5 of None images"),
        ({"accuracy": 0.9}, "Expected `object`, got `float`"),
        ({"network": "two\nlines"}, "Expected `str` matching regex"),
        ({"rate": float("nan")}, "not JSON compliant"),
        ({"net": object()}, "not JSON serializable"),
        ({"layers": []}, "about has layers, which is found while vectors are made"),
    ],
)
def test_what_no_manifest_can_say_is_refused_before_anything_is_written(about, said, tmp_path):
    images = torch.rand(6, 4)
    net = linear_layers(4, 8, 8, 2, config=LayerConfig(), images=images)
    with pytest.raises(InputError, match=said):
        export_network(net, images, tmp_path / "golden", about)
    assert not list(tmp_path.iterdir())


def test_values_that_are_not_finite_are_refused(tmp_path):
    images = torch.rand(6, 4)
    net = linear_layers(4, 8, 8, 2, config=LayerConfig(), images=images)
    images[2, 1] = float("nan")
    with pytest.raises(InputError, match="example has values that are not finite"):
        export_network(net, images, tmp_path)
    net[2].weight.data[0, 0] = float("nan")
    with pytest.raises(InputError, match="layer 2 has weights with values that are not finite"):
        export_network(net, torch.rand(6, 4), tmp_path)


def test_steps_without_a_start_are_refused(tmp_path):
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    convert(net)
    with pytest.raises(InputError, match="layer 0: its step has no start yet"):
        export_network(net, torch.rand(6, 4), tmp_path)


@pytest.mark.filterwarnings("ignore:layer 2. β is")
@pytest.mark.parametrize("what", ["weights", "images", "dead ReLU"])
def test_layers_without_any_signal_are_exported(what, tmp_path):
    """All-zero weights, images, or a ReLU that lets nothing through: every result is zero, and agrees."""
    images = torch.rand(6, 4)
    net = linear_layers(4, 8, 8, 2, config=LayerConfig(), images=images)
    if what == "weights":
        net[2].weight.data.zero_()
    if what == "dead ReLU":
        net[0].bias.data.fill_(-100.0)
    export_network(net, images * (what != "images"), tmp_path)
    silent = "0" if what == "images" else "2"
    layer = next(layer for layer in read_golden(tmp_path) if layer.name == silent)
    assert layer.entry["torch_rms"] == 0
    assert all(unit["difference_rms"] == 0 for unit in layer.entry["units"].values())


def test_a_layer_that_is_not_used_is_named_in_the_manifest(tmp_path):
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.spare, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.last(self.first(x))

    net = Unused()
    convert(net)
    net.train()(torch.rand(6, 4))
    manifest = export_network(net, torch.rand(6, 4), tmp_path)
    assert manifest["unused"] == ["spare"]
    assert [layer.name for layer in read_golden(tmp_path)] == ["first", "last"]


def test_any_layer_name_makes_a_file_of_its_own(tmp_path):
    class Odd(nn.Module):
        def __init__(self, names):
            super().__init__()
            for name in names:
                self.add_module(name, nn.Linear(4, 4))

        def forward(self, x):
            for layer in self.children():
                x = layer(x)
            return x

    names = ["a/b", "a_b", "/up", "x" * 300, "ünï", "-x", "con v"]
    net = Odd(names)
    images = torch.rand(6, 4)
    convert(net, QuantConfig(LayerConfig(activations="lsq")), images)
    export_network(net, images, tmp_path / "golden")
    assert [layer.name for layer in read_golden(tmp_path / "golden")] == names
    assert [path.name for path in tmp_path.iterdir()] == ["golden"]


def test_a_network_of_8_bit_layers_only_is_exported(tmp_path):
    images = torch.rand(6, 4)
    net = linear_layers(4, 4, 2, config=LayerConfig(), images=images)
    manifest = export_network(net, images, tmp_path)
    assert (manifest["weight_bits"], manifest["family"], len(manifest["layers"])) == (8, "uniform", 2)


def test_sign_magnitude_weights_mean_what_they_were_trained_as(tmp_path):
    images = torch.rand(6, 4)
    config = LayerConfig("uniform", 3, "sign-magnitude", activation_bits=3)
    net = linear_layers(4, 8, 8, 2, config=config, images=images)
    export_network(net, images, tmp_path)
    layer = next(layer for layer in read_golden(tmp_path) if layer.name == "2")
    units = {unit["spec"]["unit"]: unit for unit in layer.entry["units"].values()}
    for name in ("uniform-sign", "uniform", "serial"):
        assert units[name]["weights"] == "trained" and units[name]["difference_rms"] < 1e-5
    codes = layer.codes(LevelSet("uniform", 3, "sign-magnitude"))
    assert codes.max() > 3  # a sign bit
    torch.testing.assert_close(
        torch.from_numpy(LevelSet("uniform", 3, "sign-magnitude").values[codes]).float()
        * net[2].weight_quantiser.scale.detach()[:, None],
        net[2].weight_quantiser(net[2].weight).detach(),
    )
