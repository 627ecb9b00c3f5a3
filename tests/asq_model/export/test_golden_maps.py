"""Golden feature maps: complete, equal to the integer specification, and refused where hardware cannot hold them."""

import numpy as np
import pytest
import torch
from torch import nn

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.export.golden_maps import make_adapter_entry, make_all_maps, observe_layers
from asq_model.quantisation.convert import convert
from asq_model.spec.adaptive_step import IntegerAdapter, IntegerDense, IntegerQuantiser, sum_channels
from asq_model.spec.golden_vectors import read_manifest, read_maps
from asq_model.spec.rescale import Rescale


def rebuilt(maps) -> IntegerQuantiser:
    """A layer's quantiser from what was exported, and nothing else."""
    entry, arrays = maps.entry, maps.arrays
    adapter = None
    if entry["adapter"] is not None:
        constants = entry["adapter"]
        first = IntegerDense(arrays["unit_weights"], arrays["unit_biases"], constants["hidden_shift"])
        if constants["hidden"]:
            bias = np.array([constants["output_bias"]])
            output = IntegerDense(arrays["output_weights"][None], bias, constants["output_shift"])
            adapter = IntegerAdapter(first, output, constants["floor"], 20, 24)
        else:
            output = IntegerDense(arrays["unit_weights"], arrays["unit_biases"], constants["output_shift"])
            adapter = IntegerAdapter(None, output, constants["floor"], 20, 24)
    return IntegerQuantiser(entry["bits"], entry["signed"], entry["mantissa"], entry["point"], adapter)


def test_maps_hold_everything_that_makes_their_codes_and_outputs(small_golden):
    names = [layer["name"] for layer in read_manifest(small_golden)["layers"]]
    found = list(read_maps(small_golden))
    assert [maps.name for maps in found] == names
    adaptive = rescaled = 0
    for maps in found:
        arrays, quantiser = maps.arrays, rebuilt(maps)
        x = arrays["inputs"].astype(np.int64)
        steps = quantiser.compute_step(x)
        np.testing.assert_array_equal(steps, arrays["steps"][: len(x)])
        np.testing.assert_array_equal(quantiser.encode(x, steps), arrays["codes"])
        if quantiser.adapter is not None:
            adaptive += 1
            np.testing.assert_array_equal(sum_channels(x), arrays["sums"][: len(x)])
            np.testing.assert_array_equal(quantiser.adapter(arrays["sums"]), arrays["betas"])
            # The integer layers before may give other codes, which move single images.
            ratios = arrays["betas"] * 2.0**-20 / arrays["torch_betas"]
            assert np.median(np.abs(ratios - 1)) < 1e-4 and np.abs(ratios - 1).max() < 0.1
            assert len(arrays["betas"]) == 64
        constants = maps.entry["rescale"]
        if constants is not None:
            rescaled += 1
            shifts = constants["scale_shift"], constants["shift"]
            rescale = Rescale(arrays["multipliers"], arrays["biases"], *shifts, 20)
            shape = arrays["totals"].shape
            total = rescale.scale_sums(arrays["totals"].reshape(*shape[:2], -1), steps).reshape(shape)
            total += arrays.get("sides", np.zeros(1, np.int64)).astype(np.int64) << constants["align"]
            np.testing.assert_array_equal(rescale.finish(total, constants["relu"])[0], arrays["outputs"])
    assert adaptive == 8 and rescaled == 9


def test_another_network_has_maps_without_rescale():
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3, groups=2), nn.ReLU()), nn.Flatten(), nn.LazyLinear(3)
    )
    images = torch.randn(5, 2, 8, 8)
    net(images)
    inner = LayerConfig("post", 4, activations="asq", activation_bits=4)
    convert(net, QuantConfig(inner=inner), images)
    found = {name: (arrays, entry) for name, arrays, entry in make_all_maps(net.eval(), images)}
    assert list(found) == ["0", "2", "5"]
    assert all(entry["rescale"] is None for _, entry in found.values())
    arrays, entry = found["2"]
    assert entry["products"] == 6 * 2 * 9 * 16 and arrays["inputs"].shape == (5, 4, 6, 6)
    assert found["5"][0]["inputs"].shape == (5, 96, 1, 1)
    assert found["0"][1]["signed"] and not found["2"][1]["signed"]


def test_an_adapter_that_hardware_cannot_hold_is_refused():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1))
    images = torch.randn(4, 2, 3, 3)
    convert(net, QuantConfig(inner=LayerConfig("post", 3, activations="asq", activation_bits=3)), images)
    seen = list(observe_layers(net.eval(), images))[1]
    large = IntegerDense(np.ones((1, 2), np.int64), np.array([1 << 60]), 3)
    with pytest.raises(InputError, match=r"layer 2 has an adapter whose bias is 1152921504606846976; allowed: below"):
        make_adapter_entry(seen, IntegerAdapter(None, large, 1, 20, 24))
    late = IntegerDense(np.ones((1, 2), np.int64), np.array([1]), 64)
    with pytest.raises(InputError, match="whose output_shift is 64; allowed: 0 to 63"):
        make_adapter_entry(seen, IntegerAdapter(None, late, 1, 20, 24))
