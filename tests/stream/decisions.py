"""Decisions as the flow makes them, for tests of what is written about them."""

from typing import Any

from tests.samples import NOON, admission, answered, chat_event, input_record, policy

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.words import Outcome, Reason
from afterguard.delivery.ledger import Entry, Stage
from afterguard.flow.decide import Decide, Decision
from afterguard.flow.findings import Finding, Reading, read
from afterguard.flow.ports import Judgement
from afterguard.flow.settings import DecideSettings

DECIDE = Decide(DecideSettings(), engine="null", model="null")


def decision(
    *,
    violation: bool = True,
    judgement: Judgement | None = None,
    policies: int = 1,
    event: dict[str, Any] | None = None,
    **changes: Any,
) -> Decision:
    """One event judged under so many policies; a violation asks for its removal."""
    under = [policy(id=f"policy-{number}") for number in range(policies)]
    judged = judgement or answered(violation, *(["H2"] if violation else []))
    findings = [Finding(read(judged, it), it, judged, attempts=1) for it in under]
    offset = changes.pop("offset", 0)
    changes.setdefault("record", input_record(offset=offset))
    return DECIDE.decide(admission(event=chat_event(**(event or {})), **changes), findings, NOON)


def failed(**changes: Any) -> Decision:
    """An event that the engine gave up on."""
    under = policy()
    reading = Reading(Outcome.FAILED, Reason.RETRIES_EXHAUSTED)
    return DECIDE.decide(admission(**changes), [Finding(reading, under, attempts=4)], NOON)


def judged(entry: Entry) -> Entry:
    """The entry as it reaches the publisher."""
    entry.advance(Stage.JUDGED)
    return entry


ORIGIN = Coordinates("chat.events", 0, 0)
