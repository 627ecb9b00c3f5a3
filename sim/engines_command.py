"""The command that measures engines with other products side by side."""

from pathlib import Path

import click

from asq_model.common.errors import InputError
from asq_model.common.files import write_text
from asq_model.common.option_types import PAGE, PATH, Integer
from asq_model.common.progress import progress_bar
from asq_model.common.records import read_record, write_record
from hw.engine.choose_products import ProductOptions
from hw.engine.presets import find_device_preset, presets
from hw.engine_options import check_engine, product_options
from sim.engine.bitstream import FLOWS
from sim.engine.engines_page import render_page
from sim.engine.engines_report import ENGINES, join_rows
from sim.engine.measure_row import EngineTask, check_tasks, measure_row
from sim.hardware_options import MOST_PLACINGS, ROOT

PLACINGS = Integer(0, MOST_PLACINGS)


@click.command(epilog="Example: asq-post engines build/graph/resnet8_post4_a4 --preset zynq7020")
@click.argument("graphs", nargs=-1, required=True, type=PATH, metavar="GRAPH...")
@click.option("--preset", default="zynq7020", show_default=True, help="Engine; one that is for a device.")
@click.option("--images", type=Integer(0), default=2, show_default=True, help="Images to simulate with each; 0: none.")
@click.option("--placings", type=PLACINGS, default=0, show_default=True, help="Placings of each whole engine; 0: none.")
@product_options
@click.option("--onto", type=PATH, help="Record of an earlier report: its rows stay where they are not measured anew.")
@click.option("--out", type=PAGE, default=Path("build/report/engines.md"), show_default=True, help="Page.")
@ROOT
def engines(
    graphs: tuple[Path, ...],
    preset: str,
    images: int,
    placings: int,
    onto: Path | None,
    out: Path,
    root: Path,
    products: ProductOptions,
) -> None:
    """Compare engines with other products.

    Compiles the network of each GRAPH, folders that `asq-post graph` wrote, for an engine with products of its own
    levels, or those given, simulates some of its images, counts the engine's cells, counts how many of the folder's
    images the network gets right, and writes a page. With --placings each engine is placed on the preset's device.
    """
    check_engine(preset, products)
    chosen = find_device_preset(preset)
    if placings and chosen.family not in FLOWS:
        allowed = ", ".join(name for name, each in presets().items() if each.family in FLOWS)
        raise InputError(f"--placings is {placings}, but open tools do not place --preset {preset}; allowed: {allowed}")
    earlier = read_record(onto, ENGINES) if onto else None
    tasks = [EngineTask(folder, preset, products, images, placings) for folder in graphs]
    check_tasks(tasks)
    rows = []
    with progress_bar("engines") as bar:
        bar.expect(len(tasks))
        for task in tasks:
            rows.append(measure_row(task, root))
            bar.advance()
    report = join_rows(earlier, rows)
    write_record(out.with_suffix(".json"), ENGINES, report)
    write_text(out, render_page(report))
    click.echo(out)
