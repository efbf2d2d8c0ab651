"""Judging: one request for each policy, none for what is known, and every gap is marked."""

from typing import Any

import pytest
from tests.flow.judges import ScriptedJudge
from tests.flow.stores import DictCache, DictSeen
from tests.samples import admission, answered, chat_event, input_record, policy

from afterguard.contracts.coordinates import verdict_id
from afterguard.contracts.errors import EngineDead
from afterguard.contracts.words import Degraded, Outcome, Reason
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.admit import Admission
from afterguard.flow.asking import Asking
from afterguard.flow.findings import Finding
from afterguard.flow.judge import Judging
from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest
from afterguard.policy.normal_form import key_form
from afterguard.policy.prompt import content_for
from afterguard.telemetry.metrics import Metrics


class Bench:
    """A judging with everything that it counts and keeps."""

    def __init__(self, judge: ScriptedJudge, **parts: Any) -> None:
        self.judge, self.metrics = judge, Metrics()
        schedule = RetrySchedule(attempts=2, base_s=0.001, cap_s=0.001)
        asking = Asking(judge, schedule, self.metrics)
        self.judging = Judging(asking, content_for, self.metrics, **parts)

    async def findings(self, **changes: Any) -> list[Finding]:
        return await self.judging.judge(admission(**changes))

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"afterguard_{name}", labels) or 0.0


def bench(answer: Judgement | None = None, **parts: Any) -> Bench:
    return Bench(ScriptedJudge(answer or answered(False)), **parts)


TWO = (policy(), policy(id="spam", effort="high"))


async def test_each_policy_has_one_request_and_one_finding_in_their_order() -> None:
    judge = ScriptedJudge(lambda asked: answered(asked.policy.id == "spam"))
    findings = await Bench(judge).findings(policies=TWO)
    assert [(it.policy, it.reading.outcome) for it in findings] == [
        (TWO[0], Outcome.NO_VIOLATION),
        (TWO[1], Outcome.VIOLATION),
    ]
    assert [it.policy for it in judge.requests] == list(TWO)


