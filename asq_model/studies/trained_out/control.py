"""Whether quantised rows are above full precision that was trained on as long, as the paper says of 4 and 8 bits."""

from asq_model.common.markdown import format_table_lines
from asq_model.studies.method_row import Groups, MethodRow
from asq_model.studies.paired_comparisons import PairedTest, compare_pairs, correct_by_holm
from asq_model.studies.trained_out.claims import Comparison
from asq_model.studies.trained_out.longer import group_by_length
from asq_model.studies.trained_out.record import TrainedOut, epochs, percent, seed

FEWEST_BITS = 4  # of both operands, from which on the paper says so


def add_control(study: TrainedOut, length: int, groups: Groups) -> tuple[Groups, dict[str, MethodRow]]:
    """The lines of one length and, for each precision, a line of full precision trained on for as long."""
    values = {seed(run): percent(run) for run in study["control"] if epochs(run) == length}
    controls = {row.precision: MethodRow(row.bits, row.activation_bits, "full precision", "", "") for row in groups}
    return {**groups, **{control: values for control in controls.values() if values}}, controls


def compare_with_control(study: TrainedOut) -> list[tuple[int, Comparison]]:
    """Every ASQ line of 4 bits or more against the control of its length, corrected for how many they are."""
    tests: list[PairedTest] = []
    found: list[tuple[int, MethodRow, MethodRow]] = []
    for length, lines in group_by_length(study).items():
        groups, controls = add_control(study, length, lines)
        for row in lines:
            test = compare_pairs(groups, [(row, controls[row.precision])]) if is_claimed(row) else None
            if test is not None:
                tests.append(test)
                found.append((length, row, controls[row.precision]))
    return [
        (length, Comparison("ASQ > full precision", row.precision, [(row, control)], test, interval))
        for (length, row, control), test, interval in zip(found, tests, correct_by_holm(tests), strict=True)
    ]


def is_claimed(row: MethodRow) -> bool:
    """Whether the paper says of such a line that it is above full precision."""
    published = row.activations == "asq" and row.step_gradient == "numel" and row.family in ("uniform", "post")
    return published and min(row.bits, row.activation_bits) >= FEWEST_BITS


def render_control_table(study: TrainedOut) -> list[str]:
    """Every ASQ line of 4 bits or more beside full precision that was trained on as long; nothing without any."""
    cells = []
    for length, row in compare_with_control(study):
        ((line, _),) = row.pairs
        cells.append([row.precision, line.label, length, row.test.runs, row.difference, row.outcome])
    titles = ("bits", "method", "epochs", "seeds", "over the control, points", "verdict")
    return format_table_lines(titles, cells, "llrrrl") if cells else []
