import json

import pytest

from asq_model.golden import read_manifest
from sim.report import CYCLES_NOTE


@pytest.fixture(scope="module")
def root(build_root):
    return build_root


@pytest.mark.xdist_group("negative")
def test_run_reports_what_it_measured(command, small_golden, root):
    done = command("sim", "run", small_golden, "--root", root)
    assert done.returncode == 0, done.stderr
    report = json.loads((root / "report" / "sim.json").read_text())
    manifest = read_manifest(small_golden)
    assert report["passed"] and report["accuracy"] == manifest["accuracy"]
    assert len(report["benches"]) == 14 and all(bench["passed"] for bench in report["benches"])
    rows = {row["unit"]: row for row in report["throughput"]["low_bit_layers"]}
    assert list(rows) == ["post", "post-exact", "pot", "apot", "uniform", "serial"]
    inner = [layer for layer in manifest["layers"] if layer["weight_bits"] == 3]
    products = sum(layer["products"] for layer in inner)
    for row in rows.values():
        assert row["products"] == products >= 100_000
        assert row["cycles"] == row["interval"] * (products - len(inner)) + (row["latency"] + 1) * len(inner)
        assert row["input_stalls"] == row["output_stalls"] == 0
    assert rows["post"]["speedup_over_uniform"] == 1.0 and rows["serial"]["speedup_over_serial"] == 1.0
    assert rows["post"]["speedup_over_serial"] == pytest.approx(3, abs=0.01)
    text = (root / "report" / "throughput.md").read_text()
    assert CYCLES_NOTE in text and all(f"| {unit} " in text for unit in rows)
    assert "post_mac_w3a3" in done.stdout and "0 failed" in done.stdout
    adaptive = [maps["name"] for maps in manifest["maps"] if maps["adapter"] is not None]
    assert [row["layer"] for row in report["adaptation"]] == adaptive and len(adaptive) == 8
    for row in report["adaptation"]:
        assert row["rtl_betas"] == pytest.approx(row["torch_betas"], rel=1e-2)
        assert row["rtl_steps"] == pytest.approx(row["torch_steps"], rel=1e-2)
    assert all(row["adapted"] >= row["fixed"] == row["words"] for row in report["adapter_cycles"])
    assert (root / "report" / "beta.png").read_bytes().startswith(b"\x89PNG")

    again = command("sim", "run", small_golden, "--root", root)
    assert again.returncode == 0 and again.stderr.count("unchanged") == 14
    assert again.stdout == done.stdout


def test_golden_vectors_that_cannot_be_used(refused, small_golden, tmp_path):
    assert "cannot read golden manifest" in refused("sim", "run", tmp_path / "none")
    for path in small_golden.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "conv.npz").write_bytes(b"cut")
    assert "conv.npz was changed" in refused("sim", "run", tmp_path)


def test_an_unwritable_build_folder(command, small_golden, tmp_path):
    (tmp_path / "file").write_text("")
    done = command("sim", "run", small_golden, "--root", tmp_path / "file")
    assert done.returncode == 2 and done.stderr.strip().splitlines()[-1].startswith("error: cannot ")


@pytest.mark.parametrize("missing, said", [("c++", "a C++ compiler is needed"), ("make", "make is needed")])
def test_a_missing_tool_is_named_at_once(missing, said, refused, tmp_path):
    for tool in {"c++", "make", "perl"} - {missing}:
        (tmp_path / tool).write_text("#!/bin/sh\n")
        (tmp_path / tool).chmod(0o755)
    assert said in refused("sim", "tools", PATH=str(tmp_path))
