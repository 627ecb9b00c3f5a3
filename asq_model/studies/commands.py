"""The commands of `python -m asq_model` that repeat the paper's tables and figures."""

import re
from pathlib import Path
from typing import Any

import click

from asq_model.common.errors import InputError, shown
from asq_model.common.files import write_text
from asq_model.common.option_types import (
    CHECKPOINT,
    MOST_PROCESSES,
    OUTPUT_FILE,
    OUTPUT_FOLDER,
    PAGE,
    PATH,
    Integer,
    list_given_options,
    refuse_unused,
)
from asq_model.common.progress import progress_bar
from asq_model.common.terminal import convert_markdown
from asq_model.config.recipe import MOST_EPOCHS, MOST_THREADS
from asq_model.studies.adapter_overhead import render_table_1
from asq_model.studies.network_options import DATA, NOTE

EPOCHS = Integer(0, MOST_EPOCHS)
SUFFIX = "(-[a-z0-9]{1,40})?"


@click.command(epilog="Example: asq-post reproduce 1")
@click.argument("number", type=Integer(1, 5), metavar="TABLE")
@DATA
@click.option(
    "--from", "start", type=CHECKPOINT, help="Full-precision weights: a file, or a folder with a file for each network."
)
@click.option("--network", help="Train this network in place of the paper's, such as resnet8.")
@click.option("--full-epochs", type=EPOCHS, help="Tables 4 and 5 without --from: epochs in full precision.")
@click.option("--epochs", type=Integer(1, MOST_EPOCHS), help="Epochs quantised.  [default: as the paper has it]")
@click.option("--seeds", type=Integer(1, 1000), default=1, show_default=True, help="Runs of each row.")
@click.option("--jobs", type=Integer(1, MOST_PROCESSES), default=1, show_default=True, help="Runs side by side.")
@click.option("--adapter-start", help="active, or authors: as published, dead at times.  [default: active]")
@click.option("--batch", type=Integer(1), help="Images per update.  [default: as the paper has it]")
@click.option("--threads", type=Integer(1, MOST_THREADS), help="CPU threads of each run.")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--precision", help="float32 or bfloat16 (mixed).  [default: float32]")
@click.option(
    "--out", type=OUTPUT_FOLDER, default=Path("build/study"), show_default=True, help="Checkpoints of the runs."
)
@click.option("--results", type=OUTPUT_FOLDER, default=Path("docs/results"), show_default=True, help="Folder of pages.")
@NOTE
def reproduce(number: int, out: Path, results: Path, **options: Any) -> None:
    """Repeat a table of the paper.

    Table 1 is printed; tables 2 to 5 are trained, and the page goes to RESULTS. Checkpoints go to OUT. After a kill,
    the same command goes on from the runs that are there.
    """
    if number == 1:
        refuse_unused(list_given_options(click.get_current_context()), "TABLE is 1, which is computed, not trained")
        click.echo(convert_markdown(render_table_1()))
        return
    from asq_model.studies.pages import render_record
    from asq_model.studies.run_tables import run_study
    from asq_model.studies.table_study import prepare_study
    from asq_model.studies.tables_page import results_name

    study = prepare_study(number, out, **options)
    target = results / results_name(study.table)
    with progress_bar("runs") as bar:
        content = run_study(study, target, bar)
    for failure in content["failed"]:
        what = f"{failure['network']} {failure['label']} {failure['bits']} bits seed {failure['seed']}"
        click.echo(f"failed: {what}: {failure['error']}", err=True)
    if content["runs"]:
        write_text(target.with_suffix(".md"), render_record(target))
        click.echo(target.with_suffix(".md"))
    if content["failed"]:
        raise InputError(f"{len(content['failed'])} of {len(content['failed']) + len(content['runs'])} runs failed")


