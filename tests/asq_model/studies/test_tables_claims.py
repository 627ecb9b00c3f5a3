"""The page of a table: what it claims, with which intervals, and what it says of itself."""

import pytest
from made_up_studies import NETWORK, asq_gains, study

from asq_model.spec.levels import KINDS
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.printed_tables import (
    FULL_PRECISION,
    METHODS,
    TOP_1,
    compute_gains,
    find_gain,
    render_printed_table,
)
from asq_model.studies.tables_claims import (
    compare_rows,
    compare_terms,
    correct_comparisons,
    find_originals,
    format_printed_difference,
    group_runs,
    judge_comparison,
    list_claims,
    pool_spread,
    render_claims_table,
)
from asq_model.studies.tables_page import render_page


def test_labels_are_the_paper_s():
    labels = {row.label for row in TABLES[4].rows}
    assert labels == {"LSQ", "ASQ", "LSQ + POST", "LSQ + POT", "LSQ + E2M1", "LSQ + APOT", "ASQ + POST"}
    printed = {label for network, _, label in TOP_1 if network == "resnet20"}
    assert printed - {"LQ-Net", "APOT"} == labels - {"LSQ + E2M1", "LSQ + APOT"}
    assert {row.label for row in TABLES[2].rows} == {"LSQ", "ASQ", "ASQ + POST", "LSQ + APOT", "PACT"}
    assert all((4, "post", kind, "lsq") in [tuple(vars(row).values()) for row in TABLES[4].rows] for kind in KINDS)


def test_spread_is_pooled_over_rows():
    groups = group_runs(study(asq_gains(0)))
    spread, freedom = pool_spread(groups)
    assert spread == pytest.approx(1.0) and freedom == 2 * len(TABLES[4].rows)
    assert pool_spread(group_runs(study(asq_gains(0), seeds=1)))[1] == 0


@pytest.mark.parametrize("points, said", [(5, "holds"), (-5, "**does not hold**"), (1, "undecided"), (-1, "undecided")])
def test_a_verdict_needs_more_than_the_noise(points, said):
    groups = group_runs(study(asq_gains(points)))
    found = compare_rows(groups, (NETWORK, 4, "ASQ", ""), (NETWORK, 4, "LSQ", ""))
    assert found[0] == pytest.approx(points) and 1.5 < found[1] < 1.8  # t(0.975, 38)·√(2/3)
    assert judge_comparison(found) == said


def test_intervals_allow_for_how_many_comparisons_are_made():
    """Holm's method judges the surer of two comparisons at 97.5 %, the other at 95 %, and a single one at 95 %."""
    groups = group_runs(study(asq_gains(5)))
    sure = compare_rows(groups, (NETWORK, 4, "ASQ", ""), (NETWORK, 4, "LSQ", ""))
    unsure = 0.1, sure[1]
    assert correct_comparisons(groups, [sure]) == [pytest.approx(sure)] and correct_comparisons(groups, [unsure]) == [
        pytest.approx(unsure)
    ]
    first, nothing, last = correct_comparisons(groups, [sure, None, unsure])
    assert nothing is None and last == pytest.approx(unsure)
    assert first[0] == sure[0] and first[1] == pytest.approx(sure[1] * 2.3246 / 2.0181, rel=1e-4)  # t of 42 degrees


def test_one_seed_decides_nothing():
    groups = group_runs(study(asq_gains(50), seeds=1))
    assert (
        judge_comparison(compare_rows(groups, (NETWORK, 4, "ASQ", ""), (NETWORK, 4, "LSQ", "")))
        == "undecided, one seed"
    )
    text = render_page(study(asq_gains(50), seeds=1))
    assert "nothing is decided" in text and "inf" not in text and "nan" not in text
    assert text.count(": undecided, one seed: `asymmetric` is at +0.00 points") == 2 and "take `" not in text
    assert judge_comparison(compare_rows(groups, (NETWORK, 5, "ASQ", ""), (NETWORK, 4, "LSQ", ""))) == "not measured"


@pytest.mark.parametrize("points, said", [(5, "take `asymmetric`"), (-5, "take `symmetric`: "), (0, "does not earn")])
def test_asymmetric_is_recommended_only_if_it_earns_it(points, said):
    found = study(lambda row, seed: 800 + 10 * seed + 10 * points * (row.kind == "asymmetric"))
    lines = [line for line in render_page(found).splitlines() if " bits**: " in line]
    assert len(lines) == 2 and all(said in line for line in lines)


