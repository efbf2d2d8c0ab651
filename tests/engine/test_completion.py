"""What was written in one answer is a judgement under each policy, with its own label and score."""

from math import log
from typing import NamedTuple

import pytest
from tests import samples
from tests.engine.formats import harmony

from afterguard.engine.answer import Answer
from afterguard.engine.combined_answer import write_all
from afterguard.engine.completion import Completion, judgement
from afterguard.flow.ports import JudgementStatus

THREE = tuple(samples.policy(id=name) for name in ("harassment", "hate", "spam-scams"))
TOLD = {
    "harassment": Answer(violation=False),
    "hate": Answer(True, ("H2", "H1")),
    "spam-scams": Answer(violation=False),
}


class Logprob(NamedTuple):
    """As vLLM gives one."""

    logprob: float


def _completion(answer: str, *, cut: bool = False) -> Completion:
    """With the probability of `1` rising from label to label: 0.1, 0.2, 0.3, ..."""
    head = "<|channel|>analysis<|message|>A slur.<|end|><|start|>assistant<|channel|>final"
    text = f"{head} <|constrain|>json<|message|>{answer}<|return|>"
    ids = harmony()._with_control(text)
    zero, one = harmony().labels
    logprobs, seen = [], 0
    for token in ids:
        seen += token in (zero, one)
        p = 0.1 * seen or 0.5
        logprobs.append({zero: Logprob(log(1 - p)), one: Logprob(log(p))})
    return Completion(ids, cut, logprobs, 900, 800)


def test_each_policy_has_its_own_label_rules_and_score() -> None:
    completion = _completion(write_all(TOLD))
    told = judgement(harmony(), completion, THREE)
    for policy, it in zip(THREE, (told, *told.others), strict=True):
        assert (it.status, it.rationale) == (JudgementStatus.ANSWERED, "A slur.")
        assert Answer(bool(it.violation), it.rule_ids) == TOLD[policy.id]
    labels = [at for at, token in enumerate(completion.token_ids) if token in harmony().labels]
    assert told.score == pytest.approx(0.1)
    # `H2` and `H1` have digits too, and theirs are no labels.
    assert [it.score for it in told.others] == [
        pytest.approx(0.2),
        pytest.approx(0.1 * len(labels)),
    ]


def test_tokens_are_counted_in_the_first_alone() -> None:
    completion = _completion(write_all(TOLD))
    told = judgement(harmony(), completion, THREE)
    assert (told.prompt_tokens, told.cached_prompt_tokens) == (900, 800)
    assert told.output_tokens == len(completion.token_ids)
    assert {
        (it.prompt_tokens, it.cached_prompt_tokens, it.output_tokens) for it in told.others
    } == {(0, 0, 0)}


def test_what_was_cut_is_an_answer_under_no_policy() -> None:
    told = judgement(harmony(), _completion(write_all(TOLD), cut=True), THREE)
    assert {(it.status, it.violation, it.score) for it in (told, *told.others)} == {
        (JudgementStatus.REASONING_CUT, None, None)
    }


def test_a_policy_without_an_answer_has_none_and_the_others_have_theirs() -> None:
    left = {name: answer for name, answer in TOLD.items() if name != "harassment"}
    told = judgement(harmony(), _completion(write_all(left)), THREE)
    assert (told.status, told.violation) == (JudgementStatus.UNPARSEABLE, None)
    assert [it.violation for it in told.others] == [True, False]


def test_the_answer_for_one_policy_answers_none_of_several() -> None:
    told = judgement(harmony(), _completion('{"violation":0,"rules":[]}'), THREE)
    assert {it.status for it in (told, *told.others)} == {JudgementStatus.UNPARSEABLE}
