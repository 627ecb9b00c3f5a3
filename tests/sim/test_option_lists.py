"""Options that are lists: a word that is not allowed is named, with what is."""

import pytest

from asq_model.common.errors import InputError
from sim.option_lists import parse_choices, parse_integers


def test_lists():
    assert parse_choices("UNITS", "post,pot", ("post", "pot", "apot")) == ["post", "pot"]
    assert parse_choices("TARGETS", "xc7,ice40,xc7", ("ice40", "xc7")) == ["xc7", "ice40"]  # no table twice
    assert parse_integers("FRACS", "-1,0,2", -1, 12) == [-1, 0, 2]
    assert parse_integers("SIDES", "", 1, 64) == []


@pytest.mark.parametrize("text", ["post,", "x", ""])
def test_a_word_that_is_not_allowed(text):
    with pytest.raises(InputError, match=r"UNITS has '\w?'; allowed: post, pot"):
        parse_choices("UNITS", text, ("post", "pot"))


@pytest.mark.parametrize("text", ["a", "0", "65", "1.5", "9" * 20])
def test_numbers_that_are_not_allowed(text):
    with pytest.raises(InputError, match=r"SIDES is .*; allowed: integers from 1 to 64, as 1,2"):
        parse_integers("SIDES", text, 1, 64)
