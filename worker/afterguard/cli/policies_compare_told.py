"""A comparison of two versions, as a person or a program reads it."""

from typing import Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from afterguard.cli.dead_letters_told import printable
from afterguard.cli.wide_console import wide_console
from afterguard.contracts.words import Outcome, Reason
from afterguard.evaluation.verdict_pairs import Comparison, Found
from afterguard.flow.agreement import Agreement, agreement

_WIDE: Final = 160
_TEXT: Final = 600
_ID: Final = 120
_ORDER: Final = tuple(Outcome)
_SAYS: Final = {
    Agreement.SAME: "judged the same",
    Agreement.STRICTER: "B is stricter",
    Agreement.LAXER: "B is laxer",
    Agreement.UNCLEAR: "one of them is in doubt",
    Agreement.UNJUDGED: "one of them has no answer",
}


class Example(NamedTuple):
    """An event that two versions judge differently.

    Attributes:
        one: The verdict of the first version.
        other: The verdict of the second version.
        rationales: Of both; None unless asked for.
        text: What the model read of the event; None unless asked for.
    """

    one: Found
    other: Found
    rationales: tuple[str | None, str | None] = (None, None)
    text: str | None = None


def tell(found: Comparison, examples: list[Example], unreadable: int) -> None:
    """Print what was found."""
    console = wide_console(_WIDE)
    typer.secho(f"A  {'@'.join(found.one)}\nB  {'@'.join(found.other)}", bold=True)
    if unreadable:
        typer.echo(f"{unreadable} records are no verdicts and were passed over", err=True)
    if not found.pairs:
        typer.echo(
            f"No event was judged under both: A has verdicts on {found.alone[0]} events, B on "
            f"{found.alone[1]} others. Versions pair while one of them is on trial beside the "
            "other; see `afterguard policies shadow`."
        )
        return
    typer.echo(
        f"{found.pairs} events were judged under both; A judged {found.alone[0]} more, "
        f"B {found.alone[1]} more"
    )
    typer.echo()
    console.print(_crosstab(found))
    typer.echo()
    for kind, says in _SAYS.items():
        if count := found.agreements[kind]:
            typer.echo(f"{says:<26} {count}")
    if found.agree is not None:
        share = found.agree
        typer.echo(
            f"agreement where both answered: {share.value:.1%} "
            f"(95 % interval {share.low:.1%} to {share.high:.1%})"
        )
    _tell_unjudged(found)
    _tell_costs(found, console)
    _tell_examples(found, examples)


def as_fields(found: Comparison, examples: list[Example], unreadable: int) -> dict[str, Any]:
    """What was found, for machines."""
    return {
        "a": {"policy_id": found.one[0], "version": found.one[1], "alone": found.alone[0]},
        "b": {"policy_id": found.other[0], "version": found.other[1], "alone": found.alone[1]},
        "pairs": found.pairs,
        "unreadable": unreadable,
        "outcomes": [
            {"a": one, "b": other, "events": count}
            for (one, other), count in sorted(found.outcomes.items())
        ],
        "agreements": {kind.value: found.agreements[kind] for kind in Agreement},
        "agreement": found.agree and dict(zip(("share", "low", "high"), found.agree, strict=True)),
        "unjudged": [
            {"version": version, "reason": reason, "events": count}
            for (version, reason), count in sorted(found.unjudged.items())
        ],
        "costs": {name: cost._asdict() for name, cost in zip("ab", found.costs, strict=True)},
        "examples": [_example_fields(it) for it in examples],
    }


def _crosstab(found: Comparison) -> Table:
    columns = [it for it in _ORDER if any(other is it for _, other in found.outcomes)]
    table = Table("A \\ B", *(it.value for it in columns), box=None)
    for row in _ORDER:
        counts = [found.outcomes[row, column] for column in columns]
        if any(counts):
            table.add_row(row.value, *(str(it) if it else "-" for it in counts))
    return table


def _tell_unjudged(found: Comparison) -> None:
    for (version, reason), count in sorted(found.unjudged.items()):
        typer.echo(f"  no answer of {version}: {reason}, {count}")
    if any(reason == Reason.SHADOW_CUT for _, reason in found.unjudged):
        typer.echo(
            "  what was cut took the longest: the events that are left are the quicker ones; "
            "raise `judging.shadow_wait_s` to keep them"
        )


def _tell_costs(found: Comparison, console: Console) -> None:
    if not found.costs[0].events:
        return
    typer.echo(f"\nwhere the model was asked under both ({found.costs[0].events} events), means:")
    table = Table("", "prompt tokens", "output tokens", "seconds", "95 of 100 within", box=None)
    for name, cost in zip("AB", found.costs, strict=True):
        table.add_row(
            name,
            f"{cost.prompt_tokens:.0f}",
            f"{cost.output_tokens:.0f}",
            f"{cost.seconds:.2f}",
            f"{cost.seconds_p95:.2f} s",
        )
    console.print(table)


def _tell_examples(found: Comparison, examples: list[Example]) -> None:
    if examples:
        typer.echo(f"\n{len(examples)} of {len(found.differing)} differing events, newest first:")
    for it in examples:
        kind = agreement(it.one, it.other).value
        typer.echo(f"\n{_clean(it.one.event_id)}  {it.one.event}  {kind}")
        if it.text is not None:
            typer.echo(f"  text: {_clean(it.text, _TEXT)}")
        for name, side, words in zip("AB", (it.one, it.other), it.rationales, strict=True):
            typer.echo(f"  {name}: {_said(side)}")
            if words is not None:
                typer.echo(f"     {_clean(words, _TEXT)}")


def _said(found: Found) -> str:
    score = "" if found.score is None else f", score {found.score:.2f}"
    rules = f" ({_clean(', '.join(found.rule_ids))})" if found.rule_ids else ""
    reason = f", {found.reason.value}" if found.reason else ""
    return f"{found.outcome.value}{rules}, {found.action.value}{reason}{score}"


def _clean(text: str, most: int = _ID) -> str:
    """Text that may be hostile, for a terminal, on one line."""
    return printable(" ".join(text.splitlines()), most)


def _example_fields(example: Example) -> dict[str, Any]:
    sides = {
        name: {
            "outcome": it.outcome,
            "reason": it.reason,
            "action": it.action,
            "rule_ids": it.rule_ids,
            "score": it.score,
            "record": str(it.record),
        }
        | ({} if words is None else {"rationale": words})
        for name, it, words in zip(
            "ab", (example.one, example.other), example.rationales, strict=True
        )
    }
    return {
        "event_id": example.one.event_id,
        "event": str(example.one.event),
        "agreement": agreement(example.one, example.other).value,
        **sides,
    } | ({} if example.text is None else {"text": example.text})
