"""Labelled rows: events of which people said whether they violate policies.

Golden sets and evaluation data are both read into these.
"""

from collections.abc import Mapping
from typing import NamedTuple

from afterguard.contracts.events import ChatEvent


class LabelledRow(NamedTuple):
    """One event, and what is right about it.

    Attributes:
        row_id: Unique in its set.
        event: What is judged.
        expected: By policy id, whether it violates; a policy that is absent is unknown, never no.
        rules: By policy id, rules of which at least one should be cited; empty when any will do.
        tags: What the row is about, such as `injection` or `lang:de`; the slices of a report.
        variant_of: The row of the same set that this one disguises; None for a row of its own.
        source: File and line, for messages.
    """

    row_id: str
    event: ChatEvent
    expected: Mapping[str, bool]
    rules: Mapping[str, tuple[str, ...]] = {}
    tags: tuple[str, ...] = ()
    variant_of: str | None = None
    source: str = ""
