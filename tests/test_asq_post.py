"""The command `asq-post`: every command is there, says how it is used, and loads what it needs only."""

import subprocess
import sys

import click
import pytest
from conftest import ROOT

from asq_model import __version__
from asq_model.cli import cli as asq_model
from asq_model.common.errors import InputError
from hw.cli import cli as hw
from sim.asq_post import COMMANDS, cli
from sim.cli import cli as sim

EVERY = [command for group in (asq_model, hw, sim) for command in group.commands.values()]
COLUMNS = 80


def test_every_command_of_the_packages_is_there():
    found = {id(cli.get_command(None, name)) for name in COMMANDS}
    assert found == {id(command) for command in EVERY if command.name != "pages"}  # for whoever keeps docs/results


@pytest.mark.parametrize("command", EVERY, ids=lambda command: command.name)
def test_the_example_of_a_command_can_be_given(command):
    start, program, name, *words = command.epilog.split()
    assert (start, program) == ("Example:", "asq-post")
    if command.name != "pages":
        assert cli.get_command(None, name) is command
    command.make_context(name, words)  # raises for an option or a value that the command does not take


@pytest.mark.parametrize("command", [cli, *EVERY], ids=lambda command: command.name)
def test_help_fits_the_terminal_and_begins_with_a_short_sentence(command):
    text = command.get_help(click.Context(command, info_name="asq-post", terminal_width=COLUMNS))
    assert max(map(len, text.splitlines())) <= COLUMNS
    assert len(command.get_short_help_str(200)) <= 60 and command.get_short_help_str(200).endswith(".")
    assert all(param.help for param in command.params if isinstance(param, click.Option)), "an option without a word"


def test_verilog_loads_neither_torch_nor_a_simulator(tmp_path):
    code = (
        "import sys; from sim.asq_post import cli\n"
        f"cli.main(['verilog', '--out', {str(tmp_path)!r}], standalone_mode=False)\n"
        "assert not {'torch', 'cocotb', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "post_mac_w3a3.v").is_file()


def test_an_unknown_command_is_refused_with_the_nearest():
    for word, said in (("verilgo", "verilgo is no command; did you mean verilog?"), ("x", "x is no command; allowed")):
        with pytest.raises(InputError, match=said):
            cli.main([word], standalone_mode=False)


def test_an_error_of_a_command_names_its_options():
    with pytest.raises(InputError, match=r"^--abits is 9; allowed: 1 to 8"):
        cli.main(["verilog", "--abits", "9"], standalone_mode=False)


def test_the_version_is_the_package_s():
    done = subprocess.run(
        [sys.executable, "-c", "from sim.asq_post import main; main()", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split()[-1] == __version__
