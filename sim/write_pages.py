"""Writing the pages on hardware of a folder of results anew, each from the record that lies beside it."""

from pathlib import Path

from asq_model.common.errors import InputError
from asq_model.common.files import write_text
from asq_model.common.measured_blocks import write_block
from asq_model.common.records import read_record
from hw.engine.schedule_record import SCHEDULE
from sim.engine import engines_findings
from sim.engine.draw_path import draw_path
from sim.engine.draw_schedule import draw_schedule
from sim.engine.engines_page import render_page as render_engines
from sim.engine.engines_report import ENGINES
from sim.explore.design_rows import REPORT
from sim.reports import adaptation_page, headline
from sim.reports.hardware_report import write_page
from sim.unrolled.page import render_page as render_unrolled
from sim.unrolled.report import UNROLLED

SCHEDULE_FILE = "engine-schedule.json"


def write_pages(results: Path) -> list[Path]:
    """Write every page, and README's sentences, of which there is a record in a folder; return what was written.

    README is that of the project whose `docs/results` the folder is: the one beside the folder's parent, if there is
    one. Raises InputError for a folder without records, and for a record that was changed.
    """
    readme = results.absolute().parent.parent / "README.md"
    sentences: dict[str, str] = {}  # of README, by the block that they stand in
    written = [
        *write_unrolled(results),
        *write_hardware(results, sentences),
        *write_engines(results, sentences),
        *write_adaptation(results),
        *draw_engine(results),
    ]
    if not written:
        names = "hardware.json, engines.json, unrolled.json, asq.json"
        raise InputError(f"{results} has none of {names}, {SCHEDULE_FILE}")
    if readme.is_file() and sentences:
        for name, text in sentences.items():
            write_block(readme, name, text)
        written.append(readme)
    return written


def write_unrolled(results: Path) -> list[Path]:
    """Write the page on layers as adders; nothing without a record."""
    record = results / "unrolled.json"
    if not record.is_file():
        return []
    write_text(record.with_suffix(".md"), render_unrolled(read_record(record, UNROLLED)))
    return [record.with_suffix(".md")]


def write_hardware(results: Path, sentences: dict[str, str]) -> list[Path]:
    """Write the page on designs, and add what README says of them to `sentences`; nothing without a record."""
    record = results / "hardware.json"
    if not record.is_file():
        return []
    report = read_record(record, REPORT)
    sentences[headline.BLOCK] = headline.render_findings(report.rows)
    return [write_page(report, results, record.with_suffix(".md"))]


def write_engines(results: Path, sentences: dict[str, str]) -> list[Path]:
    """Write the page on engines, and add what README says of them to `sentences`; nothing without a record."""
    record = results / "engines.json"
    if not record.is_file():
        return []
    report = read_record(record, ENGINES)
    write_text(record.with_suffix(".md"), render_engines(report))
    sentences[engines_findings.BLOCK] = engines_findings.render_findings(report)
    return [record.with_suffix(".md")]


def write_adaptation(results: Path) -> list[Path]:
    """Write the page on what adaptation costs, of each network that has a record."""
    records = sorted(results.glob("asq*.json"))
    for record in records:
        picture = f"{record.stem}-beta.png"
        write_text(
            record.with_suffix(".md"), adaptation_page.render_page(read_record(record, adaptation_page.ASQ), picture)
        )
    return [record.with_suffix(".md") for record in records]


def draw_engine(results: Path) -> list[Path]:
    """Draw the engine, and its schedule from the record; nothing without one."""
    record = results / SCHEDULE_FILE
    if not record.is_file():
        return []
    drawings = {"engine-path.svg": draw_path(), "engine-schedule.svg": draw_schedule(read_record(record, SCHEDULE))}
    for name, drawing in drawings.items():
        write_text(results / name, drawing)
    return [results / name for name in drawings]
