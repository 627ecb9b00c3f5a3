"""Two drawings of the engine as SVG: the way of the data, and what both programs do in a round."""

from dataclasses import dataclass
from html import escape

from hw.engine.schedule_record import InstructionRun, Schedule

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
MEMORY_WIDTH, BOX_HEIGHT, LINE_HEIGHT = 1.8, 34, 15


def picture(title: str, width: int, height: int, parts: list[str], left: int = 0) -> str:
    """A whole SVG file. left: where it begins."""
    return (
        HEAD.format(title=escape(title), left=left, width=width, height=height) + "\n".join(parts) + "\n</g>\n</svg>\n"
    )


def text(x: float, y: float, words: str, anchor: str = "middle", size: int = 13) -> str:
    """Words at a place."""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


@dataclass(frozen=True)
class Box:
    """A part of the engine: its upper left corner, width and words, and whether it is a memory (a thick border)."""

    x: int
    y: int
    width: int
    words: str
    memory: bool = False

    @property
    def height(self) -> int:
        """The height of the border, for all lines of the words."""
        return max(BOX_HEIGHT, LINE_HEIGHT * (self.words.count("\n") + 1) + 8)

    def draw(self) -> list[str]:
        """The border and the words, those behind a line break below the others."""
        border = MEMORY_WIDTH if self.memory else 1
        corner = 0 if self.memory else 5
        lines = self.words.split("\n")
        first = self.y + self.height / 2 + 5 - LINE_HEIGHT / 2 * (len(lines) - 1)
        middle = self.x + self.width / 2
        return [
            f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="{corner}" {LINE} '
            f'stroke-width="{border:g}"/>',
            *(text(middle, first + LINE_HEIGHT * number, words) for number, words in enumerate(lines)),
        ]


BOXES = {
    "loader": Box(10, 26, 105, "loader"),
    "image": Box(155, 26, 125, "image", True),
    "values": Box(10, 96, 105, "values", True),
    "collector": Box(155, 96, 125, "collector (pools)"),
    "quantiser": Box(320, 96, 105, "quantiser"),
    "codes": Box(320, 166, 105, "codes, a copy\nfor each array", True),
    "weights": Box(165, 240, 105, "weights", True),
    "arrays": Box(320, 238, 105, "P arrays of\nG × G products"),
    "accumulators": Box(320, 310, 105, "accumulators"),
    "finisher": Box(155, 366, 125, "finisher:\n· K + B + side,\nshift, round, clamp"),
    "drain": Box(320, 380, 105, "drain"),
    "results": Box(10, 389, 105, "results", True),
    "sums": Box(10, 450, 105, "channel sums", True),
    "scales": Box(320, 450, 105, "scales, biases", True),
    "adapter": Box(10, 520, 105, "adapter"),
    "scaler": Box(320, 518, 105, "scaler:\nK = M · S"),
}
# Polylines, each from a box's border to another's.
WAYS = [
    [(-14, 43), (10, 43)],
    [(115, 43), (155, 43)],
    [(217, 60), (217, 96)],
    [(115, 104), (155, 104)],
    [(280, 104), (320, 104)],
    [(372, 130), (372, 166)],
    [(372, 204), (372, 238)],
    [(270, 257), (320, 257)],
    [(372, 276), (372, 310)],
    [(372, 344), (372, 380)],
    [(320, 397), (280, 397)],
    [(155, 374), (135, 374), (135, 122), (115, 122)],
    [(115, 113), (125, 113), (125, 384), (155, 384)],
    [(170, 130), (170, 144), (145, 144), (145, 394), (155, 394)],
    [(280, 376), (292, 376), (292, 113), (320, 113)],
    [(155, 406), (115, 406)],
    [(10, 406), (-14, 406)],
    [(190, 419), (190, 467), (115, 467)],
    [(320, 467), (250, 467), (250, 419)],
    [(62, 484), (62, 520)],
    [(115, 537), (320, 537)],
    [(372, 518), (372, 484)],
    [(306, 537), (306, 122), (320, 122)],
]
LABELS = [(-14, 18, "images in"), (95, 250, "side"), (-14, 440, "results out"), (190, 531, "step S")]


