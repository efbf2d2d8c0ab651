"""The engine's part of the composition: the judge, its watch, and the trials of suspects."""

from collections.abc import Callable
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry

from afterguard.delivery.allowance import Allowance
from afterguard.engine.create import create_judge
from afterguard.engine.restarting import Restartable, RestartingJudge
from afterguard.flow.ports import Attempts, Judge
from afterguard.flow.trials import Trials
from afterguard.health.engine_watch import EngineWatch
from afterguard.settings import Settings
from afterguard.telemetry.metrics import Metrics

# A server that is started anew by its own people needs about so long to listen again.
_SERVER_S: Final = 60.0


class EngineRoom(NamedTuple):
    """What belongs to the engine."""

    judge: Judge
    watch: EngineWatch
    trials: Trials


def engine_room(
    settings: Settings,
    metrics: Metrics,
    registry: CollectorRegistry,
    *,
    judge: Judge | None,
    attempts: Attempts | None,
    progress: Callable[[str], None] | None,
) -> EngineRoom:
    """The engine that the settings name, started again in place where it can be.

    Args:
        settings: All of them.
        metrics: Where restarts and suspects are shown.
        registry: Where the engine's own metrics go.
        judge: Another engine than `settings.engine` names.
        attempts: Remembers deaths over lives of the worker.
        progress: Told what the engine is doing while it starts.

    Raises:
        SettingsError: The engine's package is not installed, or a setting cannot be used.
    """
    engine = settings.engine
    judge = judge or create_judge(engine, registry=registry, progress=progress)
    restarting = None
    if isinstance(judge, Restartable):
        judge = restarting = RestartingJudge(
            judge,
            Allowance(engine.restarts, engine.restart_window_s),
            metrics,
            proof_timeout_s=engine.progress_timeout_s,
            told=lambda running: trials.engine_runs(running),  # noqa: PLW0108 (made below)
        )
        limit_s = engine.progress_timeout_s
    else:
        limit_s = max(engine.progress_timeout_s, _SERVER_S)
    trials = Trials(
        metrics,
        crowd=settings.intake.max_concurrent_events or 2 * engine.max_num_seqs,
        quarantine_after=settings.judging.quarantine_after,
        attempts=attempts,
        explained=restarting.explained if restarting else None,
    )
    watch = EngineWatch(judge, limit_s=limit_s, revivable=restarting)
    metrics.engine_up.set_function(lambda: float(watch.answers))
    metrics.engine_slots.set(engine.max_num_seqs)
    return EngineRoom(judge, watch, trials)