async def test_a_request_carries_what_the_policy_and_the_place_ask_for() -> None:
    judge = bench()
    headers = (("traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),)
    record = input_record(offset=9, headers=headers)
    await judge.findings(policies=TWO[1:], place=12.3, record=record)
    (asked,) = judge.judge.requests
    assert (asked.request_id, asked.effort, asked.priority) == ("chat.events/0/9/spam", "high", 123)
    assert asked.trace_headers == {"traceparent": headers[0][1].decode()}
    assert asked.content == content_for(chat_event())


async def test_a_finding_tells_its_path_and_its_tries() -> None:
    (finding,) = await bench().findings(policies=TWO[1:])
    assert (finding.stages, finding.attempts, finding.cached_from) == (("high",), 1, None)


@pytest.mark.usefixtures("expected_errors")
async def test_one_policy_s_failure_leaves_the_others_their_verdict() -> None:
    def script(asked: JudgeRequest) -> Judgement | Exception:
        return answered(False) if asked.policy.id == "spam" else RuntimeError("odd")

    findings = await Bench(ScriptedJudge(script)).findings(policies=TWO)
    assert [it.reading.outcome for it in findings] == [Outcome.FAILED, Outcome.NO_VIOLATION]


async def test_a_dead_engine_ends_the_judging_of_all_policies() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await Bench(ScriptedJudge(EngineDead("gone"))).findings(policies=TWO)
    assert raised.group_contains(EngineDead)


async def test_equal_content_is_judged_once() -> None:
    judge = bench(answered(True, "H1", score=0.9), cache=DictCache())
    (first,) = await judge.findings()
    (again,) = await judge.findings(record=input_record(offset=1))
    assert len(judge.judge.requests) == 1
    assert again.reading == first.reading
    assert (again.stages, again.attempts) == (("cache",), 0)


async def test_a_repeated_verdict_names_its_origin_and_carries_no_rationale() -> None:
    judge = bench(answered(True, "H1"), cache=DictCache())
    await judge.findings()
    (again,) = await judge.findings(record=input_record(offset=1))
    origin = input_record().coordinates
    assert again.cached_from == verdict_id(origin, policy().id, policy().version)
    assert again.judgement is not None
    assert (again.judgement.rationale, again.judgement.answer) == ("", "")


async def test_only_the_policies_that_are_not_known_yet_are_asked_for() -> None:
    judge = bench(cache=DictCache())
    await judge.findings(policies=TWO[:1])
    findings = await judge.findings(policies=TWO)
    assert [it.policy.id for it in judge.judge.requests] == ["harassment", "spam"]
    assert [it.stages for it in findings] == [("cache",), ("high",)]


@pytest.mark.parametrize(
    "changed",
    [
        {"event": chat_event(content="other words")},
        {"event": chat_event(author={"id": "u-1", "role": "assistant"})},
        {"policies": (policy(version="00000000000000bb"),)},
        {"policies": (policy(effort="high"),)},
        {"policies": (policy(id="spam"),)},
    ],
)
async def test_what_could_change_the_verdict_is_judged_anew(changed: dict[str, Any]) -> None:
    judge = bench(cache=DictCache())
    await judge.findings()
    await judge.findings(**changed)
    assert len(judge.judge.requests) == 2


@pytest.mark.parametrize(
    ("first", "then", "requests"),
    [
        ("b\u200buy now", "bu\u200by now", 1),
        ("wait\u2026", "wait...", 1),
        ("buy now", "b\u200buy now", 2),
        ("log in at paypal.com", "log in at p\u0430ypal.com", 2),
        ("g\u043e\u043ed, paypal.com", "good, p\u0430ypal.com", 2),
    ],
)
async def test_a_kept_verdict_is_for_contents_that_say_the_same_and_are_told_alike(
    first: str, then: str, requests: int
) -> None:
    judge = bench(cache=DictCache(), same=key_form)
    await judge.findings(event=chat_event(content=first))
    await judge.findings(event=chat_event(content=then))
    assert len(judge.judge.requests) == requests


async def test_another_model_judges_anew() -> None:
    cache = DictCache()
    await bench(cache=cache).findings()
    other = ScriptedJudge(answered(False))
    other.model = "scripted-2"
    await Bench(other, cache=cache).findings()
    assert len(other.requests) == 1


@pytest.mark.parametrize(
    "status", [status for status in JudgementStatus if status is not JudgementStatus.ANSWERED]
)
async def test_what_is_no_answer_is_never_repeated(status: JudgementStatus) -> None:
    judge = bench(Judgement(status), cache=DictCache())
    await judge.findings()
    await judge.findings()
    assert len(judge.judge.requests) == 2


async def test_a_damaged_entry_counts_as_a_miss() -> None:
    cache = DictCache()
    judge = bench(cache=cache)
    await judge.findings()
    cache.kept = dict.fromkeys(cache.kept, b"{")
    (finding,) = await judge.findings()
    assert finding.stages == ("low",)
    assert judge.counted("cache_requests_total", result="hit") == 0
    assert judge.counted("cache_requests_total", result="miss") == 2


@pytest.mark.parametrize(
    "parts",
    [
        {"cache": DictCache(away=True)},
        {"seen": DictSeen(away=True)},
        {"cache": DictCache(away=True), "seen": DictSeen(away=True)},
    ],
)
async def test_without_redis_judging_goes_on_and_says_so_once(parts: dict[str, Any]) -> None:
    event = admission()
    judge = bench(**parts)
    (finding,) = await judge.judging.judge(event)
    assert finding.reading.outcome is Outcome.NO_VIOLATION
    assert event.degraded == [Degraded.CACHE_AWAY]


def seen_again(**changes: Any) -> Admission:
    return admission(record=input_record(offset=8), **changes)


async def published(judge: Bench, seen: DictSeen) -> None:
    first = admission()
    await judge.judging.judge(first)
    assert first.seen_key is not None
    seen.mark(first.seen_key, first.record.coordinates)


async def test_an_event_that_was_published_before_is_skipped() -> None:
    seen = DictSeen()
    judge = bench(seen=seen)
    await published(judge, seen)
    (finding,) = await judge.judging.judge(seen_again())
    assert (finding.reading.outcome, finding.reading.reason, finding.policy) == (
        Outcome.SKIPPED,
        Reason.DUPLICATE_EVENT,
        None,
    )
    assert len(judge.judge.requests) == 1
    assert judge.counted("duplicates_recognised_total") == 1


async def test_the_same_record_read_again_after_a_crash_is_no_duplicate_of_itself() -> None:
    seen = DictSeen()
    judge = bench(seen=seen)
    await published(judge, seen)
    (finding,) = await judge.findings()
    assert finding.reading.outcome is Outcome.NO_VIOLATION


@pytest.mark.parametrize(
    "changed",
    [
        {"event": chat_event(content="other words")},
        {"event": chat_event(event_id="e-2")},
        {"event": chat_event(conversation_id="c-2")},
        {"event": chat_event(tenant="t-2")},
        {"policies": (policy(version="00000000000000bb"),)},
        {"policies": TWO},
    ],
)
async def test_an_event_that_differs_in_anything_that_counts_is_judged(
    changed: dict[str, Any],
) -> None:
    seen = DictSeen()
    judge = bench(seen=seen)
    await published(judge, seen)
    findings = await judge.judging.judge(seen_again(**changed))
    assert {it.reading.outcome for it in findings} == {Outcome.NO_VIOLATION}


async def test_an_event_that_was_judged_and_not_published_is_judged_again() -> None:
    judge = bench(seen=DictSeen())
    await judge.findings()
    (finding,) = await judge.judging.judge(seen_again())
    assert finding.reading.outcome is Outcome.NO_VIOLATION


async def test_waiting_and_judging_are_told_apart() -> None:
    now = 4.0

    def script(_: JudgeRequest) -> Judgement:
        nonlocal now
        now += 5.0
        return answered(False)

    schedule = RetrySchedule(attempts=1, base_s=1, cap_s=1)
    asking = Asking(ScriptedJudge(script), schedule, Metrics(), clock=lambda: now)
    judging = Judging(asking, content_for, Metrics(), clock=lambda: now)
    (finding,) = await judging.judge(admission(received=1.0))
    assert (finding.queued_s, finding.judging_s) == (3.0, 5.0)
