"""Screening: what a fitted classifier spares the model, or decides in its place.

A classifier that gives no score decides nothing: the model is asked, and the verdict says so.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from afterguard.contracts.digests import digest_of, in_share
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import JudgedBy, Policy
from afterguard.contracts.words import Degraded, Outcome, Reason
from afterguard.flow.admit import Admission
from afterguard.flow.findings import Finding, Reading, read
from afterguard.flow.ports import Classifiers, Judgement, JudgementStatus, Screened
from afterguard.telemetry.prefilter_metrics import PrefilterMetrics, Result

ENGINE: Final = "classifier"
_PREFILTERED: Final = Reading(Outcome.SKIPPED, Reason.PREFILTERED)


@dataclass(slots=True)
class Sieve:
    """What came of screening one event.

    Attributes:
        settled: By handle, what needs no model.
        left: The policies under which the model is to be asked.
        forwarded: Handles that a prefilter let through.
        bypassed: Handles that it would have skipped, and that are in the sample.
        unscreened: Handles whose classifier gave no score.
    """

    settled: dict[str, Finding] = field(default_factory=dict)
    left: list[Policy] = field(default_factory=list)
    forwarded: set[str] = field(default_factory=set)
    bypassed: set[str] = field(default_factory=set)
    unscreened: set[str] = field(default_factory=set)


class Screening:
    """Asks the classifiers of policies that name one.

    Args:
        classifiers: They score.
        text_of: What they read of an event: its text in the form in which they were fitted.
        metrics: Where events and misses are counted.
        bypass_share: Of what would be skipped, the share that is judged all the same.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        classifiers: Classifiers,
        text_of: Callable[[ChatEvent], str],
        metrics: PrefilterMetrics,
        *,
        bypass_share: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._classifiers, self._text_of = classifiers, text_of
        self._metrics, self._bypass_share = metrics, bypass_share
        self._clock = clock

    def concerns(self, policies: Iterable[Policy]) -> bool:
        """Whether any of the policies names a classifier."""
        return any(_named(it) for it in policies)

    async def screen(self, admission: Admission, policies: Sequence[Policy]) -> Sieve:
        """Part the policies of one event into what is settled and what is left for the model.

        Args:
            admission: The event.
            policies: Those under which it is not judged yet.
        """
        sieve = Sieve()
        asked = [it for it in policies if _named(it)]
        text = self._text_of(admission.event)
        began = self._clock()
        scored = await asyncio.gather(*(self._classifiers.score(it, text) for it in asked))
        found = {it.handle: told for it, told in zip(asked, scored, strict=True)}
        for policy in policies:
            if policy.handle in found:
                self._sort(sieve, admission, policy, found[policy.handle], began)
            else:
                sieve.left.append(policy)
        return sieve

    def told(self, sieve: Sieve, findings: dict[str, Finding]) -> dict[str, Finding]:
        """The model's findings, with what screening has to say about them.

        Args:
            sieve: Of the same event.
            findings: By handle, those under the policies that were left.
        """
        return {handle: self._told(sieve, handle, it) for handle, it in findings.items()}

    def _sort(
        self,
        sieve: Sieve,
        admission: Admission,
        policy: Policy,
        screened: Screened | None,
        began: float,
    ) -> None:
        handle = policy.handle
        if screened is None:
            sieve.unscreened.add(handle)
            sieve.left.append(policy)
            self._count(policy, "unscreened")
        elif policy.judge is JudgedBy.CLASSIFIER:
            reading = _decided(policy, screened)
            sieve.settled[handle] = self._finding(reading, policy, screened, admission, began)
            self._count(policy, "decided")
        elif screened.score >= screened.threshold:
            sieve.forwarded.add(handle)
            sieve.left.append(policy)
            self._count(policy, "forwarded")
        elif _drawn(admission.event, policy, self._bypass_share):
            sieve.bypassed.add(handle)
            sieve.left.append(policy)
            self._count(policy, "bypassed")
        else:
            sieve.settled[handle] = self._finding(_PREFILTERED, policy, screened, admission, began)
            self._count(policy, "skipped")

    def _finding(
        self,
        reading: Reading,
        policy: Policy,
        screened: Screened,
        admission: Admission,
        began: float,
    ) -> Finding:
        return Finding(
            reading,
            policy,
            stages=(ENGINE if policy.judge is JudgedBy.CLASSIFIER else "prefilter",),
            queued_s=began - admission.received,
            judging_s=self._clock() - began,
            score=screened.score,
            score_calibrated=True,
            judged_by=(ENGINE, screened.classifier),
        )

    def _told(self, sieve: Sieve, handle: str, finding: Finding) -> Finding:
        if handle in sieve.unscreened:
            return finding._replace(degraded=(*finding.degraded, Degraded.UNSCREENED))
        bypassed = handle in sieve.bypassed
        if not bypassed and handle not in sieve.forwarded:
            return finding
        policy = finding.policy
        if policy and not policy.shadow and finding.reading.outcome is Outcome.VIOLATION:
            self._metrics.violation(policy.id, bypassed=bypassed, bypass_share=self._bypass_share)
        return finding._replace(stages=("prefilter", *finding.stages))

    def _count(self, policy: Policy, result: Result) -> None:
        # A version on trial would blur the figures of the one in force.
        if not policy.shadow:
            self._metrics.event(policy.id, result)


def _named(policy: Policy) -> bool:
    return policy.prefilter is not None or policy.judge is JudgedBy.CLASSIFIER


def _decided(policy: Policy, screened: Screened) -> Reading:
    """What the classifier says as a judge, read by the same rules as an answer of the model."""
    violates = screened.score >= screened.threshold
    rule = policy.classifier.rule if policy.classifier else None
    answer = Judgement(
        JudgementStatus.ANSWERED,
        violation=violates,
        rule_ids=(rule,) if violates and rule else (),
        score=screened.score,
    )
    return read(answer, policy.model_copy(update={"threshold": screened.threshold}))


def _drawn(event: ChatEvent, policy: Policy, share: float) -> bool:
    """Whether an event is in the sample; always the same for the same event and policy."""
    parts = (policy.id, event.tenant or "", event.conversation_id, event.event_id)
    return in_share(digest_of(*parts, size=8, person=b"bypass"), share)
