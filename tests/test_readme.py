"""What README and the guides show runs as it stands there; what README says was measured comes from the rows."""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module

import numpy as np
import pytest
from conftest import ROOT
from printed_samples import (
    differences,
    hide_what_a_part_of_the_network_gives,
    hide_what_training_gives,
    parts_of,
    shown_in,
)

from asq_model.common.errors import InputError
from asq_model.common.measured_blocks import mark_block, write_block
from asq_model.common.records import read_record
from asq_model.spec.golden_manifest import spec_of
from asq_model.spec.golden_vectors import read_golden, read_manifest
from asq_model.studies.pages import RECORDS
from asq_model.studies.trained_out import findings as trained_out_findings
from asq_model.studies.trained_out.record import TRAINED_OUT
from sim.asq_post import cli as asq_post
from sim.engine import engines_findings
from sim.engine.engines_report import ENGINES
from sim.explore.design_rows import REPORT
from sim.reports.headline import BLOCK, render_findings
from sim.runner.bench_runner import run_job
from sim.runner.jobs import Job
from sim.runner.network_units import make_block_specs

README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}


def run_example(text, folder):
    """Run a page's first Python example in a folder, and the one that goes on with `compare_network`.

    Returns the manifest of golden vectors, and what was printed.
    """
    first, *others = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    seeded = "import torch; torch.manual_seed(0)\n"  # of some untrained networks an image's class is a tie
    code = seeded + first + "".join(other for other in others if "compare_network" in other)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return read_manifest(folder / "build" / "golden" / "mine"), done.stdout


def test_readme_s_network_is_exported(tmp_path):
    manifest, printed = run_example(README, tmp_path)
    assert "the same class: 360 (100.00%)" in printed
    assert [layer["name"] for layer in manifest["layers"]] == ["0", "2", "5", "7"]


@pytest.mark.exhaustive
def test_the_guide_s_network_becomes_onnx_and_qonnx_and_comes_back(tmp_path):
    """The guide's examples run with quantisers that QONNX has nodes for; ASQ is refused there, as the guide says."""
    first, *others = re.findall(r"```python\n(.*?)```", GUIDES["own-network.md"], re.DOTALL)
    words = {'weights="post"': 'weights="uniform"', 'activations="asq"': 'activations="lsq"', "range(8)": "range(1)"}
    words |= {"network.onnx": "mine.qonnx.onnx"}
    code = first + "".join(other for other in others if re.search("export_onnx|export_qonnx|import_qonnx", other))
    for word, instead in words.items():
        assert code.count(word) == 1
        code = code.replace(word, instead)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.glob("*.onnx")} == {"mine.onnx", "mine.qonnx.onnx"}


def test_readme_is_short_enough_to_be_read():
    assert len(README.encode()) <= 4800


def test_what_readme_says_was_found_comes_from_the_rows():
    rows = read_record(ROOT / "docs" / "results" / "hardware.json", REPORT).rows
    assert mark_block(BLOCK, render_findings(rows)) in README
    studies = (read_record(ROOT / "docs" / "results" / name, TRAINED_OUT) for name in RECORDS)
    assert mark_block(trained_out_findings.BLOCK, trained_out_findings.render_findings(*studies)) in README
    engines = read_record(ROOT / "docs" / "results" / "engines.json", ENGINES)
    assert mark_block(engines_findings.BLOCK, engines_findings.render_findings(engines)) in README
    fewer = [row for row in rows if (row.form, row.target) != ("array8x8", "ecp5")]
    assert "not measured" in render_findings(fewer) and render_findings(fewer) != render_findings(rows)
    assert render_findings([]) == "POST's products a second and LUT beside uniform's: not measured.\n"


@pytest.fixture(scope="module")
def own_network(tmp_path_factory):
    """The folder in which the guide's example ran, the manifest that it wrote, and what it printed."""
    folder = tmp_path_factory.mktemp("own")
    return folder, *run_example(GUIDES["own-network.md"], folder)


@pytest.mark.exhaustive  # README's shorter example takes the same way
def test_a_network_of_one_s_own_from_training_to_golden_vectors(own_network):
    folder, manifest, printed = own_network
    assert re.search(r"the same class: (360|35\d) ", printed) and "(360, 10, 1, 1)" in printed
    assert manifest["accuracy"]["quantised_correct"] > 0.9 * manifest["accuracy"]["test_images"]
    layers = {layer.name: layer.entry["level_set"] for layer in read_golden(folder / "build" / "golden" / "mine")}
    assert layers == {"0": "uniform8", "3": "post4", "7": "post4", "9": "uniform8"}


@pytest.mark.exhaustive
def test_the_blocks_of_a_network_of_one_s_own_are_simulated(own_network, build_root):
    folder, manifest, _ = own_network
    blocks = make_block_specs(manifest)
    assert [spec.unit for spec in blocks].count("adapter-step") == [spec.unit for spec in blocks].count("rescale") == 1
    for spec in blocks:
        outcome = run_job(Job(spec, folder / "build" / "golden" / "mine"), build_root)
        assert outcome.passed, outcome.failures()


SAMPLE = shown_in(GUIDES["simulation.md"], "Network: ")  # what `make sim` prints
README_SAMPLE = shown_in(README, "Cycles of ")  # a few rows of it


