"""Train the runs of the paper's Tables 2 to 5 and record their accuracies.

Each run is a `train` command of its own, so a study that is killed goes on where it was, a run that fails does not take
others along, and several go side by side. Free of torch.
"""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import cast

from asq_model.common.cifar10_copy import digest_labels
from asq_model.common.errors import InputError
from asq_model.common.files import PACKAGES
from asq_model.common.progress import SILENT, Bar
from asq_model.common.records import write_record
from asq_model.common.result_schemas import STUDY, FailedRun, RecipeRecord, RunTask, Start, StudyResults, StudyRun
from asq_model.config.fingerprints import find_versions
from asq_model.studies.method_row import MethodRow
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.table_runs import row_of_run
from asq_model.studies.table_study import Study, Task
from asq_model.training.checkpoint_file import CHECKPOINT, read_tensors
from asq_model.training.trained_network import read_trained


def find_commit() -> str:
    """Find the commit of the tree that this runs from, with a + where its files differ; "unknown" outside git."""
    # A tag would stand in place of the commit: `--exclude` leaves all of them out.
    options = ["--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    command = ["git", "-C", str(PACKAGES / "asq_model"), "describe", *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:  # no git
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def read_start(network: str, path: Path) -> Start:
    """Read the digest of full-precision weights, and of this program's own checkpoints recipe and result, too.

    Raises InputError for a file that cannot be read, or is of another network or quantised.
    """
    _, digest = read_tensors(path)
    if CHECKPOINT.read_unverified(path)[1] is None:
        return {"network": network, "digest": digest}  # a file from elsewhere
    config = read_trained(path)[1]
    if config["network"] != network or config["layers"]:
        raise InputError(f"checkpoint {path} is not of a full-precision {network}")
    return {
        "network": network,
        "digest": digest,
        "recipe": cast(RecipeRecord, config["recipe"]),
        "correct": config["full_precision_correct"],
    }


def read_labels_digest(study: Study) -> str:
    """Read the test set; return the digest of its labels (`digest_labels`). Raises InputError where there is none."""
    from asq_model.datasets import load_dataset

    recipe = study.recipe(study.networks[0], TABLES[study.table].rows[0], 0)
    return digest_labels(load_dataset(recipe.data, study.data_folder).test.labels.numpy())


def make_empty_results(study: Study) -> StudyResults:
    """Make the content of a results file before the first run ends. Raises InputError."""
    return {
        "table": study.table,
        "epochs": study.recipe(study.networks[0], TABLES[study.table].rows[0], 0).quantised_epochs,
        "command": study.command,
        "note": study.note,
        "commit": find_commit(),
        "versions": find_versions("torch", "numpy"),
        "start": [read_start(network, path) for network, path in study.start.items()],
        "data": read_labels_digest(study),
        "runs": [],
        "failed": [],
    }


def run_study(study: Study, results: Path, bar: Bar = SILENT) -> StudyResults:
    """Do all runs of a table, each seed's before the next seed's; return what is in `results` after each of them."""
    tasks, content, one_at_a_time = study.tasks, make_empty_results(study), Lock()
    bar.expect(len(tasks))

    def order(run: RunTask) -> int:
        return tasks.index(task_of(run))

    def run(network: str, row: MethodRow, seed: int) -> None:
        outcome = do_run(study, network, row, seed, bar)
        failed = "error" in outcome
        with one_at_a_time:
            if failed:
                content["failed"] = sorted([*content["failed"], cast(FailedRun, outcome)], key=order)
            else:
                content["runs"] = sorted([*content["runs"], cast(StudyRun, outcome)], key=order)
            done = len(content["runs"]) + len(content["failed"])
            what = f"{network} {row.precision} {row.label} seed {seed}"
            bar.say(f"{done} of {len(tasks)}: {what}{' FAILED' if failed else ''}")
            bar.advance()
            write_record(results, STUDY, content)

    with ThreadPoolExecutor(study.jobs) as pool:
        try:
            for future in [pool.submit(run, *task) for task in tasks]:
                future.result()
        except BaseException:  # the user's interruption: what has not begun does not begin
            pool.shutdown(cancel_futures=True)
            raise
    return content


def do_run(study: Study, network: str, row: MethodRow, seed: int, bar: Bar) -> StudyRun | FailedRun:
    """Train one run; return what the page needs of its checkpoint, or why there is none."""
    task = record_of(network, row, seed)
    try:
        config = study.train(network, row, seed, bar)
    except InputError as error:
        return {**task, "error": str(error)}
    return {
        **task,
        "correct": config["quantised_correct"],
        "top_5": config.get("quantised_top_5"),
        "images": config["test_images"],
        "stored_bits": study.recipe(network, row, seed).layer.stored_bits,
        "digest": config["digest"],
        "fingerprint": config["fingerprint"],
    }


def record_of(network: str, row: MethodRow, seed: int) -> RunTask:
    """One of a study's tasks in the form that its record has."""
    return {
        "network": network,
        "bits": row.bits,
        "family": row.family,
        "kind": row.kind,
        "activations": row.activations,
        "label": row.method,
        "seed": seed,
    }


def task_of(run: RunTask) -> Task:
    """Which of the study's tasks a finished run was."""
    return run["network"], row_of_run(run), run["seed"]
