"""The audit: what became of every record that was sent, from what stands in the topics; pure.

It reads JSON and knows the contracts by their field names alone: nothing of the worker decides here
what is right.
"""

from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from tests.chaos.load import Sent

from afterguard.contracts.records import InputRecord

Place = tuple[int, int]


class Repeat(NamedTuple):
    """An output that was written again under its id.

    Attributes:
        place: Partition and offset of its event.
        first_ms: When it was written first, by the log.
        again_ms: When it was written again.
    """

    place: Place
    first_ms: int
    again_ms: int


@dataclass(slots=True)
class Topics:
    """What was read back, each topic in the order of its partitions and offsets."""

    events: list[InputRecord]
    audit: list[InputRecord]
    interventions: list[InputRecord]
    dead_letters: list[InputRecord]


@dataclass(slots=True)
class Account:
    """What the audit came to.

    Attributes:
        events: Records that were sent and acknowledged.
        verdicts: Different ones.
        interventions: Different ones.
        dead_letters: Records kept as dead letters.
        outcomes: Verdicts by outcome; `rejected` for records that are no event.
        lost: Records for which something is missing, and what.
        repeats: Outputs written again under their id.
        differing: Repeated verdicts whose outcome is another than the first time.
        conflicts: One event and policy with verdicts of different ids, or two interventions.
        out_of_order: Interventions that came before one of an earlier event of their conversation.
        strangers: Outputs about records that nobody sent, and records in the log that the ledger
            does not know.
        spoiled: Dead letters whose bytes are not those of their origin.
        uncommitted: Records that the group has not passed.
        sent_ms: When each lost record was sent, by the log.
    """

    events: int = 0
    verdicts: int = 0
    interventions: int = 0
    dead_letters: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lost: dict[Place, list[str]] = field(default_factory=lambda: defaultdict(list))
    repeats: list[Repeat] = field(default_factory=list)
    differing: int = 0
    conflicts: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    spoiled: list[str] = field(default_factory=list)
    uncommitted: int = 0
    sent_ms: dict[Place, int] = field(default_factory=dict)

    def broken(self, *, repeats_allowed: int) -> list[str]:
        """What was promised and not kept, one line each; empty when all is well."""
        found = {
            "lost": len(self.lost),
            "verdicts that conflict": len(self.conflicts),
            "out of order": len(self.out_of_order),
            "about what nobody sent": len(self.strangers),
            "dead letters that are not as their origin": len(self.spoiled),
            "not committed": self.uncommitted,
        }
        lines = [f"{count} {what}" for what, count in found.items() if count]
        if len(self.repeats) > repeats_allowed:
            lines.append(f"{len(self.repeats)} duplicated, at most {repeats_allowed} allowed")
        return lines


def account(
    sent: Mapping[Place, Sent],
    topics: Topics,
    policies: Iterable[str],
    committed: Mapping[int, int],
) -> Account:
    """Account for every record.

    Args:
        sent: What the broker acknowledged.
        topics: What stands in the log.
        policies: Under each of which every event is owed a verdict.
        committed: The next offset that the group would read of each partition.
    """
    found = Account(events=len(sent))
    in_log = {_place_of(it): it.value for it in topics.events}
    for place, it in sent.items():
        if place not in in_log:
            found.lost[place].append("the broker acknowledged it and does not have it")
        elif in_log[place] != it.value:
            found.strangers.append(f"{place}: other bytes than were sent")
        found.uncommitted += place[1] >= committed.get(place[0], 0)
    found.strangers += [f"{it}: in the log, never acknowledged" for it in in_log if it not in sent]
    verdicts = _verdicts(found, topics.audit, sent)
    acted = _interventions(found, topics.interventions, sent)
    letters = _letters(found, topics.dead_letters, sent)
    owed = frozenset(policies)
    for place, it in sent.items():
        missing = _missing(it, owed, verdicts.get(place, {}), place in acted, place in letters)
        if missing:
            found.lost[place] += missing
    found.sent_ms = {
        place: it.timestamp_ms for it in topics.events if (place := _place_of(it)) in found.lost
    }
    return found