@click.command("trained-out", epilog="Example: asq-post trained-out --data cifar10/ --from resnet8_full_precision")
@DATA
@click.option(
    "--from",
    "start",
    type=CHECKPOINT,
    help="The ceiling: the full-precision checkpoint.  [default: trained now, or in OUT]",
)
@click.option("--plan", type=PATH, help="A plan of runs, TOML.  [default: that of docs/results/trained-out.md]")
@click.option("--device", default="cuda", show_default=True, help="cuda, or cpu for a few small runs.")
@click.option("--side-by-side", type=Integer(1, 64), default=10, show_default=True, help="Runs that share the device.")
@click.option("--seconds", type=Integer(1), help="Begin no run that would not end within them.")
@click.option("--commit", default="", help="The program's commit, for the record.  [default: what git says]")
@click.option(
    "--out", type=OUTPUT_FOLDER, default=Path("build/trained-out"), show_default=True, help="Checkpoints of the runs."
)
@click.option(
    "--results", type=OUTPUT_FILE, default=Path("docs/results/trained-out.json"), show_default=True, help="The record."
)
def trained_out(
    data_folder: Path | None,
    start: Path | None,
    plan: Path | None,
    device: str,
    side_by_side: int,
    seconds: int | None,
    commit: str,
    out: Path,
    results: Path,
) -> None:
    """Train networks out on a GPU.

    Does the runs of PLAN that RESULTS does not have yet, several side by side, and adds each to RESULTS when it ends.
    `make pages` then writes the page.
    """
    from asq_model.studies.trained_out.plan import PLAN
    from asq_model.studies.trained_out.run_plan import RunOptions, run_plan

    limit = float("inf") if seconds is None else float(seconds)
    options = RunOptions(data_folder, results, out, start, device, side_by_side, limit, commit)
    with progress_bar("epochs") as bar:
        for line in run_plan(plan or PLAN, options, bar):
            bar.say(line)
    click.echo(results)


@click.command(epilog="Example: asq-post bench --rounds 5")
@click.option("--rounds", type=Integer(1), default=20, show_default=True, help="Steps of each network.")
@click.option(
    "--threads",
    type=Integer(1, MOST_THREADS),
    multiple=True,
    default=(1, 2),
    show_default=True,
    help="CPU threads; several times: with each number.",
)
@click.option("--out", type=PAGE, help="Write the table there too.")
def bench(rounds: int, threads: tuple[int, ...], out: Path | None) -> None:
    """Measure what quantisation costs in training.

    Prints the time of a training step beside full precision and, where it is installed, Brevitas.
    """
    from asq_model.common.records import write_record
    from asq_model.common.result_schemas import BENCH
    from asq_model.studies.training_cost import measure_training_cost
    from asq_model.studies.training_cost_page import render_page, render_table

    with progress_bar("training steps") as bar:
        report = measure_training_cost(rounds, threads, bar)
    click.echo(convert_markdown(render_table(report)))
    if out is not None:
        write_record(out.with_suffix(".json"), BENCH, report)
        write_text(out.with_suffix(".md"), render_page(report))


@click.command(epilog="Example: asq-post figures --data cifar10/")
@click.option("--network", default="resnet20", show_default=True, help="Network of the study.")
@click.option("--seed", type=Integer(0), default=0, show_default=True, help="Run of the study.")
@click.option("--study", type=PATH, default=Path("build/study"), show_default=True, help="Checkpoints of the runs.")
@click.option("--from", "start", type=CHECKPOINT, help="Checkpoint that the study started from.")
@DATA
@click.option("--out", type=OUTPUT_FOLDER, default=Path("docs/results"), show_default=True, help="Folder of pages.")
@NOTE
@click.option("--suffix", default="", help="Ends the files' names: a further network's page, without Figure 3.")
def figures(
    network: str,
    seed: int,
    study: Path,
    start: Path | None,
    data_folder: Path | None,
    out: Path,
    note: str,
    suffix: str,
) -> None:
    """Draw the paper's figures.

    Draws figures 1, 3, 4, 5 and 6 from the checkpoints of `reproduce 5` or `trained-out`.
    """
    if not re.fullmatch(SUFFIX, suffix):
        raise InputError(f"--suffix is {shown(suffix)}; allowed: - and small letters and digits, such as -resnet20")
    from asq_model.studies.figure_networks import load_networks
    from asq_model.studies.measure_figures import make_report
    from asq_model.studies.paper_figures import write_figures

    networks = load_networks(network, seed, study, start, data_folder)
    for path in write_figures(make_report(networks, note), out, suffix):
        click.echo(path)


@click.command(epilog="Example: asq-post pages")
@click.option("--results", type=OUTPUT_FOLDER, default=Path("docs/results"), show_default=True, help="Folder of pages.")
def pages(results: Path) -> None:
    """Write the pages on training anew.

    Reads the records in RESULTS.
    """
    from asq_model.studies.pages import write_training_pages

    for path in write_training_pages(results):
        click.echo(path)


studies = [reproduce, trained_out, bench, figures, pages]
