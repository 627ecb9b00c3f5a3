"""The step and the scales of a layer whose step adapts: what makes them, and how that is connected in an engine."""

from functools import partial

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib.memory import Memory

from hw.asq.adapter_memories import SharedMemories
from hw.engine.engine_parts import Control, EngineParts, select_fields
from hw.engine.engine_spec import EngineSpec
from hw.engine.finisher import Finisher
from hw.engine.image import Image
from hw.engine.instruction_fields import adapt_fields
from hw.engine.program import Kind
from hw.engine.row_writer import RowWriter, Section, serve
from hw.engine.scaler import Scaler
from hw.engine.step_finder import StepFinder

SECTIONS = {"weights": Section.NEURON_WEIGHTS, "units": Section.NEURONS}  # of the adapter's memories


def add_adaptation(
    m: Module, spec: EngineSpec, image: Image, writer: RowWriter | None, control: Control, parts: EngineParts
) -> Scaler | None:
    """Add the adapter and the scaler where steps adapt, and connect the step of codes and the parts' flags of work.

    Returns the scaler, None where scales are constant.
    """
    value, quantiser = control.value, parts.quantiser
    step: Value = Const(0, spec.step_bits)  # of the last ADAPT
    busy: dict[Kind, Value] = {Kind.COLLECT: parts.collector.busy}
    scaler = None
    if spec.adapter:
        m.submodules.adaptation = adaptation = StepFinder(spec, network_of(spec, image, writer))
        m.submodules.scaler = scaler = Scaler(spec, list(image.multipliers), writer)
        step = adaptation.step
        busy |= {Kind.ADAPT: adaptation.busy, Kind.SCALE: scaler.busy}
        connect_adaptation(m, spec, control, parts.finisher, adaptation, scaler)
        m.d.comb += adaptation.adds_bank.eq(Mux(control.through, value.bank, control.leaving.bank))
    m.d.comb += [
        quantiser.step.eq(Mux(quantiser.follow.adapted, step, quantiser.follow.step)),
        control.value_sequencer.busy.eq(Cat((value.kind == kind) & flag for kind, flag in busy.items()).any()),
    ]
    return scaler


def connect_adaptation(
    m: Module, spec: EngineSpec, control: Control, finisher: Finisher, adaptation: StepFinder, scaler: Scaler
) -> None:
    """Connect what makes a layer's step of its map's sums, and its scales of the step."""
    value, starts, follow = control.value, control.starts, finisher.follow
    m.d.comb += [
        adaptation.adds.eq(finisher.done & follow.adds_channels),
        adaptation.target.eq(finisher.target),
        adaptation.values.eq(finisher.values),
        adaptation.map_pixels.eq(follow.map_pixels),
        adaptation.adapt.eq(select_fields(m, value, adapt_fields(spec), "adapt")),
        adaptation.bank.eq(value.bank),
        adaptation.start.eq(starts[Kind.ADAPT]),
        scaler.first.eq(value.first_multiplier),
        scaler.last.eq(value.last_multiplier),
        scaler.constants.eq(value.scales),
        scaler.shift.eq(value.scale_shift),
        scaler.step.eq(adaptation.step),
        scaler.start.eq(starts[Kind.SCALE]),
    ]


def network_of(spec: EngineSpec, image: Image, writer: RowWriter | None) -> SharedMemories:
    """The memories of all layers' adapters, which are loaded where the others are."""
    depths = {"weights": spec.depths.neuron_weights, "units": spec.depths.neurons}
    return SharedMemories(depths, image.neurons, None if writer is None else partial(serve_neurons, writer))


def serve_neurons(writer: RowWriter, m: Module, name: str, memory: Memory) -> None:
    """Add a write port to one of the adapter's memories."""
    serve(m, writer, SECTIONS[name], memory)
