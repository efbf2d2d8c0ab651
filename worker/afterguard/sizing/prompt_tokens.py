"""Tokens of prompts and answers, counted once with the harmony vocabulary; a test counts again.

The vocabulary comes with vLLM and is not asked for here: sizing runs on any machine.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.engine.combined_answer import reasoning_tokens
from afterguard.engine.prompt import instructions
from afterguard.sizing.figures import Span

FRAME_TOKENS: Final = 71
"""System message and headings around the instructions, counted."""
CHARACTERS_A_TOKEN: Final = 4.04
"""Of instructions in English; the shipped six have 3.97 to 4.18."""
CONTENT_FRAME_TOKENS: Final = 3
"""Behind the content."""
HALF_A_BLOCK: Final = 8
"""The prefix cache keeps whole blocks of 16 tokens: half a block of a prefix is read anew."""
ANSWER_TOKENS: Final = 9
"""The JSON line of one policy, nothing violated."""
COMBINED_ANSWER_TOKENS: Final = 15
"""The same for each policy of a combined answer, its id included."""
ANSWER_FRAME_TOKENS: Final = 12
"""Channels and control tokens around reasoning and answer."""

REASONING: Final = {
    Effort.LOW: Span(30, 80, 200),
    Effort.MEDIUM: Span(80, 250, 600),
    Effort.HIGH: Span(200, 700, 1_500),
}
"""Of one policy; nobody here has seen the real model reason."""


class RequestTokens(NamedTuple):
    """Of one request to the engine.

    Attributes:
        prefix: The instructions, which the prefix cache may hold.
        own: Content and what no cache holds.
        output: Reasoning and answer.
        policies: It is asked about so many.
    """

    prefix: int
    own: int
    output: Span
    policies: int


def request_tokens(
    policies: Sequence[Policy], effort: Effort, content_tokens: int, caps: dict[Effort, int]
) -> RequestTokens:
    """Of one request about these policies.

    Args:
        policies: Of one prompt.
        effort: Of the prompt.
        content_tokens: Of a message, its heading included.
        caps: `engine.reasoning_max_tokens`.
    """
    count = len(policies)
    text = instructions(policies[0], policies[1:])
    answer = ANSWER_TOKENS if count == 1 else COMBINED_ANSWER_TOKENS * count
    cap = reasoning_tokens(caps[effort], policies)

    def output(reasoning: float) -> float:
        # As the cap does: a combined prompt is taken to reason a quarter more for each policy.
        thoughts = min(cap, reasoning_tokens(round(reasoning), policies))
        return thoughts + answer + ANSWER_FRAME_TOKENS

    return RequestTokens(
        FRAME_TOKENS + round(len(text) / CHARACTERS_A_TOKEN),
        content_tokens + CONTENT_FRAME_TOKENS + HALF_A_BLOCK,
        REASONING[effort].map(output),
        count,
    )
