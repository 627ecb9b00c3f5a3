"""How an image comes in, and how results go out."""

from asq_model.common.errors import InputError
from hw.engine.compiler.build import Build
from hw.engine.compiler.instructions import Instruction, Place
from hw.engine.instruction_fields import SLOT_BITS
from hw.engine.program import Kind
from hw.engine.row_writer import BYTE


def make_image_fields(build: Build) -> dict[str, int]:
    """Make the fields that say how an image's values become words."""
    channels, rows, columns = build.graph.input.shape
    uses = build.uses[build.steps[0].output]
    slots = uses[0].operands.slots if uses else None
    numbers = [slot.channel for slot in slots] if slots else list(range(build.spec.channels))
    none = (1 << SLOT_BITS) - 1 if build.spec.channels < 32 else 0
    numbers += [none] * (build.spec.channels - len(numbers))
    return {
        "last_input": channels - 1,
        "input_pixels": rows * columns,
        "slots": sum(number << SLOT_BITS * place for place, number in enumerate(numbers)),
    }


def count_input_words(build: Build) -> int:
    """Count the rows of the image's memory that an image takes."""
    _, rows, columns = build.graph.input.shape
    return build.words(build.steps[0].output) // build.spec.beats * rows * columns


def count_result_words(build: Build) -> int:
    """Count the rows of the results' memory that the results take."""
    _, rows, columns = build.tensor(build.steps[-1].output).shape
    return build.words(build.steps[-1].output) * rows * columns


def make_byte_tables(build: Build) -> list[int]:
    """Make a table for each channel of the image: the values that bytes mean. Raises InputError for a graph without."""
    table = build.graph.input.table
    if build.spec.byte_input and table is None:
        raise InputError("the graph takes no bytes; this engine does (byte_input)")
    return table.reshape(-1, BYTE).ravel().tolist() if build.spec.byte_input and table is not None else []


def add_finish(build: Build) -> None:
    """Add FINISH, by which the results leave."""
    output = build.steps[-1].output
    channels, rows, columns = build.tensor(output).shape
    fields = {
        "last_output": channels - 1,
        "output_pixels": rows * columns,
        "output_words": build.words(output),
        "wide_results": next(each.fields.get("is_wide", 0) for each in build.instructions if writes_results(each)),
    }
    build.add(Instruction(Kind.FINISH, "results", fields, 0, reads=(Place("results"),)))


def writes_results(instruction: Instruction) -> bool:
    """Whether what an instruction makes is the network's result."""
    return bool(instruction.fields.get("writes_results"))
