"""What is compared, and how rows are set against each other."""

import pytest
from msgspec import structs

from asq_model.common.errors import InputError
from asq_model.spec.array import ArraySpec
from asq_model.spec.mac import MacSpec
from sim.explore.design import form_of, products_per_cycle, title
from sim.explore.design_rows import row_of
from sim.explore.design_space import AS_TRAINED, FORMS, WIDTHS, choose_placings, list_designs, make_grid
from sim.explore.measure_design import Task, describe_task
from sim.explore.ranking import (
    compute_gain,
    find_best,
    find_front,
    find_recommended,
    is_complete,
    is_post,
    is_rival,
    select_group,
)
from sim.reports.accuracy_points import average_accuracies, find_accuracy_points
from sim.reports.accuracy_section import compare_arrays, make_accuracy_table
from sim.reports.hardware_page import compute_gating_cost, make_table
from sim.reports.verdict import judge_aims


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("widths", WIDTHS)
def test_designs_are_of_their_form_each_once_with_rivals(widths, form):
    made = list_designs(widths, form)
    assert len({design.name for design in made}) == len(made)
    assert {form_of(design) for design in made} == {form}
    assert sum(row.rival for row in rows_of(widths, form)) >= 3
    posts = [design for design in made if design.unit.startswith("post")]
    assert bool(posts) == (widths != (8, 8))


def test_an_unknown_form_is_refused():
    with pytest.raises(InputError, match="form is 'tree'; allowed: mac, dot16"):
        list_designs((4, 4), "tree")


def test_products_per_cycle():
    assert products_per_cycle(MacSpec("serial", 4, 4)) == 0.25
    assert products_per_cycle(MacSpec("post", 4, 4, lanes=16)) == 16
    assert products_per_cycle(ArraySpec(MacSpec("post", 4, 4), 8, 4)) == 32
    assert title(ArraySpec(MacSpec("post", 4, 4, frac=-1), 8, 8, 2)) == "`post` F = -1 two stages"


def test_a_sweep_is_what_can_be_of_a_product_of_lists():
    made = make_grid([4], [], ["post", "uniform", "serial"], ["symmetric", "extended"], [0, -1], [1, 2], [2])
    names = [design.name for design in made]
    assert len(names) == len(set(names)) == 4 * 3 + 3 + 1
    assert "serial_mac_w4a4" in names and not any("serial_dot" in name or "serial_array" in name for name in names)


def rows_of(widths=(4, 4), form="array8x8"):
    """Rows with made-up figures, in which the first design has the fewest LUTs."""
    rows = []
    for target in ("ice40", "ecp5", "xc7"):
        for index, design in enumerate(list_designs(widths, form)):
            about = describe_task(Task(design, target, ()))
            figures = {"checked": 5, "relative_error": 0.01 * index, "luts": 100 + index}
            figures["per_lut"] = about.products_per_cycle / figures["luts"] * (100 if target != "xc7" else 1)
            rows.append(row_of(about, **figures, **({"mhz": 100.0, "mhz_median": 90.0} if target != "xc7" else {})))
    return rows


def test_ratios_are_products_per_second_and_lut():
    where = (4, 4), "array8x8", "ice40"
    rows = select_group(rows_of(), *where)
    found = compute_gain(rows, *where, is_post)
    assert found.theirs.unit == "uniform" and found.ratio == pytest.approx(100 / found.ours.luts)
    assert find_best(rows, lambda row: row.unit == "none") is None and compute_gain([], *where, is_post) is None
    assert not any(is_post(row) and is_rival(row) for row in rows)


def test_the_front_keeps_what_nothing_beats():
    assert find_front([(1, 5), (2, 4), (3, 4), (2, 6), (4, 1)]) == [0, 1, 4]
    assert find_front([(1, 1), (1, 1)]) == [0, 1]


def test_recommended_keeps_to_the_error():
    rows = rows_of(form="mac")
    assert find_recommended(rows, "ecp5", (4, 4), 1.0, "mac").luts == 100
    assert find_recommended(rows, "ecp5", (4, 8), 1.0, "mac") is None
    assert find_recommended(rows, "ecp5", (4, 4), -1, "mac") is None


def test_the_table_and_the_verdict():
    rows = rows_of()
    shown = make_table(rows, (4, 4), "array8x8")
    assert "**1.00**" in shown and "| `post` F = -1 two stages" in shown
    assert "Missed: 4 × 4 bits on iCE40, 4 × 4 bits on ECP5, 4 × 4 bits on LUT6." in judge_aims(rows).outcomes
    rows = [structs.replace(row, per_lut=row.per_lut * 9) if is_post(row) else row for row in rows]
    assert "Met: 4 × 4 bits on iCE40, 4 × 4 bits on ECP5, 4 × 4 bits on LUT6." in judge_aims(rows).outcomes
    assert "Not measured: 4 × 8 bits on iCE40, 4 × 8 bits on ECP5, 4 × 8 bits on LUT6." in judge_aims(rows).outcomes


