"""Which of a table's claims hold of networks that were trained for longer than its rows. Free of torch."""

from asq_model.common.markdown import format_table_lines
from asq_model.studies.method_names import name_network
from asq_model.studies.spreads import describe_spreads
from asq_model.studies.table_runs import NetworkRuns
from asq_model.studies.tables_claims import OUTCOMES, count_outcomes, judge_claims, list_claims


def describe_longer_claims(table: int, usual: NetworkRuns, longer: NetworkRuns) -> dict[str, object]:
    """Describe what a network's longer runs say of the claims that they can judge."""
    outcomes = count_outcomes(table, longer)
    return {
        "name": name_network(longer.network),
        "epochs": longer.epochs,
        "outcomes": {outcome: outcomes[outcome] for outcome in OUTCOMES[:-1] if outcome in outcomes},
        "spreads": describe_spreads(longer.top_1),
        "table": "\n".join(render_longer_claims(table, usual, longer)),
    }


def render_longer_claims(table: int, usual: NetworkRuns, longer: NetworkRuns) -> list[str]:
    """Write each claim that was measured on the longer runs, with what runs of both lengths say of it."""
    claims = list(list_claims(table))
    judged = zip(*(judge_claims(claims, runs) for runs in (usual, longer)), strict=True)
    rows = [
        [after.claim.words, before.points, before.outcome, after.points, after.outcome]
        for before, after in judged
        if after.difference is not None
    ]
    titles = [title for runs in (usual, longer) for title in (f"{runs.epochs} epochs, points", "verdict")]
    return format_table_lines(("claim", *titles), rows, "lrlrl")
