"""The results pages written anew from the records beside them: no figure on them can be typed. Free of torch."""

from collections.abc import Callable, Iterator
from pathlib import Path

from asq_model import arithmetic_page, bench_page, figures_page, parity_page, results
from asq_model.files import InputError, write_text
from asq_model.records import Kind, read_record
from asq_model.results_files import ARITHMETIC, BENCH, FIGURES_PAGE, STUDY
from asq_model.study import TABLES

# By the record's name: what it is, and how its page is made.
PAGES: dict[str, tuple[Kind, Callable[[dict], str]]] = {
    **{results.results_name(table): (STUDY, results.page) for table in TABLES},
    "arithmetic.json": (ARITHMETIC, lambda study: arithmetic_page.page(study, "arithmetic.json")),
    "parity.json": (parity_page.PARITY, parity_page.page),
    "figures.json": (FIGURES_PAGE, figures_page.page),
    "training-speed.json": (BENCH, bench_page.page),
}


def page_of(path: Path) -> str:
    """The page of a record. Raises InputError for one that cannot be used."""
    kind, page = PAGES[path.name]
    return page(read_record(path, kind))


def written(folder: Path) -> Iterator[Path]:
    """Write the page of every record in a folder; the pages' paths. Raises InputError if there is none."""
    found = [folder / name for name in PAGES if (folder / name).is_file()]
    if not found:
        raise InputError(f"{folder} has none of {', '.join(PAGES)}")
    for path in found:
        write_text(path.with_suffix(".md"), page_of(path))
        yield path.with_suffix(".md")
