"""Compile a graph of integers for an engine: instructions, the contents of memories, and cycles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.adaptive_step import BETA_LIMIT, IntegerQuantiser
from asq_model.spec.fixed_point import bounds, largest
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Add, Input, Scale
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.movement import MaxPool, SumPool
from asq_model.spec.graph.tensor import Tensor
from hw.asq.layer_contents import check_rows
from hw.asq.layouts import adapter_layout
from hw.asq.memories import Row, neuron_layout, weights_layout
from hw.engine.compiler import cycles
from hw.engine.compiler.geometry import Window
from hw.engine.compiler.instructions import Banks, Instruction
from hw.engine.compiler.layer_operands import (
    Operands,
    make_operands,
    pass_fields,
    slot_fields,
    weight_rows,
    zero_word,
)
from hw.engine.compiler.regions import Regions
from hw.engine.compiler.schedule import Clocks, Slot, Timed, program_of, schedule, time_slots
from hw.engine.compiler.steps import Step, steps_of
from hw.engine.compiler.terms import piece_bits_of, radix_of
from hw.engine.engine import Image
from hw.engine.engine_spec import EngineSpec
from hw.engine.loader import BYTE
from hw.engine.program import SLOT_BITS, Kind, array_layout, pack, value_layout

NO_MARGIN = (0, 0, 0, 0)
ONE = (1, 1)


@dataclass(frozen=True)
class Compiled:
    """A compiled network: the engine that it is for, its instructions, and what its memories hold at first.

    instructions: those of one image, in order. slots: what is run again and again, for `images` images. timed: when
    each instruction of a round starts, in cycles; period: cycles of a round, if images come in one value a cycle and
    results are taken at once. used: rows of each memory that are in use.
    """

    spec: EngineSpec
    instructions: tuple[Instruction, ...]
    slots: tuple[Slot, ...]
    timed: tuple[Timed, ...]
    period: int
    images: int
    image: Image
    used: Mapping[str, int]
    radix_bits: int
    piece_bits: int

    @property
    def cycles(self) -> float:
        """Cycles from one image to the next, on average."""
        return self.period / self.images

    @property
    def latency(self) -> int:
        """Cycles of an image that is alone, from the last of its bytes to the last of its results."""
        return sum(instruction.cycles for instruction in self.instructions)

    @property
    def utilisation(self) -> float:
        """The part of the products that multiply parts of the network's own operands."""
        return sum(instruction.terms for instruction in self.instructions) / (self.cycles * self.spec.products)


