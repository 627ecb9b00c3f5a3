"""What README says of accuracy, in a few lines, from the records of networks trained out."""

from statistics import mean

from asq_model.studies.trained_out import (
    NETWORKS,
    Row,
    TrainedOut,
    by_row,
    epochs,
    frozen_change,
    network,
    percent,
    title,
)
from asq_model.studies.trained_out_claims import compare

BLOCK = "accuracy"  # of README
PRECISION = "W4A4"
LOSSES = {
    "uniform weights with LSQ": Row(4, 4, "uniform", "", "lsq"),
    "POST weights with ASQ": Row(4, 4, "post", "symmetric", "asq"),
}
CLAIMS = {  # that README tells of
    "ASQ > LSQ": "ASQ over LSQ",
    "ASQ > LSQ-unscaled": "ASQ over LSQ with no gradient scale",
    "POST > uniform": "POST over uniform",
}


def findings(study: TrainedOut, *others: TrainedOut) -> str:
    """What README says of a network in full, and of others in a line each."""
    changes = [frozen_change(run) for run in study["rows"] if "frozen" in run]
    verdicts = differences(study)
    lines = [
        f"{title(study)} (a JPEG copy) has {percent(study['ceiling']):.2f} % right in full precision.",
        f"At 4 bits {losses(study)} ({epochs(study['rows'][0])} epochs).",
        "Differences there, in points: "
        + ";\n".join(f"{CLAIMS[claim]} {words}" for claim, words in verdicts.items())
        + ".",
        f"With every β held at its mean over images, ASQ's accuracy changes by {mean(changes):+.2f} points.",
    ]
    for other in others:
        others_verdicts = differences(other)
        same = "; ".join(others_verdicts.get(claim, "–") for claim in verdicts)
        lines.append(f"{NETWORKS[network(other)]} ({percent(other['ceiling']):.2f} %) likewise: {same}.")
    return "\n".join([*lines, ""])


def losses(study: TrainedOut) -> str:
    """How far rows at 4 bits are below full precision."""
    groups, ceiling = by_row(study["rows"]), percent(study["ceiling"])
    lost = {name: f"{ceiling - mean(groups[row].values()):.2f}" for name, row in LOSSES.items()}
    return ", ".join(f"{name} lose {points}" for name, points in lost.items()) + " points"


def differences(study: TrainedOut) -> dict[str, str]:
    """What the comparisons at 4 bits say, by claim."""
    compared = {row.claim: row for row in compare(by_row(study["rows"]), together=True) if row.precision == PRECISION}
    return {
        claim: f"{compared[claim].difference} ({compared[claim].outcome.strip('*')})"
        for claim in CLAIMS
        if claim in compared
    }
