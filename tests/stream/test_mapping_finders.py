"""Finders: what a path, a header or a part of the record yields."""

from contextlib import suppress
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError
from tests.samples import input_record

from afterguard.contracts.errors import MappingError
from afterguard.stream.mapping_finders import IN_RECORD, along_path, constant, in_header

NAMES = st.sampled_from(["a", "b", "c d", 'q"t', "é"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '\\"') + '"'


@given(document=JSON, names=st.lists(NAMES, min_size=1, max_size=4))
@settings(deadline=None)
def test_a_dotted_path_is_walked_as_jmespath_would(document: Any, names: list[str]) -> None:
    path = ".".join(quoted(name) for name in names)
    find = along_path("content", path)
    assert find(document, input_record()) == jmespath.search(path, document)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", 1),
        ("a.*", [1, 2]),
        ("c[0].d", "x"),
        ("c[].d", ["x", "y"]),
        ("none || a.b", 1),
        ("join('-', c[].d)", "x-y"),
        ("'constant'", "constant"),
        ("`7`", 7),
        ("@.a.b", 1),
        ("{n: a.b}", {"n": 1}),
        ("none", None),
        ("a.b.c", None),
        ("c.d", None),
    ],
)
def test_jmespath_is_understood_whole(path: str, found: object) -> None:
    document = {"a": {"b": 1, "c": 2}, "c": [{"d": "x"}, {"d": "y"}]}
    assert along_path("content", path)(document, input_record()) == found


@pytest.mark.parametrize("document", [None, 7, "text", [], [{"a": 1}], True])
def test_a_path_yields_nothing_from_what_is_no_object(document: object) -> None:
    assert along_path("content", "a")(document, input_record()) is None
    assert along_path("content", "a.b")(document, input_record()) is None


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("length(a)", {"a": 1}),
        ("sort_by(a, &b)", {"a": [{"b": 1}, {"b": "x"}]}),
        ("join(',', a)", {"a": [1, 2]}),
        ("a[::0]", {"a": [1, 2]}),
        ("to_number(a) && abs(a)", {"a": "7"}),
    ],
)
def test_a_function_that_fails_is_a_fault_of_the_record_that_quotes_nothing(
    path: str, document: object
) -> None:
    with pytest.raises(MappingError) as error:
        along_path("content", path)(document, input_record())
    assert error.value.field == "content"
    assert error.value.detail.startswith(f"content: `{path}` failed: ")


@given(st.text(max_size=25) | st.text("ab.[]*&|@`'\"(){},:? 019-\\", max_size=25))
@settings(deadline=None, max_examples=400)
def test_any_text_is_a_path_or_refused_and_then_never_raises_anything_but_a_mapping_error(
    path: str,
) -> None:
    with suppress(JMESPathError, MappingError):
        along_path("content", path)({"a": [1, {"b": None}]}, input_record())


def test_a_path_that_nests_too_deep_is_refused() -> None:
    path = "(" * 5_000 + "a" + ")" * 5_000
    with pytest.raises(JMESPathError, match="nests too deep"):
        along_path("content", path)


def test_a_very_deep_document_is_found_in_or_is_a_fault() -> None:
    deep: Any = "x"
    for _ in range(190):
        deep = [deep]
    assert along_path("content", "[][][]")(deep, input_record()) is not None


def test_a_huge_array_is_found_in() -> None:
    many = {"a": [{"b": number} for number in range(100_000)]}
    assert along_path("content", "a[-1].b")(many, input_record()) == 99_999
    assert along_path("content", "length(a[].b)")(many, input_record()) == 100_000


def test_a_header_is_the_first_of_its_name_and_must_be_text() -> None:
    record = input_record(headers=(("x", b"one"), ("x", b"two"), ("y", b"\xff"), ("z", None)))
    assert [in_header(name)(None, record) for name in ("x", "y", "z", "no")] == ["one"] + [None] * 3


def test_the_record_itself_can_be_asked() -> None:
    record = input_record(offset=7, key=b"k", timestamp_ms=1_000)
    found = {name: find(None, record) for name, find in IN_RECORD.items()}
    assert str(found.pop("timestamp")) == "1970-01-01 00:00:01+00:00"
    assert found == {
        "key": "k",
        "topic": "chat.events",
        "partition": 0,
        "offset": 7,
        "coordinates": "chat.events/0/7",
    }
    assert IN_RECORD["key"](None, input_record(key=b"\xff")) is None


def test_a_constant_is_found_in_everything() -> None:
    assert constant(3)({"a": 1}, input_record()) == 3
