"""The page on layers as adders alone, made from a report: each form's figures, and these over the rival's."""

from pathlib import Path
from typing import NotRequired, TypedDict

from asq_model.common.markdown import markdown_table
from asq_model.common.progress import SILENT, Bar
from asq_model.common.records import Amount, Count, Line, Positive, Schema, Text, Whole, Word
from sim.measure.fpga_families import DEVICES, FPGA_FAMILIES
from sim.measure.nextpnr_clock import TIMEOUT_S
from sim.unrolled.adder_graph import FORMS, SOLVER, solver_version
from sim.unrolled.cases import Case
from sim.unrolled.layer import PLACED_ON, RIVAL, LayerFigures, measure_layer

COLUMNS = (
    ("form", "weights"),
    ("cost", "adder bits"),
    ("depth", "adders in a row"),
    *((family, f"{chosen.title} (× uniform)") for family, chosen in FPGA_FAMILIES.items()),
    ("clock", "MHz, best / median"),
)
LUTS, BITS = tuple(FPGA_FAMILIES), ("cost",)


class FormReport(TypedDict):
    """A layer in one form: adder bits and depth (null: not kept), where it is placed LUTs by family and clock (empty:
    no placing ended), and by `cost` and family what these are over the rival's.
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
    """What was measured of unrolled layers and with what. rounded_apart: the largest share of a layer's results that
    the short √2 rounds the other way than `post-exact` does. note: what else the page says.
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
        for form in FORMS:
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


def case_report(case: Case, rows: dict[str, LayerFigures], placed: bool) -> CaseReport:
    """A case of the report, from its figures by form."""
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


def report(cases: list[Case], larger: list[Case], seeds: int, root: Path, bar: Bar = SILENT) -> UnrolledReport:
    """Measure `cases`, synthesised and placed, and `larger` ones, which are solved and simulated only.

    Does what is not kept already; a netlist that is not its matrix stops all. Raises InputError.
    """
    solver = solver_version()
    bar.expect(len([*cases, *larger]) * len(FORMS))
    figures = {case: measure_layer(case, case in cases, seeds, root, bar) for case in [*cases, *larger]}
    return {
        "solver": solver,
        "hard_dc": SOLVER["hard_dc"],
        "seeds": seeds,
        "placed_on": DEVICES[PLACED_ON].title,
        "timeout_s": TIMEOUT_S,
        "rounded_apart": max(rows["pair"].graph.rounded_apart or 0.0 for rows in figures.values()),
        "note": "",
        "cases": [case_report(case, rows, case in cases) for case, rows in figures.items()],
    }


def title(case: CaseReport) -> str:
    return f"{case['layer']} of {case['golden']}, {case['inputs']} × {case['outputs']}"


def table(case: CaseReport) -> str:
    lines = []
    for key, row in case["forms"].items():
        cells = {family: f"{luts} ({row['over_uniform'][family]:.2f})" for family, luts in row["luts"].items()}
        rates = f"{row['clock']['best']:.0f} / {row['clock']['median']:.0f}" if row["clock"] else "–"
        line = {"form": FORMS[key].title, "cost": f"{row['cost']:.0f}", "depth": str(row["depth"]), "clock": rates}
        lines.append(line | cells)
    return markdown_table(lines, COLUMNS)


def span(cases: list[CaseReport], key: str, whats: tuple[str, ...]) -> str:
    """The range, over all cases, of how many times the rival's numbers a form's are. whats: keys of the numbers."""
    every = [case["forms"][key]["over_uniform"][what] for case in cases for what in whats]
    return f"{min(every):.2f} to {max(every):.2f}"


def trend(cases: list[CaseReport], whats: tuple[str, ...]) -> str:
    """A table of how many times the rival's numbers a form's are: a line per form, a column per case."""
    columns = [("form", "weights")]
    columns += [
        (f"case_{index}", f"{case['layer']} {case['inputs']} × {case['outputs']}") for index, case in enumerate(cases)
    ]
    lines = []
    for key, form in FORMS.items():
        line = {"form": form.title}
        for index, case in enumerate(cases):
            over_uniform = case["forms"][key]["over_uniform"]
            line[f"case_{index}"] = " / ".join(f"{over_uniform[what]:.2f}" for what in whats)
        lines.append(line)
    return markdown_table(lines, tuple(columns))


