"""The interactive plot of the hardware report: every placed design as a point, to pick from and to point at.

It needs JavaScript, which the report carries with it, and no network. Printed, and without JavaScript, the pictures of
the page stay.
"""

import json
from functools import cache
from typing import Any

from sim.explore.design_rows import DesignRow
from sim.explore.design_space import FULL_WIDTHS
from sim.measure.fpga_families import DEVICES
from sim.reports.hardware_plots import MARK_OF, MARKS
from sim.reports.titles import TITLES, widths_text
from sim.reports.verdict import ARRAY

PLACE = "designs"  # the element of the page that it is drawn in
SHAPES = {"o": "circle", "s": "square", "^": "triangle-up"}  # matplotlib's marks, as Vega-Lite calls them
PICKED = {"device": "Device", "form": "Form", "widths": "Weights × activations"}  # what a reader chooses among
TOLD = {  # of the point under the mouse
    "design": "design",
    "luts": "LUTs",
    "mhz": "MHz",
    "rate": "products per second, 10⁹",
    "per_lut": "of them per LUT, 10⁶",
    "error": "error, % of the results' rms",
}
# Colours are those of the page around the plot.
INK = dict.fromkeys(("labelColor", "titleColor"), "currentColor")
AXIS_INK = dict.fromkeys(("domainColor", "tickColor", "gridColor"), "currentColor")
EXPORTED = "window.vegaEmbed = vegaEmbed;"  # of the names that the bundle has in its own scope


def describe_point(row: DesignRow) -> dict[str, Any]:
    """Describe a placed design as the plot's data."""
    assert row.mhz is not None
    return {
        "device": DEVICES[row.target].title,
        "form": TITLES[row.form],
        "widths": widths_text(row.widths),
        "levels": MARK_OF[row.family],
        "design": row.title.replace("`", ""),
        "luts": row.luts,
        "mhz": round(row.mhz, 1),
        "rate": round(row.mhz * row.products_per_cycle / 1000, 4),
        "per_lut": None if row.per_lut is None else round(row.per_lut, 4),
        "error": round(100 * row.relative_error, 3),
    }


def make_menus(points: list[dict[str, Any]]) -> list[Any]:
    """Make the menus of the plot, set to what a reader sees first: the arrays that the page opens with."""
    import altair as alt

    headline = {"form": TITLES[ARRAY], "widths": widths_text(FULL_WIDTHS)}
    first = next((point for point in points if headline.items() <= point.items()), points[0])
    picks = []
    for field, title in PICKED.items():
        values = list(dict.fromkeys(point[field] for point in points))
        menu = alt.binding_select(options=[None, *values], labels=["all", *values], name=f"{title}: ")
        picks.append(alt.selection_point(name=field, fields=[field], bind=menu, value=first[field]))
    return picks


def make_chart(rows: list[DesignRow]) -> dict[str, Any] | None:
    """Make the plot in Vega-Lite; None without a placed design."""
    import altair as alt

    points = [describe_point(row) for row in rows if row.mhz is not None and not row.dsp]
    if not points:
        return None
    picks = make_menus(points)
    shown = alt.selection_point(name="levels", fields=["levels"], bind="legend")
    names, marks = [*MARKS], [*MARKS.values()]
    levels = alt.Color("levels:N", title=None, scale=alt.Scale(domain=names, range=[colour for _, colour in marks]))
    shapes = alt.Scale(domain=names, range=[SHAPES[mark] for mark, _ in marks])
    chart = (
        alt.Chart(alt.Data(values=points), width="container", height=380)
        .mark_point(filled=True, size=70)
        .encode(
            x=alt.X("luts:Q", title="LUTs", scale=alt.Scale(type="log", nice=False, padding=20)),
            y=alt.Y("rate:Q", title=TOLD["rate"], scale=alt.Scale(type="log", nice=False, padding=20)),
            color=levels,
            shape=alt.Shape("levels:N", title=None, scale=shapes),
            opacity=alt.when(shown).then(alt.value(0.9)).otherwise(alt.value(0.1)),
            tooltip=[
                alt.Tooltip(f"{field}:{'N' if field == 'design' else 'Q'}", title=name) for field, name in TOLD.items()
            ],
        )
        .add_params(*picks, shown, alt.selection_interval(name="zoom", bind="scales"))
    )
    for pick in picks:
        chart = chart.transform_filter(pick)
    return (
        chart.configure(background="transparent")
        .configure_axis(**INK, **AXIS_INK, gridOpacity=0.15, labelOverlap="greedy", labelSeparation=6)
        .configure_legend(**INK, orient="bottom")
        .configure_view(stroke=None)
        .to_dict()
    )


@cache  # it takes seconds to put together
def make_vega_script() -> str:
    """Make one script of Vega and all that it needs, which defines `vegaEmbed`."""
    import altair as alt
    import vl_convert

    version = alt.SCHEMA_VERSION.removeprefix("v").rpartition(".")[0]
    return vl_convert.javascript_bundle(EXPORTED, vl_version=version)


def make_chart_script(chart: dict[str, Any]) -> str:
    """Make the script of a plot, in JavaScript. No text in it ends the script that it stands in."""
    return json.dumps(chart, ensure_ascii=False).replace("</", "<\\/")
