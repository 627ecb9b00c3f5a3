"""The page of a table: what it claims, with which intervals, and what it says of itself."""

from statistics import mean

import pytest
from made_up_studies import NETWORK, asq_gains, study

from asq_model.spec.levels import KINDS
from asq_model.studies.method_row import MethodRow
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.printed_tables import (
    FULL_PRECISION,
    METHODS,
    TOP_1,
    compute_gains,
    find_gain,
    render_printed_table,
)
from asq_model.studies.table_runs import list_study_runs
from asq_model.studies.tables_claims import (
    ASQ,
    LSQ,
    ORIGINAL,
    claim_ordering,
    count_outcomes,
    format_printed_difference,
    judge_claims,
    list_claims,
    render_claims_table,
)
from asq_model.studies.tables_page import render_page

BETTER = claim_ordering(ASQ, LSQ)


def runs_of(found):
    """The runs of a study of one network."""
    (runs,) = list_study_runs(found)
    return runs


def judge(found, words):
    """What is said of a claim of the study's table."""
    claims = list(list_claims(found["table"]))
    return judge_claims(claims, runs_of(found))[[claim.words for claim in claims].index(words)]


def strew(points):
    """Lines with a spread that is not the seeds': ASQ's at `points` above the others."""
    rows = list(TABLES[4].rows)
    return lambda row, seed: (
        800 + 10 * seed + (3 * rows.index(row) + 5 * seed) % 7 + 10 * points * (row.activations == "asq")
    )


def test_labels_are_the_paper_s():
    labels = {row.method for row in TABLES[4].rows}
    assert labels == {"LSQ", "ASQ", "LSQ + POST", "LSQ + POT", "LSQ + E2M1", "LSQ + APOT", "ASQ + POST"}
    printed = {label for network, _, label in TOP_1 if network == "resnet20"}
    assert printed - {"LQ-Net", "APOT"} == labels - {"LSQ + E2M1", "LSQ + APOT"}
    assert {row.method for row in TABLES[2].rows} == {"LSQ", "ASQ", "ASQ + POST", "LSQ + APOT", "PACT"}
    assert all(MethodRow(4, 4, "post", kind, "lsq") in TABLES[4].rows for kind in KINDS)


@pytest.mark.parametrize("points, said", [(5, "holds"), (-5, "**does not hold**"), (0.1, "undecided; about ")])
def test_a_verdict_needs_more_than_the_noise(points, said):
    found = judge(study(strew(points)), BETTER.words)
    assert found.outcome.startswith(said) and found.seeds == 3
    assert found.points.startswith(f"{found.difference:+.2f} ± ")


def test_intervals_allow_for_how_many_claims_there_are():
    runs = runs_of(study(strew(5)))
    (alone,), all_of_them = judge_claims([BETTER], runs), judge_claims(list(list_claims(4)), runs)
    among = next(claim for claim in all_of_them if claim.claim == BETTER)
    assert alone.test == among.test and alone.interval.half_width < among.interval.half_width


def test_one_seed_decides_nothing():
    found = study(asq_gains(50), seeds=1)
    judged = judge(found, BETTER.words)
    assert (judged.points, judged.outcome) == ("+50.00", "undecided, one seed")
    text = render_page(found)
    assert "nothing is decided" in text and "inf" not in text and "nan" not in text and "take `" not in text
    (missing,) = judge_claims([claim_ordering(ASQ._replace(bits=5), LSQ)], runs_of(found))
    assert (missing.points, missing.outcome) == ("–", "not measured")


def test_a_run_that_strayed_is_in_no_test():
    """Full precision is a claim's other side as well as a line."""
    found = study(lambda row, seed: 100 if row == ASQ and seed == 2 else strew(5)(row, seed))
    for words in (BETTER.words, "4 bits: ASQ > full precision"):
        assert judge(found, words).outcome == "undecided, a run strayed"
    assert judge(found, "3 bits: ASQ > LSQ").outcome == "holds"


@pytest.mark.parametrize("points, said", [(5, "take `asymmetric`"), (-5, "take `symmetric`: "), (0, "does not earn")])
def test_asymmetric_is_recommended_only_if_it_earns_it(points, said):
    strewn = strew(0)
    found = study(lambda row, seed: strewn(row, seed) + 10 * points * (row.kind == "asymmetric"))
    lines = [line for line in render_page(found).splitlines() if line.startswith("- **ResNet-8, ")]
    assert [line[:22] for line in lines] == ["- **ResNet-8, 4 bits**", "- **ResNet-8, 3 bits**"]
    assert all(said in line and "with a stored bit more, is undecided (" in line for line in lines)


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
        "| +0.6 |",
    ):
        assert words in text, words
    assert "| ResNet-8 | 3 | ASQ + POST | extended | 4 | 86.00 ± 1.00 | 99.00 | 3 | – |" in text
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
    strewn = strew(0)
    found = study(lambda row, seed: strewn(row, seed) + 90 + 40 * (row.family == "post" and row.bits == 4))
    above = judge(found, "4 bits: ASQ + POST (symmetric) > full precision")
    post = runs_of(found).top_1[above.claim.pairs[0][0]]
    assert above.difference == pytest.approx(mean(post.values()) - 90) and above.claim.pairs[0][1] == ORIGINAL
    growth = judge(found, "ASQ + POST (symmetric) over ASQ: 4 bits > 3 bits")
    assert growth.difference == pytest.approx(4, abs=0.5) and growth.outcome == "holds" and growth.test.freedom > 4
    assert [format_printed_difference(found.claim, "resnet20") for found in (above, growth)] == ["+0.4", "-0.4"]
    lines = render_claims_table(4, [runs_of(found)])
    assert f"| {growth.claim.words} | {growth.points} | holds | -0.4 |" in lines
    without = runs_of(found | {"start": [{"network": NETWORK, "digest": "0" * 64}]})
    assert f"| {above.claim.words} | – | not measured | +0.4 |" in render_claims_table(4, [without])
    counted = count_outcomes(4, without)
    assert counted["not measured"] == 5 and sum(counted.values()) == len(lines) - 2


def test_a_table_of_imagenet_has_its_claims_for_each_network():
    rows = list(TABLES[2].rows)
    found = study(lambda row, seed: 800 + (rows.index(row) * 3 + seed * 5) % 7 + 50 * (row.activations == "asq"), 2)
    others = [run | {"network": "resnet18"} for run in found["runs"]]
    text = render_page(found | {"runs": [run | {"network": "resnet34"} for run in found["runs"]] + others})
    (titles,) = (line for line in text.splitlines() if line.startswith("| claim |"))
    assert titles.endswith("ResNet-18, points | verdict | the paper's, ResNet-18 | the paper's, ResNet-34 |")
    (line,) = (line for line in text.splitlines() if line.startswith("| 8 bits: ASQ > LSQ | "))
    assert line.count(" | holds | ") == 2 and line.endswith(" | +0.3 | +0.2 |")
    assert "| ResNet-34 | LQ-Net | 73.8 (91.4) |" in text and "Table 4 has" not in text


def test_failed_runs_are_on_the_page():
    found = study(asq_gains(0))
    found["failed"] = [found["runs"].pop() | {"error": "disk full"}]
    assert "**Failed runs:** resnet8 ASQ 2 bits: disk full" in render_page(found)
