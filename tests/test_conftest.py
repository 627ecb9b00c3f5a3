"""What tests share: made once, and whole."""

import pytest


def test_what_a_killed_worker_left_half_made_is_made_anew(made_once):
    def stop(folder):
        folder.mkdir()
        (folder / "half").touch()
        raise KeyboardInterrupt

    def make(folder):
        folder.mkdir()
        (folder / "all").touch()

    with pytest.raises(KeyboardInterrupt):
        made_once("stopped", stop)
    folder = made_once("stopped", make)
    assert [path.name for path in folder.iterdir()] == ["all"]
    assert made_once("stopped", pytest.fail) == folder
