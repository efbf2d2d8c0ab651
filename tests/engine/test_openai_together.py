"""A server's answer for several policies is read under each of them, its scores too."""

import re

import pytest
from tests import samples
from tests.engine.stand_in_server import CLEAN, StandInServer, completion

from afterguard.contracts.words import Effort
from afterguard.engine.answer import Answer
from afterguard.engine.combined_answer import write_all
from afterguard.flow.ports import Judge, JudgeRequest

_TWO = (samples.policy(), samples.policy(id="hate", title="Hate"))
_BOTH_ASKED = JudgeRequest("r", _TWO[0], "what was said", Effort.LOW, also=_TWO[1:])
_BOTH = write_all({"harassment": Answer(violation=False), "hate": Answer(True, ("H2",))})


async def test_policies_of_one_prompt_are_one_system_message_and_one_schema(
    server: StandInServer, judge_at: Judge
) -> None:
    await judge_at.judge(_BOTH_ASKED)
    asked = server.asked[-1]
    system = asked["messages"][0]["content"]
    assert all(f"# Policy {policy.id}: {policy.title}" in system for policy in _TWO)
    assert asked["response_format"]["json_schema"]["schema"]["required"] == ["verdicts"]
    await judge_at.judge(_BOTH_ASKED._replace(also=()))
    assert asked["max_tokens"] > server.asked[-1]["max_tokens"]


async def test_each_policy_of_a_prompt_has_its_own_label_and_score(
    server: StandInServer, judge_at: Judge
) -> None:
    pieces = re.split(r'(?<=violation":)([01])', _BOTH)
    tokens = [
        {
            "token": piece,
            "logprob": -0.1 if piece != "1" else -0.2,
            "bytes": None,
            "top_logprobs": [
                {"token": it, "logprob": -2.4, "bytes": None} for it in "01" if it != piece
            ],
        }
        for piece in pieces
    ]
    server.answers = lambda _: completion(_BOTH, logprobs={"content": tokens})
    judgement = await judge_at.judge(_BOTH_ASKED)
    (other,) = judgement.others
    assert judgement.violation is False
    assert judgement.score == pytest.approx(0.0911, abs=0.001)
    assert (other.violation, other.rule_ids) == (True, ("H2",))
    assert other.score == pytest.approx(0.9002, abs=0.001)
    assert (judgement.prompt_tokens, other.prompt_tokens) == (90, 0)


@pytest.mark.parametrize(
    ("content", "finish", "statuses"),
    [
        (_BOTH, "length", ["reasoning_cut", "reasoning_cut"]),
        (CLEAN, "stop", ["unparseable", "unparseable"]),
        (f"{_BOTH} no, wait", "stop", ["unparseable", "unparseable"]),
        (_BOTH.replace("hate", "harassment"), "stop", ["unparseable", "unparseable"]),
        (_BOTH.replace('"violation":1', '"violation":7'), "stop", ["answered", "unparseable"]),
    ],
)
async def test_what_is_no_certain_answer_for_a_policy_of_a_prompt_is_none_for_it(
    content: str,
    finish: str,
    statuses: list[str],
    server: StandInServer,
    judge_at: Judge,
) -> None:
    server.answers = lambda _: completion(content, finish_reason=finish)
    judgement = await judge_at.judge(_BOTH_ASKED)
    assert [it.status for it in (judgement, *judgement.others)] == statuses
