"""A block that holds a layer's weights from the start answers as that layer without anything being loaded."""

import json
from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from asq_model.common.errors import InputError
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.golden_vectors import read_maps
from hw.asq.adapter import Adapter
from hw.asq.layer_contents import make_contents
from hw.asq.rescale import Rescale


@pytest.fixture(scope="module")
def layers(small_golden):
    return {maps.name: maps for maps in read_maps(small_golden)}


@pytest.mark.parametrize("name, lanes", [("block1.conv1", 1), ("block2.conv2", 4)])
def test_an_adapter_with_a_layer_s_weights(name, lanes, layers):
    maps = layers[name]
    spec = BlockSpec("adapter", maps.entry["channels"], maps.entry["pixels"], lanes=lanes)
    contents = make_contents(spec, maps)
    dut, found = Adapter(spec, contents), []

    async def bench(ctx):
        ctx.set(dut.words, contents.inputs["words"])
        ctx.set(dut.constants, contents.inputs["constants"])
        ctx.set(dut.o.ready, 1)
        for sums in maps.arrays["sums"][:3].reshape(3, -1, lanes).tolist():
            ctx.set(dut.i.valid, 1)
            for word in sums:
                ctx.set(dut.i.payload, {f"lane{lane}": value for lane, value in enumerate(word)})
                await ctx.tick()
            ctx.set(dut.i.valid, 0)
            while not ctx.get(dut.o.valid):
                await ctx.tick()
            found.append((ctx.get(dut.o.p.beta), ctx.get(dut.o.p.step)))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == list(zip(maps.arrays["betas"][:3].tolist(), maps.arrays["steps"][:3].tolist(), strict=True))


def test_a_rescale_with_a_layer_s_channels(layers):
    maps = layers["block2.conv2"]
    entry = maps.entry["rescale"]
    spec = BlockSpec("rescale", entry["channels"], entry["pixels"])
    contents = make_contents(spec, maps)
    dut, found = Rescale(spec, contents), []
    arrays = maps.arrays
    totals, sides, wanted = (
        arrays[name][0].reshape(entry["channels"], -1).T.flatten().tolist() for name in ("totals", "sides", "outputs")
    )

    async def bench(ctx):
        ctx.set(dut.size, contents.inputs["size"])
        ctx.set(dut.constants, contents.inputs["constants"])
        ctx.set(dut.s.payload, {"beta": 0, "step": int(arrays["steps"][0])})
        ctx.set(dut.s.valid, 1)
        ctx.set(dut.o.ready, 1)
        await ctx.tick()
        ctx.set(dut.i.valid, 1)
        for total, side in zip([*totals, *[0] * 7], [*sides, *[0] * 7], strict=True):
            ctx.set(dut.i.payload, {"total": total, "side": side})
            await ctx.tick()
            if ctx.get(dut.o.valid):
                found.append(ctx.get(dut.o.payload))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    np.testing.assert_array_equal(found[: len(wanted)], wanted)


def test_a_layer_that_does_not_fit_is_named(layers):
    with pytest.raises(InputError, match="layer fc has no adapter"):
        make_contents(BlockSpec("adapter"), layers["fc"])
    with pytest.raises(InputError, match="layer fc has no rescale"):
        make_contents(BlockSpec("rescale"), layers["fc"])
    for spec, said in (
        (BlockSpec("adapter", 32), r"channels is 32; layer block3\.conv2 needs 64"),
        (BlockSpec("adapter", hidden=15), r"hidden is 15; layer block3\.conv2 needs 16"),
        (BlockSpec("adapter", precision=12), r"precision is 12; layer block3\.conv2 was exported with 20"),
        (BlockSpec("adapter-step", buffer=255), r"buffer is 255; layer block3\.conv2 needs 256"),
        (BlockSpec("adapter", 66, lanes=33), r"lanes is 33; layer block3\.conv2 has 64 channels"),
        (BlockSpec("rescale", pixels=2), r"pixels is 2; layer block3\.conv2 needs 4"),
        (BlockSpec("rescale", total_bits=8), r"total_bits is 8; layer block3\.conv2"),
    ):
        with pytest.raises(InputError, match=said):
            make_contents(spec, layers["block3.conv2"])
    with pytest.raises(InputError, match="unit is 'quantiser'; only adapter, adapter-step, rescale hold"):
        make_contents(BlockSpec("quantiser"), layers["block3.conv2"])


def test_a_value_that_its_field_cannot_hold_is_named(layers):
    maps = layers["block3.conv2"]
    shifted = replace(maps, entry=maps.entry | {"adapter": maps.entry["adapter"] | {"hidden_shift": 64}})
    with pytest.raises(InputError, match=r"hidden_shift of layer block3\.conv2's constants is 64; allowed: 0 to 63"):
        make_contents(BlockSpec("adapter"), shifted)
    for unit, name, said in (
        ("adapter", "unit_weights", "lane0 of layer"),
        ("adapter-step", "unit_biases", "bias of layer"),
        ("rescale", "multipliers", "multiplier of layer"),
    ):
        wide = maps.arrays[name].astype(object)
        wide.flat[-1] = 1 << 90
        with pytest.raises(InputError, match=rf"{said} block3\.conv2's .* is {1 << 90}; allowed"):
            make_contents(BlockSpec(unit), replace(maps, arrays=maps.arrays | {name: wide}))


def test_the_command(small_golden, command, refused, tmp_path):
    words = ["hw", "verilog", "--unit", "adapter-step", "--golden", small_golden, "--out", tmp_path]
    done = command(*words, "--layer", "block2.conv2")
    assert done.returncode == 0, done.stderr
    side = json.loads((tmp_path / "adapter_step_c32p16_a3_block2_conv2.json").read_text())
    assert side["top"] == "adapter_step_c32p16_a3_block2_conv2" and side["inputs"]["constants"]["hidden"] == 8
    assert side["inputs"]["size"] == {"words": 32, "pixels": 16}
    assert f"module {side['top']}(" in (tmp_path / f"{side['top']}.v").read_text()
    assert "--layer is 'conv9'; allowed: conv, block1.conv1" in refused(*words, "--layer", "conv9")
    adapter = 8 * (32 + 7) + 29
    assert {row["of"]: row["cycles"] for row in side["timing"]["latency"]} == {"o": adapter + 6, "s": adapter + 2}
    assert "--golden and --layer go together" in refused(*words)
    assert "--abits is 4, but --golden is given, and layer block2.conv2 has its own" in refused(
        *words, "--layer", "block2.conv2", "--abits", 4
    )


def test_a_module_s_name_has_only_letters_that_verilog_has(layers):
    maps = layers["block2.conv2"]
    contents = make_contents(BlockSpec("rescale", 64, 64), maps)
    assert replace(contents, layer="größe.0").suffix == "_gr__e_0"
