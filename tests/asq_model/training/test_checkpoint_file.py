import pickle

import numpy as np
import pytest

from asq_model.common.errors import InputError
from asq_model.training.checkpoint_file import FORMAT, read_checkpoint, write_checkpoint

TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array(True), "c": np.zeros(0, np.int64)}
CONFIG = {"recipe": {"seed": 1}, "name": "×"}


@pytest.fixture
def path(tmp_path):
    write_checkpoint(tmp_path / "x.safetensors", TENSORS, CONFIG)
    return tmp_path / "x.safetensors"


def test_round_trip(path):
    tensors, config = read_checkpoint(path)
    assert config.pop("digest") and config == CONFIG | {"format": FORMAT}
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], tensor)
        assert tensors[name].dtype == tensor.dtype


def test_same_contents_same_bytes(path, tmp_path):
    write_checkpoint(tmp_path / "y.safetensors", dict(reversed(TENSORS.items())), dict(reversed(CONFIG.items())))
    assert path.read_bytes() == (tmp_path / "y.safetensors").read_bytes()


def test_every_flipped_bit_and_every_cut_is_seen(path):
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(InputError, match=r"x\.safetensors"):
            read_checkpoint(path)
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"x\.safetensors"):
            read_checkpoint(path)


def test_foreign_files_are_refused_and_never_executed(path, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="not a safetensors file"):
        read_checkpoint(path)
    assert not (tmp_path / "executed").exists()
    from safetensors.numpy import save_file

    save_file({"w": np.zeros(2)}, path)
    with pytest.raises(InputError, match="no configuration"):
        read_checkpoint(path)
    with pytest.raises(InputError, match="does not exist"):
        read_checkpoint(tmp_path / "nothing")


def test_another_format_version_is_refused(path):
    write_checkpoint(path, TENSORS, CONFIG | {"format": FORMAT + 1})
    with pytest.raises(InputError, match=f"format {FORMAT + 1}; this program reads {FORMAT}"):
        read_checkpoint(path)
