"""Pictures of lines and words, as SVG."""

from html import escape

from sim.reports.colours import INK, PAPER

# A picture brings its background: a page may be dark where the reader's system, which a picture would ask, is not.
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="{left} 0 {width} {height}" \
font-family="sans-serif" font-size="13" color="{ink}">
<title>{title}</title>
<g id="{paper}"><rect x="{left}" width="{width}" height="{height}" fill="#ffffff"/></g>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0 L8 4 L0 8 z" fill="currentColor"/></marker></defs>
<g fill="currentColor" stroke="none">
"""
LINE = 'fill="none" stroke="currentColor"'


def make_picture(title: str, width: int, height: int, parts: list[str], left: int = 0) -> str:
    """Make a whole SVG file. left: where it begins."""
    head = HEAD.format(title=escape(title), left=left, width=width, height=height, ink=INK, paper=PAPER)
    return head + "\n".join(parts) + "\n</g>\n</svg>\n"


def draw_text(x: float, y: float, words: str, anchor: str = "middle", size: int = 13) -> str:
    """Draw words at a place."""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'
