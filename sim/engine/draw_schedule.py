"""The drawing of what both programs of an engine do in a round."""

from html import escape

from hw.engine.schedule_record import InstructionRun, Schedule
from sim.engine.svg import LINE, draw_text, make_picture

LEFT, PANEL_WIDTH, ROW_HEIGHT, TOP = 108, 300, 34, 46
PANELS = 2  # a round is drawn in so many parts, one below the other, so that short instructions are seen
PANEL_HEIGHT = 4 * ROW_HEIGHT + 40
FILLS = {"CONVOLVE": 0.5, "COLLECT": 0.2, "ADAPT": 1, "SCALE": 1}
ROWS = ("arrays", "values")


def cut_bars(schedule: Schedule, run: InstructionRun) -> list[tuple[int, float, float]]:
    """Cut an instruction into parts (panel, first, cycles) where a panel ends; a round's are begun anew."""
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
    for panel, first, cycles in cut_bars(schedule, run):
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
    parts = [draw_text(LEFT - 8, top + 17 + ROW_HEIGHT * level, name, "end") for level, name in enumerate(names)]
    for place, anchor in enumerate(("start", "middle", "end")):
        cycle, x = schedule.period * (2 * panel + place) // (2 * PANELS), LEFT + PANEL_WIDTH * place / 2
        parts += [f'<path d="M{x:g} {top - 6} V{bottom - 4}" {LINE} stroke-width="0.4"/>']
        parts += [draw_text(x, bottom + 12, f"{cycle:,}", anchor)]
    return parts


def draw_schedule(schedule: Schedule) -> str:
    """What both programs do in a round: above the arrays, below them all else, each image in a row of its own."""
    levels = {(program, bank): place for place, (program, bank) in enumerate((p, b) for p in ROWS for b in (0, 1))}
    parts = [draw_text(8, 16, f"{schedule.network}:", "start")]
    parts += [draw_text(8, 32, f"a round of {schedule.period:,} cycles, in {PANELS} parts", "start")]
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
        parts.append(draw_text(x + 25, y + 11, said, "start"))
        x += width
    return make_picture("What both programs of an engine do in a round", LEFT + PANEL_WIDTH + 12, y + 20, parts)
