"""A hunt: many inputs from one seed, and each find told so that it can be had again."""

import traceback
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from time import process_time

from tests.fuzz.targets import TARGETS

# Whoever writes the input must not be able to hold up a partition with it.
SLOW_S = 2.0
_SHOWN = 2_000


@dataclass
class Hunt:
    """What a hunt found.

    Attributes:
        ends: How the inputs ended, and how often.
        finds: One text each: how to have it again, the fault, the input.
        slowest_s: The most processor time that one input took.
    """

    ends: Counter[str] = field(default_factory=Counter)
    finds: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


def hunt(name: str, *, seed: int, inputs: range, most_finds: int = 10) -> Hunt:
    """Run the inputs of these numbers.

    Args:
        name: Of the target.
        seed: The same seed and number give the same input, always.
        inputs: Numbers of inputs.
        most_finds: The hunt ends after so many.
    """
    target, told = TARGETS[name], Hunt()
    for number in inputs:
        made = target.make(Random(f"{name}/{seed}/{number}"))
        began = process_time()
        try:
            told.ends[target.run(made)] += 1
            fault = None
        except Exception:  # noqa: BLE001 (whatever it is, it is a find)
            fault = traceback.format_exc(limit=-4)
        took = process_time() - began
        told.slowest_s = max(told.slowest_s, took)
        if fault is None and took > SLOW_S:
            fault = f"took {took:.1f} s of processor time"
        if fault is not None:
            again = f"python -m tests.fuzz --target {name} --seed {seed} --only {number}"
            told.finds.append(f"{again}\n{fault}\ninput: {repr(made)[:_SHOWN]}")
            if len(told.finds) >= most_finds:
                break
    return told
