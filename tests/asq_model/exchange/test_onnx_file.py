"""Files that are damaged, or made to harm, are refused in one line."""

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx_nodes import CONSTANTS, LAYER, file_of, node

from asq_model.common.errors import InputError
from asq_model.exchange.import_network import import_qonnx
from asq_model.exchange.onnx_file import read_onnx

pytestmark = pytest.mark.xdist_group("onnx")  # one worker loads QONNX's executor and torch's exporter


def test_files_that_are_none_are_refused_in_one_line(tmp_path):
    path = file_of(tmp_path, LAYER)
    whole = path.read_bytes()
    for contents in (b"", b"\0" * 100, b"not an ONNX file", whole[: len(whole) // 2]):
        path.write_bytes(contents)
        with pytest.raises(InputError, match=r"^ONNX file .* is damaged: .+$"):
            read_onnx(path)
    with pytest.raises(InputError, match=r"cannot read ONNX file .*: it is a folder"):
        read_onnx(tmp_path)


def test_weights_in_another_file_are_refused(tmp_path):
    path = file_of(tmp_path, LAYER)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="/etc/passwd".replace("/", ""), size_threshold=0)
    with pytest.raises(InputError, match=r"keeps tensor \w+ in another file; allowed: one file"):
        read_onnx(path)


@pytest.mark.parametrize("sizes, said", [((1, 3, "height", 6), r"shape \[1, 3, height, 6\]"), ((1,), r"shape \[1\]")])
def test_open_sizes_are_refused_but_the_batch_s(sizes, said, tmp_path):
    with pytest.raises(InputError, match=said):
        read_onnx(file_of(tmp_path, LAYER, sizes))
    with pytest.raises(InputError, match=r"node input \(input\) has 10995116277760 values; allowed: 268435456"):
        import_qonnx(file_of(tmp_path, LAYER, (1, *[1 << 11] * 2, 5 << 9, 1 << 10)))
    network = import_qonnx(file_of(tmp_path, LAYER, ("N", 3, 6, 6)))
    assert network(torch.zeros(7, 3, 6, 6)).shape == (7, 4, 4, 4)


def test_numbers_that_are_not_finite_are_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(CONSTANTS, "kernel", np.full((4, 3, 3, 3), np.nan, np.float32))
    with pytest.raises(InputError, match="tensor kernel has values that are not finite"):
        import_qonnx(file_of(tmp_path, LAYER))


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    return folder / "damaged.onnx", file_of(folder, [*LAYER, node("Relu", ["y"], "z")]).read_bytes()


@pytest.mark.fuzz
@given(changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=8))
def test_damage_is_survived_or_refused_in_one_line(changes, whole_file):
    path, contents = whole_file
    damaged = bytearray(contents)
    for place, byte in changes:
        damaged[place % len(damaged)] = byte
    path.write_bytes(damaged)
    try:
        import_qonnx(path)
    except InputError as error:
        assert "\n" not in str(error)
