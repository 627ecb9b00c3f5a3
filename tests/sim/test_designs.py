"""What is compared, and how rows are set against each other."""

import pytest

from asq_model.files import InputError
from asq_model.integer.array import ArraySpec
from asq_model.integer.mac import MacSpec
from sim.compare import best, front, gain, group, is_post, is_rival, recommended
from sim.designs import AS_TRAINED, FORMS, WIDTHS, designs, form_of, placings, products_per_cycle, swept, title
from sim.hardware_page import accuracy_points, mean_accuracies, table, text, verdict


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("widths", WIDTHS)
def test_designs_are_of_their_form_each_once_with_rivals(widths, form):
    made = designs(widths, form)
    assert len({design.name for design in made}) == len(made)
    assert {form_of(design) for design in made} == {form}
    assert sum(row["rival"] for row in rows_of(widths, form)) >= 3
    posts = [design for design in made if design.unit.startswith("post")]
    assert bool(posts) == (widths != (8, 8))


def test_an_unknown_form_is_refused():
    with pytest.raises(InputError, match="FORMS has 'tree'; allowed: mac, dot16"):
        designs((4, 4), "tree")


def test_products_per_cycle():
    assert products_per_cycle(MacSpec("serial", 4, 4)) == 0.25
    assert products_per_cycle(MacSpec("post", 4, 4, lanes=16)) == 16
    assert products_per_cycle(ArraySpec(MacSpec("post", 4, 4), 8, 4)) == 32
    assert title(ArraySpec(MacSpec("post", 4, 4, frac=-1), 8, 8, 2)) == "`post` F = -1 two stages"


def test_a_sweep_is_what_can_be_of_a_product_of_lists():
    made = swept([4], [], ["post", "uniform", "serial"], ["symmetric", "extended"], [0, -1], [1, 2], [2])
    names = [design.name for design in made]
    assert len(names) == len(set(names)) == 4 * 3 + 3 + 1
    assert "serial_mac_w4a4" in names and not any("serial_dot" in name or "serial_array" in name for name in names)


def rows_of(widths=(4, 4), form="array8x8"):
    """Rows with made-up figures, in which the first design has the fewest LUTs."""
    from sim.measure import Task, description

    rows = []
    for target in ("ice40", "ecp5", "xc7"):
        for index, design in enumerate(designs(widths, form)):
            row = description(Task(design, target, ())) | {
                "checked": 5,
                "relative_error": 0.01 * index,
                "luts": 100 + index,
            }
            row["per_lut"] = row["products_per_cycle"] / row["luts"] * (100 if target != "xc7" else 1)
            rows.append(row | ({"mhz": 100.0, "mhz_median": 90.0} if target != "xc7" else {}))
    return rows


def test_ratios_are_products_per_second_and_lut():
    rows = group(rows_of(), (4, 4), "array8x8", "ice40")
    ratio, ours, theirs = gain(rows, is_post)
    assert theirs["unit"] == "uniform" and ratio == pytest.approx(100 / ours["luts"])
    assert best(rows, lambda row: row["unit"] == "none") is None and gain([], is_post) is None
    assert not any(is_post(row) and is_rival(row) for row in rows)


def test_the_front_keeps_what_nothing_beats():
    assert front([(1, 5), (2, 4), (3, 4), (2, 6), (4, 1)]) == [0, 1, 4]
    assert front([(1, 1), (1, 1)]) == [0, 1]


def test_recommended_keeps_to_the_error():
    rows = rows_of(form="mac")
    assert recommended(rows, "ecp5", 4, 1.0)["luts"] == 100
    assert recommended(rows, "ecp5", 3, 1.0) is None and recommended(rows, "ecp5", 4, -1) is None


def test_the_table_and_the_verdict():
    rows = rows_of()
    shown = table(rows, (4, 4), "array8x8")
    assert "**1.00**" in shown and "| `post` F = -1 two stages" in shown
    said = verdict(rows)
    assert "missed at 4 × 4 on iCE40" in said and "4 × 8 bits" in text("gains") + said
    for row in rows:
        row["per_lut"] *= 9 if is_post(row) else 1
    assert "are met" in verdict(rows)


def test_accuracy_is_joined_to_the_smallest_array_of_its_weights():
    results = [
        {"level_set": "post4", "arithmetic": "post frac -1", "activations": "lsq", "activation_bits": 4, "seed": seed}
        | {"correct": 79 + seed, "images": 100}
        for seed in (0, 1)
    ]
    results.append(results[0] | {"activations": "asq", "correct": 0})
    seen = results[0] | {"product_frac": -1, "correct": 81}
    *_, trained = mean_accuracies([*results, seen, seen | {"arithmetic": "post frac 0", "correct": 0}])
    assert (trained["arithmetic"], trained["accuracy"]) == ("post frac -1, as trained", 81)
    assert accuracy_points(rows_of(), [trained])["xc7"][0]["title"] == "`post` F = -1, trained so"
    (found,) = mean_accuracies(results)
    assert (found["accuracy"], found["seeds"]) == (79.5, 2) and found["spread"] == pytest.approx(0.7071, abs=1e-4)
    points = accuracy_points(rows_of(), [found])
    (point,) = points["xc7"]
    assert (point["unit"], point["frac"], point["stages"]) == ("post", -1, 1)
    assert point["luts_per_product"] == point["luts"] / 64


def test_what_can_be_the_best_is_placed_more_than_once():
    """Designs of POST and of its rivals in every form and width, as far as they are compared there."""
    for form in FORMS:
        for widths in WIDTHS[:3]:
            often = {design.unit for design in designs(widths, form) if placings(design, 3) > 1}
            assert any(unit.startswith("post") for unit in often) and any(unit.startswith("uniform") for unit in often)
    assert {placings(design, 3) for widths in AS_TRAINED for design in designs(widths, "array8x8")} == {0}
    assert {placings(design, 1) for design in designs((4, 4), "mac")} == {1}
