"""Where results go: the addresses of an output pixel's words, and an item on its way through what follows a sum."""

from amaranth.hdl import Module, Signal, Value, signed, unsigned
from amaranth.lib import data

from hw.asq.layouts import index_shape
from hw.engine.engine_spec import EngineSpec

STEPS = {"value": "value_step", "side": "value_step", "code": "code_step", "result": "result_step"}


def target_layout(spec: EngineSpec) -> data.StructLayout:
    """Where a word of an output pixel goes: addresses, which of the pixel's words it is, pixels left with it."""
    value = index_shape(spec.depths.values)
    return data.StructLayout(
        {
            "value": value,
            "side": value,
            "code": index_shape(spec.depths.codes),
            "result": index_shape(spec.depths.results),
            "word": unsigned(spec.size_bits),
            "left": unsigned(spec.count_bits),
        }
    )


def first_target(follow: data.View, pixels: Value) -> dict[str, Value]:
    """The target of an instruction's first word."""
    return {name: follow[name] for name in STEPS} | {"left": pixels, "word": 0}


def next_pixel(target: data.View, follow: data.View) -> dict[str, Value]:
    """The target one pixel further, its word's number unchanged."""
    return {name: target[name] + follow[step] for name, step in STEPS.items()} | {"left": target.left - 1}


def next_word(spec: EngineSpec, target: data.View, words: Value | int = 1) -> dict[str, Value]:
    """The target some words further in the same pixel. A word of codes is made of `spec.beats` words of values."""
    beat = spec.beats.bit_length() - 1
    word = target.word + words
    code = target.code + (word >> beat) - (target.word >> beat)
    return {name: target[name] + words for name in ("value", "side", "result", "word")} | {"code": code}


def operands_layout(spec: EngineSpec) -> data.ArrayLayout:
    """A word of what is finished: sums of products, or values."""
    return data.ArrayLayout(signed(spec.operand_bits), spec.lanes)


def item_layout(spec: EngineSpec) -> data.StructLayout:
    """A word of operands with its target."""
    return data.StructLayout({"operands": operands_layout(spec), "target": target_layout(spec)})


def delay(m: Module, value: Value, cycles: int, name: str) -> Value:
    """Delay a value by some cycles."""
    for cycle in range(cycles):
        held = Signal.like(value, name=f"{name}_{cycle}")
        m.d.sync += held.eq(value)
        value = held
    return value
