"""Every option of every command: what it refuses, in one line and before anything is done."""

import click
import pytest

from asq_model.cli import cli as asq_model
from asq_model.common.errors import InputError
from asq_model.common.option_types import MAX_INTEGER, CheckpointPath, FilePath, Integer, Real, Switch, name_of
from hw.cli import cli as hw
from hw.cli import fields_of
from sim.cli import cli as sim

GROUPS = {"asq_model": asq_model, "hw": hw, "sim": sim}


def commands_of(group, prefix=""):
    """Every command of a group by what is typed, those of a group within it, too."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_of(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = {(package, name): command for package, group in GROUPS.items() for name, command in commands_of(group)}
OPTIONS = [(*key, param) for key, command in COMMANDS.items() for param in command.params]
NO_NUMBERS = ["nan", "inf", "-inf", "1e999", "1" + "0" * 5000, "", "x", "½", "0x10", "1,5"]


def of_type(*types):
    chosen = [option for option in OPTIONS if isinstance(option[2].type, types)]
    return pytest.mark.parametrize(
        "package, command, param", chosen, ids=["-".join((*o[:2], o[2].name)) for o in chosen]
    )


def fillers(package, command, besides=None):
    """Words for the arguments that a command needs; a checkpoint that has an end is a path, not a name of the zoo."""
    needed = [param for param in COMMANDS[package, command].params if param.required and param is not besides]
    return ["1.safetensors" if isinstance(param.type, CheckpointPath) else "1" for param in needed]


def parse(package, command, param, value):
    others = fillers(package, command, param)
    words = ["--", value] if isinstance(param, click.Argument) else [max(param.opts, key=len), value]
    return COMMANDS[package, command].make_context(command, words + others).params[param.name]


@pytest.mark.parametrize("package, command, param", OPTIONS)
def test_every_option_is_of_a_type_that_knows_its_bounds_or_is_text(package, command, param):
    assert isinstance(param.type, (Integer, Real, Switch, FilePath, click.types.StringParamType)), param.name


@of_type(Integer, Real)
def test_what_is_no_number_is_refused_by_name(package, command, param):
    for value in NO_NUMBERS:
        with pytest.raises(InputError) as refused:
            parse(package, command, param, value)
        said = str(refused.value)
        assert said.startswith(f"{name_of(param)} is ") and "; allowed: " in said and len(said) < 200


@of_type(Integer, Real)
def test_beyond_its_bounds_is_refused(package, command, param):
    for bound, further in ((param.type.low, -1), (param.type.high, 1)):
        parse(package, command, param, str(bound))
        for beyond in (further, further << 63):
            with pytest.raises(InputError, match="; allowed: "):
                parse(
                    package, command, param, str(bound + max(1, abs(bound) if isinstance(bound, float) else 1) * beyond)
                )


# Text that may be right whatever it is: sentences, addresses, names of what is in a file.
FREE_TEXT = {"note", "layer", "scheduler", "test", "commit"}


def is_bounded_by_the_library(param):
    if isinstance(param, click.Argument):
        return False
    text = isinstance(param.type, click.types.StringParamType) and param.name not in FREE_TEXT
    return text or (isinstance(param.type, Integer) and param.type.low == -MAX_INTEGER)


@pytest.mark.parametrize(
    "package, command, param", [option for option in OPTIONS if is_bounded_by_the_library(option[2])]
)
def test_what_the_library_refuses_is_named_as_it_was_typed(package, command, param, tmp_path, monkeypatch):
    """The library says that `activation_bits` is 99999999, a command that `--abits` is."""
    monkeypatch.chdir(tmp_path)
    option = name_of(param)
    words = [*command.split(), *fillers(package, command)]
    words += [option, "99999999" if isinstance(param.type, Integer) else "none-such"]
    if command == "verilog" and option != "--unit":
        unit = next(unit for unit in ("post", "adapter-step", "rescale") if param.name in fields_of(unit))
        words += ["--unit", unit, *(["--rows", "8"] if option == "--stages" else [])]
    with pytest.raises(InputError, match=f"^{option} (is|has) '?(99999999|none-such)"):
        GROUPS[package].main(words, standalone_mode=False)
    assert not list(tmp_path.iterdir())


@of_type(Switch)
def test_a_switch_is_0_or_1_and_nothing_is_off(package, command, param):
    for word, value in (("1", True), ("0", False), ("", False)):
        assert parse(package, command, param, word) is value
    with pytest.raises(InputError, match=f"{name_of(param)} is yes; allowed: 0, 1"):
        parse(package, command, param, "yes")


@of_type(FilePath)
def test_a_path_that_no_file_system_has_is_refused(package, command, param):
    for value in ("n" * 5000, "d/" * 5000 + "n", "n" * 256):
        with pytest.raises(InputError, match=f"{name_of(param)} is .*File name too long"):
            parse(package, command, param, value)


@pytest.mark.parametrize(
    "words, said",
    [
        (["asq_model", "train", "--rate", "nan"], "--rate is nan; allowed: numbers from 0 to 1e+30"),
        (["asq_model", "train", "--threads", "1048576"], "--threads is 1048576; allowed: integers from 1 to 512"),
        (["asq_model", "train", "--data", "x", "--epochs", "0"], "--data is x, but the digits come with scikit"),
        (["asq_model", "export", "--data", "x"], "--data is x, but the digits network has its images from"),
        (["asq_model", "reproduce", "1", "--jobs", "2"], "--jobs is 2, but TABLE is 1, which is computed, not trained"),
        (["asq_model", "reproduce", "5", "--data", "x", "--network", "digits"], "network digits does not take"),
        (["asq_model", "figures", "--suffix", "/x"], "--suffix is /x; allowed: - and small letters"),
        (["asq_model", "trained-out", "--device", "tpu"], "--device is 'tpu'; allowed: cpu, cuda"),
        (["asq_model", "trained-out", "--device", "cpu", "--plan", "none"], "plan none: cannot read plan none"),
        (["asq_model", "parity", "--precision", "9"], "--precision is 9; allowed: integers from 12 to 20"),
        (["asq_model", "parity", "--data", "x"], "--data is x, but the digits network has its images"),
        (["asq_model", "arithmetic", "--only", "x"], "--only is 'x'; allowed: post-exact"),
        (["asq_model", "arithmetic", "none.safetensors"], "none.safetensors does not exist"),
        (["asq_model", "arithmetic", "none"], "CKPT is none, no file and no network of the zoo; did you mean"),
        (["asq_model", "graph", "--ckpt", "resnet8_post4"], "--ckpt is resnet8_post4, no file and no network"),
        (["asq_model", "zoo", "get", "resnet8_pst4_a4"], "no network of the zoo; did you mean resnet8_post4_a4?"),
        (["asq_model", "bench", "--out", "/dev/null/x.md"], "cannot write /dev/null/x.md: /dev/null is not a folder"),
        (["asq_model", "parity", "--out", "a.v1"], "--out is a.v1; allowed: a page's name, such as page.md"),
        (["asq_model", "steps", "--out", "steps"], "--out is steps; allowed: a page's name, such as page.md"),
        (["asq_model", "train", "--out", "/"], "--out is /, a folder; allowed: a file to write"),
        (["asq_model", "parity", "--out", "."], "--out is ., a folder; allowed: a file to write"),
        (["asq_model", "steps", "--out", "/dev/null"], "--out is /dev/null, a device, a pipe or a socket; allowed: a"),
        (["asq_model", "figures", "--out", "/dev/null"], "--out is /dev/null, which is no folder; allowed: a folder"),
        (["asq_model", "trained-out", "--results", "."], "--results is ., a folder; allowed: a file to write"),
        (["asq_model", "reproduce", "5", "--epochs", "0"], "--epochs is 0; allowed: integers from 1 to 1000000"),
        (["hw", "verilog", "--out", "/dev/null"], "--out is /dev/null, which is no folder; allowed: a folder"),
        (["sim", "sweep", "--out", "/dev/null"], "--out is /dev/null, which is no folder; allowed: a folder"),
        (["hw", "verilog", "--out", "n" * 300], "--out is nnn"),
        (["sim", "synth", "--widths", "9x9"], "--widths is 9x9; allowed: weight bits, 2 to 8"),
        (["sim", "synth", "--widths", "6x2"], "none of the golden vectors digits_post3_a3_seed0, "),
        (["sim", "synth", "--targets", "xc7", "--liberty", "x"], "--liberty is x, but --targets is xc7, without asic"),
        (
            ["sim", "synth", "--targets", "xc7", "--placings", "2"],
            "--placings is 2, but --targets is xc7, without ice40",
        ),
        (["sim", "synth", "--targets", "ice40", "--dsp"], "--dsp is 1, but --targets is ice40, without ecp5 and xc7"),
        (["sim", "synth", "none"], "cannot read golden manifest none/manifest.json"),
        (["sim", "synth", "--liberty", "none"], "cannot read file none"),
        (["sim", "sweep", "--bits", "3,99"], "--bits is 3,99; allowed: integers from 2 to 8"),
        (["sim", "sweep", "--lanes", "nan"], "--lanes is nan; allowed: integers from 1 to 256"),
        (["sim", "sweep", "--units", "posst"], "--units has 'posst'; allowed: post,"),
        (["sim", "sweep", "--units", "pot", "--fracs", "2"], "--fracs is 2, but --units is pot, none of which has a"),
        (["sim", "sweep", "--units", "apot", "--kinds", "extended"], "--kinds is extended, but --units is apot"),
        (["sim", "recommend", "--target", "x"], "--target has 'x'; allowed: ice40,"),
        (["sim", "recommend", "--form", "mac,dot16"], "--form has 'mac,dot16'; allowed: mac,"),
        (["sim", "recommend", "--error", "nan"], "--error is nan; allowed: numbers from 0"),
        (["sim", "report", "--plan", "mac:3y3"], "--plan is 3y3; allowed"),
        (["sim", "report", "--plan", "mac,dot16:4x4"], "--plan has 'mac,dot16'; allowed: mac,"),
        (["sim", "report", "--plan", "array16x16:4x4", "--targets", "ice40"], "none of which is measured on --targets"),
        (["sim", "report", "--known", "1", "--scheduler", "x"], "--scheduler is x, but --known is 1"),
        *(
            (["sim", *words, "--out", out], f"--out is {out}; allowed: a page's name, such as page.md")
            for words in (["report"], ["engines", "x"], ["unrolled"], ["asq"])
            for out in ("page.json", "page")
        ),
        (["sim", "unrolled", "x:y:0x4"], "CASES has 'x:y:0x4'; allowed: folder:layer:"),
        (["sim", "unrolled", "x:y:4x4"], "cannot read golden manifest x/manifest.json"),
    ],
)
def test_a_command_says_what_is_wrong_before_it_does_anything(words, said, refused, tmp_path):
    assert said in refused(*words, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_fresh_clone_that_shows_what_is_known_reads_no_network(refused, tmp_path):
    said = refused("sim", "report", "--known", "1", cwd=tmp_path)
    assert said == "error: nothing of this --plan was measured before; leave --known out"


@pytest.mark.parametrize(
    "address, said",
    [
        ("tcp://127.0.0.1:9", "refused"),
        ("x" * 5000, "(5000 characters)"),
        pytest.param("tls://127.0.0.1:9", "TLS", marks=pytest.mark.exhaustive),
        pytest.param("ucx://127.0.0.1:9", "UCX", marks=pytest.mark.exhaustive),
        pytest.param("tcp://127.0.0.1:99999999", "99999999", marks=pytest.mark.exhaustive),
        pytest.param("nowhere", "missing port", marks=pytest.mark.exhaustive),
    ],
)
def test_a_scheduler_that_does_not_answer_is_one_line(address, said):
    from sim.explore.sweep import find_client

    with (
        pytest.raises(InputError, match=r"scheduler is .*, where no Dask scheduler answers") as refused,
        find_client(address),
    ):
        pass
    assert said in str(refused.value) and "\n" not in str(refused.value)
