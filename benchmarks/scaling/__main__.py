"""Simulate a fleet: queues and times as load, prefilter, GPUs and autoscaler change.

Nothing here was measured on a GPU: engines go by `afterguard size`. Conservation is checked at each
look; exits with 1 when it fails.
"""

import argparse
import csv
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from benchmarks.scaling.fleet import Moment
from benchmarks.scaling.outcome import Outcome, Scenario, simulate
from benchmarks.scaling.picture import draw
from benchmarks.scaling.scenarios import autoscalers, loads, prefilters

_HEAD = (
    f"{'scenario':32} {'per s':>6} {'p50 s':>7} {'p99 s':>7} {'>60 s':>6} {'expired':>7} "
    f"{'shed':>6} {'waiting':>8} {'oldest s':>8} {'pods':>4} {'GPU h':>6}"
)


def main() -> None:
    """Simulate what was asked for, tell it row by row, write table and picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=0.5, help="of each fixed fleet")
    parser.add_argument("--jobs", type=int, default=2, help="scenarios at once")
    parser.add_argument("--csv", type=Path, help="also write the rows there")
    parser.add_argument("--picture", type=Path, help="also draw them there, as a PNG")
    asked = parser.parse_args()
    told: list[Outcome] = []
    paths: dict[str, list[Moment]] = {}

    def tell(scenarios: Iterable[Scenario]) -> list[Outcome]:
        rows = []
        for outcome, path in pool.map(simulate, scenarios, repeat(asked.seed)):
            print(_row(outcome), flush=True)
            rows.append(outcome)
            paths[outcome.name] = path
        told.extend(rows)
        return rows

    print(_HEAD, flush=True)
    with ProcessPoolExecutor(asked.jobs) as pool:
        by_load, by_share = tell(loads(asked.hours)), tell(prefilters(asked.hours))
        tell(autoscalers())
    if asked.csv:
        with asked.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(Outcome._fields)
            writer.writerows(told)
    if asked.picture:
        draw(asked.picture, by_load, by_share, paths)
    lost = [name for name, path in paths.items() if not _balanced(path)]
    print(f"messages were lost in {', '.join(lost)}" if lost else "every message has one fate")
    raise SystemExit(bool(lost))


def _balanced(path: Iterable[Moment]) -> bool:
    return all(it.arrived == it.ended + it.waiting for it in path)


def _row(it: Outcome) -> str:
    return (
        f"{it.name:32} {it.per_s:6.1f} {it.p50_s:7.2f} {it.p99_s:7.1f} {it.late_share:6.1%} "
        f"{it.expired_share:7.1%} {it.shed_share:6.1%} {it.most_waiting:8,} {it.oldest_s:8.1f} "
        f"{it.most_pods:4} {it.gpu_hours:6.1f}"
    )


if __name__ == "__main__":
    main()
