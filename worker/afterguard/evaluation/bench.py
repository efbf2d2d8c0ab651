"""Bench: judges labelled rows in the worker's own judging room, without a stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import JudgedBy, Policy
from afterguard.contracts.records import InputRecord
from afterguard.contracts.words import Lane
from afterguard.delivery.ledger import Ledger
from afterguard.delivery.order import KeyOrder
from afterguard.engine.create import create_judge
from afterguard.flow.admit import Admission
from afterguard.flow.findings import Finding
from afterguard.flow.judge import Judging
from afterguard.flow.lanes import lane_place
from afterguard.flow.ports import Judge
from afterguard.judging_room import judging_room
from afterguard.policy.calibration import FittedScores
from afterguard.prefilter.classifiers import FittedClassifiers
from afterguard.settings import Settings
from afterguard.telemetry.metrics import Metrics


class Case(NamedTuple):
    """One event to be judged under some policies at once, as the worker would."""

    name: str
    event: ChatEvent
    policies: tuple[Policy, ...]


class Bench:
    """Judges cases one by one or many at once.

    Args:
        judging: The room.
        accepts: Raises `PolicyError` for a policy that cannot be judged under; reads files.
    """

    def __init__(self, judging: Judging, accepts: Callable[[Policy], None]) -> None:
        self._judging, self._accepts = judging, accepts
        self._accepted: set[tuple[str, str, JudgedBy]] = set()
        self._next = 0

    async def findings(self, case: Case) -> list[Finding]:
        """The findings on one case, one for each policy in their order.

        Raises:
            AfterguardError: The engine died, or cannot be used.
            PolicyError: The classifier that a policy names is not there, or bears out too little.
        """
        for policy in case.policies:
            # As a worker does at its start: figures of another judge would be worse than none.
            if (key := (policy.id, policy.version, policy.judge)) not in self._accepted:
                await asyncio.to_thread(self._accepts, policy)
                self._accepted.add(key)
        now = monotonic()
        offset, self._next = self._next, self._next + 1
        admission = Admission(
            event=case.event,
            record=InputRecord(Coordinates("evaluation", 0, offset), None, None, ()),
            entry=Ledger(release=lambda _: None).admit(offset, 1, now=now),
            ticket=KeyOrder[Any]().enter(case.name),
            policies=case.policies,
            skip=None,
            lane=Lane.BACKFILL,
            place=lane_place(Lane.BACKFILL, now, 1.0),
            deadline=None,
            received_at=datetime.now(UTC),
            received=now,
        )
        try:
            return await self._judging.judge(admission)
        except BaseExceptionGroup as several:
            raise first_of(several) from None


def first_of(group: BaseExceptionGroup) -> BaseException:
    """The first error that a group holds, at whatever depth: one dead engine fails every row."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@asynccontextmanager
async def open_bench(
    settings: Settings,
    *,
    judge: Judge | None = None,
    scores: FittedScores | None = None,
    progress: Callable[[str], None] | None = None,
) -> AsyncIterator[Bench]:
    """A bench whose engine runs while the block does.

    Args:
        settings: `engine` and `judging` as a worker would have them.
        judge: Another engine than `settings.engine` names.
        scores: What was fitted for the policies; None to read it from the folder that is set.
        progress: Told what the engine is doing while it starts.

    Raises:
        SettingsError: The engine's package is not installed, or a setting cannot be used.
        EngineUnavailable: It cannot be started.
    """
    judge = judge or create_judge(settings.engine, registry=CollectorRegistry(), progress=progress)
    metrics = Metrics()
    classifiers = FittedClassifiers(settings.prefilter, metrics)
    try:
        await judge.start()
        judging = judging_room(settings, judge, metrics, scores=scores, classifiers=classifiers)
        yield Bench(judging, classifiers.accepts)
    finally:
        await classifiers.stop()
        await judge.stop()
