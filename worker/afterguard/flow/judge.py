"""Judge: brings an event to its findings, one for each policy that applies.

What is known already is not asked again; each of the others is a question to the model.
"""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic

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
from afterguard.flow.shadows import Shadows, acting_first
from afterguard.telemetry.metrics import Metrics

_SHED = Reading(Outcome.EXPIRED, Reason.SHED_COMPUTE_BUDGET)


class Judging:
    """Brings one admission to its findings: one for each policy.

    Args:
        asking: Asks the model.
        render: What the model reads of an event.
        metrics: Where repeats are counted.
        cache: Judgements already made; None to judge everything anew.
        seen: Events already judged and published; None to recognise none.
        same: The form in which two contents are the same question, for the cache.
        shadows: How policies on trial are judged; None to judge them like all others.
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
        shadows: Shadows | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._asking, self._render, self._same = asking, render, same
        self._metrics = metrics
        self._cache, self._seen = cache, seen
        self._shadows = shadows
        self._clock = clock

    async def judge(self, admission: Admission) -> list[Finding]:
        """The findings on one event, one for each of its policies in their order.

        An event that was judged and published before gets one finding that says so.

        Raises:
            AfterguardError: One whose consequence is `exit`; the event must not be settled.
        """
        content = self._render(admission.event)
        if await self._duplicate(admission, content):
            self._metrics.duplicates_recognised.inc()
            return [Finding(Reading(Outcome.SKIPPED, Reason.DUPLICATE_EVENT))]
        findings = await self._recall(admission, content)
        left = [policy for policy in admission.policies if policy.handle not in findings]
        if left:
            findings |= await self._ask_all(admission, left, content)
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

    async def _recall(self, admission: Admission, content: str) -> dict[str, Finding]:
        if self._cache is None:
            return {}
        policies = admission.policies
        same = self._same(content)
        keys = [verdict_key(same, policy, self._asking.model) for policy in policies]
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
            )
            found = self._asking.repeated(before, repeat.judgement, repeat.effort, admission.lane)
            if found is not None:
                known[policy.handle] = found
        away = self._cache.away
        self._metrics.cache_requests["hit"].inc(len(known))
        self._metrics.cache_requests["away" if away else "miss"].inc(len(kept) - len(known))
        if away:
            _mark_away(admission)
        return known

    async def _ask_all(
        self, admission: Admission, policies: Sequence[Policy], content: str
    ) -> dict[str, Finding]:
        acting, shadows = acting_first(policies)
        if not shadows or self._shadows is None:
            return await self._ask(admission, policies, content)
        return await self._shadows.beside(
            self._ask(admission, acting, content) if acting else None,
            shadows,
            lambda policy: self._under(admission, policy, content),
            lambda: self._clock() - admission.received,
            shed=None if self._asking.step(admission.lane) is Step.FULL else _SHED,
        )

    async def _ask(
        self, admission: Admission, policies: Sequence[Policy], content: str
    ) -> dict[str, Finding]:
        if self._asking.step(admission.lane) is Step.SHED:
            self._metrics.unasked[Reason.SHED_COMPUTE_BUDGET, admission.lane].inc()
            shed = unasked(policies, _SHED, self._clock() - admission.received)
            return {policy.handle: it for policy, it in zip(policies, shed, strict=True)}
        if len(policies) == 1:
            found = [await self._under(admission, policies[0], content)]
        else:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._under(admission, it, content)) for it in policies]
            found = [task.result() for task in tasks]
        return {policy.handle: it for policy, it in zip(policies, found, strict=True)}

    async def _under(self, admission: Admission, policy: Policy, content: str) -> Finding:
        finding = await self._asking.ask(admission, policy, content)
        judgement, effort = finding.judgement, finding.effort
        if self._cache is not None and judgement is not None and effort is not None:
            judged_as = verdict_id(admission.origin, policy.id, policy.version)
            if (kept := keep(judgement, effort, judged_as)) is not None:
                self._cache.put(verdict_key(self._same(content), policy, self._asking.model), kept)
        return finding


def _mark_away(admission: Admission) -> None:
    if Degraded.CACHE_AWAY not in admission.degraded:
        admission.degraded.append(Degraded.CACHE_AWAY)
