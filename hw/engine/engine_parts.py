"""The components of an engine by their names, and what the two instructions at hand say, for what connects them."""

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import data

from hw.engine.arrays import Arrays
from hw.engine.collector import Collector
from hw.engine.engine_layouts import PROGRAMS
from hw.engine.engine_spec import EngineSpec
from hw.engine.finisher import Finisher
from hw.engine.image import Image
from hw.engine.instruction_fields import follow_fields
from hw.engine.loader import Loader
from hw.engine.program import ARRAY_KINDS, VALUE_KINDS, Kind
from hw.engine.quantiser import Quantiser
from hw.engine.results import Results
from hw.engine.row_writer import RowWriter
from hw.engine.sequencer import Sequencer, make_start_signals


@dataclass(frozen=True)
class Control:
    """The two sequencers, and what follows from the instructions that they have at hand or that leave.

    through: what is collected goes through the finisher, and the arrays rest. collecting: codes are made of what is
    collected. summed, collected: what follows the sums of one instruction, the values of the other. follow: what
    follows all that is in the finisher.
    """

    array_sequencer: Sequencer
    value_sequencer: Sequencer
    starts: Mapping[Kind, Signal]
    through: Signal
    collecting: Signal
    summed: data.View
    collected: data.View
    follow: data.View

    @property
    def array(self) -> data.View:
        """The instruction of the arrays' program."""
        return self.array_sequencer.instruction

    @property
    def leaving(self) -> data.View:
        """The instruction of the arrays' program whose sums leave."""
        return self.array_sequencer.leaving

    @property
    def value(self) -> data.View:
        """The instruction of the values' program."""
        return self.value_sequencer.instruction


@dataclass(frozen=True)
class EngineParts:
    """The components that an image's numbers pass through."""

    loader: Loader
    products: Arrays
    collector: Collector
    finisher: Finisher
    quantiser: Quantiser
    results: Results


def add_control(m: Module, spec: EngineSpec, image: Image, writer: RowWriter | None, counted: bool) -> Control:
    """Add the two sequencers with their programs."""
    programs = image.array_program, image.value_program
    array_sequencer, value_sequencer = (
        Sequencer(spec, layout(spec), kinds, words, writer, counted, overlaps=kinds == ARRAY_KINDS and spec.reads_ahead)
        for layout, kinds, words in zip(PROGRAMS.values(), (ARRAY_KINDS, VALUE_KINDS), programs, strict=True)
    )
    m.submodules.array_sequencer, m.submodules.value_sequencer = array_sequencer, value_sequencer
    starts = {**make_start_signals(m, value_sequencer), **make_start_signals(m, array_sequencer)}
    value = value_sequencer.instruction
    through = Signal()
    collecting = Signal()
    m.d.comb += through.eq(value_sequencer.at_work & (value.kind == Kind.COLLECT) & value.finishes)
    summed = select_fields(m, array_sequencer.leaving, follow_fields(spec), "summed")
    collected = select_fields(m, value, follow_fields(spec), "collected")
    follow = Signal.like(summed)
    m.d.comb += [
        follow.eq(Mux(through, collected, summed)),
        collecting.eq(value_sequencer.at_work & (value.kind == Kind.COLLECT)),
    ]
    return Control(array_sequencer, value_sequencer, starts, through, collecting, summed, collected, follow)


def add_parts(
    m: Module,
    spec: EngineSpec,
    image: Image,
    radix_bits: int,
    piece_bits: int,
    writer: RowWriter | None,
    spram: bool,
) -> EngineParts:
    """Add the components that an image's numbers pass through, not connected yet."""
    m.submodules.loader = loader = Loader(spec, list(image.tables), writer)
    m.submodules.products = products = Arrays(spec, radix_bits, piece_bits, image.weights, writer, spram)
    m.submodules.collector = collector = Collector(spec)
    m.submodules.finisher = finisher = Finisher(spec)
    m.submodules.quantiser = quantiser = Quantiser(spec, piece_bits)
    m.submodules.results = results = Results(spec)
    return EngineParts(loader, products, collector, finisher, quantiser, results)


def select_fields(m: Module, instruction: data.View, fields: Mapping[str, Shape], name: str) -> data.View:
    """Some fields of an instruction, as a signal of that name."""
    view = Signal(data.StructLayout(dict(fields)), name=name)
    m.d.comb += [view[field].eq(instruction[field]) for field in fields]
    return view
