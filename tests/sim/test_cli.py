import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from conftest import refusal

from asq_model.common.files import read_json
from asq_model.spec.golden_vectors import read_manifest, write_manifest
from asq_model.spec.mac import MacSpec
from sim.reports.simulation import CYCLES_NOTE, write_reports
from sim.runner import bench_runner
from sim.runner.bench_runner import run_job
from sim.runner.jobs import Job, Outcome
from sim.workspace import Workspace


@pytest.fixture(scope="module")
def root(build_root):
    return build_root


@pytest.fixture(params=["few", pytest.param("all", marks=pytest.mark.exhaustive)])
def golden(request, few_golden, small_golden):
    """The golden vectors of a few layers or of all."""
    return few_golden if request.param == "few" else small_golden


@pytest.mark.xdist_group("negative")
def test_run_reports_what_it_measured(command, golden, root):
    done = command("sim", "run", golden, "--root", root)
    assert done.returncode == 0, done.stderr
    few = golden.name == "few"
    folder, benches = root / "report" / golden.name, 11 if few else 14
    report = json.loads((folder / "sim.json").read_text())
    manifest = read_manifest(golden)
    assert report["passed"] and report["accuracy"] == manifest["accuracy"]
    assert len(report["benches"]) == benches and all(bench["passed"] for bench in report["benches"])
    low_bit, outer = report["throughput"]
    assert (low_bit["weight_bits"], outer["weight_bits"]) == (3, 8) and len(outer["rows"]) == (1 if few else 2)
    rows = {row["unit"]: row for row in low_bit["rows"]}
    assert list(rows) == ["post", "post-exact", *(() if few else ("pot", "apot")), "uniform", "serial"]
    inner = [layer for layer in manifest["layers"] if layer["weight_bits"] == 3]
    products = sum(layer["products"] for layer in inner)
    for row in rows.values():
        assert row["products"] == products >= (5_000 if few else 100_000)
        assert row["cycles"] == row["interval"] * (products - len(inner)) + (row["latency"] + 1) * len(inner)
        assert row["input_stalls"] == row["output_stalls"] == 0
    assert rows["post"]["speedup_over_uniform"] == 1.0 and rows["serial"]["speedup_over_serial"] == 1.0
    assert rows["post"]["speedup_over_serial"] == pytest.approx(3, abs=0.01)
    text = (folder / "throughput.md").read_text()
    assert CYCLES_NOTE in text and all(f"| {row['module']} " in text for row in rows.values())
    *shown, written = done.stdout.splitlines()
    assert sum(" passed " in line for line in shown) == benches and "FAILED" not in done.stdout
    assert written == f"Written to {folder}: sim.json, throughput.json, throughput.md, beta.png"
    assert max(map(len, shown)) <= 80 and "\x1b" not in done.stdout + done.stderr
    assert any(line.startswith("post_mac_w3a3 ") for line in shown)
    adaptive = [maps["name"] for maps in manifest["maps"] if maps["adapter"] is not None]
    assert [row["layer"] for row in report["adaptation"]] == adaptive and len(adaptive) >= 2
    for row in report["adaptation"]:
        # The integer layers before may give other codes than torch's, which move the β of single images.
        for rtl, torch in (("rtl_betas", "torch_betas"), ("rtl_steps", "torch_steps")):
            ratios = np.divide(row[rtl], row[torch])
            assert np.median(np.abs(ratios - 1)) < 1e-4 and np.abs(ratios - 1).max() < 0.1
    assert all(row["adapted"] >= row["fixed"] == row["words"] for row in report["adapter_cycles"])
    assert (folder / "beta.png").read_bytes().startswith(b"\x89PNG")

    again = command("sim", "run", golden, "--root", root)
    assert again.returncode == 0 and again.stderr.count("unchanged") == benches
    assert again.stdout == done.stdout


@pytest.mark.xdist_group("negative")
def test_two_networks_in_turn_reuse_the_simulations_of_shared_units(few_golden, build_root, tmp_path):
    """Another network's vectors for the same unit: its outcome is kept beside the first's, its report too."""
    other = tmp_path / "other"
    shutil.copytree(few_golden, other)
    write_manifest(other, read_manifest(other) | {"network": "other"})
    job = Job(MacSpec("uniform", 8, 8), few_golden, ("golden",))
    for golden in (few_golden, other):
        assert run_job(replace(job, golden=golden), build_root).passed
    assert all(run_job(replace(job, golden=golden), build_root).cached for golden in (few_golden, other) * 2)
    assert Workspace(build_root).report(few_golden) != Workspace(build_root).report(other)


@pytest.mark.xdist_group("negative")
def test_an_outcome_is_of_one_version_of_cocotb(few_golden, build_root, monkeypatch):
    job = Job(MacSpec("uniform", 8, 8), few_golden, ("golden",))
    assert run_job(job, build_root).passed and run_job(job, build_root).cached
    monkeypatch.setattr(bench_runner, "version", lambda name: "9.9")
    assert not run_job(job, build_root).cached


def test_a_report_after_a_failure_has_nothing_of_an_earlier_run(tmp_path):
    """A bench fails: what an earlier run wrote of cycles is gone, and the report says that it did not pass."""
    for name in ("throughput.md", "throughput.json", "beta.png", "notes.txt"):
        (tmp_path / name).write_text("of an earlier run")
    spec = MacSpec("post", 3, 3)
    failed = Outcome(Job(spec), {"golden": "wrong results"}, {}, cached=False)
    manifest = {"network": "mine", "layers": [], "checkpoint_digest": "", "accuracy": {}, "maps": []}
    assert write_reports(tmp_path, manifest, tmp_path, [failed], []) == ["sim.json"]
    assert {path.name for path in tmp_path.iterdir()} == {"sim.json", "notes.txt"}
    assert read_json(tmp_path / "sim.json", "report")["passed"] is False


def test_golden_vectors_that_cannot_be_used(refused, few_golden, tmp_path):
    assert "manifest.json: no such folder; `asq-post export` writes one" in refused("sim", "run", tmp_path / "none")
    for path in few_golden.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "fc.npz").write_bytes(b"cut")
    assert "fc.npz was changed" in refused("sim", "run", tmp_path)
    assert "fc.npz was changed" in refused("sim", "asq", tmp_path, "--root", tmp_path / "build")
    assert not (tmp_path / "build").exists()


def test_an_unwritable_build_folder(command, few_golden, tmp_path):
    (tmp_path / "file").write_text("")
    done = command("sim", "run", few_golden, "--root", tmp_path / "file")
    assert done.returncode == 2 and done.stderr.strip().splitlines()[-1].startswith("error: --root is ")


@pytest.mark.parametrize("missing, said", [("c++", "a C++ compiler is needed"), ("make", "make is needed")])
def test_a_missing_tool_is_named_at_once(missing, said, process, tmp_path):
    for tool in {"c++", "make", "perl"} - {missing}:
        (tmp_path / tool).write_text("#!/bin/sh\n")
        (tmp_path / tool).chmod(0o755)
    assert said in refusal(process("sim", "tools", PATH=str(tmp_path)))
