import os

import pytest

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, read_json, write_atomically, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def half(temporary):
        temporary.write_text("ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"cannot write .*a\.txt: No space left on device"):
        write_atomically(path, half)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_text(tmp_path / "f" / "x", "")


def test_a_device_or_a_pipe_is_not_replaced_by_a_file(tmp_path):
    """Writing replaces what has the name: for root that would be the device, for every program of the machine."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, kind in (("pipe", "a device, a pipe or a socket"), ("folder", "a folder")):
        with pytest.raises(InputError, match=f"cannot write .*{name}: it is {kind}; allowed: a regular file"):
            write_text(tmp_path / name, "text")
    assert (tmp_path / "pipe").is_fifo() and sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


def test_read_json_says_what_is_wrong(tmp_path):
    path = tmp_path / "x.json"
    with pytest.raises(InputError, match=r"cannot read thing .*x\.json: No such file"):
        read_json(path, "thing")
    path.write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        read_json(path, "thing")
    path.write_text("[]")
    with pytest.raises(InputError, match="holds list, not an object"):
        read_json(path, "thing")
    write_json(path, {"a": 1})
    assert read_json(path, "thing") == {"a": 1}


def test_fingerprint_sees_parameters_and_sources_but_not_order(tmp_path):
    (tmp_path / "a.py").write_text("1")
    first = fingerprint({"x": 1, "y": 2}, [tmp_path])
    assert first == fingerprint({"y": 2, "x": 1}, [tmp_path])
    assert first != fingerprint({"x": 1, "y": 3}, [tmp_path])
    (tmp_path / "a.py").write_text("2")
    assert first != fingerprint({"x": 1, "y": 2}, [tmp_path])