def cycle_rows(golden):
    """The rows that a network's golden vectors make of each table of cycles, by the specification's formulas."""
    cycles, products, specs = Counter(), Counter(), {}
    for layer in read_manifest(golden)["layers"]:
        for name, unit in layer["units"].items():
            specs[name] = spec_of(unit)
            cycles[name] += specs[name].cycles(layer["products"])
            products[name] += layer["products"]
    for name, spec in specs.items():
        widths = f"_mac_w{spec.weight_bits}a{spec.activation_bits}"
        over = " ".join(f"{cycles[rival + widths] / cycles[name]:.3f}" for rival in ("serial", "uniform"))
        yield f"{name} {cycles[name]} {cycles[name] / products[name]:.3f} {spec.latency} 0, 0 {over}"


def test_the_cycles_that_pages_show_are_those_of_the_digits_network(small_golden):
    """However it was trained: how many products it has does not depend on that."""
    rows = [row for part in parts_of(SAMPLE) if "stalls" in part.title for row in part.rows]
    assert sorted(rows) == sorted(cycle_rows(small_golden)) and len(rows) == 8
    (heading, few), (whole_heading, whole, *_) = (
        parts_of(README_SAMPLE),
        [part for part in parts_of(SAMPLE) if "W3A3 layers' golden" in part.title or "stalls" in part.title],
    )
    assert heading == whole_heading and few.title == whole.title and set(few.rows) < set(whole.rows)


@pytest.mark.xdist_group("negative")
def test_the_output_that_the_guide_shows_is_what_the_command_prints(few_golden, small_golden, build_root, command):
    """`make test`: a part of the network, whose words and columns are compared, simulated by tests/sim/test_cli.py."""
    done = command("sim", "run", few_golden, "--root", build_root)
    hide = hide_what_a_part_of_the_network_gives
    assert differences(SAMPLE, done.stdout, hide, rows_may_lack=True) == []
    for line in ("Dot products:", "latency", "passed     1730", "Maps back to back.", "beta.png"):
        assert line in SAMPLE
        assert differences(SAMPLE.replace(line, "x"), done.stdout, hide, rows_may_lack=True), line


@pytest.mark.exhaustive
@pytest.mark.xdist_group("negative")
def test_every_line_of_it_is(small_golden, build_root, command):
    """The whole network, simulated by tests/sim/test_cli.py: every number but those that training gives."""
    done = command("sim", "run", small_golden, "--root", build_root)
    assert differences(SAMPLE, done.stdout, hide_what_training_gives) == []
    for line in ("112976", "14.80%", "quantiser_a3 "):
        assert line in SAMPLE
        assert differences(SAMPLE.replace(line, "1"), done.stdout, hide_what_training_gives), line


def test_the_commands_it_names_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for text in (README, *GUIDES.values()):
        for target in set(re.findall(r"(?:`|^    )make ([a-z]+)", text, re.MULTILINE)):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def commands_in(text):
    """The words of every `asq-post` command of a page, with whether it stands in a line of its own, as it is typed."""
    for line in re.findall(r"^    (?:\.venv/bin/)?asq-post (?!:)(.*)$", text, re.MULTILINE):
        yield line.split("#")[0].split(), True
    for words in re.findall(r"`(?:\.venv/bin/)?asq-post ([^`]+)`", text):
        yield words.split(), False


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *(f"docs/{name}" for name in GUIDES)])
def test_every_asq_post_command_can_be_given(page):
    for words, typed in commands_in((ROOT / page).read_text(encoding="utf-8")):
        command, options = asq_post.get_command(None, words[0]), words[1:]
        if hasattr(command, "commands") and options:
            command, options = command.commands[options[0]], options[1:]
        assert command, words
        if typed and "…" not in words:
            command.make_context(words[0], options)  # raises for an option or a value that the command does not take
        known = {option for param in command.params for option in param.opts} | {"--help"}
        assert {word for word in options if word.startswith("--")} <= known, words


def test_such_commands_are_found_in_pages():
    page = "    .venv/bin/asq-post sim x   # or\n\nas `asq-post zoo get NAME` does\n"
    assert list(commands_in(page)) == [(["sim", "x"], True), (["zoo", "get", "NAME"], False)]
    assert list(commands_in(GUIDES["engine.md"])) and list(commands_in(README))


def test_the_verilog_guide_s_python_runs(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", GUIDES["verilog.md"], re.DOTALL)
    exec(code, {"codes": np.array([[0, 2]]), "activations": np.array([[1, 3]]), "folder": tmp_path})
    assert {path.suffix for path in tmp_path.iterdir()} == {".v", ".json"}


def test_every_python_example_imports_what_there_is():
    """The longer ones are run above, or what they show has a test of its own; LiteX is not installed here."""
    for name, text in GUIDES.items():
        for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            tree = ast.parse(code)
            imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
            for node in imports:
                if node.module.split(".")[0] in ("asq_model", "hw", "sim"):
                    missing = [part.name for part in node.names if not hasattr(import_module(node.module), part.name)]
                    assert not missing, f"{name}: {node.module} has no {missing}"


def test_the_files_it_names_exist():
    for name, text in {
        "README.md": README,
        **GUIDES,
        "CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text(),
    }.items():
        folder = ROOT if name in ("README.md", "CONTRIBUTING.md") else ROOT / "docs"
        for link in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
            assert (folder / link).exists(), f"{name}: {link}"
        for path in re.findall(r"`((?:asq_model|hw|sim|tests)/[\w/]+(?:\.\w+)?)`", text):
            assert (ROOT / path).exists(), f"{name}: {path}"


def test_a_block_is_replaced_and_a_page_without_it_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n" + mark_block("a", "old\n") + "\n" + mark_block("b", "kept\n") + "\n")
    write_block(page, "a", "new\n")
    assert page.read_text() == "before\n" + mark_block("a", "new\n") + "\n" + mark_block("b", "kept\n") + "\n"
    with pytest.raises(InputError, match="has no lines <!-- measured: c"):
        write_block(page, "c", "")
