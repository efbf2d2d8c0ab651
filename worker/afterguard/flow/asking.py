"""Asking: one policy's question to the model, and what its answer means."""

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple, Protocol

from afterguard.contracts.cloudevents import sampled_trace_id, trace_context
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Degraded, Effort, Lane
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.admit import Admission
from afterguard.flow.effort import FullEffort, Step, Steps, first_effort
from afterguard.flow.findings import FAULT, Finding, read
from afterguard.flow.lanes import engine_priority
from afterguard.flow.persistence import Attempted, Persistence
from afterguard.flow.ports import Judge, Judgement, JudgeRequest, subject
from afterguard.flow.second_look import Doubt, Result, after_both, doubt
from afterguard.flow.shadows import PRIORITY_BEHIND
from afterguard.flow.trials import Trials
from afterguard.telemetry.metrics import Metrics
from afterguard.telemetry.trail import Cost


class Scores(Protocol):
    """Makes probabilities of the model's scores, where it was fitted to do so."""

    def calibrated(self, score: float, policy: Policy, effort: Effort) -> float | None:
        """The probability that a score stands for.

        Args:
            score: As the model gave it, 0 to 1.
            policy: The version that was judged under.
            effort: How long the model was allowed to reason.

        Returns:
            None when nothing was fitted for this version, model and effort.
        """
        ...


class NoScores:
    """Leaves scores as they are."""

    def calibrated(self, score: float, policy: Policy, effort: Effort) -> float | None:
        """See `Scores.calibrated`: None."""
        del score, policy, effort
        return None


class Asked(NamedTuple):
    """How a question ended.

    Attributes:
        finding: Why there is no answer, where there is none; else all but what the answer says.
        judgement: The answer.
    """

    finding: Finding
    judgement: Judgement | None


