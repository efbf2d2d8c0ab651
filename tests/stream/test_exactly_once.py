"""Exactly once, whatever happens: completions, faults, fences, rebalances and crashes at random."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.stream.weathered_worker import CALLS, GROUP, ONE, OTHER, TOPICS, Worker

from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.errors import StreamError
from afterguard.contracts.records import OutputRecord
from afterguard.stream.memory import MemoryLog
from afterguard.stream.memory_transactions import MemoryTransactionalProducer
from afterguard.stream.ports import Partition

Answer = TypeVar("Answer")


class ExactlyOnce(RuleBasedStateMachine):
    """Two partitions, and workers that come, go, freeze and die."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _, context: self.stray.append(context))
        self.stray: list[dict[str, Any]] = []
        self.workers: list[Worker] = []
        self.sent = {ONE: 0, OTHER: 0}
        self.log = self.do(self._make_log())

    async def _make_log(self) -> MemoryLog:
        return MemoryLog({TOPICS.events: 2, TOPICS.dead_letters: 1})

    def do(self, work: Awaitable[Answer]) -> Answer:
        async def bounded() -> Answer:
            async with asyncio.timeout(20):
                return await work

        return self.loop.run_until_complete(bounded())

    def spin(self, turns: int) -> None:
        async def turn() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.do(turn())

    def any_worker(self, pick: int) -> Worker:
        return self.workers[pick % len(self.workers)]

    @initialize()
    def first(self) -> None:
        self.join()
        self.spin(30)

    @rule(
        pick=st.integers(0, 2),
        counts=st.tuples(st.integers(0, 4), st.integers(0, 4)),
        which=st.lists(st.integers(0, 9), max_size=8),
        turns=st.integers(0, 12),
    )
    def events_come_and_some_are_decided(
        self, pick: int, counts: tuple[int, int], which: Sequence[int], turns: int
    ) -> None:
        for partition, count in zip((ONE, OTHER), counts, strict=True):
            for _ in range(count):
                self.log.append(OutputRecord(partition.topic, None, b"x", (), partition.number))
            self.sent[partition] += count
        for worker in self.workers:
            if not worker.frozen:
                self.do(worker.take(8))
        self.some_are_decided(pick, which, turns)

    @rule(
        pick=st.integers(0, 2),
        which=st.lists(st.integers(0, 9), max_size=8),
        turns=st.integers(0, 12),
    )
    def some_are_decided(self, pick: int, which: Sequence[int], turns: int) -> None:
        for one in which:
            self.any_worker(pick).complete(one)
        self.spin(turns)

    @rule(turns=st.integers(1, 40))
    def time_passes(self, turns: int) -> None:
        self.spin(turns)

    @rule(
        pick=st.integers(0, 2),
        fault=st.sampled_from(
            [(call, when) for call in CALLS for when in ("before", "after")] + [("send", "refused")]
        ),
    )
    def a_call_will_break(self, pick: int, fault: tuple[str, str]) -> None:
        call, when = fault
        self.any_worker(pick).weather.breaks[call] = when

    @rule(
        what=st.sampled_from(["fence", "join", "rebalance", "leave", "kill", "freeze", "thaw"]),
        pick=st.integers(0, 2),
        turns=st.integers(0, 30),
    )
    def something_happens(self, what: str, pick: int, turns: int) -> None:
        worker = self.any_worker(pick)
        awake = [it for it in self.workers if not it.frozen]
        if what == "fence":
            partition = (ONE, OTHER)[pick % 2]
            self.do(MemoryTransactionalProducer(self.log, GROUP, partition).start())
        elif what == "rebalance":
            self.do(self.log.group(GROUP, TOPICS.events).deal())
        elif what == "kill":
            self.kill(worker)
        elif what == "join" and len(self.workers) < 3:
            self.join()
        elif what == "leave" and len(awake) > 1 and not worker.frozen:
            self.workers.remove(worker)
            self.do(self._leave(worker))
        elif what == "freeze" and len(awake) > 1 and not worker.frozen:
            worker.frozen = True
            worker.weather.thawed.clear()
            self.do(self._thrown_out(worker))
        elif what == "thaw" and worker.frozen:
            self.thaw(worker, turns)
        self.spin(turns)

    def join(self) -> None:
        worker = Worker(self.log)
        self.workers.append(worker)
        self.do(worker.join())

    def kill(self, worker: Worker) -> None:
        self.workers.remove(worker)
        self.do(self._kill(worker))
        if not any(not it.frozen for it in self.workers):
            self.join()

    def thaw(self, worker: Worker, before_it_hears: int) -> None:
        worker.weather.thawed.set()
        # A zombie goes on until it hears from its group.
        self.do(worker.take(5))
        for _ in range(3):
            worker.complete(0)
        self.spin(before_it_hears)
        worker.frozen = False
        self.do(self._rejoin(worker))

    async def _leave(self, worker: Worker) -> None:
        await worker.transactions.finish(None, wait_until=0.0, end_by=0.0)
        worker.transactions.close([it.partition for it in worker.assignments])
        await worker.consumer.stop()
        await worker.transactions.stop()
        await self._end(worker)

    async def _kill(self, worker: Worker) -> None:
        # Nothing of it runs any more; the group hears nothing and finds out.
        worker.weather.thawed.clear()
        await self._end(worker)
        if worker.member:
            await self._thrown_out(worker)

    async def _end(self, worker: Worker) -> None:
        if worker.running is not None:
            worker.running.cancel()
            await asyncio.gather(worker.running, return_exceptions=True)

    async def _thrown_out(self, worker: Worker) -> None:
        worker.member = False
        group = self.log.group(GROUP, TOPICS.events)
        if worker.consumer in group._members:
            await group.leave(worker.consumer)

    async def _rejoin(self, worker: Worker) -> None:
        await worker.consumer.give_up()
        await self.log.group(GROUP, TOPICS.events).join(worker.consumer)
        worker.member = True

    @rule()
    def those_that_ended_are_replaced(self) -> None:
        for worker in list(self.workers):
            if worker.running is not None and worker.running.done():
                error = worker.running.exception()
                assert isinstance(error, StreamError), error
                self.workers.remove(worker)
                self.do(self._leave_after_failure(worker))
        if not self.workers:
            self.join()

    async def _leave_after_failure(self, worker: Worker) -> None:
        worker.weather.thawed.set()
        worker.transactions.close([it.partition for it in worker.assignments])
        await self._thrown_out(worker)
        await worker.transactions.stop()

    @invariant()
    def what_is_committed_was_written_once_and_in_order(self) -> None:
        told: dict[Partition, list[int]] = {ONE: [], OTHER: []}
        for record in self.log.records(TOPICS.dead_letters):
            letter = DeadLetter.model_validate_json(record.value or b"")
            told[Partition(letter.topic, letter.partition)].append(letter.offset)
        for partition, offsets in told.items():
            committed = self.log.committed.get((GROUP, partition), 0)
            assert offsets == list(range(committed)), f"{partition}: {offsets}, {committed}"

    @invariant()
    def fates_balance(self) -> None:
        for worker in self.workers:
            assert worker.assignments.fates.balanced
            assert worker.budget.statistics().events == worker.assignments.in_flight()

    def teardown(self) -> None:
        try:
            self._everything_comes_to_its_end()
            assert not self.stray, self.stray
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.spin(5)
            self.loop.close()

    def _everything_comes_to_its_end(self) -> None:
        """In good weather all of it is written, by whoever is left."""
        for worker in self.workers:
            worker.weather.breaks.clear()
            worker.weather.thawed.set()
        self.those_that_ended_are_replaced()
        for worker in list(self.workers):
            if not worker.member or worker.frozen:
                worker.frozen = False
                self.do(self._rejoin(worker))
        self.do(self.log.group(GROUP, TOPICS.events).deal())
        for _ in range(400):
            if all(self.log.committed.get((GROUP, it), 0) == n for it, n in self.sent.items()):
                break
            self.spin(10)
            for worker in self.workers:
                self.do(worker.take(8))
                while worker.waiting:
                    worker.complete(0)
        self.what_is_committed_was_written_once_and_in_order()
        assert {it: self.log.committed.get((GROUP, it), 0) for it in self.sent} == self.sent
        for worker in self.workers:
            self.do(self._leave(worker))
            assert worker.assignments.fates.in_flight == 0
            assert worker.budget.statistics().tokens == 0


TestExactlyOnce = ExactlyOnce.TestCase
TestExactlyOnce.settings = settings(max_examples=50, stateful_step_count=35, deadline=None)
