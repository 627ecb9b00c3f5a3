"""Tables in Markdown: as they stand in a page, and lined up for a terminal."""

from asq_model.common.markdown import format_markdown_table, format_table_lines


def test_a_table_of_cells():
    lines = format_table_lines(("name", "bits", ""), [["post", 4, 1.0], ["pot", 3, ""]], "lrl")
    assert lines == ["| name | bits | |", "|---|---:|---|", "| post | 4 | 1.000 |", "| pot | 3 | |"]


def test_columns_line_up():
    rows = [{"name": "post", "luts": 2025}, {"name": "uniform"}]
    assert format_markdown_table(rows, (("name", "unit"), ("luts", "LUTs"))).splitlines() == [
        "| unit    | LUTs |",
        "| ------- | ---: |",
        "| post    | 2025 |",
        "| uniform |      |",
    ]
