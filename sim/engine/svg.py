"""Pictures of lines and words, as SVG."""

from html import escape

# A picture has the colour of the text around it; where it stands alone, one for light and one for dark pages.
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} 0 {width} {height}" font-family="sans-serif" font-size="13">
<title>{title}</title>
<style>svg {{ color: #1f2328 }} @media (prefers-color-scheme: dark) {{ svg {{ color: #e6edf3 }} }}</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0 L8 4 L0 8 z" fill="currentColor"/></marker></defs>
<g fill="currentColor" stroke="none">
"""
LINE = 'fill="none" stroke="currentColor"'


def make_picture(title: str, width: int, height: int, parts: list[str], left: int = 0) -> str:
    """Make a whole SVG file. left: where it begins."""
    return (
        HEAD.format(title=escape(title), left=left, width=width, height=height) + "\n".join(parts) + "\n</g>\n</svg>\n"
    )


def draw_text(x: float, y: float, words: str, anchor: str = "middle", size: int = 13) -> str:
    """Draw words at a place."""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'
