"""The integer network against torch, and against the specification that the hardware obeys."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import some

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.datasets import load_dataset
from asq_model.export import integer_graph
from asq_model.export.integer_graph import make_graph
from asq_model.networks import build_network
from asq_model.quantisation.convert import convert
from asq_model.spec import adaptive_step as asq
from asq_model.spec.graph.tensor import Trace, pad, view_windows
from asq_model.spec.mac import MacSpec
from asq_model.spec.precision import BETA_LIMIT, GUARD, Precision
from asq_model.studies.integer_parity import measure_parity
from asq_model.studies.pages import render_record
from asq_model.training.load import load_quantised


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def network(small_checkpoint, digits):
    return make_graph(
        load_quantised(small_checkpoint)[0], digits.train.scale(digits.train.images), None, digits.train.scale
    ).graph


def test_the_integer_network_agrees_with_torch(small_checkpoint):
    """All 360 digits. Given torch's input, codes differ only where 16 bits put a value on another side."""
    found, nodes = measure_parity(small_checkpoint, 360, None)
    # Two epochs leave many images between two classes; how many depends on the last bits of this machine's training.
    assert found.images == 360 and found.same_class >= 345
    assert abs(found.integer_correct - found.torch_correct) <= 10
    assert len(found.layers) == 10
    for name, layer in found.layers.items():
        assert layer.given_input / layer.codes > 0.999, name
        assert layer.step_error < 1e-4 and layer.in_network <= layer.codes
    assert found.layers["conv"].in_network == found.layers["conv"].codes  # the image itself is exact
    assert nodes.keys() >= {"conv", "mean", "fc"} and max(nodes.values()) < 0.02


def patches(codes, layer):
    """The operands of every dot product, int [N, terms, positions]."""
    fields = view_windows(pad(codes, layer.padding), layer.kernel, layer.stride, layer.dilation)
    return fields.transpose(0, 1, 4, 5, 2, 3).reshape(len(codes), layer.products.even.shape[1], -1)


def test_sums_are_those_of_the_hardware_s_specification(network, digits):
    """Every product that the network adds up, once more by `MacSpec.dot`: `post-exact` inside, `uniform` outside."""
    trace = Trace(keep=True)
    network(digits.test.images[:3].numpy(), trace)
    for layer in network.convolutions():
        fields = patches(trace.codes[layer.name], layer)
        low_bit = layer.products.odd is not None
        spec = MacSpec(
            "post-exact" if low_bit else "uniform",
            3 if low_bit else 8,
            layer.quantiser.bits,
            frac=layer.products.frac if low_bit else None,
        )
        even, odd = layer.products.even.astype(int), None if not low_bit else layer.products.odd.astype(int)
        pairs = zip(spec.level_set.even.tolist(), spec.level_set.odd.tolist(), strict=True)
        table = {pair: code for code, pair in enumerate(pairs)}
        for channel in (0, len(even) - 1):
            odds = np.zeros(even.shape[1], int) if odd is None else odd[channel]
            codes = np.array([table[int(e), int(o)] for e, o in zip(even[channel], odds, strict=True)])
            expected = spec.dot(codes, fields[:, :, 0])
            np.testing.assert_array_equal(trace.sums[layer.name][:, channel].reshape(3, -1)[:, 0], expected)


def test_there_is_no_float_after_the_pixels(network, digits):
    """Inputs, steps, codes and logits are integers, and so are all the numbers that make them."""
    trace = Trace(keep=True)
    logits = network(digits.test.images[:5].numpy(), trace)
    assert logits.dtype == np.int64
    for values in (*trace.inputs.values(), *trace.steps.values(), *trace.codes.values()):
        assert values.dtype == np.int64
    for layer in network.convolutions():
        rescale = layer.rescale
        assert rescale.multiplier.dtype == rescale.bias.dtype == np.int64
        assert type(rescale.scale_shift) is type(rescale.shift) is int
        assert type(layer.quantiser.mantissa) is int
        for levels in (layer.products.even, layer.products.odd):
            assert levels is None or np.array_equal(levels, np.rint(levels))  # integers that BLAS adds exactly
        if layer.quantiser.adapter is not None:
            for part in (layer.quantiser.adapter.hidden, layer.quantiser.adapter.output):
                assert part is None or part.weights.dtype == part.bias.dtype == np.int64


def test_no_sum_can_overflow(network):
    """The largest that an accumulator can hold, from the codes' range: within 63 bits, and in float64 exact."""
    for layer in network.convolutions():
        even, odd = layer.products.reach
        assert even < 2**53 and odd < 2**53
        steps = layer.quantiser.mantissa * (BETA_LIMIT if layer.quantiser.adapter else 1)
        rescale = layer.rescale
        scales = int(np.abs(rescale.compute_scales(np.array([steps]))).max())
        total = ((even + 2 * odd) * 2**layer.products.frac) * scales
        side = 1 << rescale.bits - 1 + rescale.shift if len(layer.inputs) == 2 else 0
        assert total + int(np.abs(rescale.bias).max()) + side < 2**63


