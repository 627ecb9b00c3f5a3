"""The page of engines side by side: a table for each device and width, and what the networks would take otherwise."""

from hw.engine.presets import find_preset
from sim.engine.engines_report import EnginesReport
from sim.engine.engines_table import MEGAHERTZ, by_device_and_width, engines_table, main_preset, verdict
from sim.engine.product_switching import SIDE
from sim.engine.programs_table import program_verdict, programs_table
from sim.measure.fpga_families import FPGA_FAMILIES


def explain_columns(report: EnginesReport) -> list[str]:
    """What the columns are, in Markdown."""
    tested = " or ".join(f"{number:,}" for number in sorted({row.tested for row in report.rows}, reverse=True))
    return [
        "- **Cycles** are the compiler's. **Images in RTL** went through the engine, with generic products, without a"
        " difference to the graph or to the compiler's cycles.",
        "- **The first layer** has weights of 8 bits, each a sum of terms that the products have. How many depends on"
        " the largest weights that training left there, which says nothing of the products; in brackets stands what any"
        " weights of 8 bits take.",
        "- **LUTs, flip-flops, multiplier blocks** are Yosys' count. Of an engine that was not placed: a lane,"
        " synthesised once and counted as often as there are lanes, and all that is not a lane. Lanes, and so products,"
        f" take {max(row.area.lane.dsps for row in report.rows)} multiplier blocks. *LUTs a product* are a lane's, with"
        " its accumulators.",
        "- **MHz, placed**: the clock of the whole engine, placed and routed by nextpnr: the median over as many seeds"
        " as stand in brackets. Where the column is missing nothing was placed, and rates at"
        f" {MEGAHERTZ} MHz are no measured clock: no open tool that a package index has places that family.",
        "- **Products busy**: the share of the products' cycles in which they make the network's own products, or parts"
        " of those that are wider than they are.",
        "- **Memory blocks** are those that the memories take by their sizes.",
        "- Weights of `uniform-sign` are sign and magnitude. *Bit by bit*: products of one bit of the magnitude, as a"
        " bit-serial multiplier makes them; the bits of a weight are added up one after the other.",
        "- **Switching a weight**: toggles weighted by fan-out, a proxy of energy, of multiplying one weight in an"
        f" array of {SIDE} × {SIDE} of the same products, made of gates ([how](hardware.md#energy-by-a-proxy)). Weights"
        " and activations are the digits network's, of the same widths. Bit by bit: of all bits together.",
        f"- **Top-1**: of {tested} test images, in the integer graph that the engine is compared with. Networks of"
        " different training are no comparison of level sets; [another page](trained-out.md) is.",
        "- **Programs of terms** are the other organisation: a lane adds a few signed terms ±2^k of an output channel a"
        " cycle and doubles its sum in between, so that zeros take no cycle; uniform weights by signed digits, or by"
        " their odd factors where that is shorter. None is built. Cycles are a schedule's, a bound in its favour: no"
        " waits, copies of maps written and √2 multiplied in for nothing. A lane was synthesised out of 7-series' own"
        " cells; all else is counted as in the engine of arrays.",
        *([f"- {report.note}"] if report.note else []),
    ]


def page(report: EnginesReport) -> str:
    """A report in Markdown."""
    lines = [
        "# Whole engines side by side",
        "",
        "The same [engine](../engine.md) with other products, each with a network of its own levels in its memories,"
        " made by `asq-post engines` and `asq-post pages`; [what the columns are](#what-the-columns-are). W4A4: weights"
        " and activations of 4 bits.",
        "",
    ]
    for family, weights, activations, rows in by_device_and_width(report.rows):
        usual = main_preset(rows)
        lines += [f"## W{weights}A{activations} on `{usual}` ({FPGA_FAMILIES[family].title})", "", verdict(rows), ""]
        lines += [engines_table(rows), ""]
        alike = [row for row in rows if row.preset == usual]
        if programs := programs_table(alike):
            lines += ["The same networks as programs of terms, by schedule.", ""]
            lines += [program_verdict(alike, find_preset(usual).blocks), "", programs, ""]
    return "\n".join([*lines, "## What the columns are", "", *explain_columns(report)]) + "\n"
