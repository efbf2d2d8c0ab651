"""Classifiers at work in a worker: off the event loop, in one thread, a few texts at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from afterguard.contracts.policies import JudgedBy, Policy
from afterguard.flow.ports import Screened
from afterguard.prefilter.settings import PrefilterSettings
from afterguard.prefilter.shelf import Shelf
from afterguard.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from afterguard.prefilter.classifier import Classifier
    from afterguard.prefilter.terms import Terms

_log = structlog.get_logger(__name__)

# Texts that may wait for the thread; whoever comes later waits for a place among them.
_BATCHES_AHEAD: Final = 4
_STOP_S: Final = 5.0

_Taken = tuple["Classifier", "Terms"]
_Key = tuple[str, str, JudgedBy]


class _Waiting(NamedTuple):
    classifier: Classifier
    text: str
    score: asyncio.Future[float | None]


class FittedClassifiers:
    """Implements `flow.ports.Classifiers` with what `afterguard prefilter fit` made.

    A classifier is loaded when a policy that wants it is accepted, and no thread is started before
    there is a text.

    Args:
        settings: Where the classifiers stand, and how many texts go together.
        metrics: Where batches are counted.
    """

    def __init__(self, settings: PrefilterSettings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics.policies.prefilter
        self._shelf = Shelf(settings.directory, threads=settings.threads)
        self._taken: dict[_Key, _Taken | None] = {}
        self._waiting: list[_Waiting] = []
        self._places = asyncio.Semaphore(_BATCHES_AHEAD * settings.batch)
        self._thread: ThreadPoolExecutor | None = None
        self._serving: asyncio.Task[None] | None = None
        self._failing = False

    def accepts(self, policy: Policy) -> None:
        """See that this worker can do what a policy wants of a classifier; reads files.

        Raises:
            PolicyError: The classifier is missing, damaged, or bears out less than is wanted.
            SettingsError: A package is not installed.
        """
        key = _key(policy)
        if key not in self._taken:
            self._taken[key] = self._shelf.take(policy)

    async def score(self, policy: Policy, text: str) -> Screened | None:
        """See `flow.ports.Classifiers.score`."""
        taken = self._taken.get(_key(policy))
        if taken is None:
            self._fails("a policy was not accepted beforehand")
            return None
        classifier, terms = taken
        try:
            async with asyncio.timeout(self._settings.timeout_s), self._places:
                score = await self._scored(classifier, text)
        except TimeoutError:
            self._fails("no score in time")
            return None
        if score is None:
            return None
        return Screened(score, terms.threshold, terms.reference)

    async def start(self) -> None:
        """Nothing to do: the thread begins with the first text."""

    async def stop(self) -> None:
        """Give back what waits, without a score, and end the thread after what it is at."""
        waiting, self._waiting = self._waiting, []
        for it in waiting:
            _tell(it, None)
        if self._serving is not None:
            await asyncio.wait({self._serving}, timeout=_STOP_S)
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    async def _scored(self, classifier: Classifier, text: str) -> float | None:
        score = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(classifier, text, score))
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve(), name="classifiers")
        found: float | None = await score
        return found

    async def _serve(self) -> None:
        """Score until nobody waits; what comes meanwhile is the next batch."""
        settings = self._settings
        while self._waiting:
            if len(self._waiting) < settings.batch:
                await asyncio.sleep(settings.wait_ms / 1_000)
            batch, self._waiting = (
                self._waiting[: settings.batch],
                self._waiting[settings.batch :],
            )
            # Whoever gave up meanwhile, as after a timeout, wants no score any more.
            batch = [it for it in batch if not it.score.done()]
            if batch:
                await self._score(batch)

    async def _score(self, batch: Sequence[_Waiting]) -> None:
        from afterguard.prefilter.scoring import Task, score_all  # noqa: PLC0415 (an extra)

        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="classifiers")
        tasks = [Task(it.classifier, it.text) for it in batch]
        began = monotonic()
        loop = asyncio.get_running_loop()
        scores: Sequence[float | None]
        try:
            scores = await loop.run_in_executor(self._thread, score_all, tasks)
            self._failing = False
        except Exception as error:  # noqa: BLE001 (whatever it is, the model is asked instead)
            # Its text may quote a message.
            self._fails(type(error).__name__)
            scores = [None] * len(batch)
        self._metrics.seconds.observe(monotonic() - began)
        self._metrics.batch_texts.observe(len(batch))
        for it, score in zip(batch, scores, strict=True):
            _tell(it, score)

    def _fails(self, why: str) -> None:
        if not self._failing:
            self._failing = True
            _log.warning("classifiers give no scores, the model is asked instead", error=why)


def _tell(waiting: _Waiting, score: float | None) -> None:
    if not waiting.score.done():
        waiting.score.set_result(score)


def _key(policy: Policy) -> _Key:
    """An evaluation judges one version by both, the model and the classifier."""
    return policy.id, policy.version, policy.judge
