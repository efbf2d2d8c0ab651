"""The fleet: members that are replaced when they end, as a supervisor does."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.chaos.member import End, Kind, Member, State
from tests.chaos.plan import Plan
from tests.conftest import Broker
from tests.engine.cpu_worker import cpu_worker_engine
from tests.policy.documents import FRONT, document

from afterguard.embedded.broker import EMPTY_FETCH_PAUSE_MS
from afterguard.stream.settings import TopicSettings

POLICIES: Final = ("queue", "shouting")
COMMIT_INTERVAL_S: Final = 0.2
_MOST_FAILED_STARTS = 5
_DRAIN_S = 40.0


class Fleet:
    """Starts, replaces and in the end drains the members.

    Args:
        plan: How many, and with which engines.
        folder: Where their files go.
        broker: The group coordinator's address.
        topics: Their names.
        group_id: Their group.
        redis_url: Their Redis.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        broker: Broker,
        topics: TopicSettings,
        *,
        group_id: str,
        redis_url: str,
    ) -> None:
        self._plan, self._folder, self._broker, self._topics = plan, folder, broker, topics
        self._sections = _sections(plan, folder, group_id, redis_url)
        self._tasks: dict[Member, asyncio.Task[None]] = {}
        self._joined = 0
        self._closing = False
        self.ends: list[End] = []

    def __iter__(self) -> Iterator[Member]:
        return iter(self._tasks)

    def serving(self, kind: Kind | None = None) -> list[Member]:
        """Members that take events and are not being hurt."""
        return [it for it in self if it.state is State.SERVING and kind in (None, it.kind)]

    async def start(self) -> None:
        """Start the fleet and wait until all take events.

        Raises:
            RuntimeError: A worker does not come up; quotes its last words.
        """
        for number in range(self._plan.workers):
            mixed = self._plan.engines == "mixed"
            kind: Kind = (
                "vllm" if self._plan.engines == "vllm" or (mixed and number == 0) else "unsteady"
            )
            self.join(kind)
        while len(self.serving()) < len(self._tasks):
            self.look()
            await asyncio.sleep(0.1)

    def join(self, kind: Kind = "unsteady", *, stays: bool = True) -> Member:
        """One more member.

        Args:
            kind: Its engine.
            stays: Whether it is replaced when it ends.
        """
        self._joined += 1
        name = f"{kind}-{self._joined}"
        sections = {**self._sections, "engine": _engine(kind)}
        member = Member(
            name,
            kind,
            self._folder,
            broker=self._broker,
            topics=self._topics,
            sections=sections,
        )
        member.stays = stays
        self._tasks[member] = asyncio.create_task(self._keep(member), name=name)
        return member

    def look(self) -> None:
        """Raise what went wrong with a member's keeper."""
        for member, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[member]
                task.result()

    async def drain(self) -> None:
        """SIGTERM to all; SIGKILL to who does not end, which its exit code then tells."""
        self._closing = True
        for member in self:
            if member.state is not State.ENDED:
                member.ask_to_end()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks.values(), timeout=_DRAIN_S)
            if late:
                self.kill()
        self.look()

    def kill(self) -> None:
        """SIGKILL to all that run."""
        self._closing = True
        for member in self:
            if member.state is not State.ENDED:
                member.kill()

    async def close(self) -> None:
        """Nothing of it runs afterwards."""
        self.kill()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _keep(self, member: Member) -> None:
        failed = 0
        while not self._closing:
            before = len(self.ends)
            await member.run(self.ends.append)
            if not member.stays:
                return
            served = any(it.fates and it.fates["admitted"] for it in self.ends[before:])
            failed = 0 if member.asked or served else failed + 1
            if failed >= _MOST_FAILED_STARTS:
                words = (member.orders / "worker.log").read_text()[-3_000:]
                raise RuntimeError(f"{member.client} does not come up:\n{words}")


def _sections(plan: Plan, folder: Path, group_id: str, redis_url: str) -> dict[str, dict[str, Any]]:
    policies = folder / "policies"
    policies.mkdir(parents=True, exist_ok=True)
    for name in POLICIES:
        front = FRONT.replace("id: queue", f"id: {name}")
        (policies / f"{name}.md").write_text(document(front), encoding="utf-8")
    return {
        "kafka": {
            "group_id": group_id,
            "session_timeout_ms": plan.session_ms,
            "heartbeat_interval_ms": min(1_000, plan.session_ms // 4),
            "empty_fetch_pause_ms": EMPTY_FETCH_PAUSE_MS,
        },
        "policies": {"directory": str(policies), "only": list(POLICIES)},
        "redis": {"url": redis_url},
        # Every decision becomes an intervention, so that each event shows its order.
        "decide": {"publish_none": True},
        "delivery": {
            "commit_interval_s": COMMIT_INTERVAL_S,
            "drain_timeout_s": 20,
            "revoke_grace_s": 4,
            **({"guarantee": plan.guarantee} if plan.guarantee != "at_least_once" else {}),
        },
        "judging": {"deadline_s": {"live": 300, "standard": 900}},
        "intake": {"max_events_in_flight": 200, "max_concurrent_events": 32},
    }


def _engine(kind: Kind) -> dict[str, Any]:
    if kind == "unsteady":
        return {"kind": "null"}
    return cpu_worker_engine(probe_timeout_s=10, progress_timeout_s=12)
