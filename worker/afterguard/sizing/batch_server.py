"""An engine as a queue: a server that works on many events at once, each slower than alone.

With `n` events in it, each takes `floor + n * work` seconds: the floor is what one alone takes,
the work is what an event costs an engine that is never idle. So it ends `n / (floor + n * work)`
events a second, more with more of them, up to its slots; the others wait in order. Arrivals are
taken as Poisson, times in the engine as exponential, which is the longer tail of the two that can
be computed: then the number of events inside is a birth and death chain. Without work it is
M/M/c, without a floor M/M/1; both are among the tests.
"""

from math import exp, inf, log
from typing import NamedTuple


class BatchServer(NamedTuple):
    """One engine.

    Attributes:
        floor_s: An event alone takes so long, seconds.
        work_s: An event costs so much of an engine that is never idle, seconds.
        slots: Events in it at once, at most.
        tail: Of a hundred events the longest but one takes so many times the mean.
    """

    floor_s: float
    work_s: float
    slots: int
    tail: float = 1.0

    def time_s(self, inside: float) -> float:
        """How long an event takes with so many inside, itself included, seconds."""
        return self.floor_s + inside * self.work_s

    def rate(self, inside: float) -> float:
        """Events that it ends a second with so many inside."""
        inside = min(inside, self.slots)
        return inside / self.time_s(inside) if inside else 0.0

    @property
    def capacity(self) -> float:
        """Events that it ends a second when it is full."""
        return self.rate(self.slots)


class Waits(NamedTuple):
    """How long events wait and stay, in the long run; infinite above the capacity.

    Attributes:
        utilisation: Arrivals by capacity.
        waiting: Probability that an event waits for a slot.
        mean_wait_s: For a slot.
        p99_wait_s: For a slot, of a hundred events the last but one.
        mean_s: Waiting and engine together.
        p99_s: The same; the wait's p99, and either an event of the mean's length in an engine as
            full as it seldom is, or one with the tail's length in one as full as it often is.
    """

    utilisation: float
    waiting: float
    mean_wait_s: float
    p99_wait_s: float
    mean_s: float
    p99_s: float


def waits(server: BatchServer, per_s: float) -> Waits:
    """The long run of one engine.

    Args:
        server: The engine.
        per_s: Events that come a second.
    """
    utilisation = per_s / server.capacity
    if utilisation >= 1:
        return Waits(utilisation, 1.0, inf, inf, inf, inf)
    inside = _inside(server, per_s)
    spare = server.capacity - per_s
    # Beyond the slots the chain is geometric: the sum over all that is full, in closed form.
    waiting = inside[-1] / (1 - utilisation)
    mean_wait_s = waiting / spare
    p99_wait_s = log(waiting / 0.01) / spare if waiting > 0.01 else 0.0
    in_engine = sum(n * p for n, p in enumerate(inside)) + server.slots * waiting * utilisation
    engine_s = in_engine / per_s if per_s else server.time_s(1)
    return Waits(
        utilisation,
        waiting,
        mean_wait_s,
        p99_wait_s,
        mean_wait_s + engine_s,
        p99_wait_s + max(server.time_s(_most(inside)), server.tail * engine_s),
    )


def after_burst_s(server: BatchServer, per_s: float, factor: float, burst_s: float) -> float:
    """How long the last event of a burst takes, seconds; as a fluid, from a state of balance.

    Args:
        server: The engine.
        per_s: Events a second before.
        factor: Times as many come during the burst.
        burst_s: How long it lasts, seconds.
    """
    backlog = (factor * per_s - server.capacity) * burst_s
    full_s = server.time_s(server.slots)
    if backlog < 0:
        return min(full_s, waits(server, factor * per_s).mean_s)
    return backlog / server.capacity + full_s


def drained_after_s(server: BatchServer, per_s: float, factor: float, burst_s: float) -> float:
    """How long after a burst nothing waits any more, seconds; infinite when never."""
    backlog = max(0.0, (factor * per_s - server.capacity) * burst_s)
    spare = server.capacity - per_s
    return backlog / spare if spare > 0 else inf


def _inside(server: BatchServer, per_s: float) -> list[float]:
    """Probabilities of 0 ... slots events inside, by logarithms: the slots may be thousands."""
    logs = [0.0]
    for n in range(1, server.slots + 1):
        logs.append(logs[-1] + log(per_s / server.rate(n)) if per_s else -inf)
    highest = max(logs)
    weights = [exp(it - highest) for it in logs]
    utilisation = per_s / server.capacity
    total = sum(weights) + weights[-1] * utilisation / (1 - utilisation)
    return [it / total for it in weights]


def _most(inside: list[float]) -> int:
    left = 0.99
    for n, probability in enumerate(inside):
        left -= probability
        if left <= 0:
            return max(1, n)
    return len(inside) - 1
