"""A layer that starts while its codes are made reads none before it is written, and waits no longer than that takes."""

from made_up_graphs import Maker
from networks import adapting_network

from asq_model.spec.mac import MacSpec
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.cycles import count_convolve_start
from hw.engine.compiler.instructions import Instruction
from hw.engine.compiler.overlap import find_releases
from hw.engine.presets import Preset, compile_network
from hw.engine.program import Kind

MAC = MacSpec("post", 3, 3, frac=0)
CLOSE = 3  # cycles that most layers wait longer than they have to, at most


def compile_layer(kernel: tuple[int, int], stride: tuple[int, int], padding: int, preset: Preset) -> Compiled:
    """A network of one layer of 4 channels on a map of 9 × 7."""
    made = Maker(MAC, (4, 9, 7), with_table=False)
    made.conv("layer", "input", 8, kernel, stride, (padding,) * 4, relu=False)
    return compile_network(preset, made.graph, made.mac, made.precision)[1]


def pair_of(compiled: Compiled) -> tuple[Instruction, Instruction, int]:
    """What makes a layer's codes, the layer, and when it may start."""
    ((number, (layer, released)),) = find_releases(compiled.spec, compiled.instructions).items()
    return compiled.instructions[number], compiled.instructions[layer], released


def least_wait(compiled: Compiled, codes: Instruction, layer: Instruction) -> int:
    """By how many cycles a layer has to start later than what makes its codes: each place of each window, by itself."""
    fields, spec = layer.fields, compiled.spec
    rows, columns, outputs = fields["rows"], fields["columns"], fields["last_column"] + 1
    waits = []
    for pixel in range(fields["pixels"]):
        tile = pixel // spec.pixels
        read = count_convolve_start(spec) + tile * (fields["period"] + 1) * (fields["last_group"] + 1)
        for row in range(fields["last_kernel_row"] + 1):
            for column in range(fields["last_kernel_column"] + 1):
                at_row = fields["first_row"] + pixel // outputs * fields["row_stride"] + row * fields["row_dilation"]
                at_column = fields["first_column"] + pixel % outputs * fields["column_stride"]
                at_column += column * fields["column_dilation"]
                if 0 <= at_row < rows and 0 <= at_column < columns:
                    later = rows * columns - 1 - (at_row * columns + at_column)
                    waits.append(codes.cycles - later * codes.busy // (rows * columns) - read)
    return max(waits)


def test_a_layer_reads_no_code_before_it_is_written() -> None:
    """Kernels, strides and margins of all kinds; the whole kernel of a tile is read in its first cycle, at worst."""
    close = []
    for kernel, stride, padding in (((1, 1), (1, 1), 0), ((3, 3), (1, 1), 1), ((3, 3), (2, 2), 1), ((2, 3), (1, 2), 2)):
        for preset in (Preset("", 4, 2), Preset("", 4, 3, 1), Preset("", 8, 4)):
            codes, layer, released = pair_of(compiled := compile_layer(kernel, stride, padding, preset))
            least = least_wait(compiled, codes, layer)
            assert least <= released + 1
            assert codes.cycles - released <= layer.busy  # what comes behind the layer finds the codes whole
            close.append(released - max(least, codes.cycles - layer.busy))
    assert len(close) == 12 and sorted(close)[8] <= CLOSE  # windows that lie in a margin are taken to reach the map


def test_what_depends_on_more_than_codes_waits_to_the_end() -> None:
    """A layer that writes codes itself needs the quantiser, which only one can use."""
    made = Maker(MAC, (4, 9, 7), with_table=False)
    made.conv("first", "input", 4, (3, 3), padding=(1, 1, 1, 1))
    made.conv("second", "first", 4, (1, 1), relu=False)
    compiled = compile_network(Preset("", 4, 2), made.graph, made.mac, made.precision)[1]
    makes = [each.layer for each in compiled.instructions if each.kind == Kind.COLLECT]
    assert makes == ["first"] and find_releases(compiled.spec, compiled.instructions) == {}


def test_layers_that_adapt_start_before_their_codes_are_whole() -> None:
    """Both fields are set in the programs of a network whose steps adapt."""
    made = adapting_network(MAC)
    _, compiled = compile_network(Preset("", 4, 2), made.graph, made.mac, 12)
    released = {each.layer for each in compiled.programs[1].loop if each.fields["released"]}
    assert {"left", "down"} <= released
    assert any(each.fields["early"] for each in compiled.programs[0].loop)
