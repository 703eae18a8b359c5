"""Documents: every value keeps its line, and a schema's objections come with place, reason and suggestion."""

import pytest

from headgate.document import Invalid, Place, as_error, check, parse_document
from headgate.errors import ContractError

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "kind": {"enum": ["big", "small"]},
        "port": {"type": "integer", "minimum": 1, "x-wanted": "a port"},
        "keys": {"type": "array", "items": {"type": "string", "pattern": "^a+$", "x-secret": True}},
        "parts": {"type": "array", "items": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    },
}


def read(text):
    return parse_document(text, "x.yaml")


def problems_of(text):
    return check(read(text), SCHEMA)


def refusal(text):
    with pytest.raises(Invalid) as caught:
        read(text)
    return caught.value.problems


def test_a_key_of_a_mapping_has_the_line_it_stands_in():
    assert read("a: 1\nb:\n\n  c: 2\n").place(("b", "c")) == Place("x.yaml", 4)


def test_an_item_of_a_list_has_the_line_it_begins_in():
    assert read("a:\n  - 1\n  - 2\n").place(("a", 1)) == Place("x.yaml", 3)


def test_what_is_not_there_has_the_line_of_what_is_around_it():
    assert read("a: 1\nb:\n  c: 2\n").place(("b", "missing", 4)) == Place("x.yaml", 2)


def test_values_are_those_of_yaml():
    assert read("a: [1, 1.5, true, null, text]\n").value == {"a": [1, 1.5, True, None, "text"]}


def test_a_date_stays_text():
    assert read("a: 2026-03-01\n").value == {"a": "2026-03-01"}


def test_a_key_is_the_text_as_written():
    assert read("007: a\nyes: b\n").value == {"007": "a", "yes": "b"}


def test_an_alias_gives_the_value_it_names():
    assert read("a: &x [1]\nb: *x\n").value == {"a": [1], "b": [1]}


def test_the_same_key_twice_is_refused_with_both_lines():
    (problem,) = refusal("a: 1\nb: 2\na: 3\n")
    assert (problem.place.line, problem.path) == (3, "a")
    assert "line 1" in problem.message


def test_every_key_that_stands_twice_is_reported():
    assert len(refusal("a: 1\na: 2\nb: {c: 1, c: 2}\n")) == 2


def test_text_that_is_no_yaml_is_refused_with_its_line():
    (problem,) = refusal("a: 1\nb: [1\n")
    assert "not YAML" in problem.message
    assert problem.place.line >= 2


@pytest.mark.parametrize("text", ["a: &x [*x]", "a: !!set {b}", "a: !!python/name:os.system b", "? [a]\n: b", "\0"])
def test_what_is_no_plain_data_is_refused(text):
    assert refusal(text)


def test_a_file_that_is_missing_is_a_problem_and_no_traceback(tmp_path):
    from headgate.document import load_document

    with pytest.raises(Invalid) as caught:
        load_document(tmp_path / "none.yaml", "conf/none.yaml")
    assert caught.value.problems[0].place.file == "conf/none.yaml"


def test_a_document_that_fits_has_no_problems():
    assert problems_of("name: a\nkind: big\nparts: [{size: 1}]\n") == []


def test_an_unknown_key_is_reported_with_its_line_and_the_nearest_known_one():
    (problem,) = problems_of("name: a\nknd: big\n")
    assert (str(problem.place), problem.path) == ("x.yaml:2", "knd")
    assert "Did you mean 'kind'?" in problem.message


def test_a_value_that_is_none_of_those_allowed_comes_with_the_nearest():
    (problem,) = problems_of("name: a\nkind: smal\n")
    assert "Did you mean 'small'?" in problem.message
    assert "big or small" in problem.fix


def test_a_number_where_text_is_wanted_is_to_be_put_in_quotes():
    (problem,) = problems_of("name: 1.0\n")
    assert problem.fix == 'put it in quotes: "1.0"'


def test_a_key_that_is_missing_is_named():
    (problem,) = problems_of("kind: big\n")
    assert "`name`" in problem.message


def test_a_schema_says_in_words_what_it_wants():
    (problem,) = problems_of("name: a\nport: 0\n")
    assert problem.fix == "give a port"


def test_a_secret_is_not_repeated():
    (problem,) = problems_of("name: a\nkeys: [hunter2]\n")
    assert "hunter2" not in str(as_error(ContractError, [problem]))


def test_an_empty_file_is_said_to_be_empty():
    (problem,) = problems_of("# nothing\n")
    assert problem.message == "is empty"


def test_an_item_is_shown_by_its_name_where_it_has_one():
    document = read("parts:\n  - {name: wheel, size: big}\n  - {size: big}\n")
    assert document.dotted(("parts", 0, "size")) == "parts[wheel].size"
    assert document.dotted(("parts", 1, "size")) == "parts[1].size"


def test_whoever_knows_better_explains_an_unknown_key():
    schema = {**SCHEMA, "title": "a thing"}
    (problem,) = check(read("name: a\nquality: 1\n"), schema, lambda level, key: (f"{key} of {level}", "remove it"))
    assert (problem.message, problem.fix) == ("quality of a thing", "remove it")


def test_all_problems_make_one_error_in_the_order_of_their_lines():
    error = as_error(ContractError, reversed(problems_of("kind: smal\nnme: a\nport: 0\n")))
    assert error.message.startswith("4 problems")
    assert error.message.index(":1: kind") < error.message.index(":2: nme") < error.message.index(":3: port")


def test_one_problem_makes_an_error_with_its_place_and_advice():
    error = as_error(ContractError, problems_of("name: a\nport: 0\n"))
    assert (error.where, error.fix) == ("x.yaml:2", "give a port")
