"""The page on layers as adders alone, made from a report."""

from asq_model.common.markdown import markdown_table
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.unrolled.adder_graph import GRAPH_FORMS
from sim.unrolled.report import BITS, LUTS, CaseReport, UnrolledReport

COLUMNS = (
    ("form", "weights"),
    ("cost", "adder bits"),
    ("depth", "adders in a row"),
    *((family, f"{chosen.title} (× uniform)") for family, chosen in FPGA_FAMILIES.items()),
    ("clock", "MHz, best / median"),
)


def title_of(case: CaseReport) -> str:
    """The heading of a case: its layer, its golden vectors and its size."""
    return f"{case['layer']} of {case['golden']}, {case['inputs']} × {case['outputs']}"


def table(case: CaseReport) -> str:
    """The figures of a case in Markdown, a line for each form."""
    lines = []
    for key, row in case["forms"].items():
        cells = {family: f"{luts} ({row['over_uniform'][family]:.2f})" for family, luts in row["luts"].items()}
        rates = f"{row['clock']['best']:.0f} / {row['clock']['median']:.0f}" if row["clock"] else "–"
        line = {
            "form": GRAPH_FORMS[key].title,
            "cost": f"{row['cost']:.0f}",
            "depth": str(row["depth"]),
            "clock": rates,
        }
        lines.append(line | cells)
    return markdown_table(lines, COLUMNS)


def range_of(cases: list[CaseReport], key: str, whats: tuple[str, ...]) -> str:
    """The range, over all cases, of how many times the rival's numbers a form's are. whats: keys of the numbers."""
    every = [case["forms"][key]["over_uniform"][what] for case in cases for what in whats]
    return f"{min(every):.2f} to {max(every):.2f}"


def make_trend_table(cases: list[CaseReport], whats: tuple[str, ...]) -> str:
    """A table of how many times the rival's numbers a form's are: a line per form, a column per case."""
    columns = [("form", "weights")]
    columns += [
        (f"case_{index}", f"{case['layer']} {case['inputs']} × {case['outputs']}") for index, case in enumerate(cases)
    ]
    lines = []
    for key, form in GRAPH_FORMS.items():
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
            f"In LUTs, two graphs and √2 take {range_of(placed, 'pair', LUTS)} times what uniform takes, without the √2"
            f" {range_of(placed, 'parts', LUTS)}; √2·a per input {range_of(placed, 'tabled0', LUTS)} at F = 0 and"
            f" {range_of(placed, 'tabled2', LUTS)} at F = 2; POT {range_of(placed, 'pot', LUTS)}, APoT"
            f" {range_of(placed, 'apot', LUTS)}."
        )
    )
    text += " √2 is four adders an output in any layer. In adder bits, two graphs and √2 take these times uniform's: "
    by_inputs: dict[int, list[CaseReport]] = {}
    for case in sorted(cases, key=lambda case: case["inputs"]):
        by_inputs.setdefault(case["inputs"], []).append(case)
    pairs, tabled = (
        ", ".join(f"{range_of(members, key, BITS)} at {inputs} inputs" for inputs, members in by_inputs.items())
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
        make_trend_table(cases, BITS),
        "",
    ]
    if placed:
        lines += [f"LUTs over uniform's, {families}:", "", make_trend_table(placed, LUTS), ""]
    lines += [findings(cases), ""]
    for case in placed:
        lines += [f"## {title_of(case)}", "", table(case), ""]
    return "\n".join(lines).rstrip() + "\n"
