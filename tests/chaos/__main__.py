"""`make chaos`: real workers under real faults, and an audit that accounts for every event.

Starts a broker, Valkey and a fleet of `afterguard run` processes, sends events at a steady rate,
and kills, freezes, replaces and cuts off whatever it can, by a seeded chance. Then it lets the
group settle what was sent, reads every topic from its beginning and accounts for each event id:
one final outcome under each policy, none missing, in the order of its conversation.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import get_args

from tests.chaos.campaign import campaign
from tests.chaos.plan import Engines, Guarantee, Plan
from tests.chaos.report import as_json, broken, table

_USUAL = Plan()
_EXAMPLES = """
examples:
  make chaos ARGS="--minutes 2 --seed 7"
  make chaos ARGS="--guarantee both --kills 20 --rebalances 20 --engine-deaths 5 --minutes 15"
  make chaos ARGS="--engine unsteady --rate 80"     no vLLM: starts in seconds

how to read the table: `in flight` is what the struck workers had taken in and not settled;
`duplicated` are outputs that were written again under their id, which at least once allows up to
what was in flight; `recovery` is the time until all that had been sent when the fault came was
settled.

exit codes: 0 every promise was kept; 1 one was broken; 3 kept, but the time limit came before the
numbers that were asked for.
"""


def main() -> int:
    """Run what was asked for."""
    asked = _parser().parse_args()
    guarantees = get_args(Guarantee) if asked.guarantee == "both" else (asked.guarantee,)
    folder = asked.keep or Path(mkdtemp(prefix="afterguard-chaos-"))
    results = []
    for guarantee in guarantees:
        plan = Plan(
            guarantee,
            asked.minutes,
            asked.seed,
            asked.workers,
            asked.partitions,
            asked.rate,
            asked.engine,
            int(asked.session * 1000),
            asked.kills,
            asked.rebalances,
            asked.engine_deaths,
        )
        result = asyncio.run(campaign(plan, folder / guarantee, _tell))
        results.append(result)
        if not asked.json:
            sys.stdout.write(table(result) + "\n\n")
            sys.stdout.flush()
    if asked.json:
        sys.stdout.write(json.dumps([as_json(it) for it in results]) + "\n")
    _tell(f"logs of the workers: {folder}")
    if any(broken(it) for it in results):
        return 1
    return 3 if any(it.short for it in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--guarantee",
        choices=(*get_args(Guarantee), "both"),
        default=_USUAL.guarantee,
        help="what the workers promise and are held to; both: one after the other",
    )
    add(
        "--minutes",
        type=float,
        default=_USUAL.minutes,
        help="of faults, for each guarantee; settling and audit come on top (%(default)s)",
    )
    add("--seed", type=int, default=_USUAL.seed, help="of every choice (%(default)s)")
    add("--workers", type=int, default=_USUAL.workers, help="about how many (%(default)s)")
    add("--partitions", type=int, default=_USUAL.partitions, help="of each topic (%(default)s)")
    add("--rate", type=float, default=_USUAL.rate, help="events a second (%(default)s)")
    add(
        "--engine",
        choices=get_args(Engines),
        default=_USUAL.engines,
        help="mixed: one worker runs vLLM with a tiny model of random weights, the others a "
        "stand-in that injects faults; unsteady: the stand-in alone; vllm: vLLM alone",
    )
    add(
        "--session",
        type=float,
        default=_USUAL.session_ms / 1000,
        help="seconds until the group gives up a silent worker (%(default)s)",
    )
    add("--kills", type=int, help="go on until so many workers were killed")
    add("--rebalances", type=int, help="... so many joined, left or were frozen past their session")
    add("--engine-deaths", type=int, help="... so many engines were killed")
    add("--json", action="store_true", help="one line of JSON instead of the table")
    add("--keep", type=Path, help="folder for the workers' logs; a temporary one when absent")
    return parser


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
