"""What is asked of an OpenAI-compatible server, and what of it the server understands.

Servers differ: some take a grammar, a priority or log-probabilities, some refuse them, some ignore
them. So each is tried once at the start, on a request of a few tokens that holds nothing of
anybody's, and used from then on or left out.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.engine.answer import ANSWER_TOKENS, grammar, json_schema
from afterguard.engine.formats.chat_format import PerPolicy, structural_tag
from afterguard.engine.prompt import instructions
from afterguard.engine.settings import EngineSettings

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
            word = structural_tag({"type": "const_string", "value": PROBE_WORD})
            return {"extra_body": _tagged(word), "max_tokens": 16}
        case Feature.JSON_SCHEMA:
            return {"response_format": _response_format(["H1"])}
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

    def request(
        self, policy: Policy, effort: Effort, content: str, priority: int
    ) -> dict[str, Any]:
        """Keyword arguments for a chat completion.

        Args:
            policy: Goes into the system message.
            effort: How long the model may reason.
            content: The user message, free of control tokens.
            priority: Lower is served sooner.
        """
        same: dict[str, Any] = self._same.get(policy, effort, lambda: self._all(policy, effort))
        user = {"role": "user", "content": content}
        request = same | {"messages": [*same["messages"], user]}
        if priority and Feature.PRIORITY in self._features:
            request["extra_body"] = same.get("extra_body", {}) | {"priority": priority}
        return request

    def _all(self, policy: Policy, effort: Effort) -> dict[str, Any]:
        """What is the same for all contents."""
        settings, features = self._settings, self._features
        cap = settings.reasoning_max_tokens[effort]
        rule_ids = [rule.id for rule in policy.rules]
        same: dict[str, Any] = {
            "model": settings.model,
            "messages": [{"role": "system", "content": instructions(policy)}],
            "temperature": settings.temperature,
            "max_tokens": cap + ANSWER_TOKENS,
        }
        if Feature.EFFORT in features:
            same["reasoning_effort"] = effort.value
        if Feature.LOGPROBS in features:
            same |= feature_probe(Feature.LOGPROBS)
        if Feature.STRUCTURAL_TAG in features:
            thoughts = {"type": "any_tokens", "max_tokens": cap}
            same["extra_body"] = _tagged(structural_tag(thoughts, grammar(rule_ids)))
        elif Feature.JSON_SCHEMA in features:
            same["response_format"] = _response_format(rule_ids)
        return same


def _tagged(tag: str) -> dict[str, Any]:
    return {"structured_outputs": {"structural_tag": tag}}


def _response_format(rule_ids: Sequence[str]) -> dict[str, Any]:
    schema = {"name": "answer", "strict": True, "schema": json_schema(rule_ids)}
    return {"type": "json_schema", "json_schema": schema}
