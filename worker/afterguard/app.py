"""The composition root: builds the rooms and connects them; starts and awaits nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from prometheus_client import CollectorRegistry

from afterguard.compute_room import compute_room
from afterguard.contracts.codec import decode_event
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.records import InputRecord
from afterguard.delivery.budget import TokenBudget
from afterguard.delivery.token_limit import TokenLimit
from afterguard.engine.tokens import estimate_tokens
from afterguard.engine_room import engine_room
from afterguard.flow.admit import Admit
from afterguard.flow.decide import Decide
from afterguard.flow.dispatch import Dispatch
from afterguard.flow.ports import Judge, SeenEvents, VerdictCache
from afterguard.flow.shedding import Shedding
from afterguard.health.control import Control
from afterguard.health.engine_watch import EngineWatch
from afterguard.health.server import HealthServer, ProbeResult
from afterguard.health.stuck_watch import StuckWatch
from afterguard.health.why import Phase, Why
from afterguard.judging_room import judging_room
from afterguard.policy.calibration import fitted_scores
from afterguard.policy.live import LivePolicies
from afterguard.policy.registry import load_policies
from afterguard.policy_room import policy_room
from afterguard.prefilter.classifiers import FittedClassifiers
from afterguard.promise import MakeProducer, rooms
from afterguard.settings import Settings
from afterguard.state.attempts import RedisAttempts
from afterguard.state.batches import Batches
from afterguard.state.seen_events import RedisSeenEvents
from afterguard.state.verdict_cache import RedisVerdictCache
from afterguard.stream.assignments import Assignments
from afterguard.stream.budget_steering import BudgetSteering
from afterguard.stream.flood_gate import FloodGate
from afterguard.stream.gauges import Gauges
from afterguard.stream.guarantee import Publishing, Settling
from afterguard.stream.intake import Intake
from afterguard.stream.kafka.consumer import KafkaConsumer
from afterguard.stream.mapping import EventMap
from afterguard.stream.outputs import Outputs
from afterguard.stream.parcels import Parcels
from afterguard.stream.ports import Consumer, Producer
from afterguard.stream.rebalance import Rebalance
from afterguard.telemetry.metrics import Metrics
from afterguard.tracing_room import TracingRoom, tracing_room


@dataclass(slots=True)
class App:
    """All rooms of one worker. `started` and `draining` are set by the lifecycle."""

    settings: Settings
    metrics: Metrics
    judge: Judge
    consumer: Consumer
    producer: Producer | None
    redis: Batches | None
    attempts: RedisAttempts | None
    budget: TokenBudget
    assignments: Assignments
    dispatch: Dispatch
    publish: Publishing
    intake: Intake
    settle: Settling
    rebalance: Rebalance
    gauges: Gauges
    steering: BudgetSteering
    engine_watch: EngineWatch
    why: Why
    stuck_watch: StuckWatch
    policies: LivePolicies
    classifiers: FittedClassifiers
    tracing: TracingRoom
    http: HealthServer | None = None
    started: bool = field(default=False)
    draining: bool = field(default=False)


def build(
    settings: Settings,
    *,
    judge: Judge | None = None,
    consumer: Consumer | None = None,
    producer: Producer | None = None,
    transactional: MakeProducer | None = None,
    progress: Callable[[str], None] | None = None,
) -> App:
    """The worker that the settings describe.

    Args:
        settings: All of them.
        judge: Another engine than `settings.engine` names.
        consumer: Another log than Kafka.
        producer: Another log than Kafka.
        transactional: Another log than Kafka, under exactly once.
        progress: Told what the engine is doing while it starts.

    Raises:
        SettingsError: A setting cannot be used.
        PolicyError: A policy cannot be used.
    """
    engine_registry = CollectorRegistry()
    folder = load_policies(settings.policies)
    metrics = Metrics()
    cache, seen, attempts, redis = _state(settings, metrics)
    judge, engine_watch, trials = engine_room(
        settings,
        metrics,
        engine_registry,
        judge=judge,
        attempts=attempts,
        progress=progress,
    )
    metrics.describe_build(engine=judge.engine, model=judge.model)
    scores = fitted_scores(settings.policies, judge.model, folder.policies)
    classifiers = FittedClassifiers(settings.prefilter, metrics)
    for policy in folder.policies:
        classifiers.accepts(policy)
    policies = policy_room(settings, folder, metrics, scores=scores, accepts=classifiers.accepts)
    consumer = consumer or KafkaConsumer(
        settings.kafka,
        settings.topics.events,
        revoke_grace_s=settings.delivery.revoke_grace_s,
        metrics=metrics,
    )
    intake_settings = settings.intake
    budget = TokenBudget(
        intake_settings.max_tokens_in_flight,
        intake_settings.max_events_in_flight,
        intake_settings.resume_share,
    )
    assignments = Assignments(budget.release)
    outputs = Outputs(
        settings.topics,
        source=f"/afterguard/{settings.kafka.group_id}",
        max_record_bytes=settings.delivery.max_record_bytes,
    )
    flood_gate = FloodGate(settings.dead_letters, metrics)
    tracing = tracing_room(settings, metrics)
    producer, publish, settle = rooms(
        settings,
        consumer,
        assignments,
        Parcels(
            outputs,
            metrics,
            seen=seen,
            on_dead_letter=flood_gate.count,
            tracing=tracing.tracing,
        ),
        metrics,
        cast_off=lambda: dispatch.cast_off(),  # noqa: PLW0108 (it is made from `publish`)
        producer=producer,
        transactional=transactional,
    )
    judging_settings = settings.judging
    compute = compute_room(judging_settings.compute, metrics)
    dispatch = Dispatch(
        judging_room(
            settings,
            judge,
            metrics,
            trials=trials,
            compute=compute,
            scores=scores,
            classifiers=classifiers,
            cache=cache,
            seen=seen,
            overloaded=lambda: dispatch.waiting > judging_settings.shadow_above,
        ),
        Decide(settings.decide, engine=judge.engine, model=judge.model),
        publish,
        limit=intake_settings.max_concurrent_events or 2 * settings.engine.max_num_seqs,
        metrics=metrics,
        shedding=Shedding(
            judging_settings.shed_after_s,
            above=judging_settings.shed_above,
            ageing_s=judging_settings.ageing_s,
        ),
    )
    intake = Intake(
        consumer,
        assignments,
        decode=decoder(settings),
        estimate=lambda event: estimate_tokens(event.content),
        admit=Admit(policies, judging_settings, max_clock_skew_s=settings.input.max_clock_skew_s),
        offer=dispatch.offer,
        publish=publish,
        budget=budget,
        settings=intake_settings,
        metrics=metrics,
        flooded=lambda: flood_gate.holds,
        tracing=tracing.tracing,
    )
    rebalance = Rebalance(intake, settle, dispatch, grace_s=settings.delivery.revoke_grace_s)
    why = Why(
        assignments,
        dispatch,
        publish,
        phase=lambda: _phase(app),
        stuck_after_s=settings.delivery.stuck_after_s,
    )
    app = App(
        settings,
        metrics,
        judge,
        consumer,
        producer,
        redis,
        attempts,
        budget,
        assignments,
        dispatch,
        publish,
        intake,
        settle,
        rebalance,
        Gauges(
            metrics,
            consumer,
            assignments,
            budget,
            intake,
            also=[compute.look] if compute else [],
        ),
        BudgetSteering(
            budget,
            TokenLimit(
                intake_settings.min_tokens_in_flight or intake_settings.max_tokens_in_flight,
                intake_settings.max_tokens_in_flight,
            ),
            judge,
        ),
        engine_watch,
        why,
        StuckWatch(why, metrics),
        policies,
        classifiers,
        tracing,
    )
    if settings.http.enabled:
        app.http = HealthServer(
            settings.http,
            live={"intake": lambda: _polls(app)},
            ready={
                "started": lambda: ProbeResult(app.started, "engine and stream"),
                "engine": lambda: ProbeResult(app.engine_watch.answers, "answers when asked"),
                "serving": lambda: ProbeResult(not app.draining, "takes events until it drains"),
                "flood": lambda: ProbeResult(not flood_gate.holds, flood_gate.told),
            },
            registries=[metrics.registry, engine_registry],
            controls=[
                Control("POST", "/resume", flood_gate.accept),
                Control("GET", "/why", why.answer),
                Control("GET", "/policies", policies.told),
            ],
        )
    return app


def _phase(app: App) -> Phase:
    return Phase(
        app.started, app.draining, app.intake.holds, app.budget.statistics(), app.consumer.lag()
    )


def _polls(app: App) -> ProbeResult:
    if not app.started:
        return ProbeResult(True, "starting")  # noqa: FBT003
    silent = monotonic() - app.intake.polled_at
    limit = app.settings.kafka.max_poll_interval_ms / 1000
    return ProbeResult(silent < limit, f"last poll {silent:.1f} s ago, limit {limit:g} s")


def _state(
    settings: Settings, metrics: Metrics
) -> tuple[VerdictCache | None, SeenEvents | None, RedisAttempts | None, Batches | None]:
    if settings.redis.url is None:
        return None, None, None, None
    batches = Batches(settings.redis, metrics)
    cache = RedisVerdictCache(batches, settings.redis.verdict_ttl_s)
    seen = RedisSeenEvents(batches, settings.redis.seen_ttl_s)
    attempts = RedisAttempts(batches, settings.kafka.group_id, settings.redis.attempts_ttl_s)
    return cache, seen, attempts, batches


def decoder(settings: Settings) -> Callable[[InputRecord], ChatEvent]:
    """Bytes to an event: our own shape, or the shape that `input.map` describes.

    Raises:
        SettingsError: The map does not compile.
    """
    limit = settings.input.max_event_bytes
    if not settings.input.map:
        return lambda record: decode_event(record, max_bytes=limit)
    event_map = EventMap.compile(settings.input.map)
    return lambda record: event_map.event(record, limit)
