"""What the hardware report compares: which designs, on which FPGA families, and how often each is placed."""

from collections.abc import Sequence
from pathlib import Path

from asq_model.common.command_line import parse_widths
from sim.explore.design import Design, is_for
from sim.explore.design_rows import ASIC, ENERGY
from sim.explore.design_space import (
    FORMS,
    FULL_WIDTHS,
    LARGE_PLACINGS,
    MAPPED_FORMS,
    choose_placings,
    list_designs,
    list_mapped_arrays,
    side_of,
)
from sim.explore.measure_design import Task
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.option_lists import parse_choice

TOO_LARGE = {("ice40", "array16x16")}  # HX8K has 7,680 logic cells
SLOW = {("ecp5", "array16x16")}  # minutes a placing: on the page of those who had `make synth` do it
COMPARED = (*FPGA_FAMILIES, ASIC)  # what a report can be of
WIDEST = ("mac:3x3,4x4,4x8,8x8", "array8x8:3x3,4x4,4x8,3x4,5x4", "dot16:3x3,4x4,4x8", "dot64:4x4", "array16x16:4x4")
Plan = dict[tuple[tuple[int, int], str], list[Design]]  # designs by widths and form


def make_tasks(
    members: Sequence[Design],
    targets: Sequence[str],
    golden: tuple[Path, ...],
    placings: int,
    liberty: Path | None,
    dsp: bool = False,
) -> list[Task]:
    """Make a task for every design and target."""
    return [
        Task(design, target, golden, placings, liberty if target == ASIC else None, dsp)
        for target in targets
        for design in members
        if is_for(design, target)
    ]


def parse_plan(text: str) -> Plan:
    """`mac:3x3,4x4 array8x8:4x4` as the designs of each width and form. Raises InputError.

    `mapped8x8` stands for those of `array8x8` that are made of a family's own cells.
    """
    plan: Plan = {}
    for part in text.split():
        word, _, widths = part.partition(":")
        parse_choice("--plan", word, (*FORMS, *MAPPED_FORMS))
        form = MAPPED_FORMS.get(word, word)
        for pair in parse_widths("--plan", widths):
            members = (
                list(list_mapped_arrays(pair, side_of(form))) if word in MAPPED_FORMS else list_designs(pair, form)
            )
            plan[pair, form] = list(dict.fromkeys([*plan.get((pair, form), []), *members]))
    return plan


def list_report_tasks(
    plan: Plan, targets: Sequence[str], golden: tuple[Path, ...], placings: int, liberty: Path | None
) -> list[Task]:
    """List the tasks of a report on these targets.

    On each FPGA family: area, and the clock of designs that are placed; of single uniform units also in multiplier
    blocks. With ASIC among the targets: gates and energy of single units, and of 8 × 8 arrays at `FULL_WIDTHS`.
    """
    tasks = []
    for (widths, form), members in plan.items():
        families = [name for name in targets if name in FPGA_FAMILIES and (name, form) not in TOO_LARGE | SLOW]
        pairs = [(name, design) for name in families for design in members if is_for(design, name)]
        tasks += [Task(design, name, golden, choose_placings(design, placings)) for name, design in pairs]
        if ASIC in targets and (form == "mac" or (form, widths) == ("array8x8", FULL_WIDTHS)):
            tasks += make_tasks(members, [ASIC, ENERGY], golden, 1, liberty)
        if form == "mac":
            plain = [design for design in members if design.unit == "uniform"]
            with_choice = [name for name in families if FPGA_FAMILIES[name].dsp_off]
            tasks += make_tasks(plain, with_choice, golden, placings, None, True)
    return tasks


def list_slow_tasks(plan: Plan, targets: Sequence[str], golden: tuple[Path, ...], placings: int) -> list[Task]:
    """List the tasks that `list_report_tasks` leaves out because each takes minutes, those of `SLOW`."""
    return [
        Task(design, name, golden, min(placings, LARGE_PLACINGS))
        for (_, form), members in plan.items()
        for name in targets
        if (name, form) in SLOW
        for design in members
        if is_for(design, name)
    ]
