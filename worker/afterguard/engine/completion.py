"""What a model wrote, read as a judgement."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from afterguard.engine.answer import parse
from afterguard.engine.formats.chat_format import ChatFormat
from afterguard.engine.score import verdict_position, violation_score
from afterguard.flow.ports import Judgement, JudgementStatus


class Completion(NamedTuple):
    """One output of an engine that works with tokens.

    Attributes:
        token_ids: What the model wrote.
        cut: Whether it was stopped by a limit.
        logprobs: For each token the log-probabilities of some tokens, by id; None without.
        prompt_tokens: Tokens of the prompt.
        cached_prompt_tokens: How many of them came from the prefix cache.
    """

    token_ids: Sequence[int]
    cut: bool
    logprobs: Sequence[Mapping[int, Any]] | None
    prompt_tokens: int
    cached_prompt_tokens: int


def judgement(chosen: ChatFormat, completion: Completion) -> Judgement:
    """The judgement of a completion. What was cut is never read as an answer."""
    reasoning, answer_text = chosen.parse(completion.token_ids)
    told = Judgement(
        JudgementStatus.REASONING_CUT if completion.cut else JudgementStatus.UNPARSEABLE,
        rationale=reasoning,
        answer=answer_text,
        prompt_tokens=completion.prompt_tokens,
        cached_prompt_tokens=completion.cached_prompt_tokens,
        output_tokens=len(completion.token_ids),
    )
    found = None if completion.cut else parse(answer_text)
    if found is None:
        return told
    violation = found.answer.violation
    return told._replace(
        status=JudgementStatus.ANSWERED,
        violation=violation,
        rule_ids=found.answer.rule_ids,
        score=_score(chosen, completion, violation=violation),
    )


def _score(chosen: ChatFormat, completion: Completion, *, violation: bool) -> float | None:
    ids, labels = completion.token_ids, chosen.labels
    position = verdict_position(ids, labels, chosen.decode)
    if position is None or completion.logprobs is None or ids[position] != labels[violation]:
        return None
    logprobs = {
        token: it.logprob for token, it in completion.logprobs[position].items() if token in labels
    }
    return violation_score(logprobs, labels, label=violation)
