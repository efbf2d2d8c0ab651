"""A dispatch with its neighbours, as its tests need it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.flow.judges import Answer, HeldJudge, ScriptedJudge
from tests.samples import NOON, admission, answered, input_record

from afterguard.contracts.events import ChatEvent
from afterguard.delivery.ledger import Entry, Ledger
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.admit import Admission
from afterguard.flow.asking import Asking
from afterguard.flow.decide import Decide, Decision
from afterguard.flow.dispatch import Dispatch
from afterguard.flow.judge import Judging
from afterguard.flow.ports import JudgeRequest
from afterguard.flow.settings import DecideSettings
from afterguard.flow.shedding import NO_SHEDDING, Shedding
from afterguard.policy.prompt import content_for
from afterguard.telemetry.metrics import Metrics

CLEAN = answered(False)


class Collected:
    """A publisher that keeps decisions, and the entry that each was said through."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.entries: list[Entry] = []

    def publish(self, decision: Decision) -> None:
        """Keep it."""
        assert decision.admission.entry.live, "said through an entry of a closed ledger"
        self.decisions.append(decision)
        self.entries.append(decision.admission.entry)

    @property
    def offsets(self) -> list[int]:
        """Of the records that were decided upon, in that order."""
        return [it.admission.record.coordinates.offset for it in self.decisions]


class Hall:
    """A dispatch with its judge, publisher and one partition's ledger."""

    def __init__(
        self,
        judge: ScriptedJudge,
        *,
        limit: int = 2,
        render: Callable[[ChatEvent], str] = content_for,
        adrift_s: float = 100.0,
        shedding: Shedding = NO_SHEDDING,
    ) -> None:
        self.now = 0.0
        self.judge, self.collected, self.metrics = judge, Collected(), Metrics()
        self.ledger = Ledger(release=lambda _: None)
        schedule = RetrySchedule(attempts=1, base_s=1, cap_s=1)
        self.dispatch = Dispatch(
            Judging(Asking(judge, schedule, self.metrics), render, self.metrics),
            Decide(DecideSettings(), engine=judge.engine, model=judge.model),
            self.collected,
            limit=limit,
            metrics=self.metrics,
            adrift_s=adrift_s,
            shedding=shedding,
            now=lambda: NOON,
            clock=lambda: self.now,
        )

    def revoke(self) -> None:
        """Take the partition away; what comes next comes under a new ledger."""
        self.ledger.close()
        self.ledger = Ledger(release=lambda _: None)

    def offer(self, offset: int, *, place: float | None = None, **changes: Any) -> Admission:
        offered = admission(
            **{
                "record": input_record(offset=offset),
                "entry": self.ledger.admit(offset, 1, 0.0),
                "place": float(offset) if place is None else place,
            }
            | changes
        )
        self.dispatch.offer(offered)
        return offered

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        serving = asyncio.create_task(self.dispatch.run())
        await turns()
        try:
            yield
        finally:
            self.dispatch.close()
            await serving

    @property
    def asked(self) -> list[int]:
        """Offsets in the order in which they came to the judge."""
        return [int(it.request_id.split("/")[2]) for it in self.judge.requests]

    @property
    def ended(self) -> list[str]:
        """Requests that were ended at the judge."""
        assert isinstance(self.judge, HeldJudge)
        return self.judge.ended

    def let(self, *offsets: int) -> None:
        assert isinstance(self.judge, HeldJudge)
        for offset in offsets:
            self.judge.let(f"chat.events/0/{offset}/harassment")


def held(
    script: Answer | Callable[[JudgeRequest], Answer] = CLEAN,
    *,
    limit: int = 2,
    adrift_s: float = 100.0,
    shedding: Shedding = NO_SHEDDING,
) -> Hall:
    return Hall(HeldJudge(script), limit=limit, adrift_s=adrift_s, shedding=shedding)


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
