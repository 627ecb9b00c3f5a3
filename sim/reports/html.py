"""A Markdown page with its pictures as one HTML file that needs nothing else."""

import re
from pathlib import Path

from asq_model.common.errors import InputError
from asq_model.common.files import write_text
from sim.reports.hardware_plots import INK, PAPER

TEMPLATE = Path(__file__).with_name("hardware.html.j2")
BACKGROUND = re.compile(rf'<g id="{PAPER}">.*?</g>', re.DOTALL)
PICTURE = re.compile(r'<img alt="([^"]*)" src="([^"]+\.svg)" ?/?>')


def inlined(html: str, folder: Path) -> str:
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
        return f'<figure role="img" aria-label="{reference.group(1)}">{text}</figure>'

    return PICTURE.sub(picture, html)


def write_html(page: Path, out: Path) -> None:
    """Write `page`, Markdown, as `out`. Raises InputError."""
    from jinja2 import StrictUndefined, Template
    from markdown import markdown

    text = page.read_text(encoding="utf-8")
    body = markdown(text, extensions=["tables", "sane_lists"], output_format="html")
    body = body.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
    title = text.partition("\n")[0].lstrip("# ")
    template = Template(TEMPLATE.read_text(encoding="utf-8"), undefined=StrictUndefined, keep_trailing_newline=True)
    write_text(out, template.render(title=title, body=inlined(body, page.parent)))
