"""Measuring designs: every row behind its bench, failures apart, nothing measured twice."""

import csv
from shutil import copytree

import pytest

from asq_model.common.errors import InputError
from asq_model.common.records import read_record, write_record
from asq_model.spec.array import ArraySpec
from asq_model.spec.mac import MacSpec
from hw.emit import emit
from sim.explore import measure_design, sweep
from sim.explore.design import products_per_cycle
from sim.explore.design_rows import ROW, TABLE, Failure, Measured, failure_of, row_of
from sim.explore.measure_design import Task, compute_relative_error, find_golden_for, hash_inputs, measure
from sim.measure.yosys_area import Area

# One worker: the first run of each tool compiles it.
pytestmark = pytest.mark.xdist_group("accepted")
SPEC = MacSpec("post", 3, 3, frac=-1)


@pytest.mark.exhaustive
def test_a_row_is_reproducible_to_the_lut_from_a_clean_cache(few_golden, build_root, tmp_path):
    """Without placings, and so without a clock: twice, in the folder of all tests and in an empty one."""
    roots = build_root, tmp_path
    rows = [measure(Task(SPEC, "ecp5", (few_golden,), placings=0), root) for root in roots]
    assert rows[0] == rows[1] and rows[0].luts > 20 and rows[0].checked > 500
    assert rows[0].mhz is None and rows[0].per_lut is None
    assert 0.005 < rows[0].relative_error < 0.2


def test_a_wrong_unit_gets_no_row(few_golden, tmp_path, monkeypatch):
    """Another unit's Verilog under its name: smaller, and wrong."""
    other, _ = emit(MacSpec("pot", 3, 3, frac=0), tmp_path)
    text = other.read_text().replace("pot_mac_w3a3", SPEC.name)

    def forged(spec, folder, contents=None):
        path = folder / f"{spec.name}.v"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path, path

    monkeypatch.setattr("sim.workspace.emit", forged)
    row = sweep.attempt(Task(SPEC, "xc7", (few_golden,)), tmp_path / "build")
    assert isinstance(row, Failure) and f"{SPEC.name} fails its bench and gets no figures" in row.error


def test_a_fault_of_ours_is_one_line_too(few_golden, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "measure", lambda *words: 1 / 0)
    assert sweep.attempt(Task(SPEC, "xc7", (few_golden,)), tmp_path).error == "ZeroDivisionError: division by zero"


def test_golden_vectors_are_found_by_width(few_golden, tmp_path):
    assert find_golden_for(SPEC, (few_golden,)) == few_golden
    with pytest.raises(InputError, match="has layers of 5 x 4 bits"):
        find_golden_for(MacSpec("post", 5, 4), (few_golden,))
    other = copytree(few_golden, tmp_path / "other")
    alone, beside = (hash_inputs([Task(SPEC, "xc7", folders)]) for folders in ((few_golden,), (few_golden, other)))
    assert alone == beside  # what a task does not use does not change what it depends on
    with pytest.raises(InputError, match=r"cannot read golden manifest .*none/manifest\.json"):
        hash_inputs([Task(SPEC, "xc7", (tmp_path / "none",))])


def test_exact_units_have_no_error(few_golden):
    assert compute_relative_error(MacSpec("uniform", 3, 3), few_golden) == 0
    coarse, fine = (compute_relative_error(MacSpec("post", 3, 3, frac=frac), few_golden) for frac in (-1, 4))
    assert coarse > 8 * fine > 0


def test_what_a_hash_depends_on(few_golden, monkeypatch):
    tasks = [
        Task(SPEC, "xc7", (few_golden,)),
        Task(SPEC, "ecp5", (few_golden,)),
        Task(SPEC, "xc7", (few_golden,), 2),
    ]
    found = hash_inputs(tasks)
    assert len(set(found)) == 3 and hash_inputs(tasks) == found
    monkeypatch.setattr(measure_design, "find_verilator", lambda: "Verilator 9.999")  # another one on PATH
    assert not set(hash_inputs(tasks)) & set(found)


def test_kept_rows_are_not_measured_again_and_failures_do_not_stay(few_golden, tmp_path, monkeypatch):
    tasks = [Task(SPEC, "xc7", (few_golden,)), Task(MacSpec("pot", 3, 3), "xc7", (few_golden,))]
    asked = []

    def fake(missing, root, bar, scheduler):
        asked.append(len(missing))
        rows = {}
        for path, task in missing.items():
            about = measure_design.describe_task(task)
            if task.design is SPEC:
                area = {name: 1 for name in Area.__struct_fields__}
                rows[path] = row_of(about, checked=1, relative_error=0.0, per_lut=0.1, **area)
                write_record(path, ROW, rows[path], path.stem)
            else:
                rows[path] = failure_of(about, "no")
        return rows

    monkeypatch.setattr(sweep, "measure_missing", fake)
    for _ in range(2):
        found = sweep.sweep(tasks, tmp_path)
        assert (len(found.rows), len(found.failures)) == (1, 1)
    assert asked == [2, 1]
    (path,) = (tmp_path / "rows").iterdir()
    whole = path.read_text()
    for damage in (('"luts": 1', '"luts": 2'), ('"luts"', '"lutz"'), ("}", "")):
        path.write_text(whole.replace(*damage))
        sweep.sweep(tasks, tmp_path)
        assert asked.pop() == 2, f"a row with {damage[1]} was believed"
    path.rename(path.with_name(f"{'0' * 64}.json"))
    sweep.sweep(tasks, tmp_path)
    assert asked.pop() == 2
    found = sweep.sweep(tasks, tmp_path, known_only=True)
    assert not found.failures and [row.name for row in found.left_out] == ["pot_mac_w3a3"]


