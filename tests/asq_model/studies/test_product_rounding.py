"""The layers that compute as the units do, and what is measured with them."""

from dataclasses import astuple

import numpy as np
import pytest
import torch
from torch import nn

from asq_model.common.cifar10_copy import digest_labels
from asq_model.common.errors import InputError
from asq_model.common.records import read_record
from asq_model.common.result_schemas import ARITHMETIC
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.datasets import load_dataset
from asq_model.export.layer_geometry import unfold_operands
from asq_model.quantisation.activations import FROM_BATCH
from asq_model.quantisation.convert import convert, inner_layers
from asq_model.quantisation.layers import QuantConv2d, QuantLinear
from asq_model.quantisation.mac_unit_layers import IntegerLayer, put_on_unit, unit_of
from asq_model.quantisation.observe import observe_inputs
from asq_model.spec import mac
from asq_model.studies.product_rounding import ARITHMETICS, TORCH, Arithmetic, measure_arithmetics, measure_error
from asq_model.studies.product_rounding_page import render_table_by_arithmetic, render_table_by_network
from asq_model.training.load import load_model, load_quantised
from asq_model.training.train import train


@pytest.fixture(scope="module")
def network(small_checkpoint):
    return load_quantised(small_checkpoint)[0]


@pytest.fixture(scope="module")
def images():
    test = load_dataset("digits").test
    return test.scale(test.images[:40])


def with_step(layer, step):
    """A layer in eval mode, its activation step learned."""
    layer.activation_quantiser.step.data.fill_(step)
    layer.activation_quantiser.started.fill_(FROM_BATCH)
    return layer.eval()


def expected(layer, unit, x):
    """[N, C, positions]: what `MacSpec.dot` makes of every dot product of a layer without groups."""
    operands = (
        unfold_operands(layer, layer.activation_quantiser.encode(x)[0].double())[:, 0].transpose(1, 2).long().numpy()
    )
    codes, _ = layer.weight_quantiser.encode(layer.weight)
    return unit.dot(codes.flatten(1).numpy()[:, None], operands[:, None])


@pytest.mark.parametrize("arithmetic", ARITHMETICS["post"], ids=lambda arithmetic: arithmetic.name)
def test_sums_are_the_specification_s(network, images, arithmetic):
    name = "block2.conv1"
    layer = network.get_submodule(name)
    x = observe_inputs(network, [(name, layer)], images)[name]
    unit = unit_of(layer, arithmetic.unit, arithmetic.frac)
    sums = IntegerLayer(layer, unit).compute_sums(x)[0].flatten(2).double().numpy() * 2.0**unit.result_frac
    found = np.rint(sums) if arithmetic.unit == "post-exact" else sums  # the rounding that the layer leaves out
    np.testing.assert_array_equal(found, expected(layer, unit, x))


@pytest.mark.parametrize("unit, config", [("uniform", "uniform"), ("uniform-sign", "uniform"), ("e2m1", "e2m1")])
def test_signed_inputs_and_sign_and_magnitude(unit, config):
    torch.manual_seed(0)
    layer = with_step(QuantConv2d.of(nn.Conv2d(3, 5, 3), LayerConfig(config, 4, activations="lsq", signed=True)), 0.4)
    with torch.no_grad():
        layer.weight[0, 0] = -9 * layer.weight_quantiser.scale[0]
    x = torch.randn(4, 3, 6, 6)
    arithmetic = IntegerLayer(layer, unit_of(layer, unit))
    assert layer.activation_quantiser.encode(x)[0].min() < 0
    if unit == "uniform-sign":
        assert arithmetic.even.min() == -7
        with torch.no_grad():  # the neighbour of −8, so that two's complement has the same
            layer.weight.copy_(layer.weight.clamp(min=-7 * layer.weight_quantiser.scale.view(-1, 1, 1, 1)))
    wanted = expected(layer, unit_of(layer, config), x)
    np.testing.assert_array_equal(arithmetic.compute_sums(x)[0].flatten(2).numpy(), wanted)
    np.testing.assert_allclose(arithmetic(x).detach(), layer(x).detach(), atol=1e-5)


