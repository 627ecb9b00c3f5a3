"""What is measured of layers as adders alone: each form's figures, and these over the rival's."""

from pathlib import Path
from typing import NotRequired, TypedDict

from asq_model.common.progress import SILENT, Bar
from asq_model.common.records import Amount, Count, Line, Positive, Schema, Text, Whole, Word
from sim.measure.fpga_families import DEVICES, FPGA_FAMILIES
from sim.measure.nextpnr_clock import TIMEOUT_S
from sim.unrolled.adder_graph import GRAPH_FORMS, SOLVER, solver_version
from sim.unrolled.cases import Case
from sim.unrolled.layer import PLACED_ON, RIVAL, LayerFigures, measure_layer

LUTS, BITS = tuple(FPGA_FAMILIES), ("cost",)


class FormReport(TypedDict):
    """A layer in one form: its figures, and what they are over the rival's.

    cost, depth: adder bits, and adders in a row; null: not kept. luts, clock: of a layer that is placed, by family, and
    in MHz, empty where no placing ended. over_uniform: by `cost` and by family.
    """

    cost: Positive | None
    depth: Count | None
    over_uniform: dict[Word, Positive]
    luts: NotRequired[dict[Word, Whole]]
    clock: NotRequired[dict[Word, Positive]]


class CaseReport(TypedDict):
    """The first `inputs` terms and `outputs` channels of a layer of a folder of golden vectors, in every form."""

    layer: Line
    golden: Line
    inputs: Whole
    outputs: Whole
    placed: bool
    forms: dict[Word, FormReport]


class UnrolledReport(TypedDict):
    """What was measured of unrolled layers and with what.

    rounded_apart: the largest share of a layer's results that the short √2 rounds the other way than `post-exact` does.
    note: what else the page says.
    """

    solver: Word
    hard_dc: Count
    seeds: Whole
    placed_on: Line
    timeout_s: Whole
    rounded_apart: Amount
    note: Text
    cases: list[CaseReport]


def check_unrolled(report: UnrolledReport) -> None:
    """Raises ValueError for a case that lacks a form, or a figure that it must have."""
    if not report["cases"]:
        raise ValueError("it has no case")
    for case in report["cases"]:
        wanted = {*BITS, *(LUTS if case["placed"] else ())}
        for form in GRAPH_FORMS:
            row = case["forms"].get(form)
            if row is None or row["over_uniform"].keys() != wanted:
                raise ValueError(f"{case['layer']} lacks a figure of {form}")
            if not case["placed"]:
                continue
            clock = row.get("clock", {"none": 0.0}).keys()
            area = row.get("luts", {}).keys() == {*LUTS} and None not in (row["cost"], row["depth"])
            if not area or (clock and clock != {"best", "median"}):
                raise ValueError(f"{case['layer']} lacks a figure of {form}")


UNROLLED = Schema("report on unrolled layers", UnrolledReport, remedy="`make unrolled` writes it", check=check_unrolled)


def sizes_of(row: LayerFigures) -> dict[str, float]:
    """The sizes of a layer that are set over its rival's: adder bits as `cost`, and LUTs by FPGA family."""
    return {"cost": row.graph.cost} | row.luts


def make_case_report(case: Case, rows: dict[str, LayerFigures], placed: bool) -> CaseReport:
    """Make a case of the report, from its figures by form."""
    forms: dict[str, FormReport] = {}
    rival = sizes_of(rows[RIVAL])
    for key, row in rows.items():
        forms[key] = {
            "cost": row.graph.cost,
            "depth": row.graph.depth,
            "over_uniform": {what: size / rival[what] for what, size in sizes_of(row).items()},
        }
        if placed:
            clock = {} if row.clock is None else {"best": row.clock.best, "median": row.clock.median}
            forms[key] |= {"luts": row.luts, "clock": clock}
    return {
        "layer": case.layer,
        "golden": case.golden.name,
        "inputs": case.inputs,
        "outputs": case.outputs,
        "placed": placed,
        "forms": forms,
    }


def measure_cases(
    cases: list[Case], larger: list[Case], placings: int, root: Path, bar: Bar = SILENT
) -> UnrolledReport:
    """Measure `cases`, synthesised and placed, and `larger` ones, which are solved and simulated only.

    Does what is not kept already; a netlist that is not its matrix stops all. Raises InputError.
    """
    solver = solver_version()
    bar.expect(len([*cases, *larger]) * len(GRAPH_FORMS))
    figures = {case: measure_layer(case, case in cases, placings, root, bar) for case in [*cases, *larger]}
    return {
        "solver": solver,
        "hard_dc": SOLVER["hard_dc"],
        "seeds": placings,
        "placed_on": DEVICES[PLACED_ON].title,
        "timeout_s": TIMEOUT_S,
        "rounded_apart": max(rows["pair"].graph.rounded_apart or 0.0 for rows in figures.values()),
        "note": "",
        "cases": [make_case_report(case, rows, case in cases) for case, rows in figures.items()],
    }
