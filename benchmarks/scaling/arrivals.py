"""When messages come: a day's curve, bursts, and chance; the same seed gives the same messages."""

from collections.abc import Iterator, Mapping
from math import pi, sin
from random import Random
from typing import Final, NamedTuple

from afterguard.contracts.words import Lane

SHAPE: Final = 4.0
"""Answers differ in length: of a hundred, the longest but one is 2.5 times the mean. Assumed."""


class Burst(NamedTuple):
    """For a while more comes.

    Attributes:
        at_s: When it begins, seconds.
        for_s: How long, seconds.
        factor: Times what would come without it.
    """

    at_s: float
    for_s: float
    factor: float


class Load(NamedTuple):
    """What comes.

    Attributes:
        per_s: On average over a period, a second.
        swing: The busiest moment has `1 + swing` times the average, the quietest `1 - swing`.
        period_s: Of the curve, which begins at its quietest, seconds.
        bursts: On top.
        forwarded: Share that the prefilter lets through to the model.
        lanes: Share of each lane.
        partitions: Keys are spread over so many.
        hot: Share of one conversation that is busier than all: all of it is in partition 0.
    """

    per_s: float
    swing: float = 0.0
    period_s: float = 86_400.0
    bursts: tuple[Burst, ...] = ()
    forwarded: float = 1.0
    lanes: Mapping[Lane, float] = {Lane.LIVE: 1.0}
    partitions: int = 12
    hot: float = 0.0

    def rate(self, now: float) -> float:
        """A second, at that time."""
        rate = self.per_s * (1 - self.swing * sin(2 * pi * now / self.period_s + pi / 2))
        for burst in self.bursts:
            if burst.at_s <= now < burst.at_s + burst.for_s:
                rate *= burst.factor
        return rate

    @property
    def highest(self) -> float:
        """No moment has more, a second."""
        most = self.per_s * (1 + abs(self.swing))
        for burst in self.bursts:
            most *= max(1.0, burst.factor)
        return most


class Message:
    """One message, or a handful that go together."""

    __slots__ = ("asked", "at", "deadline", "lane", "partition", "size", "started")

    def __init__(self, at: float, lane: Lane, partition: int, *, asked: bool, size: float) -> None:
        self.at, self.lane, self.partition = at, lane, partition
        self.asked, self.size = asked, size
        self.deadline: float | None = None
        self.started: float | None = None


def messages(load: Load, until_s: float, seed: int, *, shape: float | None) -> Iterator[Message]:
    """In the order of their times.

    Args:
        load: What comes.
        until_s: None comes later.
        seed: Of chance.
        shape: Their work is gamma distributed with this shape and a mean of 1: 1 is exponential, a
            larger one varies less; None is always 1.
    """
    random, now = Random(seed), 0.0
    lanes, weights = list(load.lanes), list(load.lanes.values())
    highest = load.highest
    while highest > 0:
        now += random.expovariate(highest)
        if now >= until_s:
            return
        # Drawn before it is decided whether one comes: a change of the rate changes no other.
        lane = lanes[0] if len(lanes) == 1 else random.choices(lanes, weights)[0]
        partition, asked = random.randrange(load.partitions), random.random() < load.forwarded
        partition = 0 if load.hot and random.random() < load.hot else partition
        size = 1.0 if shape is None else random.gammavariate(shape, 1 / shape)
        if random.random() * highest < load.rate(now):
            yield Message(now, lane, partition, asked=asked, size=size)
