"""Networks as people bring them: converted, trained a moment, exported for RTL and as ONNX, or refused by name."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from any_networks import INPUTS, NETWORKS, plain
from conftest import some
from torch import nn

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.export.golden_layers import export_network
from asq_model.export.onnx import export_onnx, largest_differences, run_onnx, run_torch
from asq_model.quantisation.convert import convert, inner_layers, quantised_layers
from asq_model.quantisation.mac_unit_layers import IntegerLayer, put_on_unit
from asq_model.quantisation.observe import observe_inputs
from asq_model.spec.golden_manifest import spec_of
from asq_model.spec.golden_vectors import read_golden, read_maps
from asq_model.spec.graph.file import read_graph
from asq_model.spec.precision import Precision
from asq_model.studies.integer_parity import compare_batch, start_parity

NOT_AS_A_WHOLE = {  # and why: their layers are exported one by one
    "squeeze and excite": r"operation mul \(module 3, .*\) multiplies two tensors that the input decides",
    "attention": r"operation matmul \(module 3, .*\) has no integer form here",
    "paddings": "layer 0 has reflect padding; allowed in integers: zeros",
    "group norm": "operation group_norm .* has no integer form here",
}
# One of every kind of structure: branches, concatenation, depthwise layers, one dimension, one exported in part.
USUAL = ("MobileNetV2", "DenseNet", "attention", "branches", "shared layer", "1-D", "Hardswish")
# Those that differ in operators or shapes: torch's exporter takes seconds for each.
AS_ONNX = ("VGG", "MobileNetV2", "branches", "1-D", "Hardswish")
LAYER = LayerConfig("post", 4, activations="asq", activation_bits=4)


def train(net: nn.Module, images: torch.Tensor, steps: int = 3) -> None:
    """A few steps toward made-up labels: the network's own first outputs."""
    wanted = net.eval()(images).detach().flip(0)
    optimiser = torch.optim.SGD(net.train().parameters(), lr=0.02, momentum=0.9)
    for _ in range(steps):
        loss = (net(images) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert torch.isfinite(loss)


def check_golden(folder) -> None:
    """Every layer's exact results mean what torch computes, and every adapter's integers give torch's β."""
    for layer in read_golden(folder):
        assert layer.entry["torch_rms"] > 0
        for unit in layer.entry["units"].values():
            spec = spec_of(unit)
            if unit["weights"] == "trained" and spec.unit in ("uniform", "post-exact"):
                assert unit["difference_rms"] < (1e-4 if spec.unit == "uniform" else 0.02), layer.name
    for maps in read_maps(folder):
        if maps.entry["adapter"] is not None:
            np.testing.assert_allclose(
                maps.arrays["betas"] * 2.0**-20, maps.arrays["torch_betas"], rtol=1e-3
            )  # a code that differs moves those behind it


def check_graph(folder, net, images) -> None:
    """The whole network in integers, read from its file, gives torch's outputs; every layer's rescale is exported."""
    graph, _ = read_graph(folder / "graph.safetensors")
    samples = graph.input.to_integers(images.reshape(len(images), *graph.input.shape).numpy())
    with torch.no_grad():
        wanted = net(images).reshape(len(images), -1).double().numpy()
    made = graph.to_reals(graph(samples)).reshape(len(images), -1)
    assert np.median(np.abs(made - wanted)) < 2e-3 * np.abs(wanted).max()
    rescaled = [maps.name for maps in read_maps(folder) if maps.entry["rescale"] is not None]
    assert len(rescaled) >= len(quantised_layers(net)) - 1  # but the last, which keeps all bits
    parity = start_parity("network", net, graph, Precision())
    compare_batch(parity, net, graph, images, samples, np.zeros(len(images), int))
    for name, layer in parity.layers.items():
        assert layer.given_input > 0.998 * layer.codes, name


def converted(kind: str) -> tuple[nn.Module, torch.Tensor]:
    """The network in eval mode, trained a moment, and its images."""
    torch.manual_seed(3)
    net, images = NETWORKS[kind](), torch.randn(12, *INPUTS.get(kind, (3, 8, 8)))
    done = convert(net, QuantConfig(LAYER), images, for_export=True)
    assert not done.left and len(done.quantised) >= 3
    train(net, images, 40 if kind == "MLPerf's autoencoder" else 3)  # or its bottleneck is zero for all
    return net.eval(), images


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")  # torch may copy
@pytest.mark.filterwarnings("ignore:layer .* is .* for all")  # three steps do not teach every adapter to vary
@pytest.mark.parametrize("kind", [some(kind, USUAL, kind) for kind in NETWORKS])
def test_networks_go_from_conversion_to_golden_vectors(kind, tmp_path):
    net, images = converted(kind)
    with pytest.warns(UserWarning, match=NOT_AS_A_WHOLE[kind]) if kind in NOT_AS_A_WHOLE else nullcontext():
        export_network(net, images, tmp_path)
    check_golden(tmp_path)
    if kind not in NOT_AS_A_WHOLE:
        check_graph(tmp_path, net, images)
    assert [layer.name for layer in read_golden(tmp_path)] == [name for name, _ in quantised_layers(net)]


@pytest.mark.xdist_group("onnx")
@pytest.mark.exhaustive  # tests/asq_model/export/test_onnx.py has two networks for every run
@pytest.mark.parametrize("kind", ["attention", *AS_ONNX])
def test_networks_go_from_conversion_to_onnx(kind, tmp_path):
    net, images = converted(kind)
    export_onnx(net, images[:2], tmp_path / "net.onnx")
    assert largest_differences(run_onnx(tmp_path / "net.onnx", images), run_torch(net, images)).median() < 1e-3


def test_export_holds_for_every_start_of_small_adapters(tmp_path):
    """Adapters of two hidden neurons, dead ones too: the integers give torch's β, and a dead one is warned of."""
    images = torch.rand(12, 3, 8, 8)
    for seed in range(6):
        torch.manual_seed(seed)
        net = plain(nn.ReLU())
        convert(net, QuantConfig(LayerConfig(adapter_start="authors")), images)
        adapter = net[3].activation_quantiser.adapter
        if seed % 3 == 0:
            adapter.hidden.bias.data.fill_(-50.0)
        train(net, images, 1)
        inputs = observe_inputs(net, [("3", net[3])], images)["3"]
        dead = bool((adapter.compute_neurons(adapter.pool(inputs)) <= 0).all())
        assert dead or seed % 3
        with pytest.warns(UserWarning, match="layer 3: the adapter is dead") if dead else nullcontext():
            export_network(net.eval(), images, tmp_path)
        check_golden(tmp_path)


def test_a_network_that_cannot_be_exported_is_refused_when_it_is_converted():
    net = plain(nn.ReLU())
    with pytest.raises(InputError, match="layer 3 has dorefa weights, which have no code here"):
        convert(net, QuantConfig(LayerConfig("dorefa")), torch.rand(2, 3, 8, 8), for_export=True)
    assert type(net[0]) is nn.Conv2d


@pytest.mark.parametrize("kind", ["attention", "1-D", "shared layer", "paddings"])
@pytest.mark.parametrize(
    "layer, unit",
    [
        (LayerConfig("post", 4, activations="asq", activation_bits=4), "post-exact"),
        (LayerConfig("uniform", 4, "sign-magnitude", activations="lsq", activation_bits=4), "uniform-sign"),
    ],
)
@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
def test_integer_products_give_torch_s_logits(kind, layer, unit):
    """Whatever shape the inputs have, and wherever a layer stands: a unit that rounds nothing changes nothing."""
    torch.manual_seed(3)
    net, images = NETWORKS[kind](), torch.randn(12, 3, 8, 8)
    convert(net, QuantConfig(layer), images)
    train(net, images)
    computed = put_on_unit(net.eval(), unit)
    assert len(inner_layers(net)) == sum(isinstance(module, IntegerLayer) for module in computed.modules()) >= 1
    torch.testing.assert_close(computed(images), net(images), rtol=1e-3, atol=1e-4)
