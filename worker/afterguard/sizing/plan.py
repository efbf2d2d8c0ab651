"""A whole plan: what was asked, what it takes, and every assumption on the way."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.engine.tokens import estimate_tokens
from afterguard.sizing.estimate import (
    EFFICIENCY,
    LENGTH_TAIL,
    MOST_REQUESTS,
    SKEW,
    STEP_TOKENS,
    Estimate,
    Target,
    engine_slots,
    estimate,
    event_slots,
)
from afterguard.sizing.figures import Assumption, Basis, Span
from afterguard.sizing.gpus import MODELS
from afterguard.sizing.prompt_tokens import REASONING
from afterguard.sizing.rates import Rates
from afterguard.sizing.streams import Streams, streams
from afterguard.sizing.workload import Prompt, Traffic, Work, work_of

WORKER_EVENTS_PER_S: Final = 4_000
SCREENED_PER_S: Final = Span(60, 30, 10)
_ACTED_ON: Final = 0.02
_TTL_S: Final = (86_400, 7 * 86_400)
_CHARACTERS_A_TOKEN: Final = 4.5
_MOST_BUFFER_S: Final = 60.0


class Asked(NamedTuple):
    """What a plan is for.

    Attributes:
        traffic: The stream.
        policies: That apply to each event.
        prompt: `judging.prompt`.
        effort: Of all policies; their own when None.
        cache_hit: Share of the policies' tokens that the prefix cache holds.
        combined_most: `judging.combined_most`.
        gpu: Of `GPUS`.
        model: Of `MODELS`.
        target: What must hold.
    """

    traffic: Traffic
    policies: Sequence[Policy]
    prompt: Prompt
    effort: Effort | None
    cache_hit: float
    combined_most: int
    gpu: str
    model: str
    target: Target


class WorkerSettings(NamedTuple):
    """Settings of each worker that the plan counts on, by their names."""

    max_num_seqs: int
    max_num_batched_tokens: int
    max_concurrent_events: int
    max_events_in_flight: int
    max_tokens_in_flight: int


class Plan(NamedTuple):
    """An answer.

    Attributes:
        asked: For what.
        rates: Of one engine.
        work: Of one event.
        fleet: Engines, case by case.
        settings: Of each worker.
        streams: Of Kafka and Redis.
        worker_cores: Processor cores that the worker itself needs at the peak.
        rests_on: Every assumption.
    """

    asked: Asked
    rates: Rates
    work: Work
    fleet: Estimate
    settings: WorkerSettings
    streams: Streams
    worker_cores: Span
    rests_on: tuple[Assumption, ...]

    def gpu_hours_a_million(self, seconds: float) -> float:
        """GPU hours for a million events of the stream, if engines were always full.

        Args:
            seconds: Of an engine for one event that is judged.
        """
        return seconds * self.asked.traffic.judged_share * self.rates.gpus * 1e6 / 3600


def plan(asked: Asked, rates: Rates, measured: tuple[Work, tuple[Assumption, ...]] | None) -> Plan:
    """The answer to what was asked.

    Args:
        asked: For what.
        rates: Of one engine.
        measured: Work of one event by a running worker, instead of a computed one.
    """
    traffic = asked.traffic
    if measured is None:
        work = work_of(
            asked.policies,
            traffic,
            prompt=asked.prompt,
            effort=asked.effort,
            cache_hit=asked.cache_hit,
            combined_most=asked.combined_most,
        )
        told = _work_told(asked, work)
    else:
        work, told = measured
    requests = engine_slots(work, asked.model, asked.gpu, rates.gpus)
    slots = event_slots(requests, work)
    fleet = estimate(traffic, work, rates, asked.target, slots)
    flow = streams(
        traffic,
        work,
        len(asked.policies),
        fleet.likely.engines,
        acted_on=_ACTED_ON,
        ttl_s=_TTL_S,
    )
    return Plan(
        asked,
        rates,
        work,
        fleet,
        _settings(asked, fleet, requests, slots),
        flow,
        _cores(traffic),
        (*_traffic_told(asked), *told, *rates.rests_on, *_fleet_told(asked), *flow.rests_on),
    )


def _cores(traffic: Traffic) -> Span:
    peak = traffic.events_per_s * traffic.peak_factor
    own = Span.exactly(peak / WORKER_EVENTS_PER_S)
    if traffic.forwarded == 1:
        return own
    return own.plus(SCREENED_PER_S.map(lambda it: peak / it))


def _settings(asked: Asked, fleet: Estimate, requests: int, slots: int) -> WorkerSettings:
    # What a worker holds should be judged well before it is too old.
    buffer_s = min(asked.target.deadline_s, _MOST_BUFFER_S) / 2
    events = max(4 * slots, round(fleet.likely.server.capacity * buffer_s))
    text = "x" * round(asked.traffic.content_tokens * _CHARACTERS_A_TOKEN)
    return WorkerSettings(
        requests, STEP_TOKENS, 2 * slots, events, max(50_000, events * estimate_tokens(text))
    )


def _traffic_told(asked: Asked) -> tuple[Assumption, ...]:
    traffic, target = asked.traffic, asked.target
    return (
        Assumption(
            "events",
            f"{traffic.events_per_s:,.0f} a second on average, {traffic.peak_factor:g} times as "
            f"many at the peak, bursts of {target.burst_factor:g} times the peak for "
            f"{target.burst_s:g} s",
            Basis.GIVEN,
            "--events-per-s, --peak-factor, --burst-factor, --burst-s",
        ),
        Assumption(
            "events that reach the model",
            f"{traffic.judged_share:.0%}: {traffic.forwarded:.0%} pass the prefilter, "
            f"{traffic.repeated:.0%} of them are repeated from Redis",
            Basis.GIVEN,
            "--prefilter-forward, --repeats",
        ),
    )


def _work_told(asked: Asked, work: Work) -> tuple[Assumption, ...]:
    efforts = {asked.effort} if asked.effort else {policy.effort for policy in asked.policies}
    reasoning = "; ".join(
        f"{effort.value} {span.likely:g} ({span.best:g} to {span.worst:g})"
        for effort, span in REASONING.items()
        if effort in efforts or asked.traffic.second_looks
    )
    content = asked.traffic.content_tokens
    return (
        Assumption(
            "tokens of prompts",
            f"{work.prompt:,.0f} for an event: {len(asked.policies)} policies, {asked.prompt}, "
            f"{content} of content",
            Basis.COUNTED,
            "characters of the policies; 4.04 to a token with the harmony vocabulary",
        ),
        Assumption(
            "of them not from the prefix cache",
            f"{work.read:,.0f}",
            Basis.ASSUMED,
            f"--cache-hit {asked.cache_hit:g}, and half a block of each prefix; yours is "
            "cached_prompt_tokens_total by prompt_tokens_total",
        ),
        Assumption(
            "tokens of reasoning under one policy",
            reasoning,
            Basis.ASSUMED,
            "nobody here has run the real model; yours is output_tokens_total by "
            "judge_seconds_count: use --from-metrics",
        ),
        Assumption(
            "second looks",
            f"{asked.traffic.second_looks:.1%} of verdicts, at high effort",
            Basis.GIVEN,
            "--second-look-share",
        ),
    )


def _fleet_told(asked: Asked) -> tuple[Assumption, ...]:
    target = asked.target
    return (
        Assumption(
            "worker by bare vLLM",
            f"{EFFICIENCY.likely:.0%} ({EFFICIENCY.worst:.0%} to {EFFICIENCY.best:.0%})",
            Basis.ASSUMED,
            "0.81 was measured on a CPU that broker, worker and engine shared (docs/benchmarks.md)",
        ),
        Assumption(
            "requests at once",
            f"{MOST_REQUESTS:,} at most, as far as the KV cache holds them",
            Basis.PUBLISHED,
            "the published runs sent 500 to 1,000 at once",
        ),
        Assumption(
            "lengths of answers",
            f"of a hundred the longest but one has {LENGTH_TAIL:g} times the mean's tokens",
            Basis.ASSUMED,
            "a gamma distribution of shape 4, as in the simulation (docs/scaling.md)",
        ),
        Assumption(
            "unevenness",
            f"the busiest worker gets {SKEW:g} times the average",
            Basis.ASSUMED,
            "partitions and keys are never even; watch lag_records by partition",
        ),
        Assumption(
            "condition",
            f"at the peak no engine is used above {target.utilisation:.0%}; 99 of 100 events, and "
            f"the last of a burst, are judged in {target.deadline_s:g} s",
            Basis.GIVEN,
            "--utilisation, --deadline-s",
        ),
        Assumption(
            "the worker's own cost",
            f"{WORKER_EVENTS_PER_S:,} events a second and core",
            Basis.MEASURED,
            "benchmarks.overhead, two shared cores, one policy (docs/benchmarks.md)",
        ),
        Assumption(
            "the prefilter's own cost, when there is one",
            f"{SCREENED_PER_S.likely:g} texts a second and thread "
            f"({SCREENED_PER_S.worst:g} to {SCREENED_PER_S.best:g})",
            Basis.MEASURED,
            "two shared cores without AVX-512 (docs/prefilter.md)",
        ),
        Assumption(
            "time to load the model",
            f"{MODELS[asked.model].load_s:g} s with the weights on the node's disk",
            Basis.ASSUMED,
            "not in the estimate, but in the simulation (docs/scaling.md); measure yours",
        ),
    )
