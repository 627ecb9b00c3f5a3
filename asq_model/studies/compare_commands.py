"""The commands of `python -m asq_model` that look into trained networks and compare them."""

from itertools import product
from pathlib import Path

import click

from asq_model.common.errors import InputError, shown
from asq_model.common.files import write_text
from asq_model.common.option_types import CHECKPOINT, OUTPUT_FILE, PAGE, Integer
from asq_model.common.progress import progress_bar
from asq_model.common.terminal import convert_markdown
from asq_model.spec.precision import Precision
from asq_model.studies.network_options import DATA, INTEGER_BITS, NOTE, read_or_train


@click.command(epilog="Example: asq-post parity --images 360")
@click.argument("checkpoints", type=CHECKPOINT, nargs=-1, metavar="[CKPT]...")
@DATA
@click.option("--images", type=Integer(1), default=1000, show_default=True, help="How many test images.")
@click.option(
    "--precision",
    type=INTEGER_BITS,
    multiple=True,
    help=f"Bits of the integers, 12-20; may be repeated.  [default: {Precision().bits}]",
)
@click.option("--out", type=PAGE, help="Write the page there too.")
@NOTE
def parity(
    checkpoints: tuple[Path, ...],
    data_folder: Path | None,
    images: int,
    precision: tuple[int, ...],
    out: Path | None,
    note: str,
) -> None:
    """Compare integer networks with torch.

    Runs the network of each CKPT in integers only, and compares every layer; without CKPT, the digits network.
    """
    from asq_model.common.records import write_record
    from asq_model.studies.integer_parity import measure_parity
    from asq_model.studies.integer_parity_page import PARITY, ParityReport, render_network, render_page

    precisions = [Precision(bits) for bits in precision or [Precision().bits]]
    networks, nodes = [], []
    for checkpoint, chosen in product(read_or_train(checkpoints, data_folder), precisions):
        with progress_bar(f"parity of {checkpoint.stem}") as bar:
            measured, differences = measure_parity(checkpoint, images, data_folder, chosen, bar)
        networks.append(measured)
        nodes.append(differences)
        click.echo(convert_markdown(render_network(measured, differences)))
    if out is not None:
        report: ParityReport = {"note": note, "networks": networks, "nodes": nodes}
        write_record(out.with_suffix(".json"), PARITY, report)
        write_text(out.with_suffix(".md"), render_page(report))


@click.command(epilog="Example: asq-post arithmetic --images 360")
@click.argument("checkpoints", type=CHECKPOINT, nargs=-1, metavar="[CKPT]...")
@DATA
@click.option("--images", type=Integer(1), help="How many test images.  [default: all]")
@click.option("--only", multiple=True, help="Only this arithmetic, by its name in the table; may be repeated.")
@click.option("--out", type=OUTPUT_FILE, help="Add the rows to this JSON, and write the page beside it.")
@click.option("--note", default="", help="A sentence about the data for the page.  [default: as before]")
def arithmetic(
    checkpoints: tuple[Path, ...],
    data_folder: Path | None,
    images: int | None,
    only: tuple[str, ...],
    out: Path | None,
    note: str,
) -> None:
    """Measure what rounding products costs.

    Runs the network of each CKPT with the products as hardware rounds them, and counts right answers; without CKPT,
    the digits network.
    """
    from asq_model.common.records import read_record, write_record
    from asq_model.common.result_schemas import ARITHMETIC
    from asq_model.studies.product_rounding import NAMES, measure_arithmetics
    from asq_model.studies.product_rounding_page import format_terminal_tables, merge_rows, render_page

    if out is not None and out.suffix == ".md":
        raise InputError(
            f"--out is {shown(str(out))}, where the page goes; allowed: a name for the rows, such as a.json"
        )
    for name in only:
        if name not in NAMES:
            raise InputError(f"--only is {name!r}; allowed: {', '.join(NAMES)}")
    known = read_record(out, ARITHMETIC) if out is not None and out.exists() else None
    checkpoints, rows = read_or_train(checkpoints, data_folder), []
    with progress_bar("arithmetics") as bar:
        for checkpoint in checkpoints:
            rows += measure_arithmetics(checkpoint, images, data_folder, only, bar)
            if out is not None:
                study = merge_rows(rows, known, note)
                write_record(out, ARITHMETIC, study)
                write_text(out.with_suffix(".md"), render_page(study, out.name))
    click.echo(format_terminal_tables(rows))


@click.command(epilog="Example: asq-post steps resnet8_uniform4_a4 resnet8_post4_a4 --data cifar10/")
@click.argument("checkpoints", type=CHECKPOINT, nargs=-1, metavar="[CKPT]...")
@DATA
@click.option("--images", type=Integer(1), default=512, show_default=True, help="How many test images.")
@click.option("--out", type=PAGE, help="Write the page there too.")
def steps(checkpoints: tuple[Path, ...], data_folder: Path | None, images: int, out: Path | None) -> None:
    """Compare where training left activations' steps.

    Shows each low-bit layer's step, and how much β varies over images; without CKPT, of the digits network.
    """
    from asq_model.common.records import write_record
    from asq_model.studies.step_sizes import measure_steps
    from asq_model.studies.step_sizes_page import STEPS, StepsReport, groups_of, render_page, render_steps_table

    networks = [measure_steps(path, images, data_folder) for path in read_or_train(checkpoints, data_folder)]
    report: StepsReport = {"networks": networks}
    for title, alike in groups_of(report):
        click.echo(f"{title}\n\n{convert_markdown(chr(10).join(render_steps_table(alike)))}\n")
    if out is not None:
        write_record(out.with_suffix(".json"), STEPS, report)
        write_text(out.with_suffix(".md"), render_page(report))


comparisons = [parity, arithmetic, steps]