def test_a_group_is_complete_with_all_its_designs_and_their_clocks():
    where = (4, 4), "array8x8", "ecp5"
    rows = rows_of()
    assert is_complete(rows, *where, is_rival) and is_complete(rows, *where, is_post)
    place = next(i for i, row in enumerate(rows) if row.target == "ecp5" and is_rival(row) and row.stages == 2)
    row = rows[place]
    for changed in (structs.replace(row, mhz=None), structs.replace(row, target="other")):
        rows[place] = changed
        assert not is_complete(rows, *where, is_rival) and compute_gain(rows, *where, is_post) is None
        assert is_complete(rows, (4, 4), "array8x8", "xc7", is_rival)
    assert (
        "× uniform" in make_table(rows, (4, 4), "array8x8")
        and make_table(rows, (4, 4), "array8x8").count("**1.00**") == 2
    )


RUN = {"network": "resnet8", "family": "post", "kind": "symmetric", "weight_bits": 4, "unit": "post", "frac": -1}
RUN |= {"arithmetic": "post frac -1", "activations": "lsq", "activation_bits": 4, "product_frac": None, "seed": 0}
RUN |= {"images": 100, "data": "", "correct": 79}


def test_accuracy_is_joined_by_values_to_the_smallest_array_of_its_weights():
    results = [RUN | {"seed": seed, "correct": 79 + seed} for seed in (0, 1)]
    results.append(RUN | {"activations": "asq", "correct": 0})
    seen = RUN | {"product_frac": -1, "correct": 81}
    *_, trained = average_accuracies([*results, seen, seen | {"arithmetic": "post frac 0", "frac": 0, "correct": 0}])
    assert (trained.arithmetic, trained.mean) == ("post frac -1, as trained", 81)
    assert find_accuracy_points(rows_of(), [trained])["xc7"][0].title == "`post` F = -1, trained so"
    (found,) = average_accuracies(results)
    assert (found.mean, found.seeds) == (79.5, 2) and found.spread == pytest.approx(0.7071, abs=1e-4)
    points = find_accuracy_points(rows_of(), [found])
    (point,) = points["xc7"]
    assert (point.row.unit, point.row.frac, point.row.stages) == ("post", -1, 1)
    assert point.luts_per_product == point.row.luts / 64
    other_kind = find_accuracy_points(rows_of(), average_accuracies([RUN | {"kind": "asymmetric"}]))
    assert other_kind == {}


def test_accuracies_of_other_networks_or_other_images_stay_apart_and_are_in_the_order_of_numbers():
    uniform = RUN | {
        "family": "uniform",
        "kind": "",
        "unit": "uniform-sign",
        "frac": None,
        "arithmetic": "uniform-sign",
    }
    runs = [RUN | {"correct": 100}, RUN | {"network": "resnet20", "correct": 9}, RUN | {"images": 1000}, uniform]
    entries = average_accuracies(runs)
    assert [entry.mean for entry in entries] == [100, 9, 7.9, 79]
    points = find_accuracy_points(rows_of(), entries)
    column = [line.split("|")[5].split("±")[0].strip() for line in make_accuracy_table(points).splitlines()[2:]]
    assert column == ["7.90", "9.00", "79.00", "100.00"]
    told = compare_arrays(points)
    assert "resnet20" not in told and "(100.00 % against 79.00 %: +21.00 points, of one seed)" in told


def test_what_gating_takes_is_computed():
    rows = rows_of(form="mac")
    luts = {(row.target, row.title): row.luts for row in rows}
    more = [luts[key] - luts[key[0], key[1].removesuffix(" gated")] for key in luts if key[1].endswith(" gated")]
    assert compute_gating_cost(rows) == f"{min(more)} to {max(more)} LUTs more a unit"
    assert compute_gating_cost([row for row in rows if not row.gated]) == ""


def test_what_can_be_the_best_is_placed_more_than_once():
    """Designs of POST and of its rivals in every form and width, as far as they are compared there."""
    for form in FORMS:
        for widths in WIDTHS[:3]:
            often = {design.unit for design in list_designs(widths, form) if choose_placings(design, 3) > 1}
            assert any(unit.startswith("post") for unit in often) and any(unit.startswith("uniform") for unit in often)
    assert {choose_placings(design, 3) for widths in AS_TRAINED for design in list_designs(widths, "array8x8")} == {0}
    assert {choose_placings(design, 1) for design in list_designs((4, 4), "mac")} == {1}
