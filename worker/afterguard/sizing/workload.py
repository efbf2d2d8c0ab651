"""What one event asks of an engine: requests, tokens read, tokens written."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.engine.settings import EngineSettings
from afterguard.sizing.figures import Span
from afterguard.sizing.prompt_tokens import RequestTokens, request_tokens

Prompt = Literal["per_policy", "combined"]
_EFFORTS: Final = (Effort.LOW, Effort.MEDIUM, Effort.HIGH)


class Traffic(NamedTuple):
    """The stream.

    Attributes:
        events_per_s: On average over a day.
        peak_factor: The busiest hour has so many times the average.
        content_tokens: Of one message, its heading included.
        forwarded: Share of events that the prefilter lets through to the model; 1 without one.
        repeated: Share of events whose judgement is found in Redis.
        second_looks: Share of verdicts that are looked at again, at high effort.
    """

    events_per_s: float
    peak_factor: float = 2.0
    content_tokens: int = 60
    forwarded: float = 1.0
    repeated: float = 0.0
    second_looks: float = 0.0

    @property
    def judged_share(self) -> float:
        """Of events that the model judges."""
        return self.forwarded * (1 - self.repeated)


class Work(NamedTuple):
    """Of one event that the model judges.

    Attributes:
        requests: At the engine at once.
        prompt: Tokens of its prompts, those in the prefix cache included.
        read: Tokens that no cache holds.
        written: Tokens.
        longest: Tokens that its longest chain of requests writes, one after the other.
    """

    requests: float
    prompt: float
    read: float
    written: Span
    longest: Span


def work_of(
    policies: Sequence[Policy],
    traffic: Traffic,
    *,
    prompt: Prompt,
    effort: Effort | None,
    cache_hit: float,
    combined_most: int,
) -> Work:
    """Of an event to which all of these policies apply.

    Args:
        policies: At least one.
        traffic: The stream.
        prompt: `judging.prompt`.
        effort: Of all policies; their own when None.
        cache_hit: Share of the policies' tokens that the prefix cache holds.
        combined_most: `judging.combined_most`.
    """
    caps = EngineSettings().reasoning_max_tokens
    content = traffic.content_tokens
    first = [
        request_tokens(group, _highest(group, effort), content, caps)
        for group in _groups(policies, prompt, combined_most)
    ]
    # Second looks are taken under each policy by itself.
    again = [request_tokens([policy], Effort.HIGH, content, caps) for policy in policies]
    share = traffic.second_looks
    any_again = 1 - (1 - share) ** len(policies)
    return Work(
        len(first),
        _prompts(first) + share * _prompts(again),
        _read(first, cache_hit) + share * _read(again, cache_hit),
        _written(first).plus(_written(again).map(lambda it: share * it)),
        _longest(first).plus(_longest(again).map(lambda it: any_again * it)),
    )


def _groups(policies: Sequence[Policy], prompt: Prompt, most: int) -> list[Sequence[Policy]]:
    if prompt == "per_policy":
        return [[policy] for policy in policies]
    count = -(-len(policies) // most)
    return [policies[number::count] for number in range(count)]


def _highest(policies: Sequence[Policy], effort: Effort | None) -> Effort:
    return effort or max((policy.effort for policy in policies), key=_EFFORTS.index)


def _prompts(requests: Sequence[RequestTokens]) -> float:
    return sum(it.prefix + it.own for it in requests)


def _read(requests: Sequence[RequestTokens], cache_hit: float) -> float:
    return sum(it.own + (1 - cache_hit) * it.prefix for it in requests)


def _written(requests: Sequence[RequestTokens]) -> Span:
    return Span(*(sum(case) for case in zip(*(it.output for it in requests), strict=True)))


def _longest(requests: Sequence[RequestTokens]) -> Span:
    return Span(*(max(case) for case in zip(*(it.output for it in requests), strict=True)))
