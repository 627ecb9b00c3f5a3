import json
from dataclasses import replace
from shutil import copytree

import pytest

from asq_model.cli import recipes_of_widths
from asq_model.common.errors import InputError, OtherFormat
from asq_model.export.excerpt import write_excerpt
from asq_model.golden_choice import check_golden_choice, layers_of_checkpoint
from asq_model.spec.asq_blocks import BLOCKS
from asq_model.spec.golden_vectors import MANIFEST, read_manifest
from asq_model.spec.units import UNITS
from sim.runner.network_units import list_golden_specs, make_block_specs

ZOO_START = "resnet8_full_precision"


def test_help(process, command):
    for run, words in ((process, []), (command, ["train"]), (command, ["export"]), (command, ["inspect"])):
        done = run("asq_model", *words, "--help")
        assert done.returncode == 0 and "Usage: python -m asq_model" in done.stdout


def test_inspect(command, refused, small_checkpoint, tmp_path):
    config = json.loads(command("asq_model", "inspect", small_checkpoint).stdout)
    assert config["recipe"]["weight_bits"] == 3
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(small_checkpoint.read_bytes()[:-10])
    assert "cut.safetensors is damaged" in refused("asq_model", "inspect", cut)
    assert "does not exist" in refused("asq_model", "inspect", tmp_path / "none")


def test_golden_of_a_given_checkpoint(command, refused, small_checkpoint, small_golden, tmp_path):
    out = tmp_path / "golden"
    copytree(small_golden, out)
    asked = ("--bits", 3, "--kind", "symmetric")
    again = command("asq_model", "export", "--ckpt", small_checkpoint, "--out", out, *asked)
    assert again.returncode == 0 and "is up to date" in again.stderr and again.stdout.strip() == str(out)
    (out / "fc.npz").write_bytes(b"")
    assert "fc.npz was changed" in refused("asq_model", "export", "--ckpt", small_checkpoint, "--out", out)
    done = command("asq_model", "export", "--ckpt", small_checkpoint, "--out", out, "--force")
    assert done.returncode == 0 and done.stdout.strip() == str(out)
    assert (out / MANIFEST).read_bytes() == (small_golden / MANIFEST).read_bytes()


