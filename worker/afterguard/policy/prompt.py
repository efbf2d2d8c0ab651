"""What the model reads of an event: a header of ours, then what was said, as it was written.

A text whose characters hide what it says stays as it is; the header names the disguise, in words
of ours alone. The same event gives the same text, always: no ids and no times enter it, so that
caches can know it again. The policy comes before it and is the engine's part of the prompt.
"""

import re

from afterguard.contracts.events import ChatEvent
from afterguard.policy.normal_form import disguises

_LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,35}")


def content_for(event: ChatEvent) -> str:
    """The text that stands after the policy.

    A conversation's turns are numbered and each of their lines is indented, so that a text which
    imitates the next turn's heading stays inside its own turn.
    """
    header = f"[{event.kind.value} by {event.author.role.value}"
    if event.language and _LANGUAGE.fullmatch(event.language):
        header += f", language {event.language}"
    if isinstance(event.content, str):
        return f"{header}{_written_with(event.content)}]\n{event.content}"
    turns = [
        f"Turn {number}, {turn.role.value}:\n{_indented(turn.text)}"
        for number, turn in enumerate(event.content, start=1)
    ]
    written = _written_with("\n".join(turn.text for turn in event.content))
    return f"{header}, {len(turns)} turns{written}]\n" + "\n".join(turns)


def _written_with(text: str) -> str:
    found = disguises(text)
    return f", written with {' and '.join(found)}" if found else ""


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
