"""One entry of `input.map`: conversions, defaults, tables, and the faults of the settings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.samples import NOON, input_record

from afterguard.contracts.errors import MappingError
from afterguard.stream.mapping_fields import FIELDS, IDENTIFIERS, REQUIRED, TIMESTAMPS, field_source
from afterguard.stream.mapping_finders import EPOCH

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)


def value(field: str, entry: object, found: object) -> object:
    """What the field becomes when `a` of the document is this."""
    source, faults = field_source(field, entry)
    assert source is not None, faults
    return source.value({"a": found}, input_record())


def fault(field: str, entry: object, found: object) -> str:
    """Why it becomes nothing."""
    with pytest.raises(MappingError) as error:
        value(field, entry, found)
    assert error.value.field == field
    return error.value.detail


def problems(field: str, entry: object) -> list[str]:
    source, faults = field_source(field, entry)
    assert source is None
    return faults


@pytest.mark.parametrize("field", sorted(IDENTIFIERS))
@pytest.mark.parametrize(
    ("found", "becomes"), [("x", "x"), (7, "7"), (0, "0"), (-1, "-1"), (2**70, str(2**70))]
)
def test_whole_numbers_become_text_where_an_id_is_wanted(
    field: str, found: object, becomes: str
) -> None:
    assert value(field, "a", found) == becomes


@pytest.mark.parametrize("found", [True, 1.5, [1], {"b": 1}])
def test_nothing_else_becomes_an_id_in_silence(found: object) -> None:
    # The contract then refuses it by name.
    assert value("event_id", "a", found) == found


def test_a_number_too_long_for_an_id_is_a_fault() -> None:
    assert "more than 256 digits" in fault("event_id", "a", 10**256)


@pytest.mark.parametrize(
    ("unit", "found"),
    [
        ("s", 1767614400),
        ("s", 1767614400.0),
        ("s", "1767614400"),
        ("s", " 1767614400 "),
        ("ms", 1767614400000),
        ("ms", "1767614400000"),
        ("us", 1767614400 * 10**6),
        ("ns", 1767614400 * 10**9),
    ],
)
def test_an_epoch_is_read_in_its_unit(unit: str, found: object) -> None:
    assert value("occurred_at", {"path": "a", "unit": unit}, found) == NOON


@given(
    microseconds=st.integers(0, 250_000 * 10**12),
    per_microsecond=st.sampled_from([1, 1_000]),
    as_text=st.booleans(),
)
@settings(deadline=None)
def test_no_microsecond_of_an_epoch_is_lost(
    microseconds: int, per_microsecond: int, as_text: bool
) -> None:
    entry = {"path": "a", "unit": "us" if per_microsecond == 1 else "ns"}
    number = microseconds * per_microsecond
    moment = value("occurred_at", entry, str(number) if as_text else number)
    assert moment == EPOCH + timedelta(microseconds=microseconds)


@pytest.mark.parametrize(
    "found", [10**30, -(10**30), float("inf"), float("nan"), "9" * 5_000, "1e999"]
)
def test_a_number_beyond_the_calendar_is_a_fault(found: object) -> None:
    assert "beyond the calendar" in fault("occurred_at", {"path": "a", "unit": "s"}, found)


@pytest.mark.parametrize("found", ["soon", "2026-01-05T12:00:00Z", True, [1], {}, "", "0x10", "١٢"])
def test_with_a_unit_only_a_number_is_a_time(found: object) -> None:
    assert "is no number" in fault("occurred_at", {"path": "a", "unit": "s"}, found)


@pytest.mark.parametrize("found", [1767614400, "1767614400", 1.5, True, []])
def test_a_number_without_a_unit_is_a_fault_that_names_the_remedy(found: object) -> None:
    assert "a number needs `unit`" in fault("occurred_at", "a", found)


def test_a_text_without_a_time_zone_gets_the_one_that_is_named() -> None:
    entry = {"path": "a", "zone": "Europe/Berlin"}
    moment = value("occurred_at", entry, "2026-01-05T13:00:00")
    assert isinstance(moment, datetime)
    assert moment.astimezone(UTC) == NOON
    assert value("occurred_at", entry, "2026-01-05T12:00:00+00:00") == NOON
    assert "no ISO 8601" in fault("occurred_at", entry, "yesterday")


@pytest.mark.parametrize("entry", [{"record": "timestamp"}, {"record": "key", "unit": "s"}])
def test_a_time_may_come_from_the_record(entry: dict[str, str]) -> None:
    source, _ = field_source("occurred_at", entry)
    assert source is not None
    record = input_record(key=b"1767614400", timestamp_ms=1_767_614_400_000)
    assert source.value(None, record) == NOON


@pytest.mark.parametrize("field", sorted(REQUIRED))
def test_a_required_field_that_is_null_or_absent_is_a_fault(field: str) -> None:
    assert fault(field, "a", None) == f"{field}: `a` is null or absent"
    assert fault(field, "nowhere", 1) == f"{field}: `nowhere` is null or absent"


def test_an_optional_field_that_is_null_is_left_out() -> None:
    assert value("tenant", "a", None) is None


def test_a_default_stands_in_for_null_and_absent_alone() -> None:
    entry = {"path": "a", "default": ""}
    assert [value("content", entry, it) for it in (None, "", "x")] == ["", "", "x"]


def test_a_table_turns_their_words_into_ours() -> None:
    entry = {"path": "a", "values": {"bot": "assistant", 2: "user", True: "system"}}
    found = [value("author.role", entry, it) for it in ("bot", 2, "2", True, "true")]
    assert found == ["assistant", "user", "user", "system", "system"]


@pytest.mark.parametrize("unknown", ["else", 2, 1.0, [], {"bot": 1}])
def test_an_unknown_word_is_a_fault_unless_there_is_a_default(unknown: object) -> None:
    entry: dict[str, Any] = {"path": "a", "values": {"bot": "assistant"}}
    assert "none of the known `values`" in fault("author.role", entry, unknown)
    assert value("author.role", entry | {"default": "user"}, unknown) == "user"


def test_a_constant_is_what_the_field_holds() -> None:
    assert value("kind", {"const": "message"}, None) == "message"
    assert value("tenant", {"const": 7}, None) == "7"
    assert value("policies", {"const": ["hate"]}, None) == ["hate"]


@pytest.mark.parametrize(
    ("field", "entry", "told"),
    [
        ("content", "a[", "not a JMESPath: "),
        ("content", "", "not a JMESPath: "),
        ("content", "(" * 5_000, "not a JMESPath: "),
        ("content", 7, "must be a JMESPath, or a table"),
        ("content", None, "must be a JMESPath, or a table"),
        ("content", ["a"], "must be a JMESPath, or a table"),
        ("content", {}, "needs exactly one of path, header, record, const"),
        ("content", {"path": "a", "header": "b"}, "needs exactly one of"),
        ("content", {"path": "a", "then": 1}, "then: no such key; there are path"),
        ("content", {"path": 7}, "path: "),
        ("content", {"const": 7}, "const: "),
        ("content", {"const": None}, "const: may not be null"),
        ("content", {"path": "a", "default": None}, "default: may not be null"),
        ("content", {"const": "a", "default": "b"}, "const stands alone"),
        ("content", {"path": "a", "unit": "s"}, "unit: only for deadline, occurred_at"),
        ("content", {"path": "a", "zone": "UTC"}, "zone: only for"),
        ("content", {"record": "timestamp"}, "record: timestamp: only for"),
        ("content", {"record": "nonsense"}, "record: "),
        ("kind", {"const": "nonsense"}, "const: "),
        ("kind", {"path": "a", "default": "nonsense"}, "default: "),
        ("author.role", {"path": "a", "values": {"bot": "robot"}}, "values.bot: "),
        ("occurred_at", {"path": "a", "unit": "h"}, "unit: "),
        ("occurred_at", {"path": "a", "unit": "s", "zone": "UTC"}, "unit and zone exclude"),
        ("occurred_at", {"path": "a", "zone": "Mars/Base"}, "zone: 'Mars/Base' is no IANA"),
        ("occurred_at", {"path": "a", "zone": "../etc/passwd"}, "zone: "),
        ("occurred_at", {"record": "offset"}, "record: offset is no time"),
        ("occurred_at", {"record": "timestamp", "unit": "s"}, "unit and zone have no meaning"),
        ("occurred_at", {"const": "2026-01-05T12:00:00"}, "const: "),
        ("sequence", {"const": -1}, "const: "),
        ("lane", {"const": "slow"}, "const: "),
    ],
)
def test_a_fault_of_the_settings_is_told_at_once(field: str, entry: object, told: str) -> None:
    (line,) = problems(field, entry)
    assert line.startswith(told)
    assert "\n" not in line


def test_several_faults_of_one_entry_are_told_together() -> None:
    entry = {"path": "a[", "default": 7, "values": {"x": 8}, "unit": "s"}
    assert len(problems("content", entry)) == 4


@given(field=st.sampled_from(FIELDS), found=ANY, unit=st.sampled_from([None, "s", "ms"]))
@settings(deadline=None, max_examples=300)
def test_whatever_is_found_a_field_has_a_value_or_a_mapping_error_that_quotes_nothing(
    field: str, found: object, unit: str | None
) -> None:
    entry = {"path": "a"} | ({"unit": unit} if unit and field in TIMESTAMPS else {})
    source, _ = field_source(field, entry)
    assert source is not None
    faults: list[MappingError] = []
    try:
        source.value({"a": found}, input_record())
    except MappingError as error:
        faults.append(error)
    text = found if isinstance(found, str) and len(found) > 4 else None
    assert all(it.field == field and (text is None or text not in it.detail) for it in faults)