@pytest.mark.exhaustive
def test_golden_of_several_networks(small_recipe, small_golden, tmp_path, monkeypatch):
    """Trained at the same time they are, byte for byte, what each is alone; what is there is not made again."""
    from asq_model.artifacts import export_digits_network, export_digits_networks

    monkeypatch.chdir(tmp_path)
    recipes = [replace(small_recipe, weight_bits=bits) for bits in (4, 3)]
    folders = export_digits_networks(recipes, False)
    assert [folder.name for folder in folders] == [recipe.name for recipe in recipes]
    assert (folders[1] / MANIFEST).read_bytes() == (small_golden / MANIFEST).read_bytes()
    before = [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*.*"))]
    assert export_digits_networks(recipes, False) == folders and export_digits_network(recipes[0], False) == folders[0]
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*.*"))] == before


def test_widths_of_several_networks_are_checked(refused):
    assert "--widths is 3; allowed" in refused("asq_model", "export", "--widths", "3")
    assert "--widths is 3x3,9x3; allowed: weight bits, 2 to 8" in refused("asq_model", "export", "--widths", "3x3,9x3")
    assert "--abits is 4, but --widths is 3x3" in refused("asq_model", "export", "--widths", "3x3", "--abits", 4)
    said = refused("asq_model", "export", "--widths", "3x1")
    assert said == "error: activation bits of --widths is 1; allowed: 2 to 8"
    assert "error: weight bits of --widths is 7 for post weights" in refused("asq_model", "export", "--widths", "7x3")
    assert "--kind is 'wide'" in refused("asq_model", "export", "--widths", "3x3", "--kind", "wide")


def test_a_network_in_full_precision_is_refused_before_work_is_done_for_another(refused, small_checkpoint, tmp_path):
    full = "resnet8_full_precision"
    for words in (
        ["parity", small_checkpoint, full],
        ["steps", small_checkpoint, full],
        ["graph", "--ckpt", full],
        ["export", "--ckpt", full],
    ):
        said = refused("asq_model", *words, cwd=tmp_path)
        assert f"{full}.safetensors is of a network in full precision; this command takes a quantised one" in said
    assert not list(tmp_path.iterdir())


def test_a_start_or_a_batch_that_does_not_fit_is_said_in_a_few_words(refused, tmp_path):
    out = ("--out", tmp_path / "x.safetensors")
    said = refused("asq_model", "train", "--from", "resnet8_full_precision", *out)
    assert "does not fit network digits: " in said and "Missing key(s)" in said and len(said) < 500 + len(str(tmp_path))
    said = refused("asq_model", "train", "--batch", 5000, *out)
    assert said == "error: --batch is 5000; allowed: at most the 1437 training images"


@pytest.mark.parametrize(
    "words, epochs",
    [
        ((), 200),
        (("--from", "resnet8_full_precision"), 0),
        (("--from", "resnet8_full_precision", "--full-epochs", 7), 7),
    ],
)
def test_weights_to_start_from_are_trained_already(command, monkeypatch, words, epochs):
    """Without `--full-epochs`, no epoch in full precision is added to them."""
    recipes = []
    monkeypatch.setattr("asq_model.cli.train_if_needed", lambda recipe, *_: recipes.append(recipe))
    assert command("asq_model", "train", "--network", "resnet8", *words).returncode == 0
    assert [recipe.full_precision_epochs for recipe in recipes] == [epochs]


def test_a_width_that_is_given_twice_is_one_network():
    """Two trainings of one recipe at the same time would write the same files."""
    assert [recipe.name for recipe in recipes_of_widths("4x4,3x3,4x4")] == [
        "digits_post4_a4_seed0",
        "digits_post3_a3_seed0",
    ]


def test_an_excerpt_that_cannot_be_is_refused_before_anything_is_made(refused, small_golden, tmp_path):
    """An excerpt written in place of its golden vectors would be a part of them that looks up to date."""
    for words, said in (
        (
            ["--widths", "3x3,4x4", "--excerpt", "build/golden"],
            "--excerpt is build/golden, where the golden vectors lie",
        ),
        (["--excerpt", ".", "--out", "here"], "--excerpt is ., where the golden vectors lie that it is a part of"),
        (["--ckpt", "resnet8_post4_a4", "--excerpt", "x"], "have no layer block3.downsample.0, which an excerpt holds"),
    ):
        assert said in refused("asq_model", "export", *words, cwd=tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="where the golden vectors lie that it is a part of; allowed: another folder"):
        write_excerpt(small_golden, small_golden)
    assert read_manifest(small_golden)["maps"]


def test_a_checkpoint_that_does_not_fit_is_refused(refused, small_checkpoint):
    said = refused("asq_model", "export", "--ckpt", small_checkpoint, "--bits", 4)
    assert "--bits is 4, but checkpoint" in said and "was trained with 3" in said
    said = refused("asq_model", "export", "--ckpt", small_checkpoint, "--unit", "e2m1")
    assert "--unit is 'e2m1'; allowed: " in said
    said = refused("asq_model", "export", "--ckpt", small_checkpoint, "--kind", "extended")
    assert "--kind is extended" in said
    said = refused("asq_model", "export", "--ckpt", "resnet8_uniform4_a4", "--kind", "symmetric")
    assert "--kind is symmetric, but checkpoint" in said and "was trained with none" in said


@pytest.mark.parametrize(
    "words, said",
    [
        (["--unit", "wrong"], "--unit is 'wrong'; allowed: post, post-exact, pot, "),
        (["--unit", "post_mac_w4a4"], "--unit is 'post_mac_w4a4'; allowed: "),
        (["--layer", "wrong"], "--layer is 'wrong'; allowed: conv, block1.conv1, "),
        (["--layer", "fc", "--unit", "pot"], "--unit is 'pot'; allowed: uniform, serial, channel-sums, "),
        (["--kind", "wrong"], "--kind is 'wrong'; allowed: symmetric, extended, asymmetric"),
    ],
)
def test_what_golden_vectors_would_not_have_is_refused_before_anything_is_trained(words, said, refused, tmp_path):
    assert said in refused("asq_model", "export", *words, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_choice_is_refused_exactly_where_the_golden_vectors_have_no_such_thing(small_checkpoint, small_golden):
    layers = layers_of_checkpoint(small_checkpoint)
    manifest = read_manifest(small_golden)
    assert layers.keys() == {entry["name"] for entry in [*manifest["layers"], *manifest["maps"]]}
    specs = [*list_golden_specs(manifest), *make_block_specs(manifest)]
    for name in [name for spec in specs for name in (spec.unit, spec.name)]:
        check_golden_choice(layers, name, None)
    for unit in {*UNITS, *BLOCKS} - {spec.unit for spec in specs}:
        with pytest.raises(InputError, match=f"unit is '{unit}'; allowed: "):
            check_golden_choice(layers, unit, None)


def test_bad_options_are_refused(refused, tmp_path):
    assert "--bits is 9 for post weights; allowed: 2 to 6" in refused("asq_model", "train", "--bits", 9)
    assert "--bits is x; allowed: integers" in refused("asq_model", "train", "--bits", "x")
    assert "--abits is 1; allowed: 2 to 8" in refused("asq_model", "train", "--abits", 1)
    assert "--kind is 'wide'" in refused("asq_model", "train", "--kind", "wide")
    assert "No such command 'traim'" in refused("asq_model", "traim")
    (tmp_path / "file").write_text("")
    assert "cannot write" in refused("asq_model", "train", "--out", tmp_path / "file" / "x.safetensors")


def test_a_checkpoint_of_an_older_version_is_made_again(small_checkpoint, tmp_path, monkeypatch):
    """Its own format is out of date, not damaged; a user's checkpoint of that format is refused all the same."""
    from asq_model.artifacts import read_for_retraining
    from asq_model.training import checkpoint_file

    tensors, config = checkpoint_file.read_checkpoint(small_checkpoint)
    config.pop("digest")
    config.pop("format")
    older = replace(checkpoint_file.CHECKPOINT, format=1)
    monkeypatch.setattr(checkpoint_file, "CHECKPOINT", older)
    checkpoint_file.write_checkpoint(tmp_path / "old", tensors, config)
    monkeypatch.undo()
    assert read_for_retraining(tmp_path / "old") == {} and read_for_retraining(small_checkpoint)["fingerprint"]
    with pytest.raises(OtherFormat, match="has format 1; this program reads 2"):
        checkpoint_file.read_checkpoint(tmp_path / "old")


def test_a_damaged_checkpoint_of_our_own_is_named_not_overwritten(refused, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"half")
    assert "delete it or give --force" in refused("asq_model", "train", "--out", path)
    assert path.read_bytes() == b"half"
