"""The page on layers as adders alone: each form's figures, and these over the rival's."""

from collections.abc import Callable
from pathlib import Path

from sim.adder_graph import FORMS, SOLVER, solver_version
from sim.place import DEVICES, TIMEOUT_S
from sim.report import markdown_table
from sim.synth import FABRICS
from sim.unrolled import PLACED_ON, RIVAL, Case, measured

COLUMNS = (
    ("form", "weights"),
    ("cost", "adder bits"),
    ("depth", "adders in a row"),
    *((fabric, f"{chosen.title} (× uniform)") for fabric, chosen in FABRICS.items()),
    ("clock", "MHz, best / median"),
)


def table(rows: dict[str, dict]) -> str:
    shown = []
    for key, row in rows.items():
        cells = {fabric: f"{row[fabric]} ({row[fabric] / rows[RIVAL][fabric]:.2f})" for fabric in FABRICS}
        rates = f"{row['clock']['best']:.0f} / {row['clock']['median']:.0f}" if row["clock"] else "–"
        shown.append(
            {"form": FORMS[key].title, "cost": f"{row['cost']:.0f}", "depth": row["depth"], "clock": rates} | cells
        )
    return markdown_table(shown, COLUMNS)


def ratio(rows: dict[str, dict], key: str, what: str) -> float:
    return rows[key][what] / rows[RIVAL][what]


def span(found: dict[Case, dict[str, dict]], key: str, whats: tuple[str, ...]) -> str:
    """These over the rival's, least to most over all cases."""
    every = [ratio(rows, key, what) for rows in found.values() for what in whats]
    return f"{min(every):.2f} to {max(every):.2f}"


def of_inputs(found: dict[Case, dict[str, dict]], inputs: int) -> dict[Case, dict[str, dict]]:
    return {case: rows for case, rows in found.items() if case.inputs == inputs}


def trend(found: dict[Case, dict[str, dict]], whats: tuple[str, ...]) -> str:
    """Each of these over the rival's, a line per form, a column per case."""
    columns = [("form", "weights"), *((case.title, f"{case.layer} {case.inputs} × {case.outputs}") for case in found)]
    shown = []
    for key, form in FORMS.items():
        cells = {
            case.title: " / ".join(f"{ratio(rows, key, what):.2f}" for what in whats) for case, rows in found.items()
        }
        shown.append({"form": form.title} | cells)
    return markdown_table(shown, tuple(columns))


def page(cases: list[Case], larger: list[Case], seeds: int, root: Path, progress: Callable[[str], None]) -> str:
    """In Markdown: `cases` synthesised and placed, `larger` ones solved and simulated only.

    Does what is not kept already; a netlist that is not its matrix stops all. Raises InputError.
    """
    solver = solver_version()
    every = {case: measured(case, case in cases, seeds, root, progress) for case in [*cases, *larger]}
    found = {case: every[case] for case in cases}
    apart = [rows["pair"]["rounded_apart"] for rows in every.values()]
    few, many = min(case.inputs for case in every), max(case.inputs for case in every)
    luts, bits = tuple(FABRICS), ("cost",)
    families = " / ".join(fabric.title for fabric in FABRICS.values())
    lines = [
        "# Fully unrolled layers: POST as adder graphs",
        "",
        "All weights known, all inputs at once, all outputs in one clock: a layer is adders and shifts. Graphs by da4ml"
        f" {solver} (`hard_dc` {SOLVER['hard_dc']}, an adder costs its bits, its own settings otherwise). Every netlist"
        " was simulated in Verilator against the integer specification before it was measured: on golden activations,"
        " on random ones and on the extremes of every output. POST weights as trained; the others are the same latent"
        " weights quantised after training by least squares, for uniform in two's complement. LUTs by Yosys of a layer"
        " without registers (a carry cell of ECP5 counts for two), its adders kept as solved. Clock by nextpnr on"
        f" {DEVICES[PLACED_ON].title}, seeds: {seeds}, between registers. –: not placed, or none ended in"
        f" {TIMEOUT_S} s; iCE40 is not placed. Made by `make unrolled`.",
        "",
        "- **E, O, √2 per output**: two graphs on the same inputs, solved apart or as one matrix, whichever is cheaper;"
        " then √2 ≈ 181/128 in three adders. F = 0, faithfully rounded (off by less than 1 from the exact sum): at most"
        f" {max(apart):.1%} of a layer's results in simulation are not the correctly rounded ones of `post-exact`."
        " *Adder bits* and *adders in a row* include the √2.",
        "- **E and O, without √2**: the same graphs with E and O as results; the difference is what √2 takes.",
        "- **√2·a per input**: round(√2·a·2^F) in a table per input, shared by all outputs, then one graph: unit"
        " `post`, bit for bit. The tables are in the LUTs, not in the adder bits.",
        "",
        "da4ml's adder bits over uniform's:",
        "",
        trend(every, bits),
        "",
        f"LUTs over uniform's, {families}:",
        "",
        trend(found, luts),
        "",
        f"In LUTs, two graphs and √2 take {span(found, 'pair', luts)} times what uniform takes, without the √2"
        f" {span(found, 'parts', luts)}; √2·a per input {span(found, 'tabled0', luts)} at F = 0 and"
        f" {span(found, 'tabled2', luts)} at F = 2; POT {span(found, 'pot', luts)}, APoT {span(found, 'apot', luts)}."
        " √2 is four adders an output in any layer, so it weighs less the more inputs there are: in adder bits,"
        f" two graphs and √2 take {span(of_inputs(every, few), 'pair', bits)} times uniform's at {few} inputs and"
        f" {span(of_inputs(every, many), 'pair', bits)} at {many}, √2·a per input at F = 0"
        f" {span(of_inputs(every, few), 'tabled0', bits)} and {span(of_inputs(every, many), 'tabled0', bits)}.",
        "",
    ]
    for case, rows in found.items():
        lines += [f"## {case.title}", "", table(rows), ""]
    return "\n".join(lines).rstrip() + "\n"
