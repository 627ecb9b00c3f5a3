"""The registers of ASQ's adapter, by what they hold while a map is inside."""

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import Signal, Value, signed

from asq_model.spec.asq_blocks import BlockSpec
from hw.asq.layouts import make_index


@dataclass(frozen=True)
class Registers:
    """The registers of an adapter, which its parts share."""

    word: Signal  # beat of the sums
    unit: Signal  # neuron at work
    address: Signal  # of its weights for that beat
    accumulator: Signal  # sum of the neuron at work, then of the output
    output: Signal  # the output's sum so far
    is_output: Signal  # the accumulator holds the output's sum
    rounded: Signal  # the accumulator, shifted
    activation: Signal  # of the neuron
    beta: Signal
    scaled: Signal  # the learned step times the bits of β so far
    remaining: Signal  # bits of β after the current one
    read: Signal  # operands come out of the memories
    multiplied: Signal  # products are in their registers
    takes_activation: Signal  # the first multiplier takes a neuron's activation and its weight in the output

    @classmethod
    def create(cls, spec: BlockSpec, depths: Mapping[str, int] | None = None) -> "Registers":
        """Registers as wide as the block needs. depths: of memories that serve several layers."""
        depths = depths or {"weights": spec.hidden * spec.words, "units": spec.hidden}
        word, unit = make_index(spec.words), make_index(depths["units"])
        address = make_index(depths["weights"])
        accumulator = Signal(signed(spec.accumulator_bits))
        output = Signal(signed(spec.accumulator_bits))
        is_output = Signal()
        rounded = Signal(signed(spec.accumulator_bits))
        activation = Signal(spec.hidden_bits)
        beta, scaled = Signal(spec.beta_bits), Signal(spec.beta_bits + spec.mantissa_bits)
        remaining = Signal(range(spec.beta_bits))
        read, multiplied, takes_activation = Signal(), Signal(), Signal()
        sums = accumulator, output, is_output, rounded, activation
        return cls(word, unit, address, *sums, beta, scaled, remaining, read, multiplied, takes_activation)


@dataclass(frozen=True)
class Beat:
    """The beat that `Registers.word` counts: whether it is a map's last, and the one that follows it."""

    is_last: Value
    following: Value
