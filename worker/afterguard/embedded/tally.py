"""Tally: what an independent reader finds in the topics, from offset 0, after the run."""

from collections.abc import Callable
from functools import partial

from afterguard.app import decoder
from afterguard.embedded.counts import Count, PoliciesFor, Tally
from afterguard.settings import Settings
from afterguard.stream.kafka.reader import committed_offsets, scan_topic

__all__ = ["Tally", "tally"]

Progress = Callable[[str, int, int], None]


async def tally(
    settings: Settings,
    policies_for: PoliciesFor | None = None,
    progress: Progress = lambda _topic, _read, _of: None,
) -> Tally:
    """Read the four topics from their beginning, and count.

    Args:
        settings: Of the worker whose work is counted.
        policies_for: The handles of the policies an input record must have been judged under;
            without it any verdict accounts for a record.
        progress: Told which topic is read, how many offsets of it, and of how many.

    Raises:
        StreamError: A topic cannot be read.
    """
    topics, count = settings.topics, Count(decoder(settings), policies_for)
    for topic, take in (
        (topics.events, count.event),
        # Before the verdicts: these are kept only where an intervention that is kept names them.
        (topics.interventions, count.intervention),
        (topics.audit, count.verdict),
        (topics.dead_letters, count.dead_letter),
    ):
        await scan_topic(settings.kafka, topic, take, partial(progress, topic))
    return count.result(await committed_offsets(settings.kafka, topics.events))
