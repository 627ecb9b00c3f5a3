"""What README says of accuracy, as a small table, from the records of networks trained out."""

from statistics import mean

from asq_model.common.cifar10_copy import COPIES
from asq_model.common.markdown import format_table_lines
from asq_model.studies.method_names import name_network
from asq_model.studies.method_row import MethodRow
from asq_model.studies.paired_comparisons import CONFIDENCE
from asq_model.studies.trained_out.adaptation import describe_mean_change, list_frozen_changes
from asq_model.studies.trained_out.claims import compare
from asq_model.studies.trained_out.longer import group_by_length
from asq_model.studies.trained_out.record import TrainedOut, epochs, group_by_row, network, percent

BLOCK = "accuracy"  # of README
PRECISION = "W4A4"
ROWS = {
    "uniform weights, LSQ": MethodRow(4, 4, "uniform", "", "lsq"),
    "POST weights, ASQ": MethodRow(4, 4, "post", "symmetric", "asq"),
}
CLAIMS = {  # that README tells of
    "ASQ > LSQ": "ASQ over LSQ",
    "ASQ > LSQ-unscaled": "ASQ over LSQ with no gradient scale",
    "POST > uniform": "POST over uniform",
}


def render_findings(*studies: TrainedOut) -> str:
    """README's table of accuracies and differences, a column for each network."""
    columns = [
        {
            **list_accuracies(study),
            **list_differences(study),
            **list_longer_differences(study),
            **describe_frozen_steps(study),
        }
        for study in studies
    ]
    names = dict.fromkeys(name for column in columns for name in column)
    cells = [[name, *(column.get(name, "–") for column in columns)] for name in names]
    titles = [f"{name_network(network(study))}, {epochs(study['rows'][0])} epochs" for study in studies]
    copy = "a JPEG copy of " if all(study["data"] in COPIES for study in studies) else ""
    above = (
        f"Top-1 accuracy in percent on {copy}CIFAR-10, at 4 bits; below, differences in points with"
        f" {100 * CONFIDENCE:.0f} % intervals\n(*undecided*: zero lies within)."
    )
    return "\n".join([above, "", *format_table_lines(("", *titles), cells, "l" + "r" * len(studies)), ""])


def list_accuracies(study: TrainedOut) -> dict[str, str]:
    """Percent right in full precision and at 4 bits, by the line of README's table."""
    groups = group_by_row(study["rows"])
    quantised = {name: f"{mean(groups[row].values()):.2f}" for name, row in ROWS.items() if row in groups}
    return {"full precision": f"{percent(study['ceiling']):.2f}"} | quantised


def list_differences(study: TrainedOut) -> dict[str, str]:
    """What the comparisons at 4 bits say, by the line of README's table."""
    compared = {
        row.claim: row for row in compare(group_by_row(study["rows"]), together=True) if row.precision == PRECISION
    }
    return {
        CLAIMS[claim]: f"{compared[claim].difference}, {compared[claim].outcome.strip('*')}"
        for claim in CLAIMS
        if claim in compared
    }


def list_longer_differences(study: TrainedOut) -> dict[str, str]:
    """What becomes of ASQ's lead over LSQ at 4 bits with more epochs, by the line of README's table."""
    claim, found = "ASQ > LSQ", {}
    for length, groups in group_by_length(study).items():
        for row in compare(groups, together=True):
            if length != epochs(study["rows"][0]) and (row.claim, row.precision) == (claim, PRECISION):
                found[f"{CLAIMS[claim]}, {length} epochs"] = f"{row.difference}, {row.outcome.strip('*')}"
    return found


def describe_frozen_steps(study: TrainedOut) -> dict[str, str]:
    """How ASQ's accuracy changes where steps do not adapt, if that was measured."""
    words = describe_mean_change(list_frozen_changes(study))
    return {"every β held at its mean, all widths": ", ".join(words)} if words else {}
