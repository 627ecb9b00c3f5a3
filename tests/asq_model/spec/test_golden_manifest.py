from dataclasses import asdict

import pytest

from asq_model.common.errors import InputError
from asq_model.spec.golden_manifest import make_stored_spec, spec_of
from asq_model.spec.mac import MacSpec

SPEC = MacSpec("post", 4, 5, "extended", depth=1000)


def test_a_unit_is_stored_with_the_names_of_the_format():
    stored = make_stored_spec(SPEC)
    assert stored["levels"] == "extended" and "kind" not in stored and stored["depth"] == 1000
    assert spec_of({"spec": stored}) == SPEC


def test_names_of_another_format_are_refused():
    for parameters in (asdict(SPEC), asdict(SPEC) | {"levels": "extended"}):
        with pytest.raises(InputError, match="cannot be: it lacks parameters, or has them in another form"):
            spec_of({"spec": parameters})
