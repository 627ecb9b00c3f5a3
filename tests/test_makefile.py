"""What can be given to make: every variable reaches an option that exists, and one that a target does not take is an
error that names it."""

import os
import re
import subprocess
from functools import cache

import click
import pytest
from conftest import ROOT

from asq_model.cli import cli as asq_model
from asq_model.common.option_types import name_of
from hw.cli import cli as hw
from sim.cli import cli as sim

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GUIDE = "\n".join(path.read_text(encoding="utf-8") for path in GUIDES)
GROUPS = {"asq_model": asq_model, "hw": hw, "sim": sim}
# Not passed to a command: which interpreter and where, for the Makefile itself.
OWN_VARIABLES = {"PYTHON"}
INSTALLED = {".ready", *re.findall(r"\$\(VENV\)/(\.\w+)", MAKEFILE)}  # files that say what is installed


def make(*words, **environment):
    """What make would do where all that it installs is there."""
    command = ["make", "--no-print-directory", "-n", *(f"--old-file=.venv/{name}" for name in INSTALLED), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | environment)


@cache
def lists():
    """Option by variable of each command, from the Makefile's `options.…` lists; None: words without an option."""
    text = MAKEFILE.replace("\\\n", " ")
    return {
        command: {name.upper().replace("-", "_"): None if name.isupper() else name for name in names.split()}
        for command, names in re.findall(r"^options\.(\S+) := (.*)$", text, re.MULTILINE)
    }


def calls():
    """(package, command, name of the list that it is given) of every command in a recipe."""
    return re.findall(r"-m (asq_model|hw|sim) (\w+)(?: \"\$\$(?:golden|graph)\")? \$\(call options,(\w+)\)", MAKEFILE)


def known_variables():
    return {variable for pairs in lists().values() for variable in pairs}


@pytest.mark.parametrize("package, command, given", calls())
def test_every_make_option_exists_in_its_command(package, command, given):
    assert command == given
    params = GROUPS[package].commands[command].params
    options = {name for param in params if isinstance(param, click.Option) for name in param.opts}
    arguments = {name_of(param) for param in params if isinstance(param, click.Argument)}
    for variable, option in lists()[given].items():
        assert f"--{option}" in options if option else variable in arguments


def test_every_list_is_used_and_every_target_s_lists_are_those_of_its_recipe():
    assert {given for _, _, given in calls()} == set(lists()) - {"pytest"}
    taken = dict(re.findall(r"^commands\.(\w+) := (.*)$", MAKEFILE, re.MULTILINE))
    for target, recipe in re.findall(r"^([a-z]+):.*##.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE):
        used = re.findall(r"\$\(call options,(\w+)\)", recipe)
        assert set(used) == set(taken.get(target, target if used else "").split()), target


def test_what_the_guides_say_can_be_given_is_passed_on_and_the_reverse():
    said = set(re.findall(r"\b([A-Z_]{3,})=", GUIDE)) | set(re.findall(r"`([A-Z_]{3,})`", GUIDE))
    assert known_variables() <= said, known_variables() - said
    in_commands = {
        (target, variable)
        for target, words in re.findall(r"make ([a-z]+)((?: [A-Z_]+=\S+)+)", GUIDE)
        for variable in re.findall(r"([A-Z_]+)=", words)
    }
    for target, variable in in_commands:
        done = make(target, f"{variable}=1", "PYTHON=python3")
        assert done.returncode == 0, done.stderr
    said_in_make = set(re.findall(r"`(?:make [a-z]+ )?([A-Z_]{3,})=", GUIDE))
    assert said_in_make <= known_variables() | OWN_VARIABLES


def words_of(target, *variables):
    (line,) = [
        line for line in make(target, *variables).stdout.splitlines() if re.search(" -m (asq_model|hw|sim) ", line)
    ]
    return line.split()[3:]


def test_a_variable_becomes_its_option():
    assert words_of("verilog", "GATED=1", "UNIT=post") == ["verilog", "--unit", "'post'", "--gated", "'1'"]
    assert words_of("verilog", "GATED=0", "BITS=") == ["verilog", "--gated", "'0'"]
    assert words_of("unrolled", "CASES=a:b:4x4 c:d:4x4") == ["unrolled", "a:b:4x4", "c:d:4x4"]
    assert words_of("recommend", "FORM=it's")[1:] == ["--form", r"'it'\''s'"]


@pytest.mark.parametrize(
    "target, words, first",
    [
        ("sim", ["UNIT=pot", "LAYER=fc"], "-m asq_model export --unit 'pot' --layer 'fc'"),
        ("sim", ["WAVES=1", "BITS=4"], "-m sim run --check=1 --waves '1'"),
        ("sim", ["WAVES=0", "BITS=4"], "-m asq_model export --bits '4'"),  # nothing is prepared for waveforms
        ("asq", ["AREA=0"], "-m sim asq --check=1 --area '0'"),
        ("network", ["PRESET=sized"], "-m sim network --check=1 --preset 'sized'"),
        ("bitstream", ["PRESET=ecp5-25"], "-m sim bitstream --check=1 --preset 'ecp5-25'"),
    ],
)
def test_what_the_second_command_is_given_is_checked_before_the_first_trains(target, words, first):
    lines = [" ".join(line.split()) for line in make(target, *words).stdout.splitlines() if "-m sim tools" not in line]
    assert first in next(line for line in lines if re.search(r" -m (asq_model|sim) ", line))


def test_a_check_does_nothing(command, tmp_path):
    for name in ("run", "asq", "network", "bitstream"):
        done = command("sim", name, "--check=1", cwd=tmp_path)
        assert done.returncode == 0 and not done.stdout + done.stderr and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words, said",
    [
        (["verilog", "BIT=4"], "make verilog takes no BIT; did you mean BITS?; allowed: ABITS BITS BUFFER"),
        (["verilog", "unit=pot"], "make verilog takes no unit; did you mean UNIT?"),
        (["verilog", "SEEDS=3"], "make verilog takes no SEEDS; allowed: ABITS"),
        (["lint", "BITS=3"], "make lint takes no BITS; allowed: nothing"),
        (["synth", "sweep", "FORMZ=mac"], "make synth sweep takes no FORMZ; did you mean FORMS?"),
    ],
)
def test_a_variable_that_a_target_does_not_take_is_an_error(words, said):
    done = make(*words)
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1


def test_the_environment_does_not_choose_but_is_not_ignored_in_silence():
    done = make("verilog", COLUMNS="80", BITS="4")
    assert done.stdout.splitlines()[-1].split()[3:] == ["verilog"]
    assert "not used: BITS of the environment" in done.stderr and len(done.stderr.splitlines()) == 1
    assert make("verilog", COLUMNS="80").stderr == ""
