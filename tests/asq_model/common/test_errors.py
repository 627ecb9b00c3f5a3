import pickle

import pytest

from asq_model.common.errors import InputError, OtherFormat, check_choice, fields_named


def refused(names, *error):
    with pytest.raises(InputError) as raised, fields_named(names):
        raise InputError(*error)
    return str(raised.value)


def test_a_field_gets_the_name_that_the_user_knows_where_it_stands_first():
    said = refused(
        {"lanes": "--lanes", "depth": "--depth"},
        "lanes is 4 and depth is 3; allowed: a depth of at least the lanes",
        *("lanes", "depth"),
    )
    assert said == "--lanes is 4 and --depth is 3; allowed: a depth of at least the lanes"
    assert refused({"unit": "--unit"}, "sub-unit is no unit", "unit") == "sub-unit is no --unit"


def test_a_word_that_is_no_field_of_the_error_stays():
    assert refused({"lanes": "--lanes"}, "file lanes is damaged") == "file lanes is damaged"
    inner = InputError("lanes is 4", "lanes")
    assert refused({"lanes": "--lanes"}, f"file x: {inner}") == "file x: lanes is 4"


def test_names_follow_each_other():
    with pytest.raises(InputError, match=r"^--bits is 9$"), fields_named({"weight_bits": "--bits"}):
        with fields_named({"bits": "weight_bits"}):
            raise InputError("bits is 9", "bits")


def test_an_error_crosses_processes_as_what_it_is():
    error = pickle.loads(pickle.dumps(OtherFormat("format is 1", "format")))
    assert isinstance(error, OtherFormat) and (str(error), error.fields) == ("format is 1", ("format",))
    assert isinstance(error.rename_fields({"format": "--format"}), OtherFormat)


def test_a_choice_is_named_with_what_is_allowed():
    check_choice("device", "cpu", ("cpu", "cuda"))
    with pytest.raises(InputError, match=r"^device is 'tpu'; allowed: cpu, cuda$"):
        check_choice("device", "tpu", ("cpu", "cuda"))
