"""The one word of all pages for a comparison that its runs do not decide, and what it means. Free of torch."""

UNDECIDED = "undecided"
MEANING = (
    f"*{UNDECIDED.capitalize()}*: zero lies in the interval, so that these runs cannot tell which of the two is better."
)
MEANING_FOR_AIMS = (
    f"*{UNDECIDED.capitalize()}*: the aim lies in the interval, so that these runs cannot tell whether it is reached."
)
