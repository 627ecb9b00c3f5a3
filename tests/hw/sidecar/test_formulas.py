"""A sidecar's formulas are computed, and whatever else a sidecar might hold there is refused, never executed."""

import pytest
from formulas import cycles_of_case, evaluate

SIZES = {"hidden": 2, "words": 8}


@pytest.mark.parametrize(
    "formula, value",
    [
        ("hidden * (words + 7) + 28", 58),
        ("words - 3 * hidden - 1", 1),
        ("hidden > 0", True),
        ("hidden == 0", False),
        ("words + 1 <= 3 * hidden", False),
    ],
)
def test_a_formula_is_computed(formula, value):
    assert evaluate(formula, SIZES) == value


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os').getpid()",
        "words.bit_length()",
        "pixels + 1",
        "words ** 9",
        "0 < hidden < 3",
        "hidden and words",
        "[words][0]",
        "'8'",
        "True",
        "1.5 * words",
        "words = 1",
        "words +",
        "",
    ],
)
def test_anything_else_is_refused(formula):
    with pytest.raises(ValueError, match=r"formula"):
        evaluate(formula, SIZES)


def test_exactly_one_case_holds():
    cases = [{"if": "hidden > 0", "cycles": "words"}, {"if": "hidden == 0", "cycles": "words + 1"}]
    assert [cycles_of_case(cases, {"hidden": hidden, "words": 8}) for hidden in (1, 0)] == [8, 9]
    for wrong in (cases[:1], [*cases, cases[1]]):
        with pytest.raises(ValueError, match="unpack"):
            cycles_of_case(wrong, {"hidden": 0, "words": 8})