def findings(cases: list[CaseReport]) -> str:
    """The findings in sentences: LUTs of the cases that are placed, adder bits of all, by the number of inputs."""
    placed = [case for case in cases if case["placed"]]
    text = (
        "LUTs were not measured."
        if not placed
        else (
            f"In LUTs, two graphs and √2 take {span(placed, 'pair', LUTS)} times what uniform takes, without the √2"
            f" {span(placed, 'parts', LUTS)}; √2·a per input {span(placed, 'tabled0', LUTS)} at F = 0 and"
            f" {span(placed, 'tabled2', LUTS)} at F = 2; POT {span(placed, 'pot', LUTS)}, APoT"
            f" {span(placed, 'apot', LUTS)}."
        )
    )
    text += " √2 is four adders an output in any layer. In adder bits, two graphs and √2 take these times uniform's: "
    by_inputs: dict[int, list[CaseReport]] = {}
    for case in sorted(cases, key=lambda case: case["inputs"]):
        by_inputs.setdefault(case["inputs"], []).append(case)
    pairs, tabled = (
        ", ".join(f"{span(members, key, BITS)} at {inputs} inputs" for inputs, members in by_inputs.items())
        for key in ("pair", "tabled0")
    )
    return f"{text}{pairs}; √2·a per input at F = 0: {tabled}."


def page(found: UnrolledReport) -> str:
    """A report in Markdown."""
    cases = found["cases"]
    placed = [case for case in cases if case["placed"]]
    families = " / ".join(family.title for family in FPGA_FAMILIES.values())
    lines = [
        "# Fully unrolled layers: POST as adder graphs",
        "",
        "All weights known, all inputs at once, all outputs in one clock: a layer is adders and shifts. Graphs by da4ml"
        f" {found['solver']} (`hard_dc` {found['hard_dc']}, an adder costs its bits, its own settings otherwise). Every"
        " netlist was simulated in Verilator against the integer specification before it was measured: on golden"
        " activations, on random ones and on the extremes of every output. POST weights as trained; the others are the"
        " same latent weights quantised after training by least squares, for uniform in two's complement. LUTs by Yosys"
        " of a layer without registers (a carry cell of ECP5 counts for two), its adders kept as solved. Clock by"
        f" nextpnr on {found['placed_on']}, seeds: {found['seeds']}, between registers. –: not placed, or none ended in"
        f" {found['timeout_s']} s; iCE40 is not placed. Made by `make unrolled`.",
        "",
        *([found["note"], ""] if found["note"] else []),
        "- **E, O, √2 per output**: two graphs on the same inputs, solved apart or as one matrix, whichever is cheaper;"
        " then √2 ≈ 181/128 in three adders. F = 0, faithfully rounded (off by less than 1 from the exact sum): at most"
        f" {found['rounded_apart']:.1%} of a layer's results in simulation are not the correctly rounded ones of"
        " `post-exact`. *Adder bits* and *adders in a row* include the √2.",
        "- **E and O, without √2**: the same graphs with E and O as results; the difference is what √2 takes.",
        "- **√2·a per input**: round(√2·a·2^F) in a table per input, shared by all outputs, then one graph: unit"
        " `post`, bit for bit. The tables are in the LUTs, not in the adder bits.",
        "",
        "da4ml's adder bits over uniform's:",
        "",
        trend(cases, BITS),
        "",
    ]
    if placed:
        lines += [f"LUTs over uniform's, {families}:", "", trend(placed, LUTS), ""]
    lines += [findings(cases), ""]
    for case in placed:
        lines += [f"## {title(case)}", "", table(case), ""]
    return "\n".join(lines).rstrip() + "\n"
