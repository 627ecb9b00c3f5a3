"""The wheel works where the clone is not: Verilog, a simulation on the golden vectors that it brings, a report."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from conftest import ROOT

from asq_model.common.zoo import read_zoo


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Path of `asq-post` in an environment that has the wheel; what it needs is taken from the tests' environment."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, source], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, source], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    (packages,) = (folder / "env" / "lib").glob("python3.*/site-packages")
    prefix = ["--no-deps", "--prefix", folder / "env", "--ignore-installed"]
    subprocess.run([*pip, "install", *prefix, wheel], check=True)
    # A path in a .pth file is searched last, and the editable install's own .pth there is not read.
    (packages / "needs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for tool in Path(sysconfig.get_path("scripts")).glob("yowasp-*"):  # tools are looked for beside Python
        (folder / "env" / "bin" / tool.name).symlink_to(tool)
    script = folder / "env" / "bin" / "asq-post"
    text = script.read_text().replace(sys.executable, str(folder / "env" / "bin" / "python"))
    script.write_text(text)
    return script


@pytest.fixture
def asq_post(installed, tmp_path):
    """Run `asq-post …` in an empty folder; returns the finished process."""

    def run(*words):
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
        command = [installed, *map(str, words)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)

    return run


@pytest.mark.xdist_group("wheel")
def test_the_wheel_writes_verilog(asq_post, installed, tmp_path):
    done = asq_post("verilog", "--bits", 3)
    assert done.returncode == 0 and done.stdout.split()[0] == "build/verilog/post_mac_w3a3.v", done.stderr
    assert (tmp_path / "build" / "verilog" / "post_mac_w3a3.json").is_file()
    where = [installed.with_name("python"), "-c", "import hw, sim, asq_model; print(hw.__file__, sim.__file__)"]
    said = subprocess.run(where, cwd=tmp_path, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}).stdout
    assert all(str(installed.parents[1]) in path for path in said.split()), said


@pytest.mark.xdist_group("wheel")
def test_the_wheel_brings_the_zoo(asq_post, tmp_path):
    assert "resnet8_post4_a4 " in asq_post("zoo", "list").stdout
    copy = asq_post("zoo", "get", "resnet8_post4_a4").stdout.strip()
    assert (tmp_path / copy).stat().st_size == read_zoo()["resnet8_post4_a4"]["bytes"]


@pytest.mark.exhaustive
@pytest.mark.xdist_group("wheel")
def test_the_wheel_simulates_its_own_golden_vectors(asq_post, tmp_path):
    done = asq_post("sim")
    assert done.returncode == 0, done.stderr
    assert re.search(r"post_mac_w3a3 +passed", done.stdout), done.stdout
    assert (tmp_path / "build" / "report" / "digits_post3_a3_seed0" / "throughput.md").is_file()


@pytest.mark.exhaustive
@pytest.mark.xdist_group("wheel")
def test_the_wheel_measures_and_reports(asq_post, tmp_path):
    done = asq_post("report", "--plan", "array8x8:3x3", "--targets", "xc7")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "build" / "report" / "hardware.md").read_text(encoding="utf-8")
    assert "not measured" in page, "a report of one form claims nothing about the others"
