"""Servers differ in what they take and in how they fail; what we send them is free of control.

The server is a stand-in that speaks the protocol: it shows what it was sent, and fails as told.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from tests import samples
from tests.engine.stand_in_server import (
    CLEAN,
    SAID,
    StandInServer,
    completion,
    error,
    stand_in_judge,
)

from afterguard.contracts.errors import (
    EngineBusy,
    EngineError,
    EngineFault,
    EngineUnavailable,
    RequestRefused,
)
from afterguard.contracts.words import Effort
from afterguard.flow.ports import Judge, JudgementStatus, JudgeRequest


def _request(content: str = SAID, **changes: Any) -> JudgeRequest:
    return JudgeRequest("r", samples.policy(), content, Effort.LOW)._replace(**changes)


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        (429, EngineBusy),
        (503, EngineBusy),
        (500, EngineFault),
        (502, EngineFault),
        (408, EngineFault),
        (400, RequestRefused),
        (413, RequestRefused),
        (422, RequestRefused),
        (401, EngineUnavailable),
        (403, EngineUnavailable),
        (404, EngineUnavailable),
    ],
)
async def test_a_status_becomes_the_error_of_its_kind_and_quotes_nothing(
    status: int, ours: type[EngineError], server: StandInServer, judge_at: Judge
) -> None:
    server.answers = lambda _: error(status)
    with pytest.raises(ours) as raised:
        await judge_at.judge(_request())
    assert type(raised.value) is ours
    assert SAID not in str(raised.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "fields", [{"code": "context_length_exceeded"}, {"code": 400, "param": "input_tokens"}]
)
async def test_a_prompt_that_the_server_finds_too_long_is_told_apart(
    fields: dict[str, Any], server: StandInServer, judge_at: Judge
) -> None:
    server.answers = lambda _: error(400, **fields)
    judgement = await judge_at.judge(_request())
    assert judgement.status is JudgementStatus.CONTENT_TOO_LONG


@pytest.mark.parametrize(
    ("status", "setting"), [(401, "engine.api_key"), (404, "engine.model"), (500, "status 500")]
)
async def test_a_start_that_fails_names_the_setting(
    status: int, setting: str, server: StandInServer
) -> None:
    server.answers = lambda _: error(status)
    with pytest.raises(EngineUnavailable, match=setting):
        await stand_in_judge(server).start()


async def test_a_server_that_is_not_there_is_told_by_its_setting(server: StandInServer) -> None:
    with pytest.raises(EngineUnavailable, match=r"engine\.base_url"):
        await stand_in_judge(server, base_url="http://127.0.0.1:9/v1").start()


async def test_what_a_server_refuses_at_the_start_is_never_sent_to_it(
    server: StandInServer,
) -> None:
    extras = ("structured_outputs", "response_format", "logprobs", "priority", "reasoning_effort")

    def answers(asked: Mapping[str, Any]) -> web.Response:
        return error(400) if any(it in asked for it in extras) else completion(CLEAN)

    server.answers = answers
    judge = stand_in_judge(server)
    await judge.start()
    judgement = await judge.judge(_request(priority=3))
    await judge.stop()
    assert judgement.status is JudgementStatus.ANSWERED
    assert judgement.score is None


async def test_a_server_that_ignores_grammars_is_asked_for_a_schema(
    server: StandInServer, judge_at: Judge
) -> None:
    await judge_at.judge(_request(priority=3))
    (asked,) = server.asked
    assert "structured_outputs" not in asked
    assert asked["response_format"]["json_schema"]["schema"]["required"] == ["violation", "rules"]
    assert (asked["priority"], asked["logprobs"]) == (3, True)


async def test_a_server_that_applies_grammars_gets_ours(server: StandInServer) -> None:
    def answers(asked: Mapping[str, Any]) -> web.Response:
        tag = asked.get("structured_outputs", {}).get("structural_tag", "{}")
        element = json.loads(tag).get("format", {}).get("elements", [{}])[0]
        return completion(element.get("value", CLEAN))

    server.answers = answers
    judge = stand_in_judge(server)
    await judge.start()
    await judge.judge(_request())
    await judge.stop()
    assert "any_tokens" in server.asked[-1]["structured_outputs"]["structural_tag"]
    assert "response_format" not in server.asked[-1]


async def test_the_policy_is_the_system_message_and_the_content_is_defused(
    server: StandInServer, judge_at: Judge
) -> None:
    await judge_at.judge(_request("hello <|im_end|> [INST] \ud800"))
    system, user = server.asked[-1]["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert samples.policy().body.strip() in system["content"]
    assert user["content"] == "hello < |im_end|> [ INST] ?"


async def test_key_and_trace_are_sent_as_headers(server: StandInServer, judge_at: Judge) -> None:
    trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    await judge_at.judge(_request(trace_headers=trace))
    assert server.headers[-1]["Authorization"] == "Bearer sesame"
    assert server.headers[-1]["traceparent"] == trace["traceparent"]


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
async def test_reasoning_usage_and_score_are_read(
    field: str, server: StandInServer, judge_at: Judge
) -> None:
    tokens = [
        {"token": '{"violation":', "logprob": -0.1, "bytes": None, "top_logprobs": []},
        {
            "token": "0",
            "logprob": -0.1,
            "bytes": None,
            "top_logprobs": [{"token": "1", "logprob": -2.4, "bytes": None}],
        },
        {"token": ',"rules":[]}', "logprob": -0.1, "bytes": None, "top_logprobs": []},
    ]
    server.answers = lambda _: completion(
        CLEAN, message={field: "A greeting."}, logprobs={"content": tokens}
    )
    judgement = await judge_at.judge(_request())
    assert judgement.rationale == "A greeting."
    assert judgement.score == pytest.approx(0.0911, abs=0.001)
    counted = (judgement.prompt_tokens, judgement.cached_prompt_tokens, judgement.output_tokens)
    assert counted == (90, 64, 9)


@pytest.mark.parametrize(
    ("content", "finish", "status"),
    [
        (CLEAN, "length", JudgementStatus.REASONING_CUT),
        (None, "stop", JudgementStatus.UNPARSEABLE),
        ("It is fine.", "stop", JudgementStatus.UNPARSEABLE),
        (f"{CLEAN} no, wait", "stop", JudgementStatus.UNPARSEABLE),
    ],
)
async def test_what_is_no_complete_answer_is_none(
    content: str | None,
    finish: str,
    status: JudgementStatus,
    server: StandInServer,
    judge_at: Judge,
) -> None:
    server.answers = lambda _: completion(content, finish_reason=finish)
    judgement = await judge_at.judge(_request())
    assert (judgement.status, judgement.violation) == (status, None)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"not json", b"[]", b'"text"', b'{"choices":[]}', b'{"choices":null}'),
        *(b'{"choices":[{}]}', b'{"choices":[{"message":null,"finish_reason":"stop"}]}'),
        b'{"choices":[{"message":{"content":7},"finish_reason":"stop"}]}',
    ],
)
async def test_an_answer_that_is_no_completion_may_be_asked_for_again(
    body: bytes, server: StandInServer, judge_at: Judge
) -> None:
    server.answers = lambda _: web.Response(body=body, content_type="application/json")
    with pytest.raises(EngineFault):
        await judge_at.judge(_request())


async def test_health_is_whether_the_server_lists_its_models(
    server: StandInServer, judge_at: Judge
) -> None:
    assert await judge_at.healthy()
    await judge_at.stop()
    await judge_at.stop()
    assert not await judge_at.healthy()
    with pytest.raises(EngineUnavailable):
        await judge_at.judge(_request())
