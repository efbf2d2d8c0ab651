"""Judge: brings an event to its findings, one for each policy that applies.

What is known already is not asked again; each of the others is a question to the model.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

from afterguard.contracts.coordinates import verdict_id
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Degraded, Outcome, Reason
from afterguard.flow.admit import Admission
from afterguard.flow.asking import Asking
from afterguard.flow.effort import Step
from afterguard.flow.findings import Finding, Reading, unasked
from afterguard.flow.ports import SeenEvents, VerdictCache
from afterguard.flow.repeats import keep, recall, seen_key, verdict_key
from afterguard.flow.screening import Screening
from afterguard.flow.shadows import Shadows, acting_first
from afterguard.flow.together import Group, Together
from afterguard.telemetry.metrics import Metrics

_SHED = Reading(Outcome.EXPIRED, Reason.SHED_COMPUTE_BUDGET)


class _Content(NamedTuple):
    """What the model reads, and the form that it shares with contents that ask the same."""

    text: str
    same: str


class Judging:
    """Brings one admission to its findings: one for each policy.

    Args:
        asking: Asks the model.
        render: What the model reads of an event.
        metrics: Where repeats are counted.
        cache: Judgements already made; None to judge everything anew.
        seen: Events already judged and published; None to recognise none.
        same: The form in which two contents are the same question, for the cache.
        screening: Asks the classifiers of policies that name one; None to ask the model always.
        shadows: How policies on trial are judged; None to judge them like all others.
        together: Asks about several policies in one prompt; None to ask about each by itself.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        asking: Asking,
        render: Callable[[ChatEvent], str],
        metrics: Metrics,
        *,
        cache: VerdictCache | None = None,
        seen: SeenEvents | None = None,
        same: Callable[[str], str] = str,
        screening: Screening | None = None,
        shadows: Shadows | None = None,
        together: Together | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._asking, self._render, self._same = asking, render, same
        self._metrics = metrics
        self._cache, self._seen = cache, seen
        self._screening, self._shadows, self._together = screening, shadows, together
        self._clock = clock

    async def judge(self, admission: Admission) -> list[Finding]:
        """The findings on one event, one for each of its policies in their order.

        An event that was judged and published before gets one finding that says so.

        Raises:
            AfterguardError: One whose consequence is `exit`; the event must not be settled.
        """
        text = self._render(admission.event)
        if await self._duplicate(admission, text):
            self._metrics.duplicates_recognised.inc()
            return [Finding(Reading(Outcome.SKIPPED, Reason.DUPLICATE_EVENT))]
        content = _Content(text, text if self._cache is None else self._same(text))
        alone = admission.policies
        if self._together is not None:
            # What prompts the others share is not known before it is known who is asked about.
            alone = tuple(policy for policy in alone if policy.shadow)
        findings = await self._recall(admission, [(policy,) for policy in alone], content)
        left: Sequence[Policy] = admission.policies
        if findings:
            left = [policy for policy in left if policy.handle not in findings]
        if left:
            findings = findings | await self._find(admission, left, content)
        return [findings[policy.handle] for policy in admission.policies]

    async def _duplicate(self, admission: Admission, content: str) -> bool:
        if self._seen is None:
            return False
        # A trial that begins or ends makes no new event of one that was judged and acted upon.
        acting, shadows = acting_first(admission.policies)
        admission.seen_key = seen_key(admission.event, content, acting or shadows)
        first = (await self._seen.first_seen([admission.seen_key]))[0]
        if self._seen.away:
            _mark_away(admission)
        return first is not None and first != admission.record.coordinates

    async def _recall(
        self, admission: Admission, groups: Sequence[Group], content: _Content
    ) -> dict[str, Finding]:
        """What is known already; of a group, all or nothing, since it is one question."""
        if self._cache is None or not groups:
            return {}
        policies = [policy for group in groups for policy in group]
        keys = [key for group in groups for key in self._keys(content, group)]
        kept = await self._cache.get_many(keys)
        queued = self._clock() - admission.received
        known: dict[str, Finding] = {}
        for policy, value in zip(policies, kept, strict=True):
            if value is None or (repeat := recall(value)) is None:
                continue
            before = Finding(
                Reading(Outcome.UNPARSEABLE, Reason.NO_ANSWER),
                policy,
                stages=("cache",),
                queued_s=queued,
                cached_from=repeat.verdict_id,
                combined=repeat.combined,
            )
            found = self._asking.repeated(before, repeat.judgement, repeat.effort, admission.lane)
            if found is not None:
                known[policy.handle] = found
        for group in groups:
            if not all(policy.handle in known for policy in group):
                for policy in group:
                    known.pop(policy.handle, None)
        away = self._cache.away
        self._metrics.cache_requests["hit"].add(len(known))
        self._metrics.cache_requests["away" if away else "miss"].add(len(kept) - len(known))
        if away:
            _mark_away(admission)
        return known

    # What only hands on is no coroutine of its own: each costs every event.

    def _find(
        self, admission: Admission, policies: Sequence[Policy], content: _Content
    ) -> Coroutine[Any, Any, dict[str, Finding]]:
        acting, shadows = acting_first(policies)
        if not shadows or self._shadows is None:
            return self._screen(admission, policies, content)
        return self._shadows.beside(
            self._screen(admission, acting, content) if acting else None,
            shadows,
            lambda policy: self._under(admission, policy, content),
            lambda: self._clock() - admission.received,
            shed=None if self._asking.step(admission.lane) is Step.FULL else _SHED,
        )

    async def _under(self, admission: Admission, policy: Policy, content: _Content) -> Finding:
        return (await self._screen(admission, (policy,), content))[policy.handle]

    def _screen(
        self, admission: Admission, policies: Sequence[Policy], content: _Content
    ) -> Coroutine[Any, Any, dict[str, Finding]]:
        screening = self._screening
        if screening is None or not screening.concerns(policies):
            return self._ask(admission, policies, content)
        return self._screened(screening, admission, policies, content)

    async def _screened(
        self,
        screening: Screening,
        admission: Admission,
        policies: Sequence[Policy],
        content: _Content,
    ) -> dict[str, Finding]:
        sieve = await screening.screen(admission, policies)
        asked = await self._ask(admission, sieve.left, content) if sieve.left else {}
        return sieve.settled | screening.told(sieve, asked)

    async def _ask(
        self, admission: Admission, policies: Sequence[Policy], content: _Content
    ) -> dict[str, Finding]:
        known: dict[str, Finding] = {}
        questions: list[Group] = [(policy,) for policy in policies]
        if self._together is not None:
            questions = self._together.groups(policies)
            shared = [group for group in questions if not group[0].shadow]
            known = await self._recall(admission, shared, content)
            questions = [group for group in questions if group[0].handle not in known]
        if not questions:
            return known
        if self._asking.step(admission.lane) is Step.SHED:
            self._metrics.unasked[Reason.SHED_COMPUTE_BUDGET, admission.lane].inc()
            left = [policy for group in questions for policy in group]
            shed = unasked(left, _SHED, self._clock() - admission.received)
            return known | {policy.handle: it for policy, it in zip(left, shed, strict=True)}
        if len(questions) == 1:
            found = [await self._answered(admission, questions[0], content)]
            if not known:
                return found[0]
        else:
            async with asyncio.TaskGroup() as tasks:
                asked = [
                    tasks.create_task(self._answered(admission, group, content))
                    for group in questions
                ]
            found = [task.result() for task in asked]
        for answers in found:
            known |= answers
        return known

    async def _answered(
        self, admission: Admission, group: Group, content: _Content
    ) -> dict[str, Finding]:
        if self._together is None or len(group) == 1:
            # A group is of one where there is nothing that they would share.
            findings = [await self._asking.ask(admission, group[0], content.text)]
        else:
            findings = await self._together.ask(admission, group, content.text)
        if self._cache is not None:
            for policy, key, finding in zip(
                group, self._keys(content, group), findings, strict=True
            ):
                judged_as = verdict_id(admission.origin, policy.id, policy.version)
                _keep(self._cache, key, finding, judged_as)
        return {policy.handle: it for policy, it in zip(group, findings, strict=True)}

    def _keys(self, content: _Content, group: Group) -> list[str]:
        together = group if len(group) > 1 else ()
        return [verdict_key(content.same, it, self._asking.model, together) for it in group]


def _keep(cache: VerdictCache, key: str, finding: Finding, judged_as: UUID) -> None:
    judgement, effort = finding.judgement, finding.effort
    if judgement is not None and effort is not None:
        kept = keep(judgement, effort, judged_as, combined=finding.combined)
        if kept is not None:
            cache.put(key, kept)


def _mark_away(admission: Admission) -> None:
    if Degraded.CACHE_AWAY not in admission.degraded:
        admission.degraded.append(Degraded.CACHE_AWAY)
