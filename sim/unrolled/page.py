"""The page on layers as adders alone, made from a report."""

from pathlib import Path

from asq_model.common.markdown import format_markdown_table
from asq_model.common.templates import render_template
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.unrolled.adder_graph import GRAPH_FORMS
from sim.unrolled.report import BITS, LUTS, CaseReport, UnrolledReport

TEMPLATE = Path(__file__).with_name("unrolled.md.j2")
FINDINGS = Path(__file__).with_name("findings.md.j2")  # a part of it that the hardware page has too
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


def make_table(case: CaseReport) -> str:
    """Make the table of a case's figures, in Markdown, a line for each form."""
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
    return format_markdown_table(lines, COLUMNS)


def describe_range(cases: list[CaseReport], key: str, whats: tuple[str, ...]) -> str:
    """Describe in which range, over all cases, a form's numbers are times the rival's. whats: keys of the numbers."""
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
    return format_markdown_table(lines, tuple(columns))


def compare_cases(cases: list[CaseReport]) -> dict[str, object]:
    """What the template of the findings is filled with: how many times the rival's numbers a form's are.

    luts: of the cases that are placed, by form, empty without any. bits: of all cases, by form, then in words by the
    number of inputs.
    """
    placed = [case for case in cases if case["placed"]]
    by_inputs: dict[int, list[CaseReport]] = {}
    for case in sorted(cases, key=lambda case: case["inputs"]):
        by_inputs.setdefault(case["inputs"], []).append(case)
    return {
        "luts": {key: describe_range(placed, key, LUTS) for key in GRAPH_FORMS} if placed else {},
        "bits": {
            key: [f"{describe_range(members, key, BITS)} at {inputs} inputs" for inputs, members in by_inputs.items()]
            for key in GRAPH_FORMS
        },
    }


def render_findings(cases: list[CaseReport]) -> str:
    """The findings in sentences, without an end of line."""
    return render_template(FINDINGS, **compare_cases(cases)).rstrip()


def render_page(found: UnrolledReport) -> str:
    """A report in Markdown."""
    cases = found["cases"]
    placed = [case for case in cases if case["placed"]]
    return render_template(
        TEMPLATE,
        found=found,
        rounded_apart=f"{found['rounded_apart']:.1%}",
        families=" / ".join(family.title for family in FPGA_FAMILIES.values()),
        bits_table=make_trend_table(cases, BITS),
        luts_table=make_trend_table(placed, LUTS) if placed else "",
        cases=[(title_of(case), make_table(case)) for case in placed],
        **compare_cases(cases),
    )
