"""Which dead letters a command is about: the options, and what they choose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.durations import duration_s
from afterguard.contracts.words import Outcome

REASON: Final = typer.Option(
    [], "--reason", metavar="CODE", help="Such as not_json or retries_exhausted; may be repeated."
)
OUTCOME: Final = typer.Option(
    None, "--outcome", help="`rejected`: no event; `failed`: judging gave up."
)
TOPIC: Final = typer.Option(None, "--topic", metavar="NAME", help="Where the record stood.")
PARTITION: Final = typer.Option(None, "--partition", min=0, help="Where the record stood.")
OFFSET: Final = typer.Option(None, "--offset", min=0, help="Where the record stood.")
SINCE: Final = typer.Option(
    None,
    "--since",
    metavar="TIME",
    help="Written at or after: 2026-03-01T18:30:00Z, or so long ago: 90s, 30m, 12h, 7d.",
)
UNTIL: Final = typer.Option(None, "--until", metavar="TIME", help="Written before; as --since.")
EVENT_ID: Final = typer.Option(
    [], "--event-id", metavar="ID", help="Of events that could be read so far; may be repeated."
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What letters must have to be chosen; None and nothing choose all."""

    reasons: Sequence[str] = ()
    outcome: Outcome | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    event_ids: Sequence[str] = ()

    def choose(self, letter: DeadLetter) -> bool:
        """Whether a letter is chosen; all parts of one have the same answer."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and self.outcome in {None, letter.outcome}
            and self.topic in {None, letter.topic}
            and self.partition in {None, letter.partition}
            and self.offset in {None, letter.offset}
            and (self.since is None or letter.recorded_at >= self.since)
            and (self.until is None or letter.recorded_at < self.until)
            and (not self.event_ids or letter.event_id in self.event_ids)
        )


def moment(text: str | None, option: str, now: Callable[[], datetime]) -> datetime | None:
    """The moment that `--since` or `--until` names.

    Raises:
        BadParameter: It is neither a time nor a length of time.
    """
    if text is None:
        return None
    if (ago := duration_s(text)) is not None:
        return now() - timedelta(seconds=ago)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a time such as 2026-03-01T18:30:00Z nor a length such as 30m",
            param_hint=option,
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