def test_sums_beyond_24_bits_are_exact_too():
    torch.manual_seed(0)
    layer = QuantLinear.of(nn.Linear(600, 2), LayerConfig("post", 6, activations="lsq", activation_bits=8))
    layer = with_step(layer, 1.0)
    unit = unit_of(layer, "post", 4)
    arithmetic = IntegerLayer(layer, unit)
    assert arithmetic.even.dtype == torch.float64
    x = 255 * torch.rand(3, 600)
    np.testing.assert_array_equal(arithmetic.compute_sums(x)[0].numpy(), 2.0**-4 * expected(layer, unit, x)[:, :, 0])


def test_terms_sorted_by_parity_mean_the_same(network, images):
    exact, sorted_ = (put_on_unit(network, unit)(images) for unit in ("post-exact", "post-sorted"))
    torch.testing.assert_close(exact, sorted_, rtol=0, atol=0)


def test_a_wrong_table_is_seen(network, images, monkeypatch):
    """One entry of the look-up table off by one."""
    plain = measure_error(network, images, Arithmetic("post", 4))

    def wrong(activations, frac, real=mac.make_sqrt2_table):
        return real(activations, frac) + (activations == 3)

    monkeypatch.setattr(mac, "make_sqrt2_table", wrong)
    assert measure_error(network, images, Arithmetic("post", 4)) > 1.5 * plain


def test_what_a_unit_cannot_compute_is_said(network, images):
    with pytest.raises(InputError, match="has post weights, which unit uniform does not multiply"):
        put_on_unit(network, "uniform")
    net = nn.Sequential(*(nn.Conv2d(1, 1, 1) for _ in range(3)))
    convert(net, QuantConfig(LayerConfig(activations="lsq+")), images)
    with pytest.raises(InputError, match=r"layer 1 has lsq\+ activations; integers need asq or lsq"):
        put_on_unit(net, "post")
    assert isinstance(inner_layers(network)[0][1], QuantConv2d)  # networks given stay what they are


@torch.no_grad()
def test_a_layer_whose_sums_are_all_zero_has_no_error(small_checkpoint, images):
    """Its relative error would be no number, which no record holds."""
    silent = load_quantised(small_checkpoint)[0]
    silent.bn.weight.zero_()
    silent.bn.bias.zero_()
    assert 0 <= measure_error(silent, images, Arithmetic("post", 2)) < 1


def test_measured_rows(small_checkpoint):
    rows = measure_arithmetics(small_checkpoint, None, None)
    assert [row["arithmetic"] for row in rows] == [TORCH, *(each.name for each in ARITHMETICS["post"])]
    assert rows[0]["correct"] == load_model(small_checkpoint)[1]["quantised_correct"]
    for row in rows:
        assert row["images"] == 360 and row["correct"] == rows[0]["correct"] + row["gained"] - row["lost"]
    errors = [row["rms_error"] for row in rows[1:-1]]
    assert errors[0] == 0 and errors[1:] == sorted(errors[1:]) and 0 < errors[1] < errors[-1] < 0.2
    assert rows[1]["gained"] + rows[1]["lost"] <= 2  # exact: what floats decide otherwise


def test_the_page_says_what_is_decided():
    row = {"network": "n", "level_set": "post4", "activations": "lsq", "activation_bits": 4, "images": 1000}
    row |= {"product_frac": None, "data": ""}
    rows = []
    for seed in range(3):
        rows.append(row | {"arithmetic": TORCH, "correct": 800, "lost": 0, "gained": 0, "rms_error": None})
        rows.append(row | {"arithmetic": "a", "correct": 780 + seed, "lost": 25, "gained": 5 + seed, "rms_error": 0.1})
        rows.append(row | {"arithmetic": "b", "correct": 799 + seed, "lost": 1, "gained": seed, "rms_error": 0.01})
    assert render_table_by_arithmetic(rows)[2:] == [
        "| a | 1000 | 3 | -1.90 ± 0.25 | -2.00 | costs |",
        "| b | 1000 | 3 | +0.00 ± 0.25 | -0.10 | undecided |",
    ]
    assert (
        render_table_by_network(rows)[2]
        == "| n | post4 | LSQ, 4 bits | fake-quantised | 1000 | 80.00 ± 0.00 | – | – | – | – | 3 |"
    )
    assert (
        render_table_by_network(rows)[3]
        == "| n | post4 | LSQ, 4 bits | a | 1000 | 78.10 ± 0.10 | -1.90 ± 0.10 | 25 | 6 | 10.00% | 3 |"
    )
    fewer = [other | {"images": 500} for other in rows[:2]]
    assert (
        len(render_table_by_network([*rows, *fewer])) == len(render_table_by_network(rows)) + 2
        and len(render_table_by_arithmetic([*rows, *fewer])) == len(render_table_by_arithmetic(rows)) + 1
    )


