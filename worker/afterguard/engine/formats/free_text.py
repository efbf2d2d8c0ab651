"""Text of a model that reasons first and answers last, without channels of its own."""

from typing import Final

from afterguard.engine.answer import parse
from afterguard.engine.combined_answer import listing
from afterguard.engine.formats.chat_format import Parts

_THOUGHT_ENDS: Final = "</think>"


def parts_of(text: str) -> Parts:
    """All before the answer is reasoning; without a complete answer, all after the thoughts is."""
    thought, closed, rest = text.rpartition(_THOUGHT_ENDS)
    found = parse(rest) or listing(rest)
    if found is None:
        return Parts(thought.strip(), rest.strip())
    reasoning = (thought + closed + rest[: found.start]).strip()
    return Parts(reasoning, rest[found.start :].strip())