def test_recommend_on_a_mixed_table_answers_or_refuses_in_one_line(command, refused, tmp_path):
    """Rows with and without LUTs and clocks, of other forms, targets and widths."""
    area = {name: 1 for name in Area.__struct_fields__}

    def row(design, target, dsp=False, **figures):
        about = measure_design.describe_task(Task(design, target, (), dsp=dsp))
        return row_of(about, **{"checked": 1, "relative_error": 0.0} | figures)

    def placed(design, luts, mhz, **more):
        clock = {"mhz": mhz, "mhz_median": mhz, "per_lut": mhz * products_per_cycle(design) / luts}
        return row(design, "ecp5", **area | {"luts": luts} | clock | more)

    best, slower = MacSpec("post", 4, 4, frac=0), MacSpec("uniform", 4, 4)
    rows = [
        row(MacSpec("pot", 4, 4), "ecp5", **area | {"luts": 20}),
        placed(MacSpec("post", 4, 3, frac=0), 10, 90.0),
        placed(best, 40, 100.0, relative_error=0.01),
        placed(slower, 41, 98.0),
        placed(slower, 9, 270.0, dsp=True),
        row(slower, "asic", gates=500.0),
        placed(ArraySpec(slower, 8, 8), 900, 100.0),
    ]
    table = tmp_path / "table.json"
    asked = "sim", "recommend", "--table", table, "--target", "ecp5"
    for given in (rows, rows[::-1]):
        write_record(table, TABLE, Measured(rows=given, failures=[]))
        assert command(*asked).stdout == f"{best.name}: 40 LUTs, 100 MHz, error 1.00% of the results' rms\n"
    assert command(*asked, "--error", "0").stdout.startswith(f"{slower.name}: 41 LUTs")
    assert command(*asked, "--abits", "3").stdout.startswith("post_mac_w4a3_f0: 10 LUTs")
    assert command(*asked, "--form", "array8x8").stdout.startswith("uniform_array8x8_w4a4: 900 LUTs")
    assert "that can be compared has --target asic, --bits 4, --abits 4" in refused(*asked[:4], "--target", "asic")
    assert "--bits 3, --abits 3" in refused(*asked, "--bits", "3")


def test_the_commands(command, refused, few_golden, build_root, tmp_path):
    """A sweep on Dask with one design that fails, its table, and what it recommends."""
    grid = ["--bits", "3", "--units", "uniform", "--targets", "ice40"]  # whose bench runs in tests/sim/test_cli.py, too
    where = ["--root", build_root, "--out", tmp_path]
    done = command("sim", "sweep", few_golden, *grid, *where, "--abits", "3,5")
    assert done.returncode == 0, done.stderr
    assert "failed: uniform_mac_w3a5 ice40: none of the golden vectors" in done.stderr
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["uniform_mac_w3a3"]
    table = read_record(tmp_path / "table.json", TABLE)
    assert [row.name for row in table.rows] == [row["name"] for row in rows] and len(table.failures) == 1
    assert "#1f2328" in (tmp_path / "error.svg").read_text()
    again = command("sim", "sweep", few_golden, *grid, *where)
    assert "measuring" not in again.stderr
    table = ["--table", tmp_path / "table.json"]
    best = command("sim", "recommend", "--target", "ice40", "--bits", "3", "--error", "0", *table)
    assert best.stdout.startswith("uniform_mac_w3a3: ")
    assert "no mac of" in refused("sim", "recommend", "--target", "xc7", *table)
    assert "`make sweep` writes it" in refused("sim", "recommend", "--table", tmp_path / "none.json")
    assert "--units has 'x'; allowed: post," in refused("sim", "sweep", few_golden, "--units", "x")
    assert "--bits is a; allowed: integers from 2 to 8" in refused("sim", "sweep", few_golden, "--bits", "a")
    assert "--widths is 3; allowed" in refused("sim", "synth", few_golden, "--widths", "3")
    assert "--targets has 'energy'" in refused("sim", "synth", few_golden, "--targets", "energy")
    scheduler = ["--scheduler", "tcp://127.0.0.1:9"]
    message = refused("sim", "sweep", few_golden, *grid, "--root", tmp_path, "--out", tmp_path, *scheduler)
    assert "--scheduler is tcp://127.0.0.1:9, where no Dask scheduler answers" in message