def draw_path() -> str:
    """The way of the data through the engine; what has a thick border is a memory."""
    parts = [line for box in BOXES.values() for line in box.draw()]
    parts += [text(x, y, words, "start", 12) for x, y, words in LABELS]
    for way in WAYS:
        points = " ".join(f"{x},{y}" for x, y in way)
        parts.append(f'<polyline points="{points}" {LINE} marker-end="url(#arrow)"/>')
    return picture("The way of the data through the engine", 450, 570, parts, -18)


LEFT, PANEL_WIDTH, ROW_HEIGHT, TOP = 108, 300, 34, 46
PANELS = 2  # a round is drawn in so many parts, one below the other, so that short instructions are seen
PANEL_HEIGHT = 4 * ROW_HEIGHT + 40
FILLS = {"CONVOLVE": 0.5, "COLLECT": 0.2, "ADAPT": 1, "SCALE": 1}
ROWS = ("arrays", "values")


def bars_of(schedule: Schedule, run: InstructionRun) -> list[tuple[int, float, float]]:
    """The parts of an instruction, as (panel, first, cycles): cut where a panel ends, and begun anew with the round."""
    size = schedule.period / PANELS
    left, at = float(run.cycles), float(run.start % schedule.period)
    bars = []
    while left > 0:
        panel = int(at // size) % PANELS
        first = at % size
        cycles = min(left, size - first)
        bars.append((panel, first, cycles))
        left, at = left - cycles, at + cycles
    return bars


def draw_run(schedule: Schedule, run: InstructionRun, level: int) -> list[str]:
    """The bars of an instruction. level: the row of a panel that it lies in."""
    scale = PANEL_WIDTH * PANELS / schedule.period
    parts = []
    for panel, first, cycles in bars_of(schedule, run):
        width = max(cycles * scale, 0.8)
        y = TOP + panel * PANEL_HEIGHT + level * ROW_HEIGHT
        parts.append(
            f'<rect x="{LEFT + first * scale:.1f}" y="{y}" width="{width:.1f}" height="{ROW_HEIGHT - 10}" '
            f'fill="currentColor" fill-opacity="{FILLS.get(run.kind, 0.05)}" stroke="currentColor" stroke-width="0.5">'
            f"<title>{escape(run.kind)} {escape(run.name)}, image {run.bank}: {run.cycles:,} cycles</title></rect>"
        )
    return parts


def draw_axes(schedule: Schedule, panel: int) -> list[str]:
    """The names of a panel's rows, and lines at its first, middle and last cycle."""
    top = TOP + panel * PANEL_HEIGHT
    bottom = top + 4 * ROW_HEIGHT
    names = [f"{program}, image {bank}" for program in ROWS for bank in (0, 1)]
    parts = [text(LEFT - 8, top + 17 + ROW_HEIGHT * level, name, "end") for level, name in enumerate(names)]
    for place, anchor in enumerate(("start", "middle", "end")):
        cycle, x = schedule.period * (2 * panel + place) // (2 * PANELS), LEFT + PANEL_WIDTH * place / 2
        parts += [f'<path d="M{x:g} {top - 6} V{bottom - 4}" {LINE} stroke-width="0.4"/>']
        parts += [text(x, bottom + 12, f"{cycle:,}", anchor)]
    return parts


def draw_schedule(schedule: Schedule) -> str:
    """What both programs do in a round: above the arrays, below them all else, each image in a row of its own."""
    levels = {(program, bank): place for place, (program, bank) in enumerate((p, b) for p in ROWS for b in (0, 1))}
    parts = [text(8, 16, f"{schedule.network}:", "start")]
    parts += [text(8, 32, f"a round of {schedule.period:,} cycles, in {PANELS} parts", "start")]
    for panel in range(PANELS):
        parts += draw_axes(schedule, panel)
    for run in schedule.runs:
        parts += draw_run(schedule, run, levels[run.program, run.bank])
    x, y = 8, TOP + PANELS * PANEL_HEIGHT - 4
    for kind, said, width in (("CONVOLVE", "products", 96), ("COLLECT", "codes", 80), ("ADAPT", "step and scales", 0)):
        parts.append(
            f'<rect x="{x}" y="{y}" width="18" height="12" fill="currentColor" '
            f'fill-opacity="{FILLS[kind]}" stroke="currentColor" stroke-width="0.5"/>'
        )
        parts.append(text(x + 25, y + 11, said, "start"))
        x += width
    return picture("What both programs of an engine do in a round", LEFT + PANEL_WIDTH + 12, y + 20, parts)
