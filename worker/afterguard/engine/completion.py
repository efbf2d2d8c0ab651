"""What a model wrote, read as a judgement under each policy of its prompt."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from afterguard.contracts.policies import Policy
from afterguard.engine.answer import Answer
from afterguard.engine.combined_answer import parse_answers
from afterguard.engine.formats.chat_format import ChatFormat
from afterguard.engine.score import verdict_position, verdict_positions, violation_score
from afterguard.flow.ports import Judgement, JudgementStatus

Token = TypeVar("Token")


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


class Labels(NamedTuple, Generic[Token]):
    """Where the scores of an answer come from.

    Attributes:
        tokens: What the model wrote, ids or texts.
        known: The tokens of `0` and `1`.
        decode: Some tokens to their text.
        logprobs: The log-probabilities at a position; empty where there are none.
    """

    tokens: Sequence[Token]
    known: tuple[Token, Token]
    decode: Callable[[Sequence[Token]], str]
    logprobs: Callable[[int], Mapping[Token, float]]

    def positions(self, policies: Sequence[Policy]) -> dict[str, int]:
        """Where the labels stand, by policy id; without those that are not found for certain."""
        if len(policies) > 1:
            return verdict_positions(self.tokens, self.known, self.decode)
        position = verdict_position(self.tokens, self.known, self.decode)
        return {} if position is None else {policies[0].id: position}

    def score(self, position: int | None, answer: Answer) -> float | None:
        """P(violation) at a label's position; None where another label was written there."""
        if position is None or self.tokens[position] != self.known[answer.violation]:
            return None
        return violation_score(self.logprobs(position), self.known, label=answer.violation)


def judgement(chosen: ChatFormat, completion: Completion, policies: Sequence[Policy]) -> Judgement:
    """The judgement of a completion. What was cut is never read as an answer.

    Args:
        chosen: The format of what was written.
        completion: What was written.
        policies: Those of the prompt, in its order.
    """
    reasoning, answer_text = chosen.parse(completion.token_ids)
    told = Judgement(
        JudgementStatus.REASONING_CUT if completion.cut else JudgementStatus.UNPARSEABLE,
        rationale=reasoning,
        answer=answer_text,
        prompt_tokens=completion.prompt_tokens,
        cached_prompt_tokens=completion.cached_prompt_tokens,
        output_tokens=len(completion.token_ids),
    )
    logprobs = completion.logprobs
    labels = Labels(
        completion.token_ids,
        chosen.labels,
        chosen.decode,
        lambda at: {token: it.logprob for token, it in logprobs[at].items()} if logprobs else {},
    )
    return read_under(policies, told, labels, answered=not completion.cut)


def read_under(
    policies: Sequence[Policy], told: Judgement, labels: Labels[Token], *, answered: bool
) -> Judgement:
    """What was told, with the answer under each policy: the first here, the rest in `others`.

    All carry the reasoning and the answer as they were written. Tokens are counted in the first.

    Args:
        policies: Those of the prompt, in its order.
        told: A judgement without an answer; it stands where there is none.
        labels: Where the scores come from.
        answered: Whether what was written may be read as an answer.
    """
    answers = parse_answers(told.answer, policies) if answered else {}
    positions = labels.positions(policies) if any(answers.values()) else {}
    first, *others = [
        _of(told, answers.get(policy.id), positions.get(policy.id), labels) for policy in policies
    ]
    uncounted = [
        it._replace(prompt_tokens=0, cached_prompt_tokens=0, output_tokens=0) for it in others
    ]
    return first._replace(others=tuple(uncounted))


def _of(
    told: Judgement, answer: Answer | None, position: int | None, labels: Labels[Token]
) -> Judgement:
    if answer is None:
        return told
    return told._replace(
        status=JudgementStatus.ANSWERED,
        violation=answer.violation,
        rule_ids=answer.rule_ids,
        score=labels.score(position, answer),
    )
