"""A Markdown page with its pictures, and a plot to explore, as one HTML file that needs nothing else."""

import re
from pathlib import Path
from typing import Any

from asq_model.common.errors import InputError
from asq_model.common.files import write_text
from asq_model.common.templates import render_template
from sim.reports.colours import INK, PAPER
from sim.reports.design_chart import PLACE, make_chart_script, make_vega_script

TEMPLATE = Path(__file__).with_name("hardware.html.j2")
TABLES = Path(__file__).with_name("tables.js")  # the site has it too, from docs/site
BACKGROUND = re.compile(rf'<g id="{PAPER}">.*?</g>', re.DOTALL)
CHART = f"""<section class="chart" hidden>
<h3>Every placed design</h3>
<p>Choose what to see; point at a design for its figures, click a name to see only its designs, turn the wheel to come
nearer. Up and to the left is better.</p>
<div id="{PLACE}"></div>
</section>"""
LINK = re.compile(r'<a href="(?!https?:|#)[^"]*">(.*?)</a>', re.DOTALL)  # to a file that is not beside this one
PICTURE = re.compile(r'<img alt="([^"]*)" src="([^"]+\.svg)" ?/?>')


def inline_pictures(html: str, folder: Path) -> str:
    """Pictures of SVG in place of references to them. Raises InputError for one that is missing."""

    def picture(reference: re.Match[str]) -> str:
        path = folder / reference.group(2)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot read picture {path}: {error.strerror}") from error
        # On this page, which may be dark, a picture has the page's colour and no background of its own.
        text = BACKGROUND.sub("", text).replace(INK, "currentColor")
        # Names inside a picture are its own: those of two pictures in one page must not meet.
        name = re.sub(r"\W", "", path.stem)
        text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", text[text.index("<svg") :])
        caption = reference.group(1)
        return f'<figure role="img" aria-label="{caption}">{text}<figcaption>{caption}</figcaption></figure>'

    return PICTURE.sub(picture, html)


def add_chart(body: str) -> str:
    """Add to a page's body the place of its plot, behind the pictures of what the page is about."""
    before = body.find("<h2>", body.find("<h2>POST over uniform") + 1)
    return f"{body[:before]}{CHART}\n{body[before:]}" if before > 0 else f"{body}\n{CHART}"


def write_html(page: Path, out: Path, chart: dict[str, Any] | None = None) -> None:
    """Write `page`, Markdown, as `out`. chart: a plot in Vega-Lite. Raises InputError."""
    from markdown import markdown

    text = page.read_text(encoding="utf-8")
    body = markdown(text, extensions=["tables", "sane_lists"], output_format="html")
    body = body.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
    title = text.partition("\n")[0].lstrip("# ")
    body = inline_pictures(LINK.sub(r"\1", body), page.parent)
    plot = {"vega": make_vega_script(), "chart": make_chart_script(chart)} if chart else {}
    body = add_chart(body) if chart else body
    tables = TABLES.read_text(encoding="utf-8").rstrip()
    write_text(out, render_template(TEMPLATE, title=title, body=body, place=PLACE, tables=tables, **plot))
