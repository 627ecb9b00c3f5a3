"""The page on the paper's Tables 4 and 5: its claims, judged by networks trained out, and the short study before.

Free of torch.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from asq_model.common.cifar10_copy import find_yardsticks
from asq_model.common.result_schemas import StudyResults
from asq_model.common.templates import render_template
from asq_model.studies.longer_claims import describe_longer_claims
from asq_model.studies.method_names import name_network
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.table_runs import list_longer_runs, list_study_runs, take_trained_out
from asq_model.studies.tables_claims import count_outcomes, list_stand_ins
from asq_model.studies.tables_page import describe_claims, describe_study, render_accuracy_table, results_name
from asq_model.studies.trained_out.devices import list_cpu_lines
from asq_model.studies.trained_out.longer import select_runs
from asq_model.studies.trained_out.record import TrainedOut, network, row_of
from asq_model.studies.verdicts import UNDECIDED

PAGE = Path(__file__).with_name("cifar10.md.j2")
TABLE = 4
WORDS = {  # of one claim, and of several
    "holds": ("holds", "hold"),
    "does not hold": ("does not hold", "do not hold"),
    UNDECIDED: (f"is {UNDECIDED}", f"are {UNDECIDED}"),
    "not measured": ("was not measured", "were not measured"),
}


def describe_range(counts: Sequence[int]) -> str:
    """Write from which to which number counts go."""
    least, most = min(counts), max(counts)
    return str(least) if least == most else f"{least} to {most}"


def render_page(short: StudyResults, studies: Mapping[str, TrainedOut]) -> str:
    """Write the page. studies: the networks trained out, by the names of their records; short: the study before."""
    networks = {name: take_trained_out(study) for name, study in studies.items()}
    described = [
        {
            "name": name_network(runs.network),
            "full_precision": f"{runs.full_precision:.2f}",
            "epochs": runs.epochs,
            "outcomes": count_outcomes(TABLE, runs),
            "seeds": describe_range([len(values) for row, values in runs.top_1.items() if row in TABLES[TABLE].rows]),
            "page": Path(name).with_suffix(".md"),
        }
        for name, runs in networks.items()
    ]
    longer = [
        {
            **describe_longer_claims(TABLE, networks[name], runs),
            "page": Path(name).with_suffix(".md"),
            "cpu_lines": list_cpu_lines(study, select_runs(study, runs.epochs, runs.top_1)),
        }
        for name, study in studies.items()
        for runs in list_longer_runs(study)
    ]
    in_table = [[run for run in study["rows"] if row_of(run) in TABLES[TABLE].rows] for study in studies.values()]
    cpu_lines = [
        f"{name_network(network(study))} {line}"
        for study, runs in zip(studies.values(), in_table, strict=True)
        for line in list_cpu_lines(study, runs)
    ]
    return render_template(
        PAGE,
        records=[f"`{name}`" for name in (*studies, results_name(TABLE))],
        notes=find_yardsticks({study["data"] for study in studies.values()}),
        networks=described,
        longer=longer,
        cpu_lines=cpu_lines,
        stand_ins=[line for runs in networks.values() for line in list_stand_ins(TABLE, runs)],
        words=WORDS,
        short_accuracies="\n".join(render_accuracy_table(TABLE, list_study_runs(short))),
        **describe_study(short),
        **describe_claims(TABLE, list(networks.values())),
    )
