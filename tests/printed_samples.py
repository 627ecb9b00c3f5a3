"""What pages show of a command's output beside what the command prints: read into parts, and compared.

Parts stand between empty lines: prose, or a table. How wide a column is, and where a line is broken, does not count.
Nor does the folder that is written to. What else is left out is a rule: `hide`, the masks of a comparison.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

FROM_TRAINING = ("right of", "unit difference", "layer β, RTL")  # beginnings of the titles of tables
BLOCKS = "bench result golden checked failed others checked"  # the titles of the table of blocks
NUMBER = re.compile(r"(?<![\w.])[-−+]?\d[\d,]*(?:\.\d+)?(?:e[-+]\d+)?%?|–(?=\s|$)")


@dataclass(frozen=True)
class Part:
    """Prose, as one line in `title`; or a table: the words of its titles, and its rows, a line each."""

    title: str
    rows: tuple[str, ...] = ()


def shown_in(page: str, begins: str) -> str:
    """The block of a page that shows an output with this beginning."""
    return next(text for text in re.findall(r"^```\n(.*?)^```$", page, re.M | re.S) if text.startswith(begins))


def parts_of(printed: str) -> list[Part]:
    """The parts of an output. Of titles that are broken into lines the words count, not their order."""
    parts = []
    for text in re.sub(r"Written to \S+:", "Written to:", printed).strip().split("\n\n"):
        above, _, below = text.partition("───")
        titles = above.strip("\n").splitlines()
        words = above.split() if len(titles) == 1 or not below else sorted(above.split())
        parts.append(Part(" ".join(words), tuple(" ".join(row.split()) for row in below.splitlines()[1:])))
    return parts


def hide_what_training_gives(part: Part) -> Part:
    """Leave out what training has a part in: torch adds in an order that machines differ in.

    These are all numbers of some tables. Of a block they are the bits of the values and sums that come in, `_r21` and
    `_t22` in its name, and so the number of the values that its bench makes up.
    """
    if part.title == BLOCKS:
        cut = (re.sub(r"(?:_[rt]\d+)?( \w+ \d+ \d+) \d+$", r"\1", row) for row in part.rows)
        return Part(part.title, tuple(cut))
    if not part.title.startswith(FROM_TRAINING):
        return part
    return Part(part.title, tuple(NUMBER.sub("#", row) for row in part.rows))


def hide_what_a_part_of_the_network_gives(part: Part) -> Part:
    """Leave out every number and size: what remains is the words, which rows there can be, and their columns.

    Of a name what comes before its sizes is kept, `post_mac` or `block`.
    """
    plain = [re.sub(r"^([a-z]+(?:_(?:mac|sums|step))?)[\w.]*", r"\1", row) for row in part.rows]
    return Part(re.sub(r"\d+", "#", part.title), tuple(sorted({NUMBER.sub("#", row) for row in plain})))


def differences(sample: str, printed: str, hide: Callable[[Part], Part], rows_may_lack: bool = False) -> list[str]:
    """Compare a sample with what is printed: a line for each part or row that differs.

    rows_may_lack: the sample may have rows that are not printed.
    """
    shown, found = ([hide(part) for part in parts_of(text)] for text in (sample, printed))
    if [part.title for part in shown] != [part.title for part in found]:
        titles = [{part.title for part in parts} for parts in (shown, found)]
        return [f"only in one: {title}" for title in sorted(titles[0] ^ titles[1])] or ["parts in another order"]
    lines = []
    for before, now in zip(shown, found, strict=True):
        lines += [f"not in the sample: {row}" for row in now.rows if row not in before.rows]
        lines += [f"not printed: {row}" for row in before.rows if row not in now.rows and not rows_may_lack]
    return lines
