"""The second look: when the model is asked once more, and which of its two answers counts."""

from enum import StrEnum
from typing import NamedTuple

from afterguard.contracts.words import Degraded, Outcome, Reason
from afterguard.flow.findings import Finding, Reading
from afterguard.flow.ports import Judgement


class Doubt(StrEnum):
    """Why a first answer is not enough."""

    UNCERTAIN = "uncertain"
    BAND = "band"
    SEVERITY = "severity"


class Result(StrEnum):
    """What came of a second look."""

    CONFIRMED = "confirmed"
    CHANGED = "changed"
    FAILED = "failed"
    WITHHELD = "withheld"


class BothLooks(NamedTuple):
    """A finding after both looks."""

    finding: Finding
    result: Result


def doubt(finding: Finding) -> Doubt | None:
    """Why this finding asks for a second look; None when it does not.

    Only a complete answer is looked at again, and only at a higher effort than it was given with.
    """
    look = finding.policy.second_look if finding.policy is not None else None
    if look is None or finding.judgement is None or not finding.judgement.complete:
        return None
    if finding.effort is None or finding.effort.rank >= look.effort.rank:
        return None
    reading, score, band = finding.reading, finding.score, look.band
    if reading.outcome is Outcome.UNCERTAIN:
        return Doubt.UNCERTAIN
    if score is not None and band is not None and band[0] <= score <= band[1]:
        return Doubt.BAND
    least, found = look.severity, reading.severity
    if least is not None and found is not None and found.rank >= least.rank:
        return Doubt.SEVERITY
    return None


def after_both(first: Finding, second: Finding) -> BothLooks:
    """The finding after a second look: what it found counts when its answer is complete.

    When it is not, what was found first stands and says that the second look failed: a violation
    that was seen is not let go because nobody could look again. But a first answer that was in
    doubt and found nothing becomes uncertain: a content that wears the second look out must not
    pass by that. Both looks' tokens, tries and seconds are in the sum.
    """
    answered = second.judgement is not None and second.judgement.complete
    counts = second if answered else _in_doubt(first)
    finding = counts._replace(
        judgement=_with_tokens_of_both(counts.judgement, first.judgement, second.judgement),
        stages=first.stages + second.stages,
        attempts=first.attempts + second.attempts,
        queued_s=first.queued_s,
        judging_s=first.judging_s + second.judging_s,
        degraded=first.degraded if answered else (*first.degraded, Degraded.SECOND_LOOK_FAILED),
    )
    if not answered:
        return BothLooks(finding, Result.FAILED)
    before, after = first.reading, second.reading
    same = (before.outcome, before.action) == (after.outcome, after.action)
    return BothLooks(finding, Result.CONFIRMED if same else Result.CHANGED)


def _in_doubt(first: Finding) -> Finding:
    if first.reading.outcome is not Outcome.NO_VIOLATION:
        return first
    unclear = Reading(
        Outcome.UNCERTAIN,
        Reason.SECOND_LOOK_FAILED,
        category=first.policy.id if first.policy is not None else None,
        unknown_rules=first.reading.unknown_rules,
    )
    return first._replace(reading=unclear)


def _with_tokens_of_both(
    counts: Judgement | None, first: Judgement | None, second: Judgement | None
) -> Judgement | None:
    if counts is None or first is None or second is None:
        return counts
    return counts._replace(
        prompt_tokens=first.prompt_tokens + second.prompt_tokens,
        cached_prompt_tokens=first.cached_prompt_tokens + second.cached_prompt_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
    )
