"""What hot activations came to: when each was seen, and what was lost or mixed."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.version_order import misjudged

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.verdicts import AuditRecord
from afterguard.policy.store import HistoryEntry


class Change(NamedTuple):
    """One activation, and when what of it was seen.

    Attributes:
        asked_at: The command was started.
        entry: What the history has of it.
        taken_at: The worker put it in force, by its log.
        admitted_at: The first event that is judged under it was received.
        judged_at: Its first verdict was handed to the broker.
    """

    asked_at: datetime
    entry: HistoryEntry
    taken_at: datetime
    admitted_at: datetime
    judged_at: datetime

    @property
    def command_ms(self) -> float:
        """From the start of the command to the change; most of it is Python that starts."""
        return _ms(self.asked_at, self.entry.at)

    @property
    def taken_ms(self) -> float:
        """From the change to the worker that has it in force."""
        return _ms(self.entry.at, self.taken_at)

    @property
    def admitted_ms(self) -> float:
        """From the change to the first event under it."""
        return _ms(self.entry.at, self.admitted_at)

    @property
    def judged_ms(self) -> float:
        """From the change to the first verdict under it."""
        return _ms(self.entry.at, self.judged_at)

    @property
    def whole_ms(self) -> float:
        """From the start of the command to the first verdict."""
        return _ms(self.asked_at, self.judged_at)


class Figures(NamedTuple):
    """What was found with one kind of store."""

    changes: list[Change]
    events: int
    lost: int
    mixed: int


def figures_of(
    *,
    begin: Mapping[str, str],
    asked: Sequence[datetime],
    history: Sequence[HistoryEntry],
    taken: Mapping[str, datetime],
    audit: Sequence[AuditRecord],
    events: Sequence[Coordinates],
) -> Figures:
    """The figures of one worker.

    Args:
        begin: By policy id, the versions in force before the first command.
        asked: When each command was started.
        history: Of both policies.
        taken: By version, when the worker put it in force.
        audit: All verdicts.
        events: Where all events stand.
    """
    entries = sorted(history, key=lambda entry: entry.revision)
    states = [dict(begin)]
    changes = list[Change]()
    for at, entry in zip(asked, entries, strict=True):
        states.append(states[-1] | {entry.policy_id: entry.after or ""})
        under = [it.timings for it in audit if it.policy_version == entry.after]
        changes.append(
            Change(
                at,
                entry,
                taken[entry.after or ""],
                min(it.received_at for it in under),
                min(it.published_at for it in under),
            )
        )
    told = {Coordinates(it.topic, it.partition, it.offset) for it in audit}
    lost = sum(where not in told for where in events)
    return Figures(changes, len(events), lost, len(misjudged(audit, states)))


def taken_at(log: Path) -> dict[str, datetime]:
    """When the worker put each version in force."""
    lines = [json.loads(it) for it in log.read_text().splitlines() if it.startswith("{")]
    return {
        it["version"].split()[0]: datetime.fromisoformat(it["timestamp"])
        for it in lines
        if it.get("event") == "policy changed"
    }


def tell(kind: str, figures: Figures) -> dict[str, float]:
    """Print them; the same for JSON."""
    found: dict[str, float] = {
        "activations": len(figures.changes),
        "events": figures.events,
        "lost": figures.lost,
        "mixed": figures.mixed,
    }
    print(f"{kind}: {len(figures.changes)} activations, {figures.events} events")
    for name, words in (
        ("command_ms", "command started -> version changed"),
        ("taken_ms", "version changed -> in force in the worker"),
        ("admitted_ms", "version changed -> first event admitted under it"),
        ("judged_ms", "version changed -> first verdict under it"),
        ("whole_ms", "command started -> first verdict under it"),
    ):
        values = [getattr(it, name) for it in figures.changes]
        found[f"{name}_median"], found[f"{name}_max"] = round(median(values)), round(max(values))
        print(f"  {words}: median {median(values):,.0f} ms, longest {max(values):,.0f} ms")
    print(f"  events lost: {figures.lost}, judged under a mixture: {figures.mixed}")
    return found


def _ms(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds() * 1000
