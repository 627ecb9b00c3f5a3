"""Compile a graph of integers for an engine: instructions, the contents of memories, and cycles."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from asq_model.common.errors import InputError
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Add, Input
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.movement import Concatenate, MaxPool, Reshape, SumPool
from asq_model.spec.graph.tensor import Tensor
from hw.engine.compiler import cycles
from hw.engine.compiler.adaptation import Adaptation
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.geometry import NO_MARGIN, ONE, Window
from hw.engine.compiler.instructions import Banks, Instruction
from hw.engine.compiler.layer_operands import (
    pass_fields,
    slot_fields,
    weight_rows,
    zero_word,
)
from hw.engine.compiler.regions import Regions
from hw.engine.compiler.rescaling import (
    Constants,
    align_fields,
    bound_fields,
    extra_bits,
    rescale_fields,
    shift_fields,
)
from hw.engine.compiler.schedule import Clocks, Slot, Timed, program_of, schedule, time_slots
from hw.engine.compiler.steps import Step, steps_of
from hw.engine.compiler.terms import piece_bits_of, radix_of
from hw.engine.compiler.uses import Use, find_uses
from hw.engine.engine_spec import EngineSpec
from hw.engine.image import Image
from hw.engine.program import SLOT_BITS, Kind, array_layout, pack, value_layout
from hw.engine.row_writer import BYTE


def compile_graph(graph: Graph, spec: EngineSpec) -> Compiled:
    """Compile a graph. Raises InputError, naming the node, for what the engine has not or what does not fit."""
    return Compiler(graph, spec).compile()


@dataclass
class Compiler:
    """Compiles one graph: what has been made so far."""

    graph: Graph
    spec: EngineSpec
    instructions: list[Instruction] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.steps = steps_of(self.graph, self.spec.channels)
        self.codes = Regions("codes", self.spec.depths.codes)
        self.values = Regions("values", self.spec.depths.values)
        self.modulus = 1 << array_layout(self.spec)["source"].shape.width
        channels = {step.output: self.tensor(step.output).shape[0] for step in self.steps}
        self.uses = {name: find_uses(self.spec, self.steps, step, channels[name]) for name, step in self.by_output()}
        self.constants, self.adaptation = Constants(self.spec), Adaptation(self.spec)
        self.rows = {  # of each step's scales and biases
            step.output: self.constants.add(step, self.tensor(step.node.name).shape[0]) for step in self.steps
        }

    def compile(self) -> Compiled:
        """Make all instructions."""
        for index, step in enumerate(self.steps):
            try:
                self.add_step(index, step)
            except InputError as error:
                raise InputError(f"node {step.node.name}: {error}") from error
        self.finish()
        banks = None
        if self.spec.adapter:
            banks = Banks(self.codes.used, len(self.constants.biases), self.modulus)
        slots = schedule(self.instructions, banks)
        used = {
            "codes": self.codes.used * self.spec.banks,
            "values": self.values.used,
            "weights": len(self.weights),
            "constants": len(self.constants.biases),
            "multipliers": len(self.adaptation.multipliers),
            "neurons": len(self.adaptation.neurons["units"]),
            "neuron_weights": len(self.adaptation.neurons["weights"]),
            "inputs": self.input_words,
            "results": self.result_words,
        }
        self.check_rows(used)  # before there is a program, whose addresses they are
        programs = {arrays: self.program(slots, arrays) for arrays in (True, False)}
        used["program"] = max(len(words) for words in programs.values())
        self.check_rows(used)
        image = Image(
            programs[True],
            programs[False],
            self.weights,
            self.constants.scales * self.spec.banks,
            self.constants.biases,
            self.adaptation.multipliers,
            self.adaptation.neurons,
            self.byte_tables(),
        )
        radix = radix_of(self.spec.mac, self.spec.channels)
        piece_bits = piece_bits_of(self.spec.mac, radix)
        timed, period = self.time(slots)
        return Compiled(
            self.spec,
            tuple(self.instructions),
            tuple(slots),
            tuple(timed),
            period,
            self.spec.banks,
            image,
            used,
            radix,
            piece_bits,
        )

    def check_rows(self, used: Mapping[str, int]) -> None:
        """Raises InputError for a memory, by its name, that has fewer rows than are used."""
        for name, rows in used.items():
            if rows > (depth := getattr(self.spec.depths, name)):
                raise InputError(f"the network needs {rows} rows of the memory of {name}, which has {depth}")

    def time(self, slots: list[Slot]) -> tuple[list[Timed], int]:
        """When each instruction of a round starts, and the cycles of a round."""
        layouts = array_layout(self.spec), value_layout(self.spec)
        nothing = [cycles.idle_cycles(self.spec, layout) for layout in layouts]
        channels, rows, columns = self.tensor(self.steps[-1].output).shape
        send = cycles.send_cycles(self.spec, channels, rows * columns)
        clocks = Clocks(prod(self.graph.input.shape) + cycles.LOAD_DELAY, send)
        return time_slots(slots, clocks, (nothing[0], nothing[1]))

    def program(self, slots: list[Slot], arrays: bool) -> list[int]:
        """The words of one of the two programs."""
        spec = self.spec
        layout = array_layout(spec) if arrays else value_layout(spec)
        cost = cycles.idle_cycles(spec, layout)
        nothing = Instruction(Kind.NOTHING, "nothing", {"kind": int(Kind.NOTHING)}, cost)
        words: list[int] = []
        if not arrays:  # the first image may come in
            words += pack(spec, layout, self.load_fields() | {"kind": int(Kind.LOAD), "begins": 1})
        first = len(words)
        for instruction in program_of(slots, arrays, nothing):
            fields = dict(instruction.fields)
            words += pack(spec, layout, fields | ({"next": first} if "jumps" in fields else {}))
        return words

    # What the steps need.

    def by_output(self) -> Iterator[tuple[str, Step]]:
        """The steps with the names of their outputs."""
        return ((step.output, step) for step in self.steps)

    def words(self, name: str) -> int:
        """Words of values of a tensor's pixel."""
        return -(-self.tensor(name).shape[0] // self.spec.channels) * self.spec.beats

    def tensor(self, name: str) -> Tensor:
        return self.graph.tensors[name]

    def needs_values(self, step: Step) -> bool:
        """Whether a step's output is stored as values: all but the codes of the first layer of fixed step need it."""
        users = [name for other in self.steps for name in other.inputs if name == step.output]
        return len(users) > 1 or any(use.adapts for use in self.uses[step.output]) or not self.uses[step.output]

    def direct(self, step: Step) -> Use | None:
        """The layer whose codes a step writes itself: the first of fixed step."""
        return next((use for use in self.uses[step.output] if not use.adapts), None)

    def is_direct(self, use: Use) -> bool:
        """Whether the step that makes a layer's input writes its codes itself, of every pixel."""
        return any(use is self.direct(step) for step in self.steps)

    def is_result(self, step: Step) -> bool:
        return step is self.steps[-1]

    # Instructions.

    def add_step(self, index: int, step: Step) -> None:
        """Add a step's instruction, and those that make codes of its output."""
        if isinstance(step.node, Convolution):
            self.add_convolution(index, step)
        elif isinstance(step.node, Concatenate):
            self.add_concatenation(index, step)
        else:
            self.add_collection(index, step)
        if isinstance(step.node, Input):
            self.add(Kind.LOAD, "the next image", self.load_fields(), 0, 0)
        if isinstance(step.node, Convolution):  # what is written from here on is written after it
            self.codes.free(f"codes of {step.node.name}")
        direct = self.direct(step)
        for use in self.uses[step.output]:
            if use is not direct:
                self.add_codes(step, use)
        self.free_unused(index)

    def add(self, kind: Kind, name: str, fields: dict[str, int], busy: int, flush: int, **about: Any) -> None:
        """Add an instruction. about: its products, terms, tensor and layer."""
        cost = cycles.instruction_cycles(self.spec, kind, busy, flush)
        fields = fields | {"kind": int(kind), "flush": flush}
        self.instructions.append(Instruction(kind, name, fields, cost, **about))

    def free_unused(self, index: int) -> None:
        """Take back the places of what no later step reads."""
        later = {name for other in self.steps[index + 1 :] for name in self.read_values(other)}
        for name in list(self.values.taken):
            if name not in later:
                self.values.free(name)

    def read_values(self, step: Step) -> tuple[str, ...]:
        """The tensors whose values a step reads."""
        return step.inputs[1:] if isinstance(step.node, Convolution) else step.inputs

    def target_fields(self, index: int, step: Step) -> dict[str, int]:
        """Where a step's output goes, as values, codes or results."""
        fields: dict[str, int] = {}
        shape = self.tensor(step.output).shape
        words = self.words(step.output)
        if self.is_result(step):
            fields |= {"writes_results": 1, "result": 0, "result_step": words}
        elif self.needs_values(step):
            if self.tensor(step.output).bits > self.spec.value_bits:
                bits = self.tensor(step.output).bits
                raise InputError(f"gives values of {bits} bits; allowed: value_bits, {self.spec.value_bits}")
            fields |= {"writes_values": 1, "value": self.place_values(index, step, words * shape[1] * shape[2])}
        fields["value_step"] = words
        direct = self.direct(step)
        if direct is not None:
            fields |= self.code_fields(direct, shape[1], shape[2]) | {"step": direct.quantiser.mantissa}
        fields["adds_channels"] = int(any(use.adapts for use in self.uses[step.output]))
        return fields | {"map_pixels": shape[1] * shape[2]}

    def place_values(self, index: int, step: Step, rows: int) -> int:
        """The first row for a step's values: those of its side branch if nothing else needs them any more."""
        later = {name for other in self.steps[index + 1 :] for name in self.read_values(other)}
        for name in self.read_values(step)[-1:]:
            same = name in self.values.taken and self.values.taken[name][1] == rows
            if same and name not in later and isinstance(step.node, Convolution | Add):
                return self.values.hand_over(name, step.output)
        return self.values.take(step.output, rows)

    def code_fields(self, use: Use, rows: int, columns: int) -> dict[str, int]:
        """Where and how the codes of a layer's input are written, a map of so many rows and columns."""
        words = use.operands.pixel_words
        fields = {"writes_codes": 1, "code": self.codes.take(use.codes, words * rows * columns), "code_step": words}
        return fields | slot_fields(self.spec, use.operands)

    def add_convolution(self, index: int, step: Step) -> None:
        """Add the instruction of a layer."""
        node, spec = step.node, self.spec
        assert isinstance(node, Convolution)
        use = next(use for use in self.uses[step.inputs[0]] if use.step is step)
        operands, codes = use.operands, self.codes.first(use.codes)
        channels, *size = self.tensor(step.inputs[0]).shape
        _, *output = self.tensor(node.name).shape
        stride = node.stride
        if use.skips_pixels and not self.is_direct(use):
            size, stride = output, ONE
        window = Window(
            (size[0], size[1]),
            (output[0], output[1]),
            node.kernel,
            stride,
            node.dilation,
            node.padding,
            codes,
            operands.pixel_words,
            operands.words.count,
        )
        fields = window.fields(True, self.modulus) | pass_fields(operands)
        direct = self.direct(step)
        fields |= self.target_fields(index, step)
        pieces = direct.operands.pieces if direct else 1
        steps = len(operands.passes) * node.kernel[0] * node.kernel[1] * operands.words.count
        period = max(steps, cycles.tile_words(spec, pieces), spec.pixels + 1)
        extra = extra_bits(spec, node)
        fields |= {
            "weights": len(self.weights),
            "last_group": operands.outputs - 1,
            "last_repeat": operands.words.repeat - 1,
            "zero": zero_word(spec, operands),
            "zero_piece": operands.pieces - 1,
            "period": period - 1,
            "scales": self.rows[step.output],
            "biases": self.rows[step.output],
        } | bound_fields(spec, step)
        fields |= shift_fields(spec, node.rescale.shift + extra)
        if len(step.inputs) == 2:
            if node.align < 0:
                raise InputError(f"shifts its side branch right, by {-node.align}; the engine shifts left only")
            fields |= {"has_side": 1, "side": self.side_address(step, fields)}
            fields |= align_fields(spec, node.align + extra)
        self.weights += weight_rows(spec, node, operands, channels)
        tiles = -(-output[0] * output[1] // spec.pixels) * operands.outputs
        busy = cycles.busy_cycles(spec, Kind.CONVOLVE, {"tiles": tiles, "period": period})
        flush = cycles.convolve_flush(spec, steps, period, pieces, direct is not None)
        products = node.products.even.size * output[0] * output[1]
        about = {"products": products, "terms": products * operands.parts, "tensor": step.output}
        self.add(Kind.CONVOLVE, node.name, fields, busy, flush, layer=direct.step.node.name if direct else "", **about)

    def side_address(self, step: Step, fields: Mapping[str, int]) -> int:
        """The first row of a step's side branch, which may have been handed over to its output."""
        side = step.inputs[1]
        return self.values.first(side) if side in self.values.taken else fields["value"]

    def add_collection(self, index: int, step: Step) -> None:
        """Add the instruction of a step that reads values: the image, a pooling, a sum, a scaling."""
        node, spec = step.node, self.spec
        source = step.output if isinstance(node, Input) else step.inputs[0]
        _, *output = self.tensor(node.name).shape
        # A reshape reads memory as it is, in the rows and columns that it makes.
        _, rows, columns = self.tensor(step.output if isinstance(node, Reshape) else source).shape
        kernel, stride, dilation, padding = ONE, ONE, ONE, NO_MARGIN
        if isinstance(node, MaxPool | SumPool):
            kernel, stride, padding = node.kernel, node.stride, node.padding
            dilation = node.dilation if isinstance(node, MaxPool) else ONE
        words = self.words(step.output)
        if isinstance(node, Add) and node.signs[1] < 0:  # what is subtracted is read first: the side branch is added
            source, beside = step.inputs[::-1]
        else:
            beside = step.inputs[-1] if isinstance(node, Add) else ""
        base = 0 if isinstance(node, Input) else self.values.first(source)
        side_base = self.values.first(beside) if beside else 0
        window = Window((rows, columns), (output[0], output[1]), kernel, stride, dilation, padding, base, words, 1)
        fields = (
            window.fields(False, self.modulus)
            | self.target_fields(index, step)
            | rescale_fields(spec, step, self.rows[step.output])
        )
        fields |= {"last_place_word": words - 1} | bound_fields(spec, step)
        fields |= {"begins": int(isinstance(node, Input)), "finishes": int(self.finishes(step))}
        fields |= {"from_input": int(isinstance(node, Input)), "takes_largest": int(isinstance(node, MaxPool))}
        fields |= {"has_side": 1, "side": side_base} if beside else {}
        direct = self.direct(step)
        pieces = direct.operands.pieces if direct else 1
        least = -(-pieces // spec.beats)  # a word of codes takes as long as its pieces
        fields["last_step"] = least - 1
        size = {"words": output[0] * output[1] * words, "steps": max(kernel[0] * kernel[1] + bool(beside), least)}
        busy = cycles.busy_cycles(spec, Kind.COLLECT, size)
        flush = cycles.collect_flush(pieces, direct is not None, self.finishes(step))
        layer = direct.step.node.name if direct else ""
        self.add(Kind.COLLECT, node.name, fields, busy, flush, tensor=step.output, layer=layer)

    def add_concatenation(self, index: int, step: Step) -> None:
        """Add an instruction for each part: its words are copied to their place in every pixel."""
        node, lanes = step.node, self.spec.lanes
        assert isinstance(node, Concatenate)
        _, rows, columns = self.tensor(step.output).shape
        target = self.target_fields(index, step) | bound_fields(self.spec, step)
        first = 0
        for name, shift in zip(step.inputs, node.shifts, strict=True):
            channels = self.tensor(name).shape[0]
            if first % lanes:
                raise InputError(f"has a part that begins with channel {first}; allowed: multiples of {lanes}, lanes")
            if shift < 0:
                raise InputError(f"shifts {name} left, by {-shift}; the engine shifts right only")
            size, words = (rows, columns), -(-channels // lanes)
            window = Window(size, size, ONE, ONE, ONE, NO_MARGIN, self.values.first(name), self.words(name), 1)
            fields = window.fields(False, self.modulus) | target | {"value": target["value"] + first // lanes}
            fields |= {"last_place_word": words - 1, "finishes": 1, "identity": 1} | shift_fields(self.spec, shift)
            busy = cycles.busy_cycles(self.spec, Kind.COLLECT, {"words": rows * columns * words, "steps": 1})
            flush = cycles.collect_flush(1, False, True)
            about = {"tensor": step.output, "channels": (first, first + channels)}
            self.add(Kind.COLLECT, f"{name} in {step.output}", fields, busy, flush, **about)
            first += channels

    def finishes(self, step: Step) -> bool:
        """Whether what a step reads goes through the finisher; otherwise codes are made of it as it is."""
        plain = isinstance(step.node, Input | MaxPool | SumPool)
        return not plain or self.is_result(step) or self.needs_values(step)

    def add_codes(self, step: Step, use: Use) -> None:
        """Add the instructions that make a layer's codes of values that are whole: its step, its scales, its codes."""
        spec = self.spec
        _, rows, columns = self.tensor(step.output).shape
        words, base = self.words(step.output), self.values.first(step.output)
        name = use.step.node.name
        if use.adapts:
            self.add_adaptation(step, use)
        output, stride = (rows, columns), ONE
        if use.skips_pixels:
            assert isinstance(use.step.node, Convolution)
            output, stride = self.tensor(name).shape[1:], use.step.node.stride
        window = Window((rows, columns), output, ONE, stride, ONE, NO_MARGIN, base, words, 1)
        fields = window.fields(False, self.modulus) | self.code_fields(use, *output)
        least = -(-use.operands.pieces // spec.beats)
        fields |= {"last_place_word": words - 1, "last_step": least - 1}
        fields |= {"adapted": 1} if use.adapts else {"step": use.quantiser.mantissa}
        size = {"words": output[0] * output[1] * words, "steps": least}
        busy = cycles.busy_cycles(spec, Kind.COLLECT, size)
        flush = cycles.collect_flush(use.operands.pieces, True, False)
        self.add(Kind.COLLECT, f"codes of {name}", fields, busy, flush, tensor=step.output, layer=name)

    def add_adaptation(self, step: Step, use: Use) -> None:
        """Add the instructions of a layer's adapter and of its scales."""
        node, words = use.step.node, self.words(step.output)
        assert isinstance(node, Convolution)
        fields, hidden = self.adaptation.add_adapter(node.name, use.quantiser, words, self.tensor(step.output).shape)
        busy = cycles.busy_cycles(self.spec, Kind.ADAPT, {"words": words, "hidden": hidden})
        self.add(Kind.ADAPT, f"step of {node.name}", fields, busy, 0)
        fields = self.adaptation.add_multipliers(node, self.rows[use.step.output])
        busy = cycles.busy_cycles(self.spec, Kind.SCALE, {"channels": len(node.rescale.multiplier)})
        self.add(Kind.SCALE, f"scales of {node.name}", fields, busy, 0)

    # Memories and the way in and out.

    def load_fields(self) -> dict[str, int]:
        """How an image's values become words."""
        channels, rows, columns = self.graph.input.shape
        uses = self.uses[self.steps[0].output]
        slots = uses[0].operands.slots if uses else None
        numbers = [slot.channel for slot in slots] if slots else list(range(self.spec.channels))
        none = (1 << SLOT_BITS) - 1 if self.spec.channels < 32 else 0
        numbers += [none] * (self.spec.channels - len(numbers))
        return {
            "last_input": channels - 1,
            "input_pixels": rows * columns,
            "slots": sum(number << SLOT_BITS * place for place, number in enumerate(numbers)),
        }

    @property
    def input_words(self) -> int:
        _, rows, columns = self.graph.input.shape
        return self.words(self.steps[0].output) // self.spec.beats * rows * columns

    @property
    def result_words(self) -> int:
        _, rows, columns = self.tensor(self.steps[-1].output).shape
        return self.words(self.steps[-1].output) * rows * columns

    def byte_tables(self) -> list[int]:
        """The values that bytes mean, a table for each channel of the image."""
        table = self.graph.input.table
        if self.spec.byte_input and table is None:
            raise InputError("the graph takes no bytes; this engine does (byte_input)")
        return table.reshape(-1, BYTE).ravel().tolist() if self.spec.byte_input and table is not None else []

    def finish(self) -> None:
        """End with FINISH."""
        channels, rows, columns = self.tensor(self.steps[-1].output).shape
        fields = {"last_output": channels - 1, "output_pixels": rows * columns}
        self.add(Kind.FINISH, "results", fields | {"output_words": self.words(self.steps[-1].output)}, 0, 0)
