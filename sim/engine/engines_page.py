"""The page of engines side by side: a table for each width, and what the networks would take as programs of terms."""

from collections.abc import Iterable, Iterator, Mapping

from asq_model.common.markdown import markdown_table
from hw.engine.presets import find_preset
from sim.engine.engines_report import UNIFORM, EngineRow, EnginesReport, title_of
from sim.engine.term_program import TermProgram
from sim.explore.design_rows import Row
from sim.measure.fpga_families import FPGA_FAMILIES

MEGAHERTZ = 100  # rates are given at this clock
COLUMNS = (
    ("products", "products"),
    ("cycles", "cycles an image"),
    ("latency", "latency"),
    ("busy", "products busy"),
    ("first", "cycles a tile of the first layer"),
    ("lane", "LUTs a product"),
    ("luts", "LUTs"),
    ("ffs", "flip-flops"),
    ("dsps", "multiplier blocks"),
    ("blocks", "memory blocks"),
    ("rate", f"images/s at {MEGAHERTZ} MHz"),
    ("density", "images/s a MHz and 1,000 LUTs"),
    ("over", "over uniform"),
    ("energy", "switching a product"),
    ("accuracy", "top-1, %"),
    ("simulated", "images in RTL"),
    ("network", "network"),
)
PROGRAM_COLUMNS = (
    ("products", "level set"),
    ("form", "terms a cycle"),
    ("terms", "terms a weight"),
    ("cycles", "cycles an image"),
    ("lane", "LUTs a lane"),
    ("luts", "LUTs"),
    ("blocks", "memory blocks"),
    ("density", "images/s a MHz and 1,000 LUTs"),
    ("over", "over the arrays"),
)
Energies = Mapping[tuple[str, int, int], float]  # by unit, bits of a weight and of an activation


def energies_of(rows: Iterable[Row]) -> Energies:
    """Switching a product in arrays of one stage and symmetric levels, POST's without fraction bits."""
    plain = (
        row for row in rows if row.stages == 1 and not row.frac and row.kind in ("", "symmetric", "sign-magnitude")
    )
    return {
        (row.unit, row.weight_bits, row.activation_bits): row.per_product
        for row in plain
        if row.target == "energy" and row.form == "array8x8" and row.per_product is not None
    }


def table(rows: list[EngineRow], energies: Energies) -> str:
    """The rows of one width."""
    rival = next((row for row in rows if row.unit == UNIFORM and not row.serial), None)
    lines = []
    for row in rows:
        total = row.area.total(row.lanes)
        energy = None if row.kind else energies.get((row.unit, row.product_bits, row.activation_bits))
        lines.append(
            {
                "products": title_of(row),
                "cycles": f"{row.cycles:,.1f}",
                "latency": f"{row.latency:,}",
                "busy": f"{row.busy:.0%}",
                "first": f"{row.first_layer} ({row.any_first_layer})",
                "lane": f"{row.area.lane.luts * row.lanes / row.products:.1f}",
                "luts": f"{total.luts:,}",
                "ffs": f"{total.ffs:,}",
                "dsps": f"{total.dsps:,}",
                "blocks": f"{row.blocks:,}",
                "rate": f"{MEGAHERTZ * 1e6 / row.cycles:,.0f}",
                "density": f"{row.density:.2f}",
                "over": "not measured" if rival is None else f"{row.density / rival.density:.2f}",
                "energy": "not measured" if energy is None else f"{energy:.0f}",
                "accuracy": f"{100 * row.right / row.tested:.2f}",
                "simulated": f"{row.simulated}",
                "network": f"`{row.network}`",
            }
        )
    return markdown_table(lines, COLUMNS)


def program_lines(rows: list[EngineRow]) -> Iterator[dict[str, str]]:
    """The networks of a width as programs of terms: a line for each form."""
    for row in rows:
        for program in row.programs:
            density = density_of(row, program)
            yield {
                "products": title_of(row),
                "form": f"{program.programs} × {program.terms}, {program.pixels} pixels",
                "terms": f"{program.weight_terms:.2f}",
                "cycles": f"{program.cycles:,}",
                "lane": f"{program.lane.luts:,}",
                "luts": f"{program_luts(row, program):,}",
                "blocks": f"{row.other_blocks + program.blocks:,}",
                "density": f"{density:.2f}",
                "over": f"{density / row.density:.2f}",
            }


def program_verdict(rows: list[EngineRow], blocks: int) -> str:
    """What programs of terms would do beside the arrays, where their copies of maps fit so many blocks of memory."""
    parts = []
    for row in rows:
        fitting = [program for program in row.programs if row.other_blocks + program.blocks <= blocks]
        if fitting:
            best = max(fitting, key=lambda program: density_of(row, program))
            parts.append(f"{density_of(row, best) / row.density:.2f} times (`{title_of(row)}`)")
    if not parts:
        return f"No program's maps fit the device's {blocks} memory blocks."
    return (
        f"In images a second and LUT, the best one whose maps fit the device's {blocks} memory blocks would do"
        f" {', '.join(parts)} what the arrays do."
    )


