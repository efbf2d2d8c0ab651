"""Small, valid pieces that tests change to make their point."""

from datetime import UTC, datetime
from typing import Any

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy
from afterguard.contracts.records import InputRecord
from afterguard.contracts.words import Lane
from afterguard.delivery.ledger import Entry, Ledger
from afterguard.delivery.order import KeyOrder, Ticket
from afterguard.flow.admit import Admission
from afterguard.flow.ports import Judgement, JudgementStatus

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def event_fields(**changes: Any) -> dict[str, Any]:
    """The fields of a plain message."""
    return {
        "event_id": "e-1",
        "occurred_at": NOON.isoformat(),
        "kind": "message",
        "conversation_id": "c-1",
        "author": {"id": "u-1", "role": "user"},
        "content": "good morning",
    } | changes


def chat_event(**changes: Any) -> ChatEvent:
    """A plain message."""
    return ChatEvent.model_validate(event_fields(**changes))


def policy(**changes: Any) -> Policy:
    """A policy of two rules."""
    return Policy.model_validate(
        {
            "id": "harassment",
            "title": "Harassment",
            "owner": "trust@example.org",
            "rules": [
                {"id": "H1", "title": "Insults", "severity": "low", "action": "label"},
                {"id": "H2", "title": "Threats", "severity": "high", "action": "remove"},
            ],
            "body": "## Instruction\nJudge.",
            "version": "00000000000000aa",
        }
        | changes
    )


def input_record(value: bytes | None = b"{}", *, offset: int = 0, **changes: Any) -> InputRecord:
    """A record at an offset of `chat.events/0`."""
    return InputRecord(
        coordinates=changes.pop("coordinates", Coordinates("chat.events", 0, offset)),
        key=changes.pop("key", None),
        value=value,
        headers=changes.pop("headers", ()),
        **changes,
    )


def entry(offset: int = 0, tokens: int = 1) -> Entry:
    """An entry of a ledger of its own."""
    return Ledger(release=lambda _: None).admit(offset, tokens, now=0.0)


def ticket(key: str = "c-1") -> Ticket[Any]:
    """A ticket of an order of its own."""
    order: KeyOrder[Any] = KeyOrder()
    return order.enter(key)


def admission(**changes: Any) -> Admission:
    """A plain message, admitted at noon under one policy."""
    values: dict[str, Any] = {
        "event": chat_event(),
        "record": input_record(),
        "entry": entry(),
        "ticket": ticket(),
        "policies": (policy(),),
        "skip": None,
        "lane": Lane.STANDARD,
        "place": 0.0,
        "deadline": None,
        "received_at": NOON,
        "received": 0.0,
    } | changes
    return Admission(**values)


def answered(violation: bool, *rules: str, score: float | None = None) -> Judgement:
    """A complete answer of the model."""
    return Judgement(
        JudgementStatus.ANSWERED,
        violation=violation,
        rule_ids=rules,
        rationale="because",
        answer='{"violation":…}',
        score=score,
        prompt_tokens=10,
        output_tokens=5,
    )
