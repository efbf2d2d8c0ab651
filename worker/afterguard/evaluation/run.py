"""A run: rows judged under policies, each result on disk before the next sitting could need it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from afterguard.contracts.words import Outcome
from afterguard.evaluation.bench import Bench, Case, first_of
from afterguard.evaluation.results import Result, ResultLog, result_of
from afterguard.evaluation.selection import Task

_TOLD_EVERY_S: Final = 5.0


@dataclass(slots=True)
class Sitting:
    """How far one sitting of a run has come.

    Attributes:
        tasks: Rows to be judged in it, once for each judge.
        done: Rows judged.
        results: Results written.
        failed: Of these, those that the engine gave up.
        prompt_tokens: Tokens read.
        cached_prompt_tokens: Of these, those from the prefix cache.
        output_tokens: Tokens written.
        seconds: Since it began.
        stopped: Whether it was asked to end.
    """

    tasks: int
    done: int = 0
    results: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    stopped: bool = False
    began: float = field(default_factory=monotonic)

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds until the end, at this rate; None when nobody can tell."""
        return (self.tasks - self.done) / self.rate if self.rate else None

    def count(self, results: Sequence[Result]) -> None:
        """Take results of one row in."""
        self.done += 1
        self.results += len(results)
        self.failed += sum(it.outcome is Outcome.FAILED for it in results)
        self.prompt_tokens += sum(it.prompt_tokens for it in results)
        self.cached_prompt_tokens += sum(it.cached_prompt_tokens for it in results)
        self.output_tokens += sum(it.output_tokens for it in results)
        self.seconds = monotonic() - self.began


async def sit(
    bench: Bench,
    tasks: Sequence[Task],
    log: ResultLog,
    stop: asyncio.Event,
    *,
    engine: str,
    model: str,
    at_once: int,
    show: Callable[[Sitting], None] = lambda _: None,
    keep: Callable[[Sitting], None] = lambda _: None,
) -> Sitting:
    """Judge what is left, many rows at once.

    Args:
        bench: The worker's judging room.
        tasks: What is left.
        log: Where results go as they come.
        stop: Set to end at once; rows in the engine are aborted there and judged another time.
        engine: Name of the engine, written into results.
        model: Id of the model, written into results.
        at_once: Rows judged at the same time.
        show: Told after each row.
        keep: Called every few seconds, off the loop, to write down the time that was spent.

    Raises:
        AfterguardError: The engine died, or a result cannot be written. What was judged is kept.
    """
    sitting = Sitting(len(tasks))
    work = asyncio.ensure_future(
        _all(
            bench,
            iter(tasks),
            log,
            sitting,
            at_once=at_once,
            engine=engine,
            model=model,
            show=show,
        )
    )
    waiting = asyncio.ensure_future(stop.wait())
    keeping = asyncio.ensure_future(_keep(sitting, keep))
    try:
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        sitting.stopped = not work.done()
    finally:
        for task in (work, waiting, keeping):
            task.cancel()
        await asyncio.gather(work, waiting, keeping, return_exceptions=True)
        sitting.seconds = monotonic() - sitting.began
        await asyncio.to_thread(keep, sitting)
    return sitting


async def _all(
    bench: Bench,
    tasks: Iterator[Task],
    log: ResultLog,
    sitting: Sitting,
    *,
    at_once: int,
    engine: str,
    model: str,
    show: Callable[[Sitting], None],
) -> None:
    writing = asyncio.Lock()

    async def one_after_the_other() -> None:
        for task in tasks:
            case = Case(task.row.row_id, task.row.event, task.policies)
            findings = await bench.findings(case)
            results = [
                result_of(task.row, it, judge=task.judge, engine=engine, model=model)
                for it in findings
            ]
            async with writing:
                await asyncio.to_thread(log.append, results)
            sitting.count(results)
            show(sitting)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, sitting.tasks)):
                group.create_task(one_after_the_other())
    except BaseExceptionGroup as several:
        raise first_of(several) from None


async def _keep(sitting: Sitting, keep: Callable[[Sitting], None]) -> None:
    while True:
        await asyncio.sleep(_TOLD_EVERY_S)
        await asyncio.to_thread(keep, sitting)
