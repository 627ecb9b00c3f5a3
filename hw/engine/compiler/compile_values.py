"""The instructions that read values: pooling, sums, copies, and the codes and steps of layers."""

from math import prod

from asq_model.common.errors import InputError
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Add, Function, Input
from asq_model.spec.graph.movement import MaxPool, Reshape, SumPool
from hw.engine.compiler import cycles
from hw.engine.compiler.build import SUMS, Build
from hw.engine.compiler.geometry import NO_MARGIN, ONE, Window
from hw.engine.compiler.instructions import Instruction
from hw.engine.compiler.rescaling import make_bound_fields, make_rescale_fields
from hw.engine.compiler.steps import Step
from hw.engine.compiler.uses import Use
from hw.engine.program import Kind


def add_collection(build: Build, index: int, step: Step) -> None:
    """Add the instruction of a step that reads values: the image, a pooling, a sum, a scaling."""
    node, spec = step.node, build.spec
    _, *output = build.tensor(node.name).shape
    if isinstance(node, Input):  # what an image's memory has no bits for would be lost on its way in
        build.check_value_bits(step)
    source, beside = find_sources(step)
    side = {"has_side": 1, "side": build.values.first(beside)} if beside else {}  # before the output may take its place
    words = build.words(step.output)
    window = make_collection_window(build, step, source)
    fields = window.make_fields(False, build.modulus) | build.make_target_fields(index, step)
    if build.finishes(step):
        fields |= make_rescale_fields(spec, step, build.rows[step.output])
    if isinstance(node, Function):
        fields |= build.functions.add(node, build.tensor(source).bits)
    fields |= {"last_place_word": words - 1} | make_bound_fields(spec, step, build.is_result(step))
    fields |= {"begins": int(isinstance(node, Input)), "finishes": int(build.finishes(step))}
    fields |= {"from_input": int(isinstance(node, Input)), "takes_largest": int(isinstance(node, MaxPool))} | side
    direct = build.find_direct(step)
    pieces = direct.operands.pieces if direct else 1
    least = -(-pieces // spec.beats)  # a word of codes takes as long as its pieces
    fields["last_step"] = least - 1
    size = {"words": output[0] * output[1] * words, "steps": max(prod(window.kernel) + bool(beside), least)}
    busy = cycles.count_busy_cycles(spec, Kind.COLLECT, size)
    flush = cycles.count_collect_flush(pieces, direct is not None, build.finishes(step))
    layer = direct.step.node.name if direct else ""
    stored = [name for name in step.inputs if name in build.values.taken]
    reads, writes = tuple(map(build.values.place, stored)), build.list_written(step, fields)
    made = Instruction(
        Kind.COLLECT, node.name, fields, busy, tensor=step.output, layer=layer, reads=reads, writes=writes
    )
    build.add(made, flush)


def find_sources(step: Step) -> tuple[str, str]:
    """Find the tensor that a step reads, and the one that is added to it, or none."""
    node = step.node
    if isinstance(node, Input):
        return step.output, ""
    if not isinstance(node, Add):
        return step.inputs[0], ""
    # What is subtracted is read first: the side branch is added.
    first, last = step.inputs if node.signs[1] >= 0 else step.inputs[::-1]
    return first, last


def make_collection_window(build: Build, step: Step, source: str) -> Window:
    """Make the window of a step that reads values. Raises InputError for a pooling whose sums have too many bits."""
    node, spec = step.node, build.spec
    output = build.tensor(node.name)
    # A reshape reads memory as it is, in the rows and columns that it makes.
    _, *size = build.tensor(step.output if isinstance(node, Reshape) else source).shape
    base = 0 if isinstance(node, Input) else build.values.first(source)
    kernel, stride, dilation, padding = ONE, ONE, ONE, NO_MARGIN
    if isinstance(node, MaxPool | SumPool):
        kernel, stride, padding = node.kernel, node.stride, node.padding
        dilation = node.dilation if isinstance(node, MaxPool) else ONE
        if output.bits > spec.pooled_bits:
            raise InputError(f"gives sums of {output.bits} bits; allowed: value_bits and pool_bits, {spec.pooled_bits}")
    rows, columns = output.shape[1:]
    words = build.words(step.output)
    return Window((size[0], size[1]), (rows, columns), kernel, stride, dilation, padding, base, words, 1)


def add_codes(build: Build, step: Step, use: Use) -> None:
    """Add the instructions that make a layer's codes of values that are whole: its step, its scales, its codes."""
    spec = build.spec
    _, rows, columns = build.tensor(step.output).shape
    words, base = build.words(step.output), build.values.first(step.output)
    name = use.step.node.name
    if use.adapts:
        add_adaptation(build, step, use)
    output, stride = (rows, columns), ONE
    if use.skips_pixels:
        assert isinstance(use.step.node, Convolution)
        output, stride = build.tensor(name).shape[1:], use.step.node.stride
    window = Window((rows, columns), output, ONE, stride, ONE, NO_MARGIN, base, words, 1)
    fields = window.make_fields(False, build.modulus) | build.make_code_fields(use, *output)
    least = -(-use.operands.pieces // spec.beats)
    fields |= {"last_place_word": words - 1, "last_step": least - 1}
    fields |= {"adapted": 1} if use.adapts else {"step": use.quantiser.mantissa}
    size = {"words": output[0] * output[1] * words, "steps": least}
    busy = cycles.count_busy_cycles(spec, Kind.COLLECT, size)
    flush = cycles.count_collect_flush(use.operands.pieces, True, False)
    made = Instruction(
        Kind.COLLECT,
        f"codes of {name}",
        fields,
        busy,
        tensor=step.output,
        layer=name,
        owner=name,
        reads=(build.values.place(step.output),),
        writes=(build.codes.place(use.codes),),
    )
    build.add(made, flush)


def add_adaptation(build: Build, step: Step, use: Use) -> None:
    """Add the instructions of a layer's adapter and of its scales."""
    node, words = use.step.node, build.words(step.output)
    assert isinstance(node, Convolution)
    fields, hidden = build.adaptation.add_adapter(node.name, use.quantiser, words, build.tensor(step.output))
    busy = cycles.count_busy_cycles(build.spec, Kind.ADAPT, {"words": words, "hidden": hidden})
    build.add(Instruction(Kind.ADAPT, f"step of {node.name}", fields, busy, owner=node.name, reads=(SUMS,)))
    fields = build.adaptation.add_multipliers(node, build.rows[use.step.output])
    busy = cycles.count_busy_cycles(build.spec, Kind.SCALE, {"channels": len(node.rescale.multiplier)})
    written = (build.scales(use.step),)
    build.add(Instruction(Kind.SCALE, f"scales of {node.name}", fields, busy, owner=node.name, writes=written))
