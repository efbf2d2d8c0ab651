"""How many engines a stream needs, so that what comes is judged before its deadline."""

from collections.abc import Callable
from math import ceil, inf
from typing import Final, NamedTuple

from afterguard.contracts.errors import SettingsError
from afterguard.sizing.batch_server import (
    BatchServer,
    Waits,
    after_burst_s,
    drained_after_s,
    waits,
)
from afterguard.sizing.figures import Span
from afterguard.sizing.gpus import GPUS, MODELS, kv_gb
from afterguard.sizing.rates import Rates
from afterguard.sizing.workload import Traffic, Work

EFFICIENCY: Final = Span(0.97, 0.9, 0.8)
"""Of the worker, of what vLLM does without it; 0.81 was measured, on a CPU that both shared."""
SKEW: Final = 1.1
"""The busiest worker gets so many times the average: partitions and keys are never even."""
MOST_REQUESTS: Final = 1_024
"""In one step; the published rates were reached with up to a thousand."""
LENGTH_TAIL: Final = 2.5
"""Of a hundred answers the longest but one has so many times the mean's tokens."""
STEP_TOKENS: Final = 8_192
_LIVE_BLOCKS_SHARE: Final = 0.8
_MOST_ENGINES: Final = 1 << 20


class Target(NamedTuple):
    """What must hold.

    Attributes:
        deadline_s: From a message to its judgement, at the peak and after a burst, seconds.
        utilisation: Of engines at the peak, at most: the rest drains what a burst has left.
        burst_factor: A burst has so many times the peak, ...
        burst_s: ... for so long, seconds.
    """

    deadline_s: float = 60.0
    utilisation: float = 0.8
    burst_factor: float = 1.5
    burst_s: float = 60.0


class Fleet(NamedTuple):
    """One case of an estimate.

    Attributes:
        server: One engine.
        engines: That are needed at the peak.
        at_average: That are needed on average, when somebody scales them.
        decided_by: The condition that asks for the most: work, deadline or burst.
        peak: The long run at the peak, of the busiest worker.
        burst_s: How long the last event of a burst takes there, seconds.
        drained_s: When nothing waits any more after a burst, seconds.
        one_away: Utilisation while one engine is missing.
    """

    server: BatchServer
    engines: int
    at_average: int
    decided_by: str
    peak: Waits
    burst_s: float
    drained_s: float
    one_away: float


class Case(NamedTuple):
    """What one case of an estimate rests on: a rate of each kind."""

    prefill: float
    decode: float
    written: float
    longest: float
    efficiency: float


class Estimate(NamedTuple):
    """The best, the likely and the worst case; each takes all its figures at once."""

    best: Fleet
    likely: Fleet
    worst: Fleet

    @property
    def cases(self) -> tuple[tuple[str, Fleet], ...]:
        """Each with its name."""
        return ("best", self.best), ("likely", self.likely), ("worst", self.worst)


def estimate(traffic: Traffic, work: Work, rates: Rates, target: Target, slots: int) -> Estimate:
    """Engines for a stream.

    Args:
        traffic: The stream.
        work: Of one event.
        rates: Of one engine.
        target: What must hold.
        slots: Events in one engine at once.
    """
    spans = (rates.prefill, rates.decode, work.written, work.longest, EFFICIENCY)
    fleets = (
        _fleet(traffic, _server(work.read, rates.step_s, slots, Case(*case)), target)
        for case in zip(*spans, strict=True)
    )
    return Estimate(*fleets)


def engine_slots(work: Work, model: str, gpu: str, gpus: int) -> int:
    """Requests in one step: as many as the KV cache holds, `MOST_REQUESTS` at most.

    Args:
        work: Of one event.
        model: Of `MODELS`.
        gpu: Of `GPUS`.
        gpus: Of one engine.
    """
    of = MODELS[model]
    room = _LIVE_BLOCKS_SHARE * kv_gb(of, GPUS[gpu], gpus) * 1e9 / of.kv_bytes
    # A prefix is held once for all; what each request holds itself is content and answer.
    own = work.read + work.written.worst
    fitting = max(8.0, room / (own / max(1.0, work.requests)))
    power = 8
    while power * 2 <= min(fitting, MOST_REQUESTS):
        power *= 2
    return power


def event_slots(requests_at_once: int, work: Work) -> int:
    """Events in an engine at once."""
    return max(1, int(requests_at_once / max(1.0, work.requests)))


def _server(read: float, step_s: float, slots: int, case: Case) -> BatchServer:
    seconds = (read / case.prefill + case.written / case.decode) / case.efficiency
    return BatchServer(case.longest * step_s, seconds, slots, LENGTH_TAIL)


def _fleet(traffic: Traffic, server: BatchServer, target: Target) -> Fleet:
    average = traffic.events_per_s * traffic.judged_share * SKEW
    peak = average * traffic.peak_factor
    needed = {
        "work": ceil(peak / (target.utilisation * server.capacity)),
        "deadline": _least(lambda it: waits(server, peak / it).p99_s, target.deadline_s),
        "burst": _least(
            lambda it: after_burst_s(server, peak / it, target.burst_factor, target.burst_s),
            target.deadline_s,
        ),
    }
    engines = max(1, *needed.values())
    decided_by = max(needed, key=lambda it: needed[it])
    each = peak / engines
    return Fleet(
        server,
        engines,
        max(1, ceil(average / (target.utilisation * server.capacity))),
        decided_by,
        waits(server, each),
        after_burst_s(server, each, target.burst_factor, target.burst_s),
        drained_after_s(server, each, target.burst_factor, target.burst_s),
        peak / (engines - 1) / server.capacity if engines > 1 else inf,
    )


def _least(takes_s: Callable[[int], float], deadline_s: float) -> int:
    """The fewest engines with which it takes no longer; more never make it longer."""
    high = 1
    while takes_s(high) > deadline_s:
        high *= 2
        if high > _MOST_ENGINES:
            alone = f"{takes_s(high):.2g}"
            raise SettingsError(
                [f"no number of GPUs meets {deadline_s:g} s: an event alone takes {alone} s"]
            )
    low = high // 2 + 1
    while low < high:
        middle = (low + high) // 2
        if takes_s(middle) > deadline_s:
            low = middle + 1
        else:
            high = middle
    return high