@dataclass(frozen=True)
class Use:
    """A layer that takes a tensor's codes."""

    step: Step
    operands: Operands

    @property
    def quantiser(self) -> IntegerQuantiser:
        assert isinstance(self.step.node, Convolution)
        return self.step.node.quantiser

    @property
    def adapts(self) -> bool:
        return self.quantiser.adapter is not None

    @property
    def skips_pixels(self) -> bool:
        """Whether the layer sees only some pixels of its input, so that no codes need be made of the others."""
        node = self.step.node
        assert isinstance(node, Convolution)
        return node.kernel == ONE and node.padding == NO_MARGIN and node.stride != ONE

    @property
    def codes(self) -> str:
        """The name of the codes in their memory."""
        return f"codes of {self.step.node.name}"


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
    scales: list[list[int]] = field(default_factory=list)
    biases: list[list[int]] = field(default_factory=list)
    multipliers: list[int] = field(default_factory=list)
    neurons: dict[str, list[Row]] = field(default_factory=lambda: {"weights": [], "units": []})

    def __post_init__(self) -> None:
        self.steps = steps_of(self.graph)
        self.codes = Regions("codes", self.spec.depths.codes)
        self.values = Regions("values", self.spec.depths.values)
        self.modulus = 1 << array_layout(self.spec)["source"].shape.width
        self.uses = {step.output: self.find_uses(step) for step in self.steps}
        self.constants = {step.output: self.add_constants(step) for step in self.steps}

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
            banks = Banks(self.codes.used, len(self.biases), self.modulus)
        slots = schedule(self.instructions, banks)
        programs = {arrays: self.program(slots, arrays) for arrays in (True, False)}
        used = {
            "codes": self.codes.used * self.spec.banks,
            "values": self.values.used,
            "weights": len(self.weights),
            "constants": len(self.biases),
            "multipliers": len(self.multipliers),
            "neurons": len(self.neurons["units"]),
            "neuron_weights": len(self.neurons["weights"]),
            "program": max(len(words) for words in programs.values()),
            "inputs": self.input_words,
            "results": self.result_words,
        }
        for name, rows in used.items():
            if rows > (depth := getattr(self.spec.depths, name)):
                raise InputError(f"the network needs {rows} rows of the memory of {name}, which has {depth}")
        image = Image(
            programs[True],
            programs[False],
            self.weights,
            self.scales * self.spec.banks,
            self.biases,
            self.multipliers,
            self.neurons,
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

    def words(self, name: str) -> int:
        """Words of values of a tensor's pixel."""
        return -(-self.tensor(name).shape[0] // self.spec.channels) * self.spec.beats

    def tensor(self, name: str) -> Tensor:
        return self.graph.tensors[name]

    def find_uses(self, step: Step) -> list[Use]:
        """The layers that take the codes of a step's output."""
        users = [other for other in self.steps if other.inputs and step.output in other.inputs]
        layers = [u for u in users if isinstance(u.node, Convolution) and u.inputs[0] == step.output]
        alone = isinstance(step.node, Input) and len(users) == 1 and len(layers) == 1
        uses = []
        for user in layers:
            node = user.node
            assert isinstance(node, Convolution)
            may_pack = alone and node.quantiser.adapter is None
            try:
                channels = self.tensor(step.output).shape[0]
                uses.append(Use(user, make_operands(self.spec, node, channels, may_pack)))
            except InputError as error:
                raise InputError(f"node {node.name}: {error}") from error
        return uses

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
        else:
            self.add_collection(index, step)
        if isinstance(step.node, Input):
            self.add(Kind.LOAD, "the next image", self.load_fields(), 0, 0)
        direct = self.direct(step)
        for use in self.uses[step.output]:
            if use is not direct:
                self.add_codes(step, use)
        self.free_unused(index, step)

    def add(self, kind: Kind, name: str, fields: dict[str, int], busy: int, flush: int, **about: Any) -> None:
        """Add an instruction. about: its products, terms, tensor and layer."""
        cost = cycles.instruction_cycles(self.spec, kind, busy, flush)
        fields = fields | {"kind": int(kind), "flush": flush}
        self.instructions.append(Instruction(kind, name, fields, cost, **about))

    def free_unused(self, index: int, step: Step) -> None:
        """Take back the places of what no later step reads."""
        if isinstance(step.node, Convolution):
            self.codes.free(f"codes of {step.node.name}")
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
        extra = self.extra_bits(node)
        fields |= {
            "weights": len(self.weights),
            "last_group": operands.outputs - 1,
            "last_repeat": operands.words.repeat - 1,
            "zero": zero_word(spec, operands),
            "period": period - 1,
            "scales": self.constants[step.output],
            "biases": self.constants[step.output],
        } | self.bound_fields(step)
        fields |= self.shift_fields(node.rescale.shift + extra)
        if len(step.inputs) == 2:
            if node.align < 0:
                raise InputError(f"shifts its side branch right, by {-node.align}; the engine shifts left only")
            fields |= {"has_side": 1, "side": self.side_address(step, fields)}
            fields |= self.align_fields(node.align + extra)
        self.weights += weight_rows(spec, node, operands, channels)
        tiles = -(-output[0] * output[1] // spec.pixels) * operands.outputs
        busy = cycles.busy_cycles(spec, Kind.CONVOLVE, {"tiles": tiles, "period": period})
        flush = cycles.convolve_flush(spec, steps, period, pieces, direct is not None)
        products = node.products.even.size * output[0] * output[1]
        about = {"products": products, "terms": products * operands.parts, "tensor": step.output}
        self.add(Kind.CONVOLVE, node.name, fields, busy, flush, layer=direct.step.node.name if direct else "", **about)

    def shift_fields(self, shift: int) -> dict[str, int]:
        """The fields of a total's shift. Raises InputError for one that the engine has not."""
        above = shift - self.spec.least_shift
        if shift and not 0 <= above < 1 << self.spec.shift_bits:
            most = self.spec.least_shift + (1 << self.spec.shift_bits) - 1
            raise InputError(f"shifts totals by {shift}; allowed: 0, or {self.spec.least_shift} to {most}")
        return {"shifts_total": 1, "shift": above} if shift else {}

    def align_fields(self, align: int) -> dict[str, int]:
        """The fields of a side branch's shift. Raises InputError for one that the engine has not."""
        above = align - self.spec.least_align
        if not 0 <= above < 1 << self.spec.align_bits:
            most = self.spec.least_align + (1 << self.spec.align_bits) - 1
            raise InputError(f"shifts its side branch by {align}; allowed: {self.spec.least_align} to {most}")
        return {"align": above}

    def side_address(self, step: Step, fields: Mapping[str, int]) -> int:
        """The first row of a step's side branch, which may have been handed over to its output."""
        side = step.inputs[1]
        return self.values.first(side) if side in self.values.taken else fields["value"]

    def extra_bits(self, node: Convolution) -> int:
        """Fraction bits that the engine's sums have more than the graph's."""
        extra = self.spec.mac.result_frac - node.products.frac
        if extra < 0:
            raise InputError(f"has sums of {node.products.frac} fraction bits; allowed: {self.spec.mac.result_frac}")
        return extra

    def add_collection(self, index: int, step: Step) -> None:
        """Add the instruction of a step that reads values: the image, a pooling, a sum, a scaling."""
        node, spec = step.node, self.spec
        source = step.output if isinstance(node, Input) else step.inputs[0]
        _, rows, columns = self.tensor(source).shape
        _, *output = self.tensor(node.name).shape
        kernel, stride, dilation, padding = ONE, ONE, ONE, NO_MARGIN
        if isinstance(node, MaxPool | SumPool):
            kernel, stride, padding = node.kernel, node.stride, node.padding
            dilation = node.dilation if isinstance(node, MaxPool) else ONE
        words = self.words(source)
        base = 0 if isinstance(node, Input) else self.values.first(source)
        window = Window((rows, columns), (output[0], output[1]), kernel, stride, dilation, padding, base, words, 1)
        fields = window.fields(False, self.modulus) | self.target_fields(index, step) | self.rescale_fields(step)
        fields |= {"last_place_word": words - 1} | self.bound_fields(step)
        fields |= {"begins": int(isinstance(node, Input)), "finishes": int(self.finishes(step))}
        fields |= {"from_input": int(isinstance(node, Input)), "takes_largest": int(isinstance(node, MaxPool))}
        side = int(isinstance(node, Add))
        if side:
            fields |= {"has_side": 1, "side": self.side_address(Step(node, self.ordered(step), "", 0, 0), fields)}
            first = self.values.first(self.ordered(step)[0]) if self.ordered(step)[0] in self.values.taken else base
            fields["source"] = first
        direct = self.direct(step)
        pieces = direct.operands.pieces if direct else 1
        least = -(-pieces // spec.beats)  # a word of codes takes as long as its pieces
        fields["last_step"] = least - 1
        size = {"words": output[0] * output[1] * words, "steps": max(kernel[0] * kernel[1] + side, least)}
        busy = cycles.busy_cycles(spec, Kind.COLLECT, size)
        flush = cycles.collect_flush(pieces, direct is not None, self.finishes(step))
        layer = direct.step.node.name if direct else ""
        self.add(Kind.COLLECT, node.name, fields, busy, flush, tensor=step.output, layer=layer)

    def finishes(self, step: Step) -> bool:
        """Whether what a step reads goes through the finisher; otherwise codes are made of it as it is."""
        plain = isinstance(step.node, Input | MaxPool | SumPool)
        return not plain or self.is_result(step) or self.needs_values(step)

    def ordered(self, step: Step) -> tuple[str, ...]:
        """The inputs of a sum, the one that is subtracted first: the side branch is added."""
        assert isinstance(step.node, Add)
        return step.inputs[::-1] if step.node.signs[1] < 0 else step.inputs

    def rescale_fields(self, step: Step) -> dict[str, int]:
        """What a step does with the values that it reads."""
        node, rows = step.node, self.constants[step.output]
        if isinstance(node, Scale):
            return {"scales": rows, "biases": rows} | self.shift_fields(node.shift)
        if isinstance(node, Add):
            aligns = node.aligns[::-1] if node.signs[1] < 0 else node.aligns
            more = max(0, -node.shift)
            shifts = self.shift_fields(node.shift + more) | self.align_fields(aligns[1] + more)
            return {"scales": rows, "biases": rows} | shifts
        return {"identity": 1}

    def bound_fields(self, step: Step) -> dict[str, int]:
        """The bounds of a step's output, which are never beyond what a total holds."""
        low, high = bounds(self.spec.total_bits, True)
        return {"low": max(step.low, low), "high": min(step.high, high)}

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
        spec, node, adapter = self.spec, use.step.node, use.quantiser.adapter
        assert isinstance(node, Convolution) and adapter is not None
        if not spec.adapter:
            raise InputError(f"layer {node.name} has an adapter; this engine has none")
        if adapter.point != spec.precision:
            raise InputError(f"layer {node.name} has a β of {adapter.point} fraction bits; allowed: {spec.precision}")
        block, words = spec.adapter_block, self.words(step.output)
        first = adapter.hidden or adapter.output
        hidden = 0 if adapter.hidden is None else len(first.bias)
        constants = {
            "hidden": hidden,
            "hidden_shift": 0 if adapter.hidden is None else first.shift,
            "output_shift": adapter.output.shift,
            "output_bias": int(adapter.output.bias[0]),
            "floor": adapter.floor,
            "mantissa": use.quantiser.mantissa,
        }
        check_rows(adapter_layout(block), [constants], f"layer {node.name}'s adapter")
        if words > block.words or self.tensor(step.output).shape[1] * self.tensor(step.output).shape[2] > block.pixels:
            raise InputError(
                f"layer {node.name} adapts to a map of {self.tensor(step.output).shape}; larger than allowed"
            )
        fields = {
            "adapter": adapter_layout(block).const(constants).as_bits(),
            "adapter_words": words,
            "first_weight": len(self.neurons["weights"]),
            "first_neuron": len(self.neurons["units"]),
        }
        self.add_neurons(
            first.weights, first.bias, adapter.output.weights[0] if hidden else np.zeros(1, np.int64), words
        )
        busy = cycles.busy_cycles(spec, Kind.ADAPT, {"words": words, "hidden": hidden})
        self.add(Kind.ADAPT, f"step of {node.name}", fields, busy, 0)
        channels = len(node.rescale.multiplier)
        fields = {
            "first_multiplier": len(self.multipliers),
            "last_multiplier": len(self.multipliers) + channels - 1,
            "scales": self.constants[use.step.output],
            "scale_shift": node.rescale.scale_shift,
        }
        self.multipliers += node.rescale.multiplier.tolist()
        busy = cycles.busy_cycles(spec, Kind.SCALE, {"channels": channels})
        self.add(Kind.SCALE, f"scales of {node.name}", fields, busy, 0)

    def add_neurons(self, weights: np.ndarray, biases: np.ndarray, outputs: np.ndarray, words: int) -> None:
        """Add the rows of a layer's adapter: int [J, C] weights, the biases of its neurons, their weights in β."""
        size, block = self.spec.lanes, self.spec.adapter_block
        padded = np.zeros((len(weights), words * size), np.int64)
        padded[:, : weights.shape[1]] = weights
        names = [name for name, _ in weights_layout(block)]
        rows: list[Row] = [dict(zip(names, row, strict=True)) for row in padded.reshape(-1, size).tolist()]
        units: list[Row] = [
            {"bias": bias, "weight": weight} for bias, weight in zip(biases.tolist(), outputs.tolist(), strict=True)
        ]
        check_rows(weights_layout(block), rows, "an adapter's weights")
        check_rows(neuron_layout(block), units, "an adapter's neurons")
        self.neurons["weights"] += rows
        self.neurons["units"] += units

    # Memories and the way in and out.

    def add_constants(self, step: Step) -> int:
        """Add the rows of a step's scales and biases; returns the first."""
        node, first = step.node, len(self.scales)
        channels = self.graph.tensors[node.name].shape[0]
        if isinstance(node, Convolution):
            scales, biases = self.layer_constants(node, largest_side=len(step.inputs) == 2)
        elif isinstance(node, Scale):
            scales, biases = node.multiplier, node.bias
        elif isinstance(node, Add):
            if len(node.inputs) != 2 or node.signs == (-1, -1):
                raise InputError(f"node {node.name}: the engine adds two tensors, of which one may be subtracted")
            sign, align = (node.signs[1], node.aligns[1]) if node.signs[1] < 0 else (node.signs[0], node.aligns[0])
            scales = np.full(channels, sign << align + max(0, -node.shift))
            biases = np.zeros(channels, np.int64)
        else:
            return 0
        size, lanes = self.spec.channels, self.spec.lanes
        for what, numbers, bits in (
            ("scale", scales, self.spec.scale_bits),
            ("bias", biases, self.spec.total_bits),
        ):
            if largest(numbers) >> bits - 1:
                raise InputError(f"node {node.name}: has a {what} of {largest(numbers)}; allowed: {bits} bits")
        for rows, numbers in ((self.scales, scales), (self.biases, biases)):
            padded = [*np.asarray(numbers).tolist(), *[0] * (-channels % size)]
            rows += [padded[start : start + lanes] for start in range(0, len(padded), lanes)]
        return first

    def layer_constants(self, node: Convolution, largest_side: bool) -> tuple[np.ndarray, np.ndarray]:
        """A layer's scales K, zero where its step adapts, and its biases, both for the engine's sums."""
        rescale, quantiser = node.rescale, node.quantiser
        extra = self.extra_bits(node)
        biases = rescale.bias << extra
        step = np.array([quantiser.mantissa * (BETA_LIMIT if quantiser.adapter else 1)])
        scales = rescale.scales(step)[0]
        reach = (sum(node.products.reach) << node.products.frac) * largest(scales) + largest(rescale.bias)
        reach += (1 << self.spec.value_bits - 1 << node.align) if largest_side else 0
        if reach << extra >= 1 << self.spec.total_bits - 1 or largest(scales) >> self.spec.scale_bits - 1:
            bits = (reach << extra).bit_length() + 1, largest(scales).bit_length() + 1
            allowed = f"{self.spec.total_bits} and {self.spec.scale_bits}"
            raise InputError(f"node {node.name}: has totals of {bits[0]} bits, scales of {bits[1]}; allowed: {allowed}")
        if not quantiser.signed:
            return (np.zeros_like(scales) if quantiser.adapter else scales), biases
        if quantiser.adapter:
            raise InputError(f"node {node.name}: has signed codes whose step adapts; the engine has unsigned ones only")
        # Signed codes are moved by half their range; what that adds to the sums is taken from the biases.
        middle = 1 << quantiser.bits - 1
        moved = node.products.even.astype(np.int64).sum(1) * middle << self.spec.mac.result_frac
        if node.products.odd is not None:
            root = self.spec.mac.multiples["root"][middle] << max(-self.spec.mac.frac_bits, 0)
            moved += node.products.odd.astype(np.int64).sum(1) * int(root)
        return scales, biases - moved * scales

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
