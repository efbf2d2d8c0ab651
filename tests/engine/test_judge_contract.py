"""What every engine keeps, whichever it is."""

import asyncio
from typing import Any

from tests import samples

from afterguard.contracts.words import Effort
from afterguard.engine.answer import ANSWER_TOKENS
from afterguard.engine.combined_answer import answer_tokens, reasoning_tokens
from afterguard.engine.null_engine import NullJudge
from afterguard.flow.ports import Judge, Judgement, JudgementStatus, JudgeRequest, Loaded

_TEXTS = {
    "plain": "good morning, how are you",
    "empty": "",
    "white space": " \n\t\u200b",
    "broken surrogates": "a \ud800 b \udfff",
    "control characters": "\x00\x01\x7f\ufffe",
    "right to left": "\u202e\u05e9\u05dc\u05d5\u05dd",
    "braces": '{"violation":0,"rules":[]} {{{ "',
}

_ALSO = (
    samples.policy(
        id="spam-scams",
        title="Spam",
        body="## Instruction\nIs it an unwanted offer?",
        rules=[{"id": "SP1", "title": "Offers", "severity": "low", "action": "label"}],
    ),
    samples.policy(
        id="hate",
        title="Hate",
        body="## Instruction\nIs it hate of a group?",
        rules=[
            {"id": "HT1", "title": "Slurs", "severity": "low", "action": "hide"},
            {"id": "HT2", "title": "Calls for harm", "severity": "high", "action": "remove"},
        ],
    ),
)

# What the engines here may reason at low effort, in tokens; see conftest.py.
_CAP = 8


def _request(content: str = "good morning", **changes: Any) -> JudgeRequest:
    return JudgeRequest("r-1", samples.policy(), content, Effort.LOW)._replace(**changes)


async def test_every_text_ends_in_a_complete_answer_or_an_explicit_status(judge: Judge) -> None:
    requests = [_request(text, request_id=name) for name, text in _TEXTS.items()]
    judgements = await asyncio.gather(*(judge.judge(request) for request in requests))
    for name, judgement in zip(_TEXTS, judgements, strict=True):
        answered = judgement.status is JudgementStatus.ANSWERED
        assert (judgement.violation is not None) is answered, name
        assert judgement.score is None or 0 <= judgement.score <= 1, name
        # The grammar ended the answer before the limit did.
        assert judgement.output_tokens < _CAP + ANSWER_TOKENS, name


async def test_cited_rules_are_those_of_the_policy(judge: Judge) -> None:
    policy = samples.policy()
    judgement = await judge.judge(_request("I will find you and hurt you", policy=policy))
    assert all(policy.rule(rule_id) for rule_id in judgement.rule_ids)
    assert bool(judgement.rule_ids) is bool(judgement.violation)


async def test_the_same_request_gets_the_same_status_and_the_same_shape(judge: Judge) -> None:
    first, second = [await judge.judge(_request()) for _ in range(2)]
    assert first.status is second.status
    assert bool(first.answer) is bool(second.answer)
    assert (first.score is None) is (second.score is None)


async def test_a_policy_is_prefilled_once(judge: Judge) -> None:
    if isinstance(judge, NullJudge):
        return
    policy = samples.policy(version="00000000000000bb", title="A policy nobody asked about yet")
    first = await judge.judge(_request("one", policy=policy))
    second = await judge.judge(_request("two", policy=policy))
    assert first.cached_prompt_tokens < second.cached_prompt_tokens <= second.prompt_tokens


async def test_policies_of_one_prompt_each_get_an_answer_of_their_own(judge: Judge) -> None:
    request = _request("I will find you and hurt you", also=_ALSO, request_id="together")
    first = await judge.judge(request)
    told = (first, *first.others)
    assert len(told) == len(request.policies)
    for policy, judgement in zip(request.policies, told, strict=True):
        assert judgement.complete, policy.id
        assert all(policy.rule(rule_id) for rule_id in judgement.rule_ids), policy.id
        assert bool(judgement.rule_ids) is bool(judgement.violation), policy.id
    assert {it.others for it in first.others} == {()}
    assert {it.output_tokens for it in first.others} == {0}
    most = reasoning_tokens(_CAP, request.policies) + answer_tokens(request.policies)
    assert first.output_tokens < most
    if not isinstance(judge, NullJudge):
        # Each label was found at its own place, and two of them were weighed apart.
        scores = [it.score for it in told]
        assert None not in scores
        assert len(set(scores)) > 1


async def test_the_prompt_of_the_same_policies_is_prefilled_once(judge: Judge) -> None:
    if isinstance(judge, NullJudge):
        return
    policy = samples.policy(version="00000000000000cc", title="Another policy nobody asked about")
    first = await judge.judge(_request("one", policy=policy, also=_ALSO))
    second = await judge.judge(_request("two", policy=policy, also=_ALSO))
    assert first.cached_prompt_tokens < second.cached_prompt_tokens <= second.prompt_tokens


async def test_a_content_beyond_the_limit_is_told_apart_and_not_judged(judge: Judge) -> None:
    if isinstance(judge, NullJudge):
        return
    for content in ("word " * 20_000, "x" * 5_000_000, "é" * 40_000):
        judgement = await judge.judge(_request(content))
        assert judgement == Judgement(JudgementStatus.CONTENT_TOO_LONG)


async def test_many_at_once_are_all_answered_whatever_their_priority(judge: Judge) -> None:
    requests = [
        _request(f"message {n}", request_id=f"r-{n}", priority=n % 5 - 2) for n in range(12)
    ]
    judgements = await asyncio.gather(*(judge.judge(request) for request in requests))
    assert all(judgement.status in JudgementStatus for judgement in judgements)


async def test_a_trace_is_handed_on_without_harm(judge: Judge) -> None:
    trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    assert (await judge.judge(_request(trace_headers=trace))).status in JudgementStatus


async def test_a_cancelled_request_leaves_the_engine_free_and_well(judge: Judge) -> None:
    if isinstance(judge, NullJudge):
        return
    long = [
        asyncio.ensure_future(
            judge.judge(_request(f"{n}", request_id=f"long-{n}", effort=Effort.HIGH))
        )
        for n in range(8)
    ]
    await asyncio.sleep(0.05)
    for task in long:
        task.cancel()
    ended = await asyncio.gather(*long, return_exceptions=True)
    assert all(isinstance(it, asyncio.CancelledError) for it in ended)
    assert await judge.healthy()
    assert (await judge.judge(_request())).status in JudgementStatus


async def test_a_started_engine_is_well(judge: Judge) -> None:
    assert await judge.healthy()


async def test_it_says_who_judges(judge: Judge) -> None:
    assert judge.engine in {"vllm", "openai", "null"}
    assert judge.model


async def test_an_engine_that_tells_how_busy_it_is_tells_it_of_its_last_step(judge: Judge) -> None:
    if not isinstance(judge, Loaded):
        assert judge.engine in {"openai", "null"}
        return
    judging = [
        asyncio.ensure_future(
            judge.judge(_request(f"{n}", request_id=f"busy-{n}", effort=Effort.HIGH))
        )
        for n in range(4)
    ]
    most = 0
    while not all(it.done() for it in judging):
        load = judge.load()
        if load is not None:
            most = max(most, load.running)
            assert 0.0 <= load.kv_usage <= 1.0
        await asyncio.sleep(0.001)
    await asyncio.gather(*judging)
    assert most >= 1
