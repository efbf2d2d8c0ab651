"""Repeats: what is kept of a judgement so that equal content need not be judged twice.

A kept judgement holds the label, the citations, the score, the effort it was made with and the id
of the verdict they came from, and never the rationale: that belongs to the audit topic alone, where
the id finds it. Of two looks it is the one that counted.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

import orjson

from afterguard.contracts.digests import digest_of
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.flow.ports import Judgement, JudgementStatus

_FORM = 2
_KEY_BYTES = 24


class Repeat(NamedTuple):
    """A judgement that was made before, and the verdict it was made for; how it was asked for."""

    judgement: Judgement
    verdict_id: UUID
    effort: Effort
    combined: bool


def verdict_key(content: str, policy: Policy, model: str, together: Sequence[Policy] = ()) -> str:
    """The key of a judgement: everything that could change it.

    Args:
        content: What the model reads, header and context included; or the form that it shares
            with contents that are the same question.
        policy: Its version and effort enter the key, so an edit invalidates by itself.
        model: The model's id.
        together: The policies of the prompt that it shares, itself among them: an answer under
            them is none under other ones.
    """
    company = (part for it in together for part in (it.id, it.version, it.effort.value))
    asked = (policy.id, policy.version, policy.effort.value)
    return f"v:{digest_of(content, *asked, model, *company, size=_KEY_BYTES).hex()}"


def seen_key(event: ChatEvent, content: str, policies: Iterable[Policy]) -> str:
    """The key under which an event is recognised when it is sent a second time.

    The content belongs to it: an id used again for other content is another event, or somebody
    could pass anything under the id of a harmless message. So do the policies: an event that is
    sent again to be judged under others, or after an edit, is judged.
    """
    versions = "".join(sorted(policy.version for policy in policies))
    place = (event.tenant or "", event.conversation_id, event.event_id)
    return f"e:{digest_of(*place, content, versions, size=_KEY_BYTES).hex()}"


def keep(
    judgement: Judgement, effort: Effort, verdict_id: UUID, *, combined: bool = False
) -> bytes | None:
    """The bytes to keep; None for a judgement that is not a complete answer."""
    if not judgement.complete:
        return None
    return orjson.dumps(
        [
            _FORM,
            verdict_id,
            judgement.violation,
            judgement.rule_ids,
            judgement.score,
            effort,
            combined,
        ]
    )


def recall(kept: bytes) -> Repeat | None:
    """The judgement that was kept; None when the bytes are of another form or damaged."""
    try:
        form, verdict_id, violation, rule_ids, score, effort, combined = orjson.loads(kept)
        if form != _FORM or not isinstance(violation, bool) or not isinstance(combined, bool):
            return None
        judgement = Judgement(
            JudgementStatus.ANSWERED,
            violation=violation,
            rule_ids=tuple(str(rule) for rule in rule_ids),
            score=None if score is None else float(score),
        )
        repeat = Repeat(judgement, UUID(verdict_id), Effort(effort), combined)
        return repeat if judgement.complete else None
    except (ValueError, TypeError, AttributeError):
        return None
