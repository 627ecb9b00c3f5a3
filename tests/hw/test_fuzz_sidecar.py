"""A sidecar that was changed in any way is not up to date."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutants import FUZZED, damaged, mutants

from asq_model.spec.mac import MacSpec
from hw.emit import emit, is_up_to_date

pytestmark = pytest.mark.fuzz


@pytest.fixture(scope="module")
def emitted(tmp_path_factory):
    spec = MacSpec("uniform", 2, 1, depth=4)
    verilog, sidecar = emit(spec, tmp_path_factory.mktemp("emitted"))
    parameters = json.loads(sidecar.read_text())["parameters"]
    assert is_up_to_date(verilog, sidecar, parameters)
    return verilog, sidecar, parameters, sidecar.read_text()


@FUZZED
@given(data=st.data())
def test_a_changed_sidecar_is_not_up_to_date(data, emitted):
    verilog, sidecar, parameters, whole = emitted
    try:
        if data.draw(st.booleans()):
            sidecar.write_text(json.dumps(data.draw(mutants(json.loads(whole)))))
        else:
            sidecar.write_bytes(data.draw(damaged(whole.encode())))
        text = sidecar.read_bytes()
        assert not is_up_to_date(verilog, sidecar, parameters) or json.loads(text) == json.loads(whole)
    finally:
        sidecar.write_text(whole)
