"""Outputs: every record fits the broker, whatever the event held; nothing is lost on the way."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue
from tests.samples import NOON, answered, input_record
from tests.stream.decisions import decision

from afterguard.contracts.cloudevents import AUDIT_RECORD, DEAD_LETTER, INTERVENTION
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.records import Headers, InputRecord, OutputRecord
from afterguard.contracts.verdicts import AuditRecord
from afterguard.contracts.words import Degraded, Outcome
from afterguard.flow.decide import Decision
from afterguard.stream.outputs import Outputs
from afterguard.stream.settings import DeliverySettings, TopicSettings

TOPICS = TopicSettings()
# The smallest that the settings allow is the hardest to keep.
TIGHT = DeliverySettings(max_record_bytes=50_000).max_record_bytes
WORST = "\x01"  # six bytes of JSON for one character
TRACE = (
    ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("tracestate", b"vendor=1"),
)


def outputs(limit: int = TIGHT) -> Outputs:
    return Outputs(TOPICS, source="/afterguard/g", max_record_bytes=limit, now=lambda: NOON)


def weight(record: OutputRecord) -> int:
    frame = sum(len(name.encode()) + len(value or b"") + 10 for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + frame + 100


def letters(record: InputRecord, limit: int = TIGHT, **changes: Any) -> list[OutputRecord]:
    told: dict[str, Any] = {
        "outcome": Outcome.REJECTED,
        "reason": "not_json",
        "detail": "d",
        "attempts": 0,
    }
    return outputs(limit).dead_letter(record, **(told | changes))


def read_letters(records: list[OutputRecord]) -> list[DeadLetter]:
    return [DeadLetter.model_validate_json(it.value or b"") for it in records]


def joined(found: list[DeadLetter]) -> bytes | None:
    parts = sorted(found, key=lambda letter: letter.part)
    assert [letter.part for letter in parts] == list(range(parts[0].parts))
    if parts[0].value is None:
        return None
    return b"".join(letter.value or b"" for letter in parts)


@pytest.mark.parametrize("limit", [TIGHT, 900_000])
@pytest.mark.parametrize("size", [0, 1, 30_000, 899_999, 10_000_000])
def test_parts_of_a_dead_letter_fit_and_join_to_the_original(limit: int, size: int) -> None:
    value = (bytes(range(256)) * (size // 256 + 1))[:size]
    records = letters(input_record(value, key=b"k", headers=(("h", b"\xff"),)), limit)
    found = read_letters(records)
    assert max(map(weight, records)) <= limit
    assert joined(found) == value
    assert {letter.original_size for letter in found} == {size}
    assert len({letter.dead_letter_id for letter in found}) == len(found)
    assert {record.key for record in records} == {b"chat.events/0/0"}, "parts share a partition"
    assert all(letter.key == b"k" and letter.headers == [("h", b"\xff")] for letter in found)


def test_a_tombstone_stays_one() -> None:
    found = read_letters(letters(input_record(None, key=b"gone")))
    assert [(letter.value, letter.key, letter.original_size) for letter in found] == [
        (None, b"gone", 0)
    ]


HUGE: dict[str, tuple[bytes | None, Headers]] = {
    "key": (b"k" * 800_000, ()),
    "header value": (None, (("h", b"v" * 800_000),)),
    "header name": (None, (("n" * 800_000, b""),)),
    "header name of control characters": (None, ((WORST * 200_000, None),)),
    "many empty headers": (None, (("", b""),) * 100_000),
    "many headers without a value": (None, (("", None),) * 100_000),
}


@pytest.mark.parametrize("what", HUGE)
def test_a_huge_frame_is_stripped_and_the_value_kept(what: str) -> None:
    key, headers = HUGE[what]
    records = letters(input_record(b"\xfforiginal", key=key, headers=headers))
    found = read_letters(records)
    assert max(map(weight, records)) <= TIGHT
    assert joined(found) == b"\xfforiginal"
    assert found[0].key is None
    assert "left out" in found[0].detail


def test_a_long_detail_and_a_worst_case_event_id_fit() -> None:
    records = letters(
        input_record(b"x" * 100_000, headers=((WORST * 9_000, b""),) * 9),
        detail=WORST * 5_000,
        event_id=WORST * 256,
    )
    assert max(map(weight, records)) <= TIGHT
    assert joined(read_letters(records)) == b"x" * 100_000


@settings(max_examples=25, deadline=None)
@given(
    value=st.none() | st.binary(max_size=200_000),
    key=st.none() | st.binary(max_size=30_000),
    headers=st.lists(
        st.tuples(st.text(max_size=2_000), st.none() | st.binary(max_size=9_000)), max_size=20
    ),
)
def test_any_record_becomes_dead_letters_that_fit(
    value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    records = letters(input_record(value, key=key, headers=tuple(headers)))
    assert max(map(weight, records)) <= TIGHT
    assert joined(read_letters(records)) == value


def worst_event(**changes: Any) -> dict[str, Any]:
    longest = WORST * 256
    return {
        "event_id": longest,
        "conversation_id": longest,
        "tenant": longest,
        "channel_id": longest,
        "author": {"id": longest},
    } | changes


def judged_at_length(text: str, unknown: int = 0) -> Decision:
    rules = ("H2", *(f"{WORST * 60}{number}" for number in range(unknown)))
    judgement = answered(True, *rules)._replace(rationale=text, answer=text)
    return decision(judgement=judgement, event=worst_event())


@pytest.mark.parametrize("text", [WORST * 1_000_000, "\U0001f600" * 500_000, "a" * 3_000_000])
def test_a_huge_rationale_is_cut_and_the_cut_is_told(text: str) -> None:
    record = outputs().audit(judged_at_length(text))[0]
    verdict = AuditRecord.model_validate_json(record.value or b"")
    assert weight(record) <= TIGHT
    assert set(verdict.cut) == {"rationale", "answer"}
    assert verdict.rationale
    assert text.startswith(verdict.rationale)


def test_a_flood_of_cited_rules_is_cut_too() -> None:
    record = outputs().audit(judged_at_length(WORST * 100_000, unknown=5_000))[0]
    verdict = AuditRecord.model_validate_json(record.value or b"")
    assert weight(record) <= TIGHT
    assert "unknown_rules" in verdict.cut
    assert verdict.rule_ids == ("H2",), "what decides is never cut"


def test_half_of_a_surrogate_pair_in_the_models_words_does_not_cost_the_verdict() -> None:
    judgement = answered(True, "H2", "X\udfff")._replace(rationale="a\ud800b", answer="\udc00")
    record = outputs().audit(decision(judgement=judgement))[0]
    verdict = AuditRecord.model_validate_json(record.value or b"")
    assert (verdict.rationale, verdict.answer, verdict.unknown_rules) == ("a?b", "?", ("X?",))
    assert verdict.outcome == "violation"


def test_what_fits_is_not_cut() -> None:
    record = outputs(900_000).audit(judged_at_length("because"))[0]
    verdict = AuditRecord.model_validate_json(record.value or b"")
    assert (verdict.rationale, verdict.cut) == ("because", ())


def intervention(target: JsonValue, limit: int = TIGHT) -> OutputRecord:
    made = decision(event=worst_event(target=target))
    assert made.intervention is not None
    return outputs(limit).intervention(made.intervention, made.admission.record)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param([1e15] * 50_000, id="numbers that grow on the way"),
        pytest.param({"ref": WORST * 500_000}, id="control characters"),
        pytest.param("x" * 10_000_000, id="ten megabytes"),
    ],
)
def test_a_target_that_does_not_fit_is_left_out_and_that_is_told(target: JsonValue) -> None:
    record = intervention(target)
    acted = Intervention.model_validate_json(record.value or b"")
    assert weight(record) <= TIGHT
    assert acted.target is None
    assert Degraded.TARGET_LEFT_OUT in acted.degraded
    assert acted.action == "remove"


def test_a_target_that_fits_is_handed_back_untouched() -> None:
    target: JsonValue = {"message": 12, "deep": [[{"ü": None}]], "nul": "\x00"}
    acted = Intervention.model_validate_json(intervention(target).value or b"")
    assert acted.target == target
    assert not acted.degraded


def test_every_output_is_an_event_of_cloudevents_about_the_chat_event() -> None:
    made = decision(record=input_record(headers=TRACE))
    assert made.intervention is not None
    audit = outputs().audit(made)[0]
    action = outputs().intervention(made.intervention, made.admission.record)
    letter = letters(made.admission.record)[0]
    for record, kind, subject in (
        (audit, AUDIT_RECORD, b"e-1"),
        (action, INTERVENTION, b"e-1"),
        (letter, DEAD_LETTER, b"chat.events/0/0"),
    ):
        headers = dict(record.headers)
        assert headers["ce_specversion"] == b"1.0"
        assert headers["ce_type"] == kind.encode()
        assert headers["ce_source"] == b"/afterguard/g"
        assert headers["ce_subject"] == subject
        assert headers["content-type"] == b"application/json"
        assert headers["ce_time"] == b"2026-01-05T12:00:00+00:00"
    ids = [orjson.loads(it.value or b"") for it in (audit, action, letter)]
    assert [dict(it.headers)["ce_id"] for it in (audit, action, letter)] == [
        ids[0]["verdict_id"].encode(),
        ids[1]["intervention_id"].encode(),
        ids[2]["dead_letter_id"].encode(),
    ]


def test_the_trace_of_the_event_goes_on_in_every_output() -> None:
    made = decision(record=input_record(headers=TRACE))
    assert made.intervention is not None
    records = [
        *outputs().audit(made),
        outputs().intervention(made.intervention, made.admission.record),
        *letters(made.admission.record),
    ]
    assert all(record.headers[-2:] == TRACE for record in records)


def test_outputs_about_one_conversation_share_its_key() -> None:
    made = decision(event={"conversation_id": "ünï"})
    assert made.intervention is not None
    action = outputs().intervention(made.intervention, made.admission.record)
    assert {outputs().audit(made)[0].key, action.key} == {"ünï".encode()}


def test_no_rationale_leaves_in_an_intervention() -> None:
    made = decision(judgement=answered(True, "H2")._replace(rationale="SECRET", answer="SECRET"))
    assert made.intervention is not None
    value = outputs().intervention(made.intervention, made.admission.record).value or b""
    assert b"SECRET" not in value
