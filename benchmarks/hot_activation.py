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
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from tests.onlooker import read_topic

from afterguard.contracts.verdicts import AuditRecord
from afterguard.embedded.broker import EmbeddedBroker
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.policy.document import parse_policy
from afterguard.policy_room import policy_store
from afterguard.settings import Settings
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.settings import KafkaSettings, TopicSettings
from benchmarks.hot_activation_figures import Figures, figures_of, taken_at, tell
from benchmarks.load import flooded
from benchmarks.overhead import POLICY
from benchmarks.worker_process import worker_process

IDS = ("bench", "other")
_LATENCY_S = 0.05
_GOLDEN_ROWS = 20
_SETTLE_S = 1.0
_END_S = 60.0


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
        servers, topics = broker.bootstrap_servers, TopicSettings()
        kafka = KafkaSettings(bootstrap_servers=servers)
        await create_topics(kafka, plan_topics(topics, partitions=2, replication=1))
        sections: dict[str, Any] = {
            "kafka": {"bootstrap_servers": servers},
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
        async with worker_process(config, folder / "worker.log"):
            async with flooded(servers, topics.events, per_s):
                asked = await _activations(folder / "edits", config, rounds)
            await _all_judged(servers, topics)
        history = [entry for name in IDS for entry in await store.history(name)]
        audit = [
            AuditRecord.model_validate_json(it.value or b"")
            for it in await read_topic(servers, topics.audit)
        ]
        events = [it.coordinates for it in await read_topic(servers, topics.events)]
        return figures_of(
            begin={name: parse_policy(_text(name, 0), Path(name)).version for name in IDS},
            asked=asked,
            history=history,
            taken=taken_at(folder / "worker.log"),
            audit=audit,
            events=events,
        )


async def _activations(folder: Path, config: Path, rounds: int) -> list[datetime]:
    """When each command was started."""
    asked = list[datetime]()
    for number in range(rounds):
        await asyncio.sleep(_SETTLE_S)
        path = _write(folder, IDS[number % 2], number + 1)
        asked.append(datetime.now(UTC))
        await _command("policies", "activate", str(path), "--config", str(config))
    await asyncio.sleep(_SETTLE_S)
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


def _text(policy_id: str, number: int) -> str:
    return POLICY.replace("id: bench", f"id: {policy_id}").replace("a thing.", f"thing {number}.")


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
        kind: tell(kind, asyncio.run(measure(kind, asked.rounds, asked.per_s))) for kind in kinds
    }
    print(json.dumps(found))
    raise SystemExit(any(it["lost"] or it["mixed"] for it in found.values()))


if __name__ == "__main__":
    main()
