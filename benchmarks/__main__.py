"""`make bench`: overhead, then efficiency; the last line is one JSON object."""

import argparse
import asyncio
import json
import os
import platform
from pathlib import Path

from benchmarks import efficiency, overhead


def main() -> None:
    """Measure what was asked for and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=("overhead", "efficiency"), help="leave the other out")
    parser.add_argument("--events", type=int, default=40_000, help="overhead: events a round")
    parser.add_argument("--rounds", type=int, default=5, help="overhead: rounds, interleaved")
    parser.add_argument("--prompts", type=int, default=400, help="efficiency: prompts a round")
    parser.add_argument("--engine-rounds", type=int, default=3, help="efficiency: rounds")
    parser.add_argument("--profile", type=Path, help="overhead: also write py-spy's stacks there")
    asked = parser.parse_args()
    cores, load = os.cpu_count(), os.getloadavg()[0]
    print(
        f"{platform.machine()}, {cores} cores, load {load:.1f}, Python {platform.python_version()}"
    )
    figures: dict[str, float | None] = dict.fromkeys(
        (
            "overhead_ratio",
            "efficiency_ratio",
            "bare_events_per_s",
            "worker_events_per_s",
            "offline_verdicts_per_s",
            "worker_verdicts_per_s",
        )
    )
    if asked.only != "efficiency":
        over = asyncio.run(overhead.measure(asked.events, asked.rounds, profile=asked.profile))
        figures["overhead_ratio"] = round(over.ratio, 3)
        print(f"overhead ratio {over.ratio:.3f}, in processor time {over.cpu_ratio:.3f}")
        figures["bare_events_per_s"] = round(over.bare)
        figures["worker_events_per_s"] = round(over.worker)
    if asked.only != "overhead":
        found = asyncio.run(efficiency.measure(asked.prompts, asked.engine_rounds))
        figures["efficiency_ratio"] = round(found.ratio, 3)
        figures["offline_verdicts_per_s"] = round(found.offline, 2)
        figures["worker_verdicts_per_s"] = round(found.worker, 2)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
