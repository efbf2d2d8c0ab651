"""Overhead: the whole worker with the null engine against a bare loop, interleaved in one run."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import uuid4

from afterguard.embedded.broker import EmbeddedBroker
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.settings import KafkaSettings, TopicSettings
from benchmarks.child import Figures, measured
from benchmarks.load import fill

POLICY = """---
id: bench
title: One policy for everything
owner: benchmarks
rules:
  - {id: B1, title: A rule, severity: low, action: label}
---
## Instruction

Judge whether the content breaks rule B1.

## Definitions

- **Thing**: a thing.

## Criteria

### Violates

- **B1**: the content is a thing.

### Does not violate

- Everything else.

## Examples

- Content: "a thing" → violation 1, rules B1
- Content: "nothing" → violation 0
"""


@dataclass(frozen=True, slots=True)
class Overhead:
    """Medians over the rounds: events per second, and the worker's share of the bare loop's.

    `cpu_ratio` is the same share in processor time, which a noisy machine disturbs less.
    """

    bare: float
    worker: float
    cpu_ratio: float

    @property
    def ratio(self) -> float:
        """The worker's share of what the bare loop reaches."""
        return self.worker / self.bare


async def measure(events: int, rounds: int, *, profile: Path | None = None) -> Overhead:
    """Bare, worker, bare, worker, ... each in a fresh process and a fresh group.

    Args:
        events: In one round.
        rounds: How often.
        profile: Where py-spy's raw stacks of one more worker go; None for no profile.
    """
    bare: list[Figures] = []
    worker: list[Figures] = []
    with TemporaryDirectory(prefix="afterguard-bench-") as folder:
        Path(folder, "bench.md").write_text(POLICY, encoding="utf-8")
        async with EmbeddedBroker() as broker:
            servers, topics = broker.bootstrap_servers, TopicSettings()
            kafka = KafkaSettings(bootstrap_servers=servers)
            await create_topics(kafka, plan_topics(topics, partitions=1, replication=1))
            await fill(servers, topics.events, events)

            def worker_arguments() -> list[str]:
                names = topics.events, topics.audit, topics.interventions, topics.dead_letters
                return [servers, *names, f"worker-{uuid4()}", str(events), folder]

            for number in range(rounds):
                group = f"bare-{uuid4()}"
                bare.append(
                    await measured("bare", servers, topics.events, topics.audit, group, str(events))
                )
                worker.append(await measured("worker", *worker_arguments()))
                one, other = bare[-1], worker[-1]
                print(
                    f"round {number + 1}: bare {one.per_s:,.0f}/s {one.cpu_us:.0f} us, "
                    f"worker {other.per_s:,.0f}/s {other.cpu_us:.0f} us, "
                    f"ratio {other.per_s / one.per_s:.2f} (processor time "
                    f"{one.cpu_us / other.cpu_us:.2f})",
                    flush=True,
                )
            if profile is not None:
                await measured("worker", *worker_arguments(), profile=profile)
    return Overhead(
        median(it.per_s for it in bare),
        median(it.per_s for it in worker),
        median(it.cpu_us for it in bare) / median(it.cpu_us for it in worker),
    )