def test_the_page_says_how_it_was_made():
    text = render_page(study(asq_gains(5)))
    for words in (
        "the command",
        "`abc`",
        "torch 1",
        "90.00 %",
        "A note.",
        "JPEG copy of the 60,000 images (baseline, quality 75, 4:2:0 chroma)",
        "**75.48 %**",
        "9 epochs",
        "Seeds 0, 1, 2",
        "--full-epochs 9 ",
        "| 93.0 |",
    ):
        assert words in text, words
    assert "| resnet8 | 3 | ASQ + POST | extended | 4 | 86.00 ± 1.00 | 99.00 | 3 | 92.3 |" in text
    assert "75.48" not in render_page(study(asq_gains(5)) | {"data": "of the original files"})
    later = study(asq_gains(5))
    for run in later["runs"]:
        run["seed"] += 4
    assert "Seeds 4, 5, 6:" in render_page(later)


def test_what_is_printed_is_as_it_stands_in_the_paper():
    assert TOP_1["resnet18", 4, "ASQ + POST"] == 71.0
    assert (
        find_gain("resnet34", 4, "ASQ + POST", "LSQ", FULL_PRECISION) == 0.8
        and find_gain("resnet20", 8, "ASQ", "LSQ") is None
    )
    assert all(five > method.top_1[bits] for method in METHODS for bits, five in method.top_5.items())
    assert len(METHODS) == 35
    lines = render_printed_table(("resnet20",))
    assert "| ResNet-20 | ASQ + POST | 92.6 | – | 92.3 | 93.0 | – |" in lines and len(lines) == 9
    page = render_page(study(asq_gains(0)))
    assert "| ResNet-18 | ASQ + POST | " in page and "71.0 (89.9)" in page and "| MobileNetV2 | " in page
    assert "+0.8 for ResNet-34, and +1.2 for ResNet-18" in page and "-0.3 at 3 bits" in page
    assert compute_gains()["asq"]["mobilenetv2"] == "-6.3"


def test_full_precision_and_growing_gains_are_among_the_claims():
    found = study(lambda row, seed: 890 + 10 * seed + 40 * (row.family == "post" and row.bits == 4))
    groups, known = group_runs(found), find_originals(found)
    by_words = {claim.words: claim for claim in list_claims(found)}
    above = by_words["4 bits: ASQ + POST (symmetric) > full precision"]
    difference, interval = compare_terms(groups, above.terms, known)
    assert difference == pytest.approx(94 - 90) and interval == pytest.approx(1.16, abs=0.02)  # t(0.975, 42)·√(1/3)
    growth = by_words["ASQ + POST (symmetric) over ASQ: 4 bits > 3 bits"]
    difference, wider = compare_terms(groups, growth.terms, known)
    assert difference == pytest.approx(4) and wider == pytest.approx(2 * interval)
    assert [format_printed_difference(claim) for claim in (above, growth)] == ["+0.4", "-0.4"]
    (line,) = (line for line in render_claims_table(found, groups) if growth.words in line)
    assert line.startswith(f"| {growth.words} | +4.00 ± ") and line.endswith(" | holds | -0.4 |")
    without = found | {"start": [{"network": NETWORK, "digest": "0" * 64}]}
    assert f"| {above.words} | – | not measured | +0.4 |" in render_claims_table(without, groups)


def test_a_table_of_imagenet_has_its_claims_for_each_network():
    found = study(asq_gains(5), table=2)
    others = [run | {"network": "resnet18"} for run in found["runs"]]
    text = render_page(found | {"runs": [run | {"network": "resnet34"} for run in found["runs"]] + others})
    assert "| resnet18, 8 bits: ASQ > LSQ | +5.00 ± " in text and "| resnet34, 8 bits: ASQ > LSQ | +5.00 ± " in text
    assert "| ResNet-34 | LQ-Net | 73.8 (91.4) |" in text and "Table 4 has" not in text


def test_failed_runs_are_on_the_page():
    found = study(asq_gains(0))
    found["failed"] = [found["runs"].pop() | {"error": "disk full"}]
    assert "**Failed runs:** resnet8 ASQ 2 bits: disk full" in render_page(found)
