"""How a layer is quantised, as plain data: what cannot be, and what is stored."""

from dataclasses import asdict

import pytest

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig, QuantConfig, parse_layer_config


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"weights": "int"}, "weights is 'int'; allowed: post, pot"),
        ({"activations": "none"}, "activations is 'none'; allowed: asq"),
        ({"weight_bits": 1}, "weight_bits is 1 for post weights; allowed: 2 to 6"),
        ({"weights": "uniform", "weight_bits": 9}, "weight_bits is 9 for uniform weights; allowed: 2 to 8"),
        ({"weights": "dorefa", "weight_bits": 9}, "weight_bits is 9; allowed: 2 to 8"),
        ({"weights": "dorefa", "kind": "extended"}, "dorefa weights have only one level set"),
        ({"activation_bits": 9}, "activation_bits is 9; allowed: 2 to 8"),
        ({"kind": "wide"}, "kind is 'wide'"),
        ({"kind": None}, "kind is None; allowed: a name, or nothing"),
        ({"beta_floor": 0.0}, "beta_floor is 0.0; allowed: more than 0"),
        ({"beta_floor": float("nan")}, "beta_floor is nan; allowed: more than 0"),
        ({"beta_floor": "low"}, "beta_floor is 'low'; allowed: more than 0"),
        ({"per_channel": "no"}, "per_channel is 'no'; allowed: True, False"),
        ({"signed": 1}, "signed is 1; allowed: True, False"),
        ({"scale_beta_gradient": None}, "scale_beta_gradient is None; allowed: True, False"),
        ({"adapter_layers": True}, "adapter_layers is True; allowed: 0 to 2"),
        ({"adapter_ratio": 0}, "adapter_ratio is 0"),
        ({"product_frac": -2}, "product_frac is -2; allowed: -1 to 12"),
        (
            {"product_frac": 0, "weights": "pot"},
            "product_frac is 0 with pot weights and asq activations; it is for post",
        ),
        ({"adapter_layers": 3}, "adapter_layers is 3; allowed: 0 to 2"),
        ({"adapter_start": "alive"}, "adapter_start is 'alive'; allowed: active, authors"),
        ({"step_gradient": "batch"}, "step_gradient is 'batch'; allowed: numel, features, unscaled"),
    ],
)
def test_impossible_configurations_are_refused_by_name(fields, said):
    with pytest.raises(InputError, match=said):
        LayerConfig(**fields)


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"inner": "post"}, "inner is post; allowed: a LayerConfig"),
        ({"outer": None}, "outer is None; allowed: a LayerConfig"),
        ({"overrides": ["fc"]}, r"overrides is \['fc'\]; allowed: configurations by layer name"),
        ({"overrides": {"fc": "lsq"}}, r"overrides\['fc'\] is lsq; allowed: a LayerConfig, or None to leave the layer"),
    ],
)
def test_what_is_no_configuration_is_refused(fields, said):
    with pytest.raises(InputError, match=said):
        QuantConfig(**fields)


def test_a_stored_configuration_comes_back():
    config = LayerConfig("pot", 3, "extended", signed=True)
    assert parse_layer_config(asdict(config)) == config
    with pytest.raises(InputError, match="unknown fields"):
        parse_layer_config({"weights": "post", "colour": 1})


def test_stored_bits():
    assert LayerConfig("post", 3, "extended").stored_bits == 4
    assert LayerConfig("dorefa", 3).stored_bits == LayerConfig("post", 3).stored_bits == 3
