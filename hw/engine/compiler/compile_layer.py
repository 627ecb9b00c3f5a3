"""The instruction of a layer: what its products are, and where their sums go."""

from collections.abc import Mapping
from math import prod

from asq_model.common.errors import InputError
from asq_model.spec.graph.convolution import Convolution
from hw.engine.compiler import cycles
from hw.engine.compiler.build import Build
from hw.engine.compiler.geometry import ONE, Window
from hw.engine.compiler.instructions import Instruction
from hw.engine.compiler.layer_operands import make_pass_fields, make_zero_word
from hw.engine.compiler.rescaling import count_extra_bits, make_align_fields, make_bound_fields, make_shift_fields
from hw.engine.compiler.steps import Step
from hw.engine.compiler.uses import Use
from hw.engine.compiler.weight_rows import make_weight_rows
from hw.engine.program import Kind


def add_convolution(build: Build, index: int, step: Step) -> None:
    """Add the instruction of a layer."""
    node, spec = step.node, build.spec
    assert isinstance(node, Convolution)
    use = next(use for use in build.uses[step.inputs[0]] if use.step is step)
    operands, direct = use.operands, build.find_direct(step)
    pieces = direct.operands.pieces if direct else 1
    places = prod(node.kernel)
    steps = operands.count_steps(places)
    period = max(steps, cycles.count_tile_words(spec, pieces))
    fields = make_convolution_fields(build, index, use, node, period)
    build.weights += make_weight_rows(spec, node, operands, build.tensor(step.inputs[0]).shape[0], period)
    _, *output = build.tensor(node.name).shape
    tiles = -(-output[0] * output[1] // spec.pixels) * operands.outputs
    filled = int(bool(operands.picked))  # tiles whose windows are filled before something is picked
    busy = cycles.count_busy_cycles(spec, Kind.CONVOLVE, {"tiles": tiles + filled, "period": period})
    last_step = 0 if filled else steps - period
    flush = cycles.count_convolve_flush(spec, last_step, pieces, direct is not None)
    products = node.products.even.size * output[0] * output[1]
    reads = [build.codes.place(use.codes), build.scales(step)]
    reads += [build.values.place(beside) for beside in step.inputs[1:] if beside in build.values.taken]
    made = Instruction(
        Kind.CONVOLVE,
        node.name,
        fields,
        busy,
        products=products,
        terms=products // places * operands.count_parts(places),
        lead=min(cycles.count_convolve_lead(spec, steps + filled * period), busy) if spec.reads_ahead else 0,
        tensor=step.output,
        layer=direct.step.node.name if direct else "",
        reads=tuple(reads),
        writes=build.list_written(step, fields),
    )
    build.add(made, flush)


def make_convolution_fields(build: Build, index: int, use: Use, node: Convolution, period: int) -> dict[str, int]:
    """Make the fields of a layer's instruction. period: cycles of a tile."""
    spec, step, operands = build.spec, use.step, use.operands
    fields = make_layer_window(build, step, use).make_fields(True, build.modulus) | make_pass_fields(operands)
    fields |= build.make_target_fields(index, step)
    fields |= {
        "weights": len(build.weights),
        "last_group": operands.outputs - 1,
        "last_repeat": operands.words.repeat - 1,
        "zero": make_zero_word(spec, operands),
        "zero_piece": operands.pieces - 1,
        "period": period - 1,
        "scales": build.rows[step.output],
        "biases": build.rows[step.output],
    } | make_bound_fields(spec, step, build.is_result(step))
    fields |= make_shift_fields(spec, node.rescale.shift + count_extra_bits(spec, node))
    return fields | make_side_fields(build, step, fields)


def make_layer_window(build: Build, step: Step, use: Use) -> Window:
    """Make the window in which a layer reads its codes, of which only those that it meets may have been made."""
    node = step.node
    assert isinstance(node, Convolution)
    _, *size = build.tensor(step.inputs[0]).shape
    _, *output = build.tensor(node.name).shape
    stride = node.stride
    if use.skips_pixels and not build.is_direct(use):
        size, stride = output, ONE
    return Window(
        (size[0], size[1]),
        (output[0], output[1]),
        node.kernel,
        stride,
        node.dilation,
        node.padding,
        build.codes.first(use.codes),
        use.operands.pixel_words,
        use.operands.words.count,
    )


def make_side_fields(build: Build, step: Step, fields: Mapping[str, int]) -> dict[str, int]:
    """Make the fields of a layer's side branch, if it has one. Raises InputError for one that is shifted right."""
    node = step.node
    assert isinstance(node, Convolution)
    if len(step.inputs) < 2:
        return {}
    if node.align < 0:
        raise InputError(f"shifts its side branch right, by {-node.align}; the engine shifts left only")
    aligned = make_align_fields(build.spec, node.align + count_extra_bits(build.spec, node))
    return {"has_side": 1, "side": find_side_address(build, step, fields)} | aligned


def find_side_address(build: Build, step: Step, fields: Mapping[str, int]) -> int:
    """Find the first row of a step's side branch, which may have been handed over to its output."""
    side = step.inputs[1]
    return build.values.first(side) if side in build.values.taken else fields["value"]
