"""What has been made so far while a graph is compiled, and what each step needs of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from asq_model.common.errors import InputError
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Add, Input
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.movement import MaxPool, SumPool
from asq_model.spec.graph.tensor import Tensor
from hw.engine.compiler.adaptation import Adaptation
from hw.engine.compiler.functions import Functions
from hw.engine.compiler.instructions import Instruction, Place
from hw.engine.compiler.layer_operands import make_slot_fields
from hw.engine.compiler.regions import Regions
from hw.engine.compiler.rescaling import Constants
from hw.engine.compiler.steps import Step, make_steps
from hw.engine.compiler.uses import Use, find_uses
from hw.engine.engine_spec import EngineSpec
from hw.engine.program import array_layout

SUMS = Place("channel sums")


@dataclass
class Build:
    """A graph that is being compiled: its steps, places in memories, rows of constants, and instructions so far."""

    graph: Graph
    spec: EngineSpec
    instructions: list[Instruction] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    image_codes: int = 0  # rows of the codes of an image

    def __post_init__(self) -> None:
        self.steps = make_steps(self.graph, self.spec.channels)
        self.codes = Regions("codes", self.spec.depths.codes)
        self.values = Regions("values", self.spec.depths.values)
        self.modulus = 1 << array_layout(self.spec)["source"].shape.width
        channels = {step.output: self.tensor(step.output).shape[0] for step in self.steps}
        self.uses = {name: find_uses(self.spec, self.steps, step, channels[name]) for name, step in self.list_outputs()}
        self.constants, self.adaptation = Constants(self.spec), Adaptation(self.spec)
        self.functions = Functions(self.spec)
        self.rows = {  # of each step's scales and biases
            step.output: self.constants.add(
                step, self.tensor(step.node.name).shape[0], [self.tensor(name).bits for name in step.inputs]
            )
            for step in self.steps
            if self.finishes(step)
        }

    def list_outputs(self) -> Iterator[tuple[str, Step]]:
        """List the steps with the names of their outputs."""
        return ((step.output, step) for step in self.steps)

    def words(self, name: str) -> int:
        """Words of values of a tensor's pixel."""
        return -(-self.tensor(name).shape[0] // self.spec.channels) * self.spec.beats

    def tensor(self, name: str) -> Tensor:
        """A tensor of the graph."""
        return self.graph.tensors[name]

    def needs_values(self, step: Step) -> bool:
        """Whether a step's output is stored as values: all but the codes of the first layer of fixed step need it."""
        users = [name for other in self.steps for name in other.inputs if name == step.output]
        return len(users) > 1 or any(use.adapts for use in self.uses[step.output]) or not self.uses[step.output]

    def find_direct(self, step: Step) -> Use | None:
        """Find the layer whose codes a step writes itself: the first of fixed step."""
        return next((use for use in self.uses[step.output] if not use.adapts), None)

    def is_direct(self, use: Use) -> bool:
        """Whether the step that makes a layer's input writes its codes itself, of every pixel."""
        return any(use is self.find_direct(step) for step in self.steps)

    def is_result(self, step: Step) -> bool:
        """Whether a step's output is the network's."""
        return step is self.steps[-1]

    def finishes(self, step: Step) -> bool:
        """Whether what a step reads goes through the finisher; otherwise codes are made of it as it is."""
        plain = isinstance(step.node, Input | MaxPool | SumPool)
        return not plain or self.is_result(step) or self.needs_values(step)

    def add(self, instruction: Instruction, flush: int = 0) -> None:
        """Add an instruction. flush: cycles from the end of its work until all is written."""
        fields = {**instruction.fields, "kind": int(instruction.kind), "flush": flush}
        self.instructions.append(replace(instruction, fields=fields))

    def free_unused(self, index: int) -> None:
        """Take back the places of what no later step reads."""
        later = {name for other in self.steps[index + 1 :] for name in self.read_values(other)}
        for name in list(self.values.taken):
            if name not in later:
                self.values.free(name)

    def read_values(self, step: Step) -> tuple[str, ...]:
        """The tensors whose values a step reads."""
        return step.inputs[1:] if isinstance(step.node, Convolution) else step.inputs

    def make_target_fields(self, index: int, step: Step) -> dict[str, int]:
        """Make the fields that say where a step's output goes, as values, codes or results."""
        fields: dict[str, int] = {}
        shape = self.tensor(step.output).shape
        words = self.words(step.output)
        if self.is_result(step):
            fields |= {"writes_results": 1, "result": 0, "result_step": words}
        elif self.needs_values(step):
            self.check_value_bits(step)
            fields |= {"writes_values": 1, "value": self.place_values(index, step, words * shape[1] * shape[2])}
        fields["value_step"] = words
        direct = self.find_direct(step)
        if direct is not None:
            fields |= self.make_code_fields(direct, shape[1], shape[2]) | {"step": direct.quantiser.mantissa}
        fields["adds_channels"] = int(any(use.adapts for use in self.uses[step.output]))
        return fields | {"map_pixels": shape[1] * shape[2]}

    def check_value_bits(self, step: Step) -> None:
        """Raises InputError for a step whose output is wider than a stored value."""
        bits = self.tensor(step.output).bits
        if bits > self.spec.value_bits:
            raise InputError(f"gives values of {bits} bits; allowed: value_bits, {self.spec.value_bits}")

    def list_written(self, step: Step, fields: Mapping[str, int]) -> tuple[Place, ...]:
        """List the places that a step's output goes to. fields: those that say so."""
        places = [Place("results")] if fields.get("writes_results") else []
        places += [self.values.place(step.output)] if fields.get("writes_values") else []
        direct = self.find_direct(step)
        places += [self.codes.place(direct.codes)] if direct else []
        return (*places, SUMS) if fields["adds_channels"] else tuple(places)

    def scales(self, step: Step) -> Place:
        """The rows of a step's scales."""
        return Place("scales", self.rows[step.output], self.words(step.output))

    def place_values(self, index: int, step: Step, rows: int) -> int:
        """The first row for a step's values: those of its side branch if nothing else needs them any more."""
        later = {name for other in self.steps[index + 1 :] for name in self.read_values(other)}
        for name in self.read_values(step)[-1:]:
            same = name in self.values.taken and self.values.taken[name][1] == rows
            if same and name not in later and isinstance(step.node, Convolution | Add):
                return self.values.hand_over(name, step.output)
        return self.values.take(step.output, rows)

    def make_code_fields(self, use: Use, rows: int, columns: int) -> dict[str, int]:
        """Make the fields that say how a layer's input, of so many rows and columns, is written as codes."""
        words = use.operands.pixel_words
        size = words * rows * columns
        # The next image's codes come first, and may be made before codes are used that lie behind them.
        behind = use.step is self.steps[-1] or self.image_codes + size <= self.codes.used
        first = self.codes.take(use.codes, size, at_end=behind)
        self.image_codes = self.image_codes or size
        fields = {"writes_codes": 1, "code": first, "code_step": words}
        return fields | make_slot_fields(self.spec, use.operands)
