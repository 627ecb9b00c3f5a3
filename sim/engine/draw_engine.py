"""Two drawings of the engine as SVG: the way of the data, and what both programs do in a round."""

from dataclasses import dataclass
from html import escape

from hw.engine.schedule_record import Run, Schedule

# A picture has the colour of the text around it; where it stands alone, one for light and one for dark pages.
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} 0 {width} {height}" font-family="sans-serif" font-size="12">
<title>{title}</title>
<style>svg {{ color: #1f2328 }} @media (prefers-color-scheme: dark) {{ svg {{ color: #e6edf3 }} }}</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0 L8 4 L0 8 z" fill="currentColor"/></marker></defs>
<g fill="currentColor" stroke="none">
"""
LINE = 'fill="none" stroke="currentColor"'
MEMORY_WIDTH, BOX_HEIGHT = 1.8, 34


def picture(title: str, width: int, height: int, parts: list[str], left: int = 0) -> str:
    """A whole SVG file. left: where it begins."""
    return (
        HEAD.format(title=escape(title), left=left, width=width, height=height) + "\n".join(parts) + "\n</g>\n</svg>\n"
    )


def text(x: float, y: float, words: str, anchor: str = "middle", size: int = 12) -> str:
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

    def draw(self) -> list[str]:
        """The border and the words, those behind a line break below the others."""
        border = MEMORY_WIDTH if self.memory else 1
        corner = 0 if self.memory else 5
        lines = self.words.split("\n")
        first = self.y + BOX_HEIGHT / 2 + 4 - 7 * (len(lines) - 1)
        middle = self.x + self.width / 2
        return [
            f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{BOX_HEIGHT}" rx="{corner}" {LINE} '
            f'stroke-width="{border:g}"/>',
            *(text(middle, first + 14 * number, words) for number, words in enumerate(lines)),
        ]


BOXES = {
    "loader": Box(10, 20, 80, "loader"),
    "image": Box(120, 20, 80, "image", True),
    "collector": Box(240, 20, 90, "collector\n(pools)"),
    "quantiser": Box(470, 20, 90, "quantiser"),
    "codes": Box(600, 20, 100, "codes, a copy\nfor each array", True),
    "values": Box(120, 110, 80, "values", True),
    "finisher": Box(350, 110, 150, "finisher: · K + B + side,\nshift, round, clamp"),
    "drain": Box(350, 200, 150, "drain"),
    "arrays": Box(600, 110, 100, "P arrays of\nG × G products"),
    "accumulators": Box(600, 200, 100, "accumulators"),
    "weights": Box(740, 110, 80, "weights", True),
    "results": Box(10, 200, 80, "results", True),
    "sums": Box(120, 290, 110, "channel sums", True),
    "adapter": Box(270, 290, 90, "adapter"),
    "scaler": Box(390, 290, 115, "scaler: K = M · S"),
    "scales": Box(540, 290, 110, "scales, biases", True),
}
# Polylines, each from a box's border to another's.
WAYS = [
    [(-14, 37), (10, 37)],
    [(90, 37), (120, 37)],
    [(200, 37), (240, 37)],
    [(330, 37), (470, 37)],
    [(560, 37), (600, 37)],
    [(650, 54), (650, 110)],
    [(740, 127), (700, 127)],
    [(650, 144), (650, 200)],
    [(600, 217), (500, 217)],
    [(425, 200), (425, 144)],
    [(500, 120), (515, 120), (515, 54)],
    [(200, 120), (285, 120), (285, 54)],
    [(200, 134), (350, 134)],
    [(390, 37), (390, 110)],
    [(350, 142), (320, 142), (320, 170), (160, 170), (160, 144)],
    [(320, 170), (50, 170), (50, 200)],
    [(10, 217), (-14, 217)],
    [(260, 170), (260, 260), (175, 260), (175, 290)],
    [(230, 307), (270, 307)],
    [(360, 307), (390, 307)],
    [(505, 307), (540, 307)],
    [(595, 290), (595, 250), (340, 250), (340, 138), (350, 138)],
    [(315, 290), (315, 270), (535, 270), (535, 54)],
]
LABELS = [(15, 14, "images in"), (275, 130, "side"), (18, 250, "results out"), (290, 282, "step S")]


def draw_path() -> str:
    """The way of the data through the engine; what has a thick border is a memory."""
    parts = [line for box in BOXES.values() for line in box.draw()]
    parts += [text(x, y, words, size=11) for x, y, words in LABELS]
    for way in WAYS:
        points = " ".join(f"{x},{y}" for x, y in way)
        parts.append(f'<polyline points="{points}" {LINE} marker-end="url(#arrow)"/>')
    return picture("The way of the data through the engine", 870, 340, parts, -20)


LEFT, ROUND_WIDTH, ROW_HEIGHT, TOP = 110, 720, 46, 40
FILLS = {"CONVOLVE": 0.45, "COLLECT": 0.25, "ADAPT": 0.12, "SCALE": 0.12}
ROWS = ("arrays", "values")


def draw_run(schedule: Schedule, run: Run, level: int) -> list[str]:
    """An instruction's bar, cut where the round ends and going on at its beginning. level: the row that it lies in."""
    scale = ROUND_WIDTH / schedule.period
    start = run.start % schedule.period
    bars = [(start, min(run.cycles, schedule.period - start))]
    if start + run.cycles > schedule.period:
        bars.append((0, start + run.cycles - schedule.period))
    y = TOP + level * ROW_HEIGHT
    parts = []
    for first, cycles in bars:
        width = max(cycles * scale, 0.5)
        fill = FILLS.get(run.kind, 0.05)
        parts.append(
            f'<rect x="{LEFT + first * scale:.1f}" y="{y}" width="{width:.1f}" height="{ROW_HEIGHT - 14}" '
            f'fill="currentColor" fill-opacity="{fill}" stroke="currentColor" stroke-width="0.6">'
            f"<title>{escape(run.kind)} {escape(run.name)}, image {run.bank}: {run.cycles:,} cycles</title></rect>"
        )
        if run.kind == "CONVOLVE" and width > 12:
            parts.append(text(LEFT + (first + cycles / 2) * scale, y + 21, "01"[run.bank]))
    return parts


def draw_schedule(schedule: Schedule) -> str:
    """What both programs do in a round: above the arrays, below them all else, each image in a row of its own."""
    levels = {(program, bank): place for place, (program, bank) in enumerate((p, b) for p in ROWS for b in (0, 1))}
    parts = [text(LEFT, 20, f"{schedule.network}: a round of {schedule.period:,} cycles", "start", 13)]
    for (program, bank), level in levels.items():
        y = TOP + level * ROW_HEIGHT + 21
        parts.append(text(LEFT - 8, y, f"{program}, image {bank}", "end", 11))
    for run in schedule.runs:
        parts += draw_run(schedule, run, levels[run.program, run.bank])
    bottom = TOP + len(levels) * ROW_HEIGHT
    for place in range(5):
        cycle, x = schedule.period * place // 4, LEFT + ROUND_WIDTH * place / 4
        parts += [f'<path d="M{x:g} {TOP - 6} V{bottom}" {LINE} stroke-width="0.3"/>']
        parts += [text(x, bottom + 14, f"{cycle:,}", size=11)]
    legend = LEFT
    for kind, said in (("CONVOLVE", "multiply"), ("COLLECT", "codes"), ("ADAPT", "step and scales")):
        y = bottom + 26
        parts.append(
            f'<rect x="{legend}" y="{y}" width="14" height="10" fill="currentColor" '
            f'fill-opacity="{FILLS[kind]}" stroke="currentColor" stroke-width="0.6"/>'
        )
        parts.append(text(legend + 20, y + 9, said, "start", 11))
        legend += 110
    return picture("What both programs of an engine do in a round", LEFT + ROUND_WIDTH + 30, bottom + 44, parts)
