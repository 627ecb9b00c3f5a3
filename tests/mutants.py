"""Damaged forms of a file, for Hypothesis: of its bytes, and of the values that a JSON text holds."""

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from asq_model.common.errors import InputError

# The same examples each time, as many as the profile of the run has; a reader that takes seconds hangs.
FUZZED = settings(
    deadline=timedelta(seconds=20),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FUZZED_EACH = settings(FUZZED, max_examples=FUZZED.max_examples // 3)  # where there are many of a kind
DEEP = json.loads("[" * 500 + "]" * 500)
ODD = [None, True, False, 0, -1, 1, 7, 1.5, -2.5, 1e300, 1 << 53, 1 << 64, 10**400, float("nan"), float("inf")]
ODD += ["", "x", "two\nlines", "../x", "post", "\x00", "é" * 11_000, [], [1], {}, {"a": 1}, DEEP]


def places(value: object, path: tuple = ()) -> list[tuple]:
    """The path of every value within a JSON value, itself among them."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in parts for place in places(part, (*path, key)))]


def changed(value: object, path: tuple, how: str, odd: object) -> object:
    """The value with another at one place, or with a key gone, renamed or added there."""
    value = copy.deepcopy(value)
    if not path:
        return odd
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    if how == "gone":
        del parent[path[-1]]
    elif how == "renamed" and isinstance(parent, dict):
        parent[f"{path[-1]}z"] = parent.pop(path[-1])
    elif how == "added" and isinstance(parent, dict):
        parent["added"] = odd
    elif how == "twice" and isinstance(parent, list):
        parent.append(parent[path[-1]])
    else:
        parent[path[-1]] = odd
    return value


def mutants(value: object) -> st.SearchStrategy[object]:
    """The value with one or two places changed."""

    def once(value: object) -> st.SearchStrategy[object]:
        ways = st.sampled_from(["odd", "odd", "odd", "gone", "renamed", "added", "twice"])
        return st.builds(changed, st.just(value), st.sampled_from(places(value)), ways, st.sampled_from(ODD))

    return st.one_of(once(value), once(value).flatmap(once))


@st.composite
def damaged(draw, contents: bytes) -> bytes:
    """Bytes with some flipped, cut off, left out, put in or repeated."""
    found = bytearray(contents)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(found) - 1, 0)))
        way = draw(st.sampled_from(["set", "cut", "left out", "put in", "repeated"]))
        if way == "set" and found:
            found[place] = draw(st.integers(0, 255))
        elif way == "cut":
            del found[place:]
        elif way == "left out":
            del found[place : place + draw(st.integers(1, 30))]
        elif way == "put in":
            found[place:place] = draw(st.sampled_from([b"\x00", b"[" * 5000, b"\xff" * 4, b"\n", b"1e999", b"NaN"]))
        elif way == "repeated":
            found[place:place] = bytes(found[place : place + 40]) * draw(st.integers(1, 20))
    return bytes(found)


def read_or_refused(read: Callable[[], object], path: Path) -> object:
    """What a reader gives, or None where it refuses in one line that names the file. Nothing else may happen."""
    try:
        return read()
    except InputError as error:
        said = str(error)
        assert str(path) in said and len(said.splitlines()) == 1, said
        return None
