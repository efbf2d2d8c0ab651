"""One campaign: services, fleet, load and faults; then everything is settled and audited."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tests.chaos.audit import Account, Topics, account
from tests.chaos.commits import Commits
from tests.chaos.fates_watch import FatesWatch
from tests.chaos.fault import Injury, Scene
from tests.chaos.fleet import POLICIES, Fleet
from tests.chaos.injector import Injector, faults_of
from tests.chaos.load import Load
from tests.chaos.member import End
from tests.chaos.plan import Plan
from tests.conftest import Broker
from tests.group_coordinator import GroupCoordinator
from tests.onlooker import committed, read_topic

from afterguard.embedded.broker import EmbeddedBroker
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.settings import TopicSettings

Tell = Callable[[str], None]
# An engine may be started meanwhile, on a machine that does much else.
_SETTLE_S = 240.0
_RECOVER_S = 30.0
_READ_S = 180.0
_PROGRESS_S = 5.0
# The load waits for workers that are further behind, so that a slow machine ends, too.
_MOST_BEHIND_S = 30.0


@dataclass(slots=True)
class Result:
    """What a campaign came to.

    Attributes:
        plan: What was asked for.
        account: What became of every record.
        injuries: What was injected, in order.
        ends: How each worker process ended.
        generations: Rebalances of the group.
        minutes: Of faults.
        unbalanced: Workers whose metrics were out of balance, and where.
        looks: Pages of metrics that were read.
        short: What was asked for and not reached.
    """

    plan: Plan
    account: Account
    injuries: list[Injury]
    ends: list[End]
    generations: int
    minutes: float
    unbalanced: list[str]
    looks: int
    short: dict[str, int]


async def campaign(plan: Plan, folder: Path, tell: Tell) -> Result:
    """Run one campaign and audit it; Ctrl-C ends the faults, a second one everything.

    Args:
        plan: What to do.
        folder: Where logs and settings of the workers go.
        tell: Hears how it goes, one line at a time.

    Raises:
        RuntimeError: The workers do not come up.
    """
    topics = TopicSettings(
        **{field: f"{name}.chaos" for field, name in TopicSettings().model_dump().items()}
    )
    group_id = "chaos"
    async with _services() as (broker, coordinator, valkey):
        await create_topics(
            Broker(broker.bootstrap_servers).settings(),
            plan_topics(topics, partitions=plan.partitions, replication=1),
        )
        fleet = Fleet(
            plan,
            folder,
            Broker(coordinator.bootstrap_servers),
            topics,
            group_id=group_id,
            redis_url=valkey.url,
        )
        settled: dict[int, int] = {}
        most_behind = plan.rate * _MOST_BEHIND_S
        load = Load(
            broker.bootstrap_servers,
            topics.events,
            plan.rate,
            plan.seed,
            held=lambda: len(load.ledger.records) - sum(settled.values()) > most_behind,
        )
        scene = Scene(plan, fleet, load, coordinator, broker, valkey, random.Random(plan.seed))
        watch = FatesWatch(fleet)
        injector = Injector(scene, faults_of(plan), watch, group_id)

        def committed_now(offsets: Mapping[int, int], now: float) -> None:
            settled.update(offsets)
            injector.saw(offsets, now)

        try:
            tell(f"{plan.guarantee}: {plan.workers} workers start")
            await fleet.start()
            began = monotonic()
            async with Commits(
                broker.bootstrap_servers, group_id, topics.events, plan.partitions, committed_now
            ) as commits:
                await _under_fire(scene, injector, watch, commits, tell)
                minutes = (monotonic() - began) / 60
                tell("no more faults: what was sent is settled")
                if not await commits.until(load.ledger.ends, _SETTLE_S):
                    tell(f"nothing was settled for {_SETTLE_S:g} s, and something is missing")
            await fleet.drain()
        finally:
            await fleet.close()
        tell("audit: every topic from its beginning")
        async with asyncio.timeout(_READ_S):
            names = (topics.events, topics.audit, topics.interventions, topics.dead_letters)
            read = Topics(*[await read_topic(broker.bootstrap_servers, it) for it in names])
            offsets = await committed(broker.bootstrap_servers, group_id, topics.events)
        return Result(
            plan,
            account(load.ledger.records, read, POLICIES, offsets),
            injector.injuries,
            fleet.ends,
            coordinator.generation(group_id),
            minutes,
            watch.unbalanced,
            watch.looks,
            {quota: left for quota, left in injector.wanted.items() if left},
        )


@asynccontextmanager
async def _services() -> AsyncIterator[tuple[EmbeddedBroker, GroupCoordinator, EmbeddedValkey]]:
    async with EmbeddedBroker() as broker, EmbeddedValkey() as valkey:
        port = int(broker.bootstrap_servers.rpartition(":")[2])
        async with GroupCoordinator(port) as coordinator:
            yield broker, coordinator, valkey


async def _under_fire(
    scene: Scene, injector: Injector, watch: FatesWatch, commits: Commits, tell: Tell
) -> None:
    """Load and faults together, until enough, until it is late, or until Ctrl-C."""
    faults_end, load_end = asyncio.Event(), asyncio.Event()
    with _on_interrupt(faults_end.set):
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(scene.load.run(load_end), name="load")
            others = [
                group.create_task(watch.run(), name="fates"),
                group.create_task(_progress(scene, injector, commits, tell), name="progress"),
                group.create_task(_alarm(scene.plan.minutes * 60, faults_end), name="alarm"),
            ]
            await injector.run(faults_end)
            # The last fault is over when what it held up is settled.
            await commits.until(dict(scene.load.ledger.ends), _RECOVER_S)
            load_end.set()
            await sending
            for task in others:
                task.cancel()


async def _alarm(seconds: float, end: asyncio.Event) -> None:
    await asyncio.sleep(seconds)
    end.set()


async def _progress(scene: Scene, injector: Injector, commits: Commits, tell: Tell) -> None:
    began = monotonic()
    while True:
        await asyncio.sleep(_PROGRESS_S)
        sent, settled = len(scene.load.ledger.records), sum(commits.offsets.values())
        last = injector.injuries[-1].fault if injector.injuries else "none yet"
        wanted = injector.wanted.items()
        left = ", ".join(f"{number} {quota}" for quota, number in wanted if number)
        line = f"{monotonic() - began:4.0f} s  sent {sent}  settled {settled}"
        line += f"  behind {sent - settled}  serving {len(scene.fleet.serving())}"
        line += f"  faults {len(injector.injuries)}  last: {last}"
        tell(line + (f"  to come: {left}" if left else ""))


@contextmanager
def _on_interrupt(act: Callable[[], None]) -> Iterator[None]:
    # The first Ctrl-C asks; the handler is gone then, so a second one is Python's own.
    loop = asyncio.get_running_loop()

    def once() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        act()

    loop.add_signal_handler(signal.SIGINT, once)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
