"""The one word of all pages for a comparison that its runs do not decide, and what it means. Free of torch."""

UNDECIDED = "undecided"
MEANING = (
    f"*{UNDECIDED.capitalize()}*: zero lies in the interval, so that these runs cannot tell which of the two is better."
)
MEANING_FOR_AIMS = (
    f"*{UNDECIDED.capitalize()}*: the aim lies in the interval, so that these runs cannot tell whether it is reached."
)
MEANING_OF_INTERVALS = (
    "Differences are of the same seeds. A verdict is Student's t at 95 %, corrected by Holm's method for all claims"
    " that are tested in a table; the interval is the one that it was read from. *About N seeds would decide*: were"
    " the difference what was seen, so many would have an even chance of an interval without zero."
)
