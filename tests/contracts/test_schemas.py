"""The published schemas accept what the models write, and stand in the package as generated."""

import json
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from tests.samples import event_fields

from afterguard.cli.schema import NAMES, file_name, text
from afterguard.contracts.asyncapi_document import document
from afterguard.contracts.codec import encode
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.replays import Replayed
from afterguard.contracts.schema_documents import CONTRACTS, checked_in, schema
from afterguard.contracts.verdicts import AuditRecord, Verdict
from afterguard.stream.settings import TopicSettings

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
zones = st.sampled_from(
    [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(1) / 2)]
)
moments = st.datetimes(timezones=zones)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
milliseconds = st.floats(0, 1e9)
counts = st.integers(0, 2**31)
maybe = st.none() | names

timings = {
    "received_at": moments,
    "published_at": moments,
    "queued_ms": milliseconds,
    "judging_ms": milliseconds,
    "event_to_publish_ms": milliseconds,
}


def instances(model: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any valid instance; fields without a strategy of their own follow their type."""
    return st.builds(model, **fields)


place = {"topic": names, "partition": counts, "offset": counts}
verdict_fields: dict[str, st.SearchStrategy[Any]] = {
    **place,
    "timings": st.fixed_dictionaries(timings),
    "score": st.none() | st.floats(0, 1),
    "prompt_tokens": counts,
    "cached_prompt_tokens": counts,
    "output_tokens": counts,
    "attempts": counts,
}
events = instances(
    ChatEvent,
    event_id=names,
    occurred_at=moments,
    kind=st.sampled_from(["message", "completion", "completion_chunk"]),
    conversation_id=names,
    author=st.fixed_dictionaries({"id": names}),
    content=names,
    target=json_values,
    tenant=maybe,
    channel_id=maybe,
    language=st.none() | st.just("pt-BR"),
    deadline=st.none() | moments,
    policies=st.none() | st.lists(names, max_size=2),
    sequence=st.none() | counts,
)
interventions = instances(
    Intervention,
    **place,
    revision=counts,
    target=json_values,
    expires_at=st.none() | moments,
    decided_at=moments,
    event_to_intervention_ms=milliseconds,
)
dead_letters = instances(
    DeadLetter,
    **place,
    attempts=counts,
    original_size=counts,
    part=counts,
    parts=st.integers(1, 9),
    recorded_at=moments,
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary(max_size=20),
    headers=st.lists(st.tuples(names, st.none() | st.binary(max_size=9)), max_size=2),
)
WRITTEN = {
    "chat-event": events,
    "verdict": instances(Verdict, **verdict_fields),
    "audit-record": instances(AuditRecord, **verdict_fields),
    "intervention": interventions,
    "dead-letter": dead_letters,
    "replayed": instances(Replayed, replay=st.integers(1, 9), replayed_at=moments),
}


def validator(name: str) -> Draft202012Validator:
    """The validator of one contract; formats are checked, not only noted."""
    return Draft202012Validator(schema(name), format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", CONTRACTS)
@given(st.data())
def test_what_a_model_writes_its_schema_accepts(name: str, data: st.DataObject) -> None:
    instance = data.draw(WRITTEN[name])
    validator(name).validate(json.loads(encode(instance)))


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_schema_leaves_room_for_fields_of_later_versions(name: str) -> None:
    """Fields may be added: a consumer that validates must not break on one."""
    assert schema(name).get("additionalProperties", True) is True


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "conversation"},
        {"content": [{"role": "user", "text": "x"}]},
        {"kind": "shout"},
        {"occurred_at": "yesterday"},
        {"author": {"role": "user"}},
        {"event_id": ""},
        {"sequence": -1},
    ],
)
def test_the_event_schema_refuses_what_the_worker_refuses(changes: dict[str, Any]) -> None:
    """A producer that validates must hear the same no that it would hear from us."""
    fields = event_fields(**changes)
    with pytest.raises(ValidationError):
        validator("chat-event").validate(fields)
    with pytest.raises(ValueError, match="validation error"):
        ChatEvent.model_validate(fields)


def test_the_event_schema_accepts_a_conversation() -> None:
    turns = [{"role": "user", "text": "hi"}, {"role": "assistant", "text": "hello"}]
    validator("chat-event").validate(event_fields(kind="conversation", content=turns))


@pytest.mark.parametrize("name", NAMES)
def test_checked_in_files_agree_with_the_models(name: str) -> None:
    """`afterguard schema --out worker/afterguard/contracts/schemas` makes them anew."""
    assert checked_in(file_name(name)) == text(name)


def references(node: Any) -> list[str]:
    """All `$ref` in a document."""
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for inner in node.values() for ref in references(inner)]
    return [ref for inner in node for ref in references(inner)] if isinstance(node, list) else []


def target_of(whole: Any, reference: str) -> Any:
    """What a local reference points at."""
    assert reference.startswith("#/"), reference
    for step in reference[2:].split("/"):
        whole = whole[step]
    return whole


@pytest.mark.parametrize("name", NAMES)
def test_every_reference_points_at_something(name: str) -> None:
    whole = yaml.safe_load(text(name))
    assert references(whole) or name == "replayed"  # the one without words of a closed set
    assert all(target_of(whole, reference) is not None for reference in references(whole))


def test_the_asyncapi_channels_are_the_default_topics() -> None:
    addresses = {channel["address"] for channel in document()["channels"].values()}
    assert addresses == set(TopicSettings().model_dump().values())
