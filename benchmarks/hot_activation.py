"""`python -m benchmarks.hot_activation`: policies change under load, by the command of a person.

A real worker process with the null engine judges a steady load under two policies. In turns, a new
version of each is activated by `afterguard policies activate`, a process of its own that judges a
golden set first. Told are, for a store in Redis and for one in a folder: the time from the start of
the command to the change, from the change to the first event that is admitted under the new version
and to its first verdict, and how many events were lost or judged under a mixture of versions. Exits
with 1 when there is one of those. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml
from tests.onlooker import read_topic
from tests.version_order import misjudged

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.verdicts import AuditRecord
from afterguard.embedded.broker import EmbeddedBroker
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.policy.document import parse_policy
from afterguard.policy.store import HistoryEntry
from afterguard.policy_room import policy_store
from afterguard.settings import Settings
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.settings import KafkaSettings, TopicSettings
from benchmarks.load import flood
from benchmarks.overhead import POLICY
from benchmarks.overload_sample import ready_port

IDS = ("bench", "other")
_LATENCY_S = 0.05
_GOLDEN_ROWS = 20
_SETTLE_S = 1.0
_END_S = 60.0


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


async def measure(kind: str, rounds: int, per_s: float) -> Figures:
    """One worker, so many activations.

    Args:
        kind: Of the store: `redis` or `folder`.
        rounds: How many activations.
        per_s: Events a second.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="afterguard-hot-")))
        broker = await stack.enter_async_context(EmbeddedBroker())
        topics, kafka = TopicSettings(), KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        await create_topics(kafka, plan_topics(topics, partitions=2, replication=1))
        sections: dict[str, Any] = {
            "kafka": {"bootstrap_servers": broker.bootstrap_servers},
            "policies": {"directory": str(folder / "policies")},
            "engine": {"kind": "null", "args": {"latency_s": _LATENCY_S}},
            "http": {"port": 0},
        }
        if kind == "redis":
            valkey = await stack.enter_async_context(EmbeddedValkey())
            sections["redis"] = {"url": valkey.url}
        else:
            (folder / "store").mkdir()
            sections["policies"]["store"] = str(folder / "store")
        config = folder / "afterguard.yaml"
        config.write_text(yaml.safe_dump(sections))
        for name in IDS:
            _write(folder / "policies", name, 0)
        store = policy_store(Settings(**sections))
        assert store is not None
        stack.push_async_callback(store.close)
        asked = await _change_under_load(folder, config, topics, rounds, per_s)
        history = [entry for name in IDS for entry in await store.history(name)]
        audit = [
            AuditRecord.model_validate_json(it.value or b"")
            for it in await read_topic(broker.bootstrap_servers, topics.audit)
        ]
        events = [
            it.coordinates for it in await read_topic(broker.bootstrap_servers, topics.events)
        ]
        return _figures(asked, history, _taken(folder / "worker.log"), audit, events)


async def _change_under_load(
    folder: Path, config: Path, topics: TopicSettings, rounds: int, per_s: float
) -> list[datetime]:
    """When each command was started; all that was written is judged at the end."""
    servers = yaml.safe_load(config.read_text())["kafka"]["bootstrap_servers"]
    log, asked = folder / "worker.log", list[datetime]()
    with log.open("wb") as output:
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "afterguard", "run", "--config", str(config)),
            stdout=output,
            stderr=output,
        )
    load: asyncio.Task[None] | None = None
    try:
        await ready_port(worker, log)
        load = asyncio.create_task(flood(servers, topics.events, per_s))
        for number in range(rounds):
            await asyncio.sleep(_SETTLE_S)
            path = _write(folder / "edits", IDS[number % 2], number + 1)
            asked.append(datetime.now(UTC))
            await _command("policies", "activate", str(path), "--config", str(config))
        await asyncio.sleep(_SETTLE_S)
        load.cancel()
        await asyncio.wait({load})
        await _all_judged(servers, topics)
    finally:
        if load is not None:
            load.cancel()
            await asyncio.wait({load})
        await _end(worker)
    return asked


async def _all_judged(servers: str, topics: TopicSettings) -> None:
    async with asyncio.timeout(_END_S):
        while True:
            events = len(await read_topic(servers, topics.events))
            if len(await read_topic(servers, topics.audit)) >= events * len(IDS):
                return
            await asyncio.sleep(0.5)


async def _command(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "afterguard", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(told.decode(errors="replace"))


async def _end(worker: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        worker.terminate()
    try:
        async with asyncio.timeout(_END_S):
            await worker.wait()
    except TimeoutError:
        worker.kill()
        await worker.wait()


def _write(folder: Path, policy_id: str, number: int) -> Path:
    """An edit of a policy, and beside it a golden set that the null engine passes."""
    (folder / "golden").mkdir(parents=True, exist_ok=True)
    path = folder / f"{policy_id}.md"
    path.write_text(_text(policy_id, number), encoding="utf-8")
    rows = [
        json.dumps({"id": f"r-{row}", "content": f"good morning {row}", "expect": "no_violation"})
        for row in range(_GOLDEN_ROWS)
    ]
    (folder / "golden" / f"{policy_id}.jsonl").write_text("\n".join(rows) + "\n")
    return path


def _figures(
    asked: Sequence[datetime],
    history: Sequence[HistoryEntry],
    taken: Mapping[str, datetime],
    audit: Sequence[AuditRecord],
    events: Sequence[Coordinates],
) -> Figures:
    entries = sorted(history, key=lambda entry: entry.revision)
    states = [{name: parse_policy(_text(name, 0), Path(name)).version for name in IDS}]
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


def _taken(log: Path) -> dict[str, datetime]:
    """When the worker put each version in force."""
    lines = [json.loads(it) for it in log.read_text().splitlines() if it.startswith("{")]
    return {
        it["version"].split()[0]: datetime.fromisoformat(it["timestamp"])
        for it in lines
        if it.get("event") == "policy changed"
    }


def _text(policy_id: str, number: int) -> str:
    return POLICY.replace("id: bench", f"id: {policy_id}").replace("a thing.", f"thing {number}.")


def _ms(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds() * 1000


def _tell(kind: str, figures: Figures) -> dict[str, float]:
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


def main() -> None:
    """Measure, tell, and exit with 1 when an event was lost or misjudged."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hot_activation", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=10, help="activations for each kind of store")
    parser.add_argument("--per-s", type=float, default=100.0, help="events a second")
    parser.add_argument("--store", choices=("redis", "folder"), help="leave the other out")
    asked = parser.parse_args()
    kinds = (asked.store,) if asked.store else ("redis", "folder")
    found = {
        kind: _tell(kind, asyncio.run(measure(kind, asked.rounds, asked.per_s))) for kind in kinds
    }
    print(json.dumps(found))
    raise SystemExit(any(it["lost"] or it["mixed"] for it in found.values()))


if __name__ == "__main__":
    main()