def test_the_command(command, refused, small_checkpoint, small_recipe, tmp_path):
    out = tmp_path / "found.json"
    done = command("asq_model", "arithmetic", small_checkpoint, "--images", 50, "--out", out, "--note", "Small.")
    assert done.returncode == 0, done.stderr
    assert "\npost frac -1 " in done.stdout and max(map(len, done.stdout.splitlines())) <= 80
    rows = read_record(out, ARITHMETIC)["rows"]
    assert [(row["unit"], row["frac"]) for row in rows] == [(None, None), *map(astuple, ARITHMETICS["post"])]
    digits = digest_labels(load_dataset("digits").test.labels.numpy())
    assert {(row["family"], row["kind"], row["data"]) for row in rows} == {("post", "symmetric", digits)}
    text = out.with_suffix(".md").read_text(encoding="utf-8")
    assert "| fake-quantised | 50 |" in text and "`found.json`" in text and "\nSmall.\n" in text
    words = ("--images", 40, "--only", "post frac 0", "--out", out)
    done = command("asq_model", "arithmetic", small_checkpoint, *words)
    assert done.returncode == 0, done.stderr
    images = {row["arithmetic"]: row["images"] for row in read_record(out, ARITHMETIC)["rows"]}
    assert images["post frac 0"] == 40 and images["post frac 1"] == 50
    assert "\nSmall.\n" in out.with_suffix(".md").read_text(encoding="utf-8")
    out.write_text(out.read_text().replace('"gained": 0', '"gained": 1', 1))
    said = refused("asq_model", "arithmetic", small_checkpoint, "--out", out)
    assert f"accuracies by arithmetic {out} cannot be used: it was changed since" in said
    assert "--only is 'post'; allowed: post-exact, post frac 4" in refused(
        "asq_model", "arithmetic", small_checkpoint, "--only", "post"
    )
    assert "only is uniform-sign, none of post weights; allowed: post-exact, post frac 4" in refused(
        "asq_model", "arithmetic", small_checkpoint, "--only", "uniform-sign"
    )
    assert "does not exist" in refused("asq_model", "arithmetic", tmp_path / "none")
    assert "a.md, where the page goes" in refused("asq_model", "arithmetic", "--out", tmp_path / "a.md")
    full = tmp_path / "full.safetensors"
    train(type(small_recipe)(full_precision_epochs=0, quantised_epochs=0), full)
    assert "is of a network in full precision" in refused("asq_model", "arithmetic", full)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("activations", ["lsq", "asq"])
@pytest.mark.parametrize("frac", [-1, 0, 2])
def test_a_layer_trained_with_rounded_products_computes_as_the_unit(frac, activations, signed):
    torch.manual_seed(0)
    config = LayerConfig("post", 4, activations=activations, signed=signed, product_frac=frac)
    layer = with_step(QuantConv2d.of(nn.Conv2d(3, 5, 3), config), 0.4)
    x = torch.randn(4, 3, 6, 6) if signed else 8 * torch.rand(4, 3, 6, 6)
    with torch.no_grad():
        found = layer(x)
        wanted, exact = (IntegerLayer(layer, unit_of(layer, *unit))(x) for unit in (("post", frac), ("post-exact",)))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    assert (found - exact).abs().max() > 100 * (found - wanted).abs().max()
    layer.train()(x.requires_grad_()).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in (x, layer.weight, layer.weight_quantiser.scale))


def test_networks_trained_with_the_rounding_stand_apart_on_the_page():
    rows = [
        {"network": "n", "level_set": "post4", "activations": "lsq", "activation_bits": 4, "arithmetic": "post frac -1"}
        | {
            "product_frac": seen,
            "correct": 80 + index,
            "lost": 3,
            "gained": 1,
            "images": 100,
            "rms_error": 0.1,
            "data": "",
        }
        for index, seen in enumerate((None, -1))
    ]
    assert [line.split("|")[2].strip() for line in render_table_by_network(rows)[2:]] == [
        "post4",
        "post4, trained with F = -1",
    ]
    assert "| post frac -1 | 100 | 1 |" in render_table_by_arithmetic(rows)[-1]
