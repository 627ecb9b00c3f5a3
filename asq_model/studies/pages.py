"""Write the results pages anew from the records beside them: no figure on them can be typed. Free of torch."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from asq_model.common.errors import InputError
from asq_model.common.files import write_text
from asq_model.common.measured_blocks import write_block
from asq_model.common.records import Schema, read_record, write_record
from asq_model.common.result_schemas import ARITHMETIC, BENCH, STUDY
from asq_model.common.zoo import NETWORKS, RECORD, read_zoo
from asq_model.studies import (
    cifar10_page,
    integer_parity_page,
    logged_runs_page,
    paper_figures_page,
    product_rounding_page,
    step_sizes_page,
    tables_page,
    training_cost_page,
    zoo_table,
)
from asq_model.studies.figure_records import FIGURES_PAGE
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.trained_out import findings as trained_out_findings
from asq_model.studies.trained_out import page as trained_out_page
from asq_model.studies.trained_out.record import TRAINED_OUT

FIGURES = ("", "-resnet20")  # ends of the names of pages with the paper's figures
RECORDS = logged_runs_page.TRAINED_OUT_RECORDS  # README has a column of each

# By the record's name: what it is, and how its page is made.
PAGES: dict[str, tuple[Schema[Any], Callable[[Any], str]]] = {
    **{tables_page.results_name(table): (STUDY, tables_page.render_page) for table in TABLES},
    "arithmetic.json": (ARITHMETIC, lambda study: product_rounding_page.render_page(study, "arithmetic.json")),
    "parity.json": (integer_parity_page.PARITY, integer_parity_page.render_page),
    "steps.json": (step_sizes_page.STEPS, step_sizes_page.render_page),
    **{
        f"figures{suffix}.json": (FIGURES_PAGE, partial(paper_figures_page.render_page, suffix=suffix))
        for suffix in FIGURES
    },
    "training-speed.json": (BENCH, training_cost_page.render_page),
    **{name: (TRAINED_OUT, partial(trained_out_page.render_page, name=name)) for name in RECORDS},
}


def render_record(path: Path) -> str:
    """Make the page of a record; Tables 4 and 5 are judged by the networks trained out whose records lie beside it.

    Raises InputError for a record that cannot be used.
    """
    schema, page = PAGES[path.name]
    content, beside = read_record(path, schema), [path.with_name(name) for name in reversed(RECORDS)]
    if path.name == tables_page.results_name(cifar10_page.TABLE) and all(other.is_file() for other in beside):
        return cifar10_page.render_page(content, {other.name: read_record(other, TRAINED_OUT) for other in beside})
    return page(content)


def draw_again(path: Path, suffix: str) -> list[Path]:
    """Draw a page's figures anew, if there is a record that has what was measured for them; return their paths."""
    if not path.is_file() or "plots" not in (report := read_record(path, FIGURES_PAGE)):
        return []
    from asq_model.studies.paper_figures import write_pictures

    return write_pictures(report, path.parent, suffix)


def write_training_pages(folder: Path) -> Iterator[Path]:
    """Write the page of every record in a folder; yield the pages' paths. Raises InputError if there is none."""
    records = [folder / name for name in PAGES if (folder / name).is_file()]
    if not records:
        raise InputError(f"{folder} has none of {', '.join(PAGES)}")
    for path in records:
        write_text(path.with_suffix(".md"), render_record(path))
        yield path.with_suffix(".md")
    for suffix in FIGURES:
        yield from draw_again(folder / f"figures{suffix}.json", suffix)
    logs = logged_runs_page.read_logs(folder)
    if logs:
        write_text(folder / logged_runs_page.PAGE, logged_runs_page.render_page(logs))
        yield folder / logged_runs_page.PAGE
    readme, studies = folder.absolute().parent.parent / "README.md", [folder / name for name in RECORDS]
    if readme.is_file() and all(path.is_file() for path in studies):
        text = trained_out_findings.render_findings(*(read_record(path, TRAINED_OUT) for path in studies))
        write_block(readme, trained_out_findings.BLOCK, text)
        yield readme
    guide = folder.absolute().parent / "training.md"
    if guide.is_file():
        write_record(RECORD, NETWORKS, zoo_table.describe_zoo())
        write_block(guide, zoo_table.BLOCK, "\n".join([*zoo_table.render_zoo_table(read_zoo()), ""]))
        yield guide
