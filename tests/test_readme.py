"""What the README shows runs as it stands there."""

import os
import re
import subprocess
import sys

from conftest import ROOT

from asq_model.spec.golden_vectors import read_golden, read_manifest
from sim.runner.bench_runner import Job, run_job
from sim.runner.network_units import block_specs

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_network_of_one_s_own_from_training_to_golden_vectors(tmp_path, build_root):
    section = README.split("## Your own network")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "build" / "golden" / "mine")
    assert manifest["accuracy"]["quantised_correct"] > 0.9 * manifest["accuracy"]["test_images"]
    layers = {layer.name: layer.entry["level_set"] for layer in read_golden(tmp_path / "build" / "golden" / "mine")}
    assert layers == {"0": "uniform8", "3": "post4", "7": "post4", "9": "uniform8"}
    blocks = block_specs(manifest)
    assert [spec.unit for spec in blocks].count("adapter-step") == 1
    for spec in blocks:
        outcome = run_job(Job(spec, tmp_path / "build" / "golden" / "mine"), build_root)
        assert outcome.passed, outcome.failures()


def test_the_commands_it_names_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`make ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
