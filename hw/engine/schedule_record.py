"""A record of when an engine's instructions run, from which a drawing of its schedule is made."""

from typing import Annotated

from msgspec import Meta, Struct

from asq_model.common.records import Count, Line, Schema, Whole
from hw.engine.compiler.compiled import Compiled
from hw.engine.describe_engine import describe_instructions


class InstructionRun(Struct, frozen=True):
    """An instruction of a round: when it starts and how many cycles it takes; of which program, for which image."""

    start: Count
    cycles: Whole
    program: Line
    kind: Line
    name: Line
    bank: Annotated[int, Meta(ge=0, le=1)]


class Schedule(Struct, frozen=True):
    """A round of a network on an engine. images: how many are under way; period: cycles of the round."""

    network: Line
    images: Whole
    period: Whole
    runs: list[InstructionRun]


SCHEDULE: Schema[Schedule] = Schema("schedule of an engine", Schedule, remedy="asq-post engine --schedule writes it")


def schedule_of(network: str, compiled: Compiled) -> Schedule:
    """The record of a compiled network."""
    names = InstructionRun.__struct_fields__
    runs = [InstructionRun(**{name: each[name] for name in names}) for each in describe_instructions(compiled)]
    return Schedule(network, compiled.images, compiled.period, runs)
