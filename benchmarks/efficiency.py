"""Efficiency: verdicts a second of the whole worker against vLLM's own offline `LLM.generate`.

Both get the very same prompts, sampling parameters and engine arguments, each in a process of its
own, interleaved. Both first judge other contents under the same policies, so that the prefix
cache is warm for both alike.
"""

import asyncio
from dataclasses import dataclass
from statistics import median
from uuid import uuid4

from afterguard.embedded.broker import EmbeddedBroker
from afterguard.embedded.cpu_engine import prepare_environment
from afterguard.embedded.model import prepare_model
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.settings import KafkaSettings, TopicSettings
from benchmarks.child import measured


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Medians over the rounds, verdicts per second, and their ratio."""

    offline: float
    worker: float

    @property
    def ratio(self) -> float:
        """The worker's share of what the engine reaches alone."""
        return self.worker / self.offline


async def measure(prompts: int, rounds: int) -> Efficiency:
    """Offline, worker, offline, worker, ... each with an engine of its own.

    Args:
        prompts: Verdicts in a round.
        rounds: How often.
    """
    prepare_environment()
    model = str(await asyncio.to_thread(prepare_model, print))
    offline: list[float] = []
    worker: list[float] = []
    async with EmbeddedBroker() as broker:
        for number in range(rounds):
            offline.append((await measured("offline", model, str(prompts))).per_s)
            mark = uuid4().hex[:8]
            topics = TopicSettings(
                events=f"events.{mark}",
                interventions=f"interventions.{mark}",
                audit=f"audit.{mark}",
                dead_letters=f"letters.{mark}",
            )
            await create_topics(
                KafkaSettings(bootstrap_servers=broker.bootstrap_servers),
                plan_topics(topics, partitions=4, replication=1),
            )
            servers = broker.bootstrap_servers
            found = await measured("engine_worker", servers, mark, model, str(prompts))
            worker.append(found.per_s)
            print(
                f"round {number + 1}: offline {offline[-1]:.2f}/s, worker {worker[-1]:.2f}/s, "
                f"ratio {worker[-1] / offline[-1]:.3f}",
                flush=True,
            )
    return Efficiency(median(offline), median(worker))