class Asking:
    """Asks the engine, and reads its answers.

    Args:
        judge: The engine.
        retry: When a retriable fault is tried again.
        metrics: Where requests, retries and second looks are counted.
        trials: Who goes to the engine in what company; its own when None.
        scores: Calibrates scores.
        steps: What the compute budget leaves to each lane.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        judge: Judge,
        retry: RetrySchedule,
        metrics: Metrics,
        *,
        trials: Trials | None = None,
        scores: Scores | None = None,
        steps: Steps | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.model = judge.model
        self._engine = Persistence(judge, retry, metrics, trials or Trials(metrics), clock)
        self._metrics, self._clock = metrics, clock
        self._scores, self._steps = scores or NoScores(), steps or FullEffort()

    def step(self, lane: Lane) -> Step:
        """What the compute budget leaves to a lane now."""
        return self._steps.step(lane)

    async def ask(self, admission: Admission, policy: Policy, content: str) -> Finding:
        """The finding under one policy, after a second look where one is due.

        Raises:
            AfterguardError: One whose consequence is `exit`; the event must not be settled.
        """
        effort = first_effort(policy, self.step(admission.lane))
        asked = await self.put(admission, question(admission, policy, content, effort))
        if asked.judgement is None:
            return asked.finding
        finding = self.weighed(asked.finding, asked.judgement, policy, effort)
        return await self.looked_again(admission, finding, content)

    async def put(self, admission: Admission, request: JudgeRequest) -> Asked:
        """Put one question to the engine, and do not give up too soon.

        Raises:
            AfterguardError: One whose consequence is `exit`; the event must not be settled.
        """
        began = self._clock()
        queued = began - admission.received
        acting = not request.policy.shadow
        if acting and not request.second:
            self._metrics.queue_seconds[admission.lane].observe(queued)
        if admission.asked_at is None:
            admission.asked_at = began
        tally = admission if acting else None
        look = None
        if admission.trail is not None:
            look = admission.trail.look(request.policies, request.effort, second=request.second)
            # The engine's own spans come below this one.
            request = request._replace(trace_headers=look.headers(request.trace_headers))
        attempted = await self._engine.ask(request, admission.deadline, tally, look)
        if look is not None:
            look.answered(attempted.attempts, _cost(attempted.judgement), _fault(attempted))
        judging = self._clock() - began
        self._metrics.judge_seconds.observe(judging, _trace_id(request))
        finding = Finding(
            attempted.gave_up or FAULT,
            request.policy,
            stages=(request.effort.value,) if attempted.attempts else (),
            attempts=attempted.attempts,
            queued_s=queued,
            judging_s=judging,
            effort=request.effort,
        )
        return Asked(finding, attempted.judgement)

    async def looked_again(self, admission: Admission, first: Finding, content: str) -> Finding:
        """The finding after a second look, where one is due and the compute budget allows it.

        Args:
            admission: The event.
            first: What was found at first, under one policy.
            content: What the model reads.

        Raises:
            AfterguardError: One whose consequence is `exit`; the event must not be settled.
        """
        policy, why = first.policy, doubt(first)
        if policy is None or policy.second_look is None or why is None:
            return _told(first)
        if self.step(admission.lane) is not Step.FULL:
            self._count(policy, why, Result.WITHHELD)
            return _told(first, withheld=True)
        effort = policy.second_look.effort
        asked = await self.put(admission, question(admission, policy, content, effort, second=True))
        second = asked.finding
        if asked.judgement is not None:
            second = self.weighed(second, asked.judgement, policy, effort)
        finding, result = after_both(first, second)
        self._count(policy, why, result)
        return _told(finding)

    def repeated(
        self, finding: Finding, judgement: Judgement, effort: Effort, lane: Lane
    ) -> Finding | None:
        """The finding that a kept judgement gives; None when it would be asked for anew.

        Args:
            finding: Where the judgement came from, and its policy.
            judgement: As it was kept.
            effort: With which it was made.
            lane: Of the event that it is to be repeated for.
        """
        policy, step = finding.policy, self.step(lane)
        if policy is None or effort.rank < first_effort(policy, step).rank:
            return None
        finding = self.weighed(finding, judgement, policy, effort)
        why = doubt(finding)
        if why is not None and step is Step.FULL:
            return None
        return _told(finding, withheld=why is not None)

    def weighed(
        self, finding: Finding, judgement: Judgement, policy: Policy, effort: Effort
    ) -> Finding:
        """The finding with what a judgement says, its score calibrated where that can be.

        One that was answered together with others is not: fits are made of prompts of one policy.

        Args:
            finding: Where the judgement came from.
            judgement: As the engine or the cache gave it.
            policy: The version that was judged under.
            effort: How long the model was allowed to reason.
        """
        score = judgement.score if judgement.complete else None
        fitted = None
        if score is not None and not finding.combined:
            fitted = self._scores.calibrated(score, policy, effort)
        weighed = judgement if fitted is None else judgement._replace(score=fitted)
        return finding._replace(
            reading=read(weighed, policy),
            judgement=judgement,
            score=score if fitted is None else fitted,
            score_calibrated=fitted is not None,
            effort=effort,
        )

    def _count(self, policy: Policy, why: Doubt, result: Result) -> None:
        self._metrics.policies.compute.second_look(policy.id, why.value, result.value)


def question(
    admission: Admission,
    policy: Policy,
    content: str,
    effort: Effort,
    *,
    also: tuple[Policy, ...] = (),
    second: bool = False,
) -> JudgeRequest:
    """What the engine is asked about one event.

    Args:
        admission: The event.
        policy: To be judged under.
        content: What the model reads.
        effort: How long the model may reason.
        also: More policies, to be answered in the same prompt.
        second: Whether this is a second look.
    """
    record = admission.record
    request_id = f"{record.coordinates}/{subject((policy, *also))}"
    return JudgeRequest(
        f"{request_id}/again" if second else request_id,
        policy,
        content,
        effort,
        engine_priority(admission.place) + (PRIORITY_BEHIND if policy.shadow else 0),
        _trace(admission) if record.headers else None,
        record.coordinates,
        also,
        second,
    )


def _cost(judgement: Judgement | None) -> Cost:
    if judgement is None:
        return Cost()
    return Cost(judgement.prompt_tokens, judgement.cached_prompt_tokens, judgement.output_tokens)


def _fault(attempted: Attempted) -> str | None:
    """Why there is no complete answer; None when there is one."""
    gave_up, judgement = attempted.gave_up or FAULT, attempted.judgement
    if judgement is None:
        return (gave_up.reason or gave_up.outcome).value
    return None if judgement.complete else judgement.status.value


def _told(finding: Finding, *, withheld: bool = False) -> Finding:
    """The finding, marked when the compute budget took something from it."""
    policy, effort = finding.policy, finding.effort
    if policy is None or effort is None or not (withheld or effort.rank < policy.effort.rank):
        return finding
    return finding._replace(degraded=(*finding.degraded, Degraded.EFFORT_REDUCED))


def _trace_id(request: JudgeRequest) -> str | None:
    parent = request.trace_headers.get("traceparent") if request.trace_headers else None
    return None if parent is None else sampled_trace_id(parent)


def _trace(admission: Admission) -> dict[str, str]:
    return {
        name: value.decode("ascii", "ignore")
        for name, value in trace_context(admission.record.headers)
        if value is not None
    }