def density_of(row: EngineRow, program: TermProgram) -> float:
    """Images a second, a MHz and a thousand LUTs of a program of terms."""
    return 1e9 / program.cycles / program_luts(row, program)


def program_luts(row: EngineRow, program: TermProgram) -> int:
    """LUTs of its lanes and of all that the engine of arrays has beside its own."""
    return row.area.rest.luts + program.programs * program.pixels * program.lane.luts


def verdict(rows: list[EngineRow]) -> str:
    """What POST's engine does beside the others of a width, in a sentence."""
    post = [row for row in rows if row.unit == "post"]
    others = [row for row in rows if row.unit != "post"]
    if not post or not others:
        return "POST beside others: not measured."
    best = max(post, key=lambda row: row.density)
    parts = [f"{best.density / row.density:.2f} times what that with `{title_of(row)}` does" for row in others]
    return f"In images a second and LUT, at one clock, the engine with `{title_of(best)}` does {', '.join(parts)}."


def legend(report: EnginesReport) -> list[str]:
    """What the columns are, in Markdown."""
    return [
        "- **Cycles** are the compiler's. **Images in RTL** went through the engine, with generic products, without a"
        " difference to the graph or to the compiler's cycles.",
        "- **The first layer** has weights of 8 bits, each a sum of terms that the products have. How many depends on"
        " the largest weights that training left there, which says nothing of the products; in brackets stands what any"
        " weights of 8 bits take.",
        f"- **LUTs, flip-flops, multiplier blocks** are Yosys' count for {FPGA_FAMILIES[report.family].title}: a lane,"
        " synthesised once and counted as often as there are lanes, and all that is not a lane. Lanes, and so products,"
        f" take {max(row.area.lane.dsps for row in report.rows)} multiplier blocks. Nothing was placed: rates at"
        f" {MEGAHERTZ} MHz are no measured clock. *LUTs a product* are a lane's, with its accumulators.",
        "- **Products busy**: the share of the products' cycles in which they make the network's own products, or parts"
        " of those that are wider than they are.",
        "- **Memory blocks** are those that the memories take by their sizes.",
        "- Weights of `uniform-sign` are sign and magnitude. *Bit by bit*: products of one bit of the magnitude, as a"
        " bit-serial multiplier makes them; the bits of a weight are added up one after the other.",
        "- **Switching**: toggles weighted by fan-out, a proxy of energy, in an array of 8 × 8 of the same products"
        " ([hardware](hardware.md#energy-by-a-proxy)).",
        "- **Top-1**: of the test images, in the integer graph that the engine is compared with. Networks of different"
        " training are no comparison of level sets; [another page](trained-out.md) is.",
        "- **Programs of terms** are the other organisation: a lane adds a few signed terms ±2^k of an output channel a"
        " cycle and doubles its sum in between, so that zeros take no cycle; uniform weights by signed digits, or by"
        " their odd factors where that is shorter. None is built. Cycles are a schedule's, a bound in its favour: no"
        " waits, copies of maps written and √2 multiplied in for nothing. A lane was synthesised out of 7-series' own"
        " cells; all else is counted as in the engine of arrays.",
        *([f"- {report.note}"] if report.note else []),
    ]


def page(report: EnginesReport, energies: Energies) -> str:
    """A report in Markdown. energies: of the hardware report (`energies_of`)."""
    blocks = find_preset(report.preset).blocks
    widths = sorted({(row.weight_bits, row.activation_bits) for row in report.rows}, reverse=True)
    lines = [
        f"# Whole engines side by side: preset {report.preset}",
        "",
        "The same [engine](../engine.md) with other products, each with a network of its own levels in its memories,"
        " made by `asq-post engines` and `asq-post pages`; [what the columns are](#what-the-columns-are).",
        "",
    ]
    for weights, activations in widths:
        rows = [row for row in report.rows if (row.weight_bits, row.activation_bits) == (weights, activations)]
        lines += [f"## {weights}-bit weights, {activations}-bit activations", "", verdict(rows), ""]
        lines += [table(rows, energies), ""]
        if programs := list(program_lines(rows)):
            lines += ["The same networks as programs of terms, by schedule.", "", program_verdict(rows, blocks), ""]
            lines += [markdown_table(programs, PROGRAM_COLUMNS), ""]
    return "\n".join([*lines, "## What the columns are", "", *legend(report)]) + "\n"
