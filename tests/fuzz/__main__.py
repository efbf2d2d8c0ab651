"""The long form: `python -m tests.fuzz --inputs 100000` (or `make fuzz`).

Ends with 1 when something was found, and tells how to have it again.
"""
# ruff: noqa: T201 (it is there to tell)

import argparse
import sys
from time import perf_counter

from tests.fuzz.hunt import hunt
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Hunt and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="of each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=TARGETS, action="append", help="all when absent")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="this one input, shown whole")
    chosen = parser.parse_args()
    numbers = range(chosen.inputs)
    if chosen.only is not None:
        numbers = range(chosen.only, chosen.only + 1)
    finds = 0
    for name in chosen.target or TARGETS:
        began = perf_counter()
        told = hunt(name, seed=chosen.seed, inputs=numbers)
        took = perf_counter() - began
        ends = ", ".join(f"{end} {count}" for end, count in told.ends.most_common())
        print(f"{name}: {sum(told.ends.values())} inputs in {took:.0f} s, seed {chosen.seed}, "
              f"slowest {told.slowest_s:.2f} s: {ends}")  # fmt: skip
        finds += len(told.finds)
        for find in told.finds:
            print(f"\nFOUND {find}\n")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
