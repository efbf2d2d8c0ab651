"""Asking: one policy's question to the model, and what its answer means."""

from collections.abc import Callable
from time import monotonic
from typing import Protocol

from afterguard.contracts.cloudevents import trace_context
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort, Outcome, Reason
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.admit import Admission
from afterguard.flow.findings import Finding, Reading, read
from afterguard.flow.lanes import engine_priority
from afterguard.flow.persistence import Persistence
from afterguard.flow.ports import Judge, Judgement, JudgeRequest
from afterguard.flow.trials import Trials
from afterguard.telemetry.metrics import Metrics

_GAVE_UP = Reading(Outcome.FAILED, Reason.INTERNAL_FAULT)


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


class Asking:
    """Asks the engine, and reads its answers.

    Args:
        judge: The engine.
        retry: When a retriable fault is tried again.
        metrics: Where requests and retries are counted.
        trials: Who goes to the engine in what company; its own when None.
        scores: Calibrates scores.
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
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.model = judge.model
        self._engine = Persistence(judge, retry, metrics, trials or Trials(metrics), clock)
        self._metrics, self._clock = metrics, clock
        self._scores = scores or NoScores()

    async def ask(self, admission: Admission, policy: Policy, content: str) -> Finding:
        """The finding under one policy.

        Raises:
            AfterguardError: One whose consequence is `exit`; the event must not be settled.
        """
        record, effort = admission.record, policy.effort
        request = JudgeRequest(
            f"{record.coordinates}/{policy.handle}",
            policy,
            content,
            effort,
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
        finding = Finding(
            attempted.gave_up or _GAVE_UP,
            policy,
            stages=(effort.value,) if attempted.attempts else (),
            attempts=attempted.attempts,
            queued_s=queued,
            judging_s=judging,
            effort=effort,
        )
        if attempted.judgement is None:
            return finding
        return self.weighed(finding, attempted.judgement, policy, effort)

    def weighed(
        self, finding: Finding, judgement: Judgement, policy: Policy, effort: Effort
    ) -> Finding:
        """The finding with what a judgement says, its score calibrated where that can be.

        Args:
            finding: Where the judgement came from.
            judgement: As the engine or the cache gave it.
            policy: The version that was judged under.
            effort: How long the model was allowed to reason.
        """
        score = judgement.score if judgement.complete else None
        fitted = None if score is None else self._scores.calibrated(score, policy, effort)
        weighed = judgement if fitted is None else judgement._replace(score=fitted)
        return finding._replace(
            reading=read(weighed, policy),
            judgement=judgement,
            score=score if fitted is None else fitted,
            score_calibrated=fitted is not None,
            effort=effort,
        )


def _trace(admission: Admission) -> dict[str, str]:
    return {
        name: value.decode("ascii", "ignore")
        for name, value in trace_context(admission.record.headers)
        if value is not None
    }
