"""A Markdown page with its pictures as one HTML file that needs nothing else."""

import re
from pathlib import Path

from asq_model.common.errors import InputError
from asq_model.common.files import write_text

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --paper: #ffffff; --line: #d0d7de; --shade: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --shade: #161b22; } }
body { color: var(--ink); background: var(--paper); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 72rem; padding: 0 1rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: 3px 10px; text-align: right; }
th:first-child, td:first-child { text-align: left; }
th { background: var(--shade); }
code { background: var(--shade); padding: 0 3px; border-radius: 3px; }
figure { margin: 1rem 0; }
svg { max-width: 100%; height: auto; color: var(--ink); }
@page { size: A4; margin: 14mm; }
@media print {
  :root { --ink: #000000; --paper: #ffffff; --line: #999999; --shade: #f2f2f2; }
  body { font-size: 9.5pt; margin: 0; max-width: none; padding: 0; }
  table { font-size: 6.5pt; }
  th, td { padding: 1px 3px; }
  h2, h3 { break-after: avoid; }
  svg, tr { break-inside: avoid; }
  .table { overflow: visible; }
}
"""
PICTURE = re.compile(r'<img alt="([^"]*)" src="([^"]+\.svg)" ?/?>')


def inlined(html: str, folder: Path) -> str:
    """Pictures of SVG in place of references to them. Raises InputError for one that is missing."""

    def picture(found: re.Match) -> str:
        path = folder / found.group(2)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot read picture {path}: {error.strerror}") from error
        # Names inside a picture are its own: those of two pictures in one page must not meet.
        name = re.sub(r"\W", "", path.stem)
        text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", text[text.index("<svg") :])
        return f'<figure role="img" aria-label="{found.group(1)}">{text}</figure>'

    return PICTURE.sub(picture, html)


def write_html(page: Path, out: Path) -> None:
    """Write `page`, Markdown, as `out`. Raises InputError."""
    from markdown import markdown

    text = page.read_text(encoding="utf-8")
    body = markdown(text, extensions=["tables", "sane_lists"], output_format="html")
    body = body.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
    title = text.partition("\n")[0].lstrip("# ")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    html = f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head><body>\n'
    write_text(out, html + inlined(body, page.parent) + "\n</body></html>\n")
