"""Judge: one request for each policy that applies, unless the answer is known already."""

import asyncio
from collections.abc import Callable
from time import monotonic

from afterguard.contracts.cloudevents import trace_context
from afterguard.contracts.coordinates import verdict_id
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Degraded, Outcome, Reason
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.admit import Admission
from afterguard.flow.findings import Finding, Reading, read
from afterguard.flow.lanes import engine_priority
from afterguard.flow.persistence import Persistence
from afterguard.flow.ports import Judge, JudgeRequest, SeenEvents, VerdictCache
from afterguard.flow.repeats import keep, recall, seen_key, verdict_key
from afterguard.flow.trials import Trials
from afterguard.telemetry.metrics import Metrics


class Judging:
    """Brings one admission to its findings: one for each policy.

    Args:
        judge: The engine.
        render: What the model reads of an event.
        retry: When a retriable fault is tried again.
        metrics: Where requests, retries and repeats are counted.
        cache: Judgements already made; None to judge everything anew.
        seen: Events already judged and published; None to recognise none.
        trials: Who goes to the engine in what company; its own when None.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        judge: Judge,
        render: Callable[[ChatEvent], str],
        retry: RetrySchedule,
        metrics: Metrics,
        *,
        cache: VerdictCache | None = None,
        seen: SeenEvents | None = None,
        trials: Trials | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._model = judge.model
        self._render = render
        self._engine = Persistence(judge, retry, metrics, trials or Trials(metrics), clock)
        self._metrics = metrics
        self._cache, self._seen = cache, seen
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
        asked = [policy for policy in admission.policies if policy.id not in findings]
        if len(asked) == 1:
            findings[asked[0].id] = await self._under(admission, asked[0], content)
        elif asked:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._under(admission, it, content)) for it in asked]
            for policy, task in zip(asked, tasks, strict=True):
                findings[policy.id] = task.result()
        return [findings[policy.id] for policy in admission.policies]

    async def _duplicate(self, admission: Admission, content: str) -> bool:
        if self._seen is None:
            return False
        admission.seen_key = seen_key(admission.event, content, admission.policies)
        first = (await self._seen.first_seen([admission.seen_key]))[0]
        if self._seen.away:
            _mark_away(admission)
        return first is not None and first != admission.record.coordinates

    async def _recall(self, admission: Admission, content: str) -> dict[str, Finding]:
        if self._cache is None:
            return {}
        policies = admission.policies
        keys = [verdict_key(content, policy, self._model) for policy in policies]
        kept = await self._cache.get_many(keys)
        queued = self._clock() - admission.received
        known = {
            policy.id: Finding(
                read(repeat.judgement, policy),
                policy,
                repeat.judgement,
                stages=("cache",),
                queued_s=queued,
                cached_from=repeat.verdict_id,
            )
            for policy, value in zip(policies, kept, strict=True)
            if value is not None and (repeat := recall(value)) is not None
        }
        away = self._cache.away
        self._metrics.cache_requests["hit"].inc(len(known))
        self._metrics.cache_requests["away" if away else "miss"].inc(len(kept) - len(known))
        if away:
            _mark_away(admission)
        return known

    async def _under(self, admission: Admission, policy: Policy, content: str) -> Finding:
        record = admission.record
        request = JudgeRequest(
            f"{record.coordinates}/{policy.id}",
            policy,
            content,
            policy.effort,
            engine_priority(admission.place),
            _trace(admission) if record.headers else None,
            record.coordinates,
        )
        began = self._clock()
        queued = began - admission.received
        self._metrics.queue_seconds[admission.lane].observe(queued)
        if admission.asked_at is None:
            admission.asked_at = began
        attempted = await self._engine.ask(request, admission.deadline, admission)
        judging = self._clock() - began
        self._metrics.judge_seconds.observe(judging)
        judgement = attempted.judgement
        if judgement is None:
            reading = attempted.gave_up or Reading(Outcome.FAILED, Reason.INTERNAL_FAULT)
        else:
            reading = read(judgement, policy)
            if self._cache is not None:
                judged_as = verdict_id(admission.origin, policy.id, policy.version)
                if (kept := keep(judgement, judged_as)) is not None:
                    self._cache.put(verdict_key(content, policy, self._model), kept)
        return Finding(
            reading,
            policy,
            judgement,
            stages=(policy.effort.value,) if attempted.attempts else (),
            attempts=attempted.attempts,
            queued_s=queued,
            judging_s=judging,
        )


def _mark_away(admission: Admission) -> None:
    if Degraded.CACHE_AWAY not in admission.degraded:
        admission.degraded.append(Degraded.CACHE_AWAY)


def _trace(admission: Admission) -> dict[str, str]:
    return {
        name: value.decode("ascii", "ignore")
        for name, value in trace_context(admission.record.headers)
        if value is not None
    }
