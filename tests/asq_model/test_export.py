import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch import nn

from asq_model.codes import LevelSet
from asq_model.config import LayerConfig, QuantConfig
from asq_model.convert import convert, observed_inputs, quantised_layers
from asq_model.datasets import load
from asq_model.export import export, export_network, least_squares_codes, post_correct
from asq_model.files import InputError, sha256_file
from asq_model.golden import FORMAT, MANIFEST, read_golden, read_manifest, write_layer, write_manifest
from asq_model.integer.mac import MacSpec
from asq_model.train import load_model


def test_every_quantised_layer_is_there_with_what_the_manifest_says(small_golden, small_checkpoint):
    model, config = load_model(small_checkpoint)
    manifest = read_manifest(small_golden)
    layers = list(read_golden(small_golden))
    assert [layer.name for layer in layers] == [name for name, _ in quantised_layers(model)]
    assert manifest["checkpoint_digest"] == config["digest"]
    assert manifest["checkpoint_sha256"] == sha256_file(small_checkpoint)
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
            spec = MacSpec(**unit["spec"])
            assert spec.name == name and asdict(spec) == unit["spec"]
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
    test = load("digits").test
    layer = model.block2.conv1
    inputs = observed_inputs(model, [("block2.conv1", layer)], test.scaled(test.images))
    codes, _ = layer.activation_quantiser.codes(inputs["block2.conv1"])
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

    monkeypatch.setattr("asq_model.export.write_layer", killed)
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
    codes, scale = least_squares_codes(levels, weights)
    error = ((levels.values[codes] * scale[:, None] - weights) ** 2).sum(1)
    for factor in (0.8, 1.25):
        alpha = scale[:, None] * levels.level_unit * factor
        other = levels.levels[levels.nearest(np.clip(weights / alpha, -1, 1))] * alpha
        assert np.all(error <= ((other - weights) ** 2).sum(1))


def test_many_fraction_bits_give_torch_s_accuracy(small_checkpoint):
    """With 8 fraction bits `post`'s rounding is below float noise in all but ties: the same images are right."""
    _, config = load_model(small_checkpoint)
    test = load("digits").test
    assert abs(post_correct(small_checkpoint, test, 8) - config["quantised_correct"]) <= 1


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
        convert(net, QuantConfig(inner=layer), images).train()(images)
    manifest = export_network(net, images, tmp_path, {"network": "mine"})
    assert manifest["network"] == "mine" and manifest["activations"] == "lsq"
    layers = list(read_golden(tmp_path))
    assert [golden.name for golden in layers] == ["0", "1", "3", "4"]
    assert layers[1].activations.dtype == np.int8 and layers[1].activations.min() < 0
    for golden in layers:
        for unit in golden.entry["units"].values():
            spec = MacSpec(**unit["spec"])
            assert spec.signed_activation
            if unit["weights"] == "trained" and spec.unit in ("uniform", "serial"):
                assert unit["difference_rms"] < 1e-5
            if unit["weights"] == "trained" and spec.unit == "post-exact":
                assert unit["difference_rms"] < 0.02


@pytest.mark.parametrize(
    "layer, module, said",
    [
        (
            LayerConfig(activations="lsq+"),
            nn.Conv2d(2, 2, 3),
            r"layer 1 has lsq\+ activations; golden vectors need asq",
        ),
        (LayerConfig("dorefa"), nn.Conv2d(2, 2, 3), "layer 1 has dorefa weights"),
        (LayerConfig(), nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), "layer 1 has padding circular"),
        (LayerConfig(), nn.Linear(8, 8), r"layer 1 has input of shape \(5, 2, 8, 8\)"),
    ],
)
def test_layers_that_hardware_does_not_take_are_named(layer, module, said, tmp_path):
    net = nn.Sequential(nn.Conv2d(2, 2, 1), module, nn.Flatten(), nn.LazyLinear(2))
    images = torch.rand(5, 2, 8, 8)
    net(images)
    convert(net, QuantConfig(inner=layer), images)
    with pytest.raises(InputError, match=said):
        export_network(net, images, tmp_path)
    with pytest.raises(InputError, match="Sequential has no low-bit layer"):
        export_network(nn.Sequential(nn.Linear(2, 2)), images, tmp_path)