def test_a_corrupted_adapter_weight_is_seen(small_checkpoint, monkeypatch):
    """A graph is refused that does not do what torch does; measured all the same, its layers show it."""
    plain, _ = measure_parity(small_checkpoint, 40, None)

    def wrong(*words, real=asq.IntegerDense.from_real):
        layer, point = real(*words)
        changed = layer.weights.copy()
        changed[0] ^= 1 << 16
        return replace(layer, weights=changed), point

    monkeypatch.setattr(asq.IntegerDense, "from_real", wrong)
    with pytest.raises(InputError, match=r"node block\d\.conv\d differs from torch by"):
        measure_parity(small_checkpoint, 40, None)
    monkeypatch.setattr(integer_graph, "check_nodes", lambda *_: None)
    found, _ = measure_parity(small_checkpoint, 40, None)
    layer, before = found.layers["block2.conv1"], plain.layers["block2.conv1"]
    assert layer.step_error > 10 * before.step_error and layer.given_input < before.given_input


def test_an_off_by_one_in_the_rounding_is_seen(small_checkpoint, monkeypatch):
    """Without the half, codes are floors: far from torch's."""
    monkeypatch.setattr(
        asq.IntegerQuantiser,
        "make_division",
        lambda self, x, step: (x << GUARD + 1, 2 * step.reshape(-1, *(1,) * (x.ndim - 1))),
    )
    with pytest.raises(InputError, match=r"node \S+ differs from torch by"):
        measure_parity(small_checkpoint, 40, None)
    monkeypatch.setattr(integer_graph, "check_nodes", lambda *_: None)
    found, _ = measure_parity(small_checkpoint, 40, None)
    assert all(layer.given_input / layer.codes < 0.97 for layer in found.layers.values())


USUAL = (("resnet8", "post"), ("resnet8", "uniform"))
CASES = [(name, weights) for name in ("resnet8", "resnet20") for weights in ("post", "uniform", "e2m1")]


@pytest.mark.parametrize("name, weights", [some(case, USUAL, "-".join(case)) for case in CASES])
def test_other_residual_networks(name, weights):
    """Signed first layer, biases, both kinds of shortcut: layer by layer on random images."""
    from asq_model.datasets import MemorySplit
    from asq_model.studies.integer_parity import compare_batch, start_parity

    torch.manual_seed(0)
    images = torch.randint(0, 256, (40, 3, 32, 32), dtype=torch.uint8)
    split = MemorySplit(images, torch.arange(40) % 10, 255.0, (0.5,) * 3, (0.25,) * 3, 0, False)
    model = build_network(name, 10)
    with torch.no_grad():
        convert(model, QuantConfig(LayerConfig(weights)), split.scale(images))
        model.train()(split.scale(images))
    graph = make_graph(model.eval(), split.scale(images), None, split.scale).graph
    found = start_parity(name, model, graph, Precision())
    compare_batch(found, model, graph, split.scale(images), images.numpy(), split.labels.numpy())
    for layer_name, layer in found.layers.items():
        assert layer.given_input / layer.codes > 0.999, layer_name
    assert found.same_class >= 36


def test_what_has_no_integer_form_is_said(digits):
    images = digits.train.scale(digits.train.images[:8])
    with pytest.raises(InputError, match="DigitsNet has no quantised layer; integers are made of a converted network"):
        make_graph(build_network("digits", 10), images)
    model = build_network("digits", 10)
    convert(model, QuantConfig(LayerConfig(activations="lsq+")), images)
    with pytest.raises(InputError, match=r"layer block1\.conv1 has lsq\+ activations; integers need asq or lsq"):
        make_graph(model.eval(), images)
    model = build_network("digits", 10)
    convert(model, QuantConfig(LayerConfig(product_frac=-1)), images)
    with pytest.raises(InputError, match=r"layer block1\.conv1 was trained with product_frac -1; the integer network"):
        make_graph(model.eval(), images)


def test_the_command(command, refused, small_checkpoint, tmp_path):
    spaced = shutil.copy(small_checkpoint, tmp_path / "my network.safetensors")
    done = command("asq_model", "parity", spaced, "--images", 50, "--out", tmp_path / "parity.md")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "parity.md").read_text(encoding="utf-8")
    assert "\nblock3.downsample.0 " in done.stdout and "50 test images" in page
    assert render_record(tmp_path / "parity.json") == page and "75.48" not in page
    assert "does not exist" in refused("asq_model", "parity", tmp_path / "none")
