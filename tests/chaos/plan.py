"""What one run of the harness is asked to do."""

from dataclasses import dataclass
from typing import Literal

Guarantee = Literal["at_least_once", "exactly_once"]
Engines = Literal["mixed", "unsteady", "vllm"]


@dataclass(frozen=True, slots=True)
class Plan:
    """A campaign against one guarantee.

    Attributes:
        guarantee: `delivery.guarantee` of the workers, and what the audit holds them to.
        minutes: Most time for faults; what was sent is settled and audited afterwards.
        seed: Of everything that is chosen: faults, victims, pauses, contents.
        workers: How many at the start, and about how many at any time.
        partitions: Of each topic.
        rate: Events a second.
        engines: `mixed`: one worker with vLLM, the others with the stand-in.
        session_ms: Until the group gives up a silent member.
        kills: Worker SIGKILLs to reach; None: as chance has it.
        rebalances: Members that come, go or fall silent by intent, to reach.
        engine_deaths: Engines killed or frozen for good, to reach.
    """

    guarantee: Guarantee = "at_least_once"
    minutes: float = 5.0
    seed: int = 1
    workers: int = 4
    partitions: int = 6
    rate: float = 40.0
    engines: Engines = "mixed"
    session_ms: int = 6_000
    kills: int | None = None
    rebalances: int | None = None
    engine_deaths: int | None = None