def _missing(
    sent: Sent, owed: frozenset[str], verdicts: Mapping[str | None, str], acted: bool, letter: bool
) -> list[str]:
    if sent.event_id is None:
        return [] if letter else ["no dead letter"]
    if letter and not verdicts:
        return []  # given up before it was judged
    if None in verdicts:
        return [] if acted else ["no intervention"]
    missing = [f"no verdict under {policy}" for policy in sorted(owed - set(verdicts))]
    if "failed" in verdicts.values() and not letter:
        missing.append("failed, and no dead letter")
    return missing if acted else [*missing, "no intervention"]


def _verdicts(
    found: Account, records: Iterable[InputRecord], sent: Mapping[Place, Sent]
) -> dict[Place, dict[str | None, str]]:
    """The outcome of each place and policy: that of the first, as a reader would take it."""
    outcomes: dict[Place, dict[str | None, str]] = defaultdict(dict)
    ids: dict[tuple[Place, str | None], str] = {}
    written: dict[str, int] = {}
    for record in records:
        it = orjson.loads(record.value or b"")
        place = _origin(it)
        if place not in sent or sent[place].event_id != it["event_id"]:
            found.strangers.append(f"{place}: a verdict on {it['event_id']}")
            continue
        policy, id_, outcome = it["policy_id"], it["verdict_id"], it["outcome"]
        if id_ in written:
            found.repeats.append(Repeat(place, written[id_], record.timestamp_ms))
            found.differing += outcomes[place][policy] != outcome
            continue
        written[id_] = record.timestamp_ms
        if ids.setdefault((place, policy), id_) != id_:
            found.conflicts.append(f"{place}: two verdicts under {policy}")
            continue
        outcomes[place][policy] = outcome
        found.verdicts += 1
        found.outcomes[outcome] += 1
    return outcomes


def _interventions(
    found: Account, records: Iterable[InputRecord], sent: Mapping[Place, Sent]
) -> set[Place]:
    """Where somebody acted. Looks at the order of first occurrences as well."""
    written: dict[str, int] = {}
    acted: dict[Place, str] = {}
    last: dict[tuple[str, int], int] = {}
    for record in records:
        it = orjson.loads(record.value or b"")
        place, id_ = _origin(it), it["intervention_id"]
        conversation = it["conversation_id"]
        if place not in sent or sent[place].conversation != conversation:
            found.strangers.append(f"{place}: an intervention in {conversation}")
            continue
        if id_ in written:
            found.repeats.append(Repeat(place, written[id_], record.timestamp_ms))
            continue
        written[id_] = record.timestamp_ms
        if acted.setdefault(place, id_) != id_:
            found.conflicts.append(f"{place}: two interventions")
        where = (conversation, place[0])
        if place[1] < last.get(where, -1):
            found.out_of_order.append(f"{conversation}: {place[1]} after {last[where]}")
        last[where] = max(place[1], last.get(where, -1))
    found.interventions = len(written)
    return set(acted)


def _letters(
    found: Account, records: Iterable[InputRecord], sent: Mapping[Place, Sent]
) -> set[Place]:
    """Where a whole dead letter stands, joined from its parts."""
    parts: dict[Place, dict[int, bytes]] = defaultdict(dict)
    sizes: dict[Place, int] = {}
    written: dict[str, int] = {}
    for record in records:
        it: dict[str, Any] = orjson.loads(record.value or b"")
        place, id_ = _origin(it), it["dead_letter_id"]
        if place not in sent:
            found.strangers.append(f"{place}: a dead letter")
            continue
        if id_ in written:
            found.repeats.append(Repeat(place, written[id_], record.timestamp_ms))
            continue
        written[id_] = record.timestamp_ms
        if it["outcome"] == "rejected" and not parts[place]:
            found.outcomes["rejected"] += 1
        parts[place][it["part"]] = b64decode(it["value"] or "")
        sizes[place] = it["parts"]
    whole = {place for place, those in parts.items() if len(those) == sizes.get(place)}
    for place in whole:
        if b"".join(value for _, value in sorted(parts[place].items())) != sent[place].value:
            found.spoiled.append(f"{place}")
    found.dead_letters = len(whole)
    return whole


def _origin(output: Mapping[str, Any]) -> Place:
    return output["partition"], output["offset"]


def _place_of(record: InputRecord) -> Place:
    return record.coordinates.partition, record.coordinates.offset
