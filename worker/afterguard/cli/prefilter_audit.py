"""What a classifier is fitted on: the model's own verdicts, joined with the events they are on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from afterguard.app import decoder
from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import RejectedInput, SettingsError
from afterguard.contracts.records import InputRecord
from afterguard.contracts.words import Outcome
from afterguard.flow.screening import ENGINE
from afterguard.prefilter.fit import Labelled, Progress
from afterguard.screening_room import classifier_text
from afterguard.settings import Settings
from afterguard.stream.kafka.reader import scan_topic

_LABELS: Final = {Outcome.VIOLATION.value: True, Outcome.NO_VIOLATION.value: False}


@dataclass(slots=True)
class Verdicts:
    """The labels that an audit topic holds.

    Only what the model said for certain counts; a classifier must not learn from itself. Of several
    verdicts on one record under one policy the last holds, and one in force before one on trial.

    Args:
        policy_id: Take this policy's verdicts alone; of all when None.
        version: Take this version's verdicts alone.
    """

    policy_id: str | None = None
    version: str | None = None
    _found: dict[Coordinates, dict[str, tuple[bool, bool]]] = field(
        default_factory=dict, init=False
    )

    def take(self, record: InputRecord) -> None:
        """Look at one record of the audit topic."""
        try:
            verdict = orjson.loads(record.value or b"")
        except orjson.JSONDecodeError:
            return
        if not isinstance(verdict, dict) or not self._wanted(verdict):
            return
        place = Coordinates(verdict["topic"], verdict["partition"], verdict["offset"])
        shadow = bool(verdict.get("shadow"))
        by_policy = self._found.setdefault(place, {})
        before = by_policy.get(verdict["policy_id"])
        if before is None or before[1] or not shadow:
            by_policy[verdict["policy_id"]] = _LABELS[verdict["outcome"]], shadow

    def labels(self) -> dict[Coordinates, bool]:
        """By record, whether any of the policies is violated."""
        return {
            place: any(violates for violates, _ in by_policy.values())
            for place, by_policy in self._found.items()
        }

    def _wanted(self, verdict: Mapping[str, Any]) -> bool:
        policy_id = verdict.get("policy_id")
        return (
            policy_id is not None
            and verdict.get("outcome") in _LABELS
            and verdict.get("engine") != ENGINE
            and self.policy_id in {None, policy_id}
            and self.version in {None, verdict.get("policy_version")}
        )


async def from_audit(settings: Settings, verdicts: Verdicts, show: Progress) -> Labelled:
    """Texts of the input topic with the model's verdicts as labels.

    Args:
        settings: Broker, topics, and `input.map`.
        verdicts: Which of them count.
        show: Told the stage, how many offsets are read, and of how many.

    Raises:
        SettingsError: There is no verdict of that kind, or no event for any.
        StreamError: A topic cannot be read.
    """
    topics = settings.topics
    await scan_topic(
        settings.kafka, topics.audit, verdicts.take, lambda done, of: show("audit", done, of)
    )
    labels = verdicts.labels()
    if not labels:
        raise SettingsError([f"{topics.audit} holds no verdict of the model that would count"])
    decode = decoder(settings)
    texts: list[str] = []
    violates: list[bool] = []

    def take(record: InputRecord) -> None:
        label = labels.get(record.coordinates)
        if label is None:
            return
        try:
            texts.append(classifier_text(decode(record)))
        except RejectedInput:  # it was read by another `input.map`
            return
        violates.append(label)

    await scan_topic(settings.kafka, topics.events, take, lambda done, of: show("events", done, of))
    if not texts:
        raise SettingsError([f"{topics.events} holds none of the events that were judged any more"])
    what = f"policy {verdicts.policy_id}" if verdicts.policy_id else "any policy"
    gone = len(labels) - len(texts)
    return Labelled(texts, violates, f"{what}, as the model judged", left_out=gone)
