"""The report: a table of faults, the totals, and whether the promise was kept."""

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import mean
from typing import Any, Final

from tests.chaos.audit import Place
from tests.chaos.campaign import Result
from tests.chaos.fault import Injury

from afterguard.contracts.exit_codes import ExitCode

# What a worker may have written and not committed when it is struck: a commit interval, and the
# time that a commit takes on a busy machine, at the speed of catching up.
UNCOMMITTED: Final = 100
_NOBODY: Final = Injury("no fault", False, 0, 0, 0, frozenset(), 0, 0, {})
_HEADS = ("fault", "times", "in flight max/mean", "lost", "duplicated", "recovery s max/mean")


def broken(result: Result) -> list[str]:
    """Every promise that was not kept, one line each."""
    lines = result.account.broken(repeats_allowed=allowed(result))
    lines += [f"fates out of balance: {it}" for it in result.unbalanced]
    for end in result.ends:
        if not end.balanced:
            lines.append(f"{end.worker} ended out of balance: {end.fates}, budget {end.held}")
        if end.code == ExitCode.UNFORESEEN:
            lines.append(f"{end.worker} ended with an error that nobody foresaw")
        if end.code < 0 and not end.asked:
            lines.append(f"{end.worker} ended by signal {-end.code}, which nobody sent")
    return lines


def allowed(result: Result) -> int:
    """How many outputs may have been written again."""
    if result.plan.guarantee == "exactly_once":
        return 0
    # Each event has two verdicts and an intervention; a rebalance takes from every worker.
    moved = [it for it in result.injuries if it.moves_work]
    return 3 * sum(it.in_flight_everywhere + UNCOMMITTED * it.times for it in moved)


def blamed(injuries: Iterable[Injury], place: Place, from_ms: int, to_ms: int) -> str:
    """The fault that something at this place most likely follows from.

    Args:
        injuries: In order.
        place: Partition and offset of the event.
        from_ms: When it was written first, or sent.
        to_ms: When it was written again, or missed.
    """
    able = [it for it in injuries if it.moves_work and it.at_ms <= to_ms]
    able = [it for it in able if place[0] in it.partitions] or able
    later = [it for it in able if it.at_ms >= from_ms]
    # Written, then struck before it was committed; else written by one that was struck before.
    return (later[:1] or able[-1:] or [_NOBODY])[0].fault


def table(result: Result) -> str:
    """The table and the totals, for a person."""
    rows = [_HEADS, *_rows(result)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(
        [f"{result.plan.guarantee}, seed {result.plan.seed}", *lines, *_totals(result)]
    )


def as_json(result: Result) -> dict[str, Any]:
    """The same for a machine."""
    found, plan = result.account, result.plan
    return {
        "guarantee": plan.guarantee,
        "seed": plan.seed,
        "minutes": round(result.minutes, 2),
        "events": found.events,
        "verdicts": found.verdicts,
        "interventions": found.interventions,
        "dead_letters": found.dead_letters,
        "outcomes": dict(sorted(found.outcomes.items())),
        "lost": len(found.lost),
        "duplicated": len(found.repeats),
        "out_of_order": len(found.out_of_order),
        "generations": result.generations,
        "exit_codes": _codes(result),
        "faults": [dict(zip(_HEADS, row, strict=True)) for row in _rows(result)],
        "short": result.short,
        "broken": broken(result),
    }


def _rows(result: Result) -> list[tuple[str, ...]]:
    injuries, found = result.injuries, result.account
    duplicated = Counter(
        blamed(injuries, it.place, it.first_ms, it.again_ms) for it in found.repeats
    )
    # When an event was lost cannot be known; the first fault after it was sent is the best guess.
    lost = Counter(blamed(injuries, at, found.sent_ms.get(at, 0), 2**63) for at in found.lost)
    rows = []
    names = dict.fromkeys([it.fault for it in injuries])
    for name in [*names, *(it for it in (duplicated | lost) if it not in names)]:
        mine = [it for it in injuries if it.fault == name]
        flights = [it.in_flight for it in mine] or [0]
        waits = [it.recovered_s for it in mine if it.recovered_s is not None]
        late = len(mine) - len(waits)
        rows.append(
            (
                name,
                str(sum(it.times for it in mine)),
                f"{max(flights)} / {mean(flights):.0f}",
                str(lost[name]),
                str(duplicated[name]),
                (f"{max(waits):.1f} / {mean(waits):.1f}" if waits else "-")
                + (f" ({late} never)" if late else ""),
            )
        )
    return sorted(rows)


def _totals(result: Result) -> list[str]:
    found = result.account
    lines = [
        "",
        _counted(
            {
                "events": found.events,
                "verdicts": found.verdicts,
                "interventions": found.interventions,
                "dead letters": found.dead_letters,
                "minutes": round(result.minutes, 1),
                "generations of the group": result.generations,
            }
        ),
        "outcomes: " + _counted(dict(sorted(found.outcomes.items()))),
        "worker processes ended: " + _counted(_codes(result)),
        _counted(
            {
                "lost": len(found.lost),
                "duplicated": len(found.repeats),
                "allowed": allowed(result),
                "of them with another outcome": found.differing,
                "out of order": len(found.out_of_order),
                "looks at fates": result.looks,
            }
        ),
    ]
    lines += [f"not reached: {left} {quota}" for quota, left in result.short.items()]
    lines += [
        f"lost: partition {at[0]} offset {at[1]}: {', '.join(what)}"
        for at, what in _few(found.lost.items())
    ]
    for them in (found.conflicts, found.out_of_order, found.strangers, found.spoiled):
        lines += _few(them)
    faults = broken(result)
    lines.append("BROKEN: " + "; ".join(faults) if faults else "every promise was kept")
    return lines


def _counted(them: Mapping[str, float]) -> str:
    return ", ".join(f"{count} {name}" for name, count in them.items())


def _few(them: Any) -> list[Any]:
    return list(them)[:10]


def _codes(result: Result) -> dict[str, int]:
    told = Counter(f"{_word(it.code)}{'' if it.asked else ' by itself'}" for it in result.ends)
    return dict(sorted(told.items()))


def _word(code: int) -> str:
    if code < 0:
        return f"signal {-code}"
    try:
        return ExitCode(code).name.lower()
    except ValueError:
        return f"exit code {code}"
