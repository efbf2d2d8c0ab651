"""What is asked of an OpenAI-compatible server, and what of it the server understands.

Servers differ: some take a grammar, a priority or log-probabilities, some refuse them, some ignore
them. So each is tried once at the start, on a request of a few tokens that holds nothing of
anybody's, and used from then on or left out.
"""

from enum import StrEnum
from typing import Any, Final

from afterguard.contracts.words import Effort
from afterguard.engine.answer import constant, json_schema
from afterguard.engine.combined_answer import (
    answer_grammar,
    answer_schema,
    answer_tokens,
    reasoning_tokens,
)
from afterguard.engine.formats.chat_format import PerPolicy, structural_tag
from afterguard.engine.prompt import instructions
from afterguard.engine.settings import EngineSettings
from afterguard.flow.ports import JudgeRequest

# The label that was not written is nearly always among these.
_TOP_LOGPROBS: Final = 5
# Forced out of the model by a grammar, to see whether the server knows such grammars.
PROBE_WORD: Final = "afterguard"


class Feature(StrEnum):
    """Something that not every server takes."""

    STRUCTURAL_TAG = "structural_tag"
    JSON_SCHEMA = "json_schema"
    LOGPROBS = "logprobs"
    PRIORITY = "priority"
    EFFORT = "reasoning_effort"


def feature_probe(feature: Feature) -> dict[str, Any]:
    """What is added to a request to see whether the server takes a feature."""
    match feature:
        case Feature.STRUCTURAL_TAG:
            word = structural_tag(constant(PROBE_WORD))
            return {"extra_body": _tagged(word), "max_tokens": 16}
        case Feature.JSON_SCHEMA:
            return {"response_format": _response_format(json_schema(["H1"]))}
        case Feature.LOGPROBS:
            return {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
        case Feature.PRIORITY:
            return {"extra_body": {"priority": 1}}
        case Feature.EFFORT:
            return {"reasoning_effort": Effort.LOW.value}


class Requests:
    """Makes requests with the features that a server takes.

    Args:
        settings: The `engine` section.
        features: What the server takes; of the two that hold the answer, at most one.
    """

    def __init__(self, settings: EngineSettings, features: frozenset[Feature]) -> None:
        self._settings, self._features = settings, features
        self._same = PerPolicy()

    def request(self, asked: JudgeRequest, content: str) -> dict[str, Any]:
        """Keyword arguments for a chat completion.

        Args:
            asked: Its policies go into the system message.
            content: The user message, free of control tokens.
        """
        same: dict[str, Any] = self._same.get(
            asked.policy, asked.effort, lambda: self._all(asked), asked.also
        )
        priority = asked.priority
        user = {"role": "user", "content": content}
        request = same | {"messages": [*same["messages"], user]}
        if priority and Feature.PRIORITY in self._features:
            request["extra_body"] = same.get("extra_body", {}) | {"priority": priority}
        return request

    def _all(self, asked: JudgeRequest) -> dict[str, Any]:
        """What is the same for all contents."""
        settings, features, policies = self._settings, self._features, asked.policies
        effort = asked.effort
        cap = reasoning_tokens(settings.reasoning_max_tokens[effort], policies)
        told = instructions(asked.policy, asked.also)
        same: dict[str, Any] = {
            "model": settings.model,
            "messages": [{"role": "system", "content": told}],
            "temperature": settings.temperature,
            "max_tokens": cap + answer_tokens(policies),
        }
        if Feature.EFFORT in features:
            same["reasoning_effort"] = effort.value
        if Feature.LOGPROBS in features:
            same |= feature_probe(Feature.LOGPROBS)
        if Feature.STRUCTURAL_TAG in features:
            thoughts = {"type": "any_tokens", "max_tokens": cap}
            same["extra_body"] = _tagged(structural_tag(thoughts, answer_grammar(policies)))
        elif Feature.JSON_SCHEMA in features:
            same["response_format"] = _response_format(answer_schema(policies))
        return same


def _tagged(tag: str) -> dict[str, Any]:
    return {"structured_outputs": {"structural_tag": tag}}


def _response_format(schema: dict[str, Any]) -> dict[str, Any]:
    answer = {"name": "answer", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": answer}
