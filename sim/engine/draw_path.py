"""The drawing of the way of the data through an engine."""

from dataclasses import dataclass

from sim.engine.svg import LINE, draw_text, make_picture

MEMORY_WIDTH, BOX_HEIGHT, LINE_HEIGHT = 1.8, 34, 15


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
            *(draw_text(middle, first + LINE_HEIGHT * number, words) for number, words in enumerate(lines)),
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
    parts += [draw_text(x, y, words, "start", 12) for x, y, words in LABELS]
    for way in WAYS:
        points = " ".join(f"{x},{y}" for x, y in way)
        parts.append(f'<polyline points="{points}" {LINE} marker-end="url(#arrow)"/>')
    return make_picture("The way of the data through the engine", 450, 570, parts, -18)
