"""The events and prompts that both sides of the efficiency measurement work on."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy
from afterguard.embedded.cpu_engine import cpu_engine_settings
from afterguard.embedded.demo_events import demo_events
from afterguard.engine.settings import EngineSettings
from afterguard.policy.registry import PolicyRegistry, load_policies
from afterguard.policy.settings import PolicySettings

# Two policies, so that two prefixes alternate as they do in life.
POLICIES = PolicySettings(only=["harassment", "spam-scams"])
_WARM_UP = 16
_MOST_CHARACTERS = 600


def engine_settings(model: str) -> EngineSettings:
    """The engine that both sides run."""
    return cpu_engine_settings(Path(model))


def warm_up_and_measured(prompts: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Fields of chat events: some to warm up with, and others that make so many prompts."""
    wanted = _WARM_UP + prompts // len(POLICIES.only or ())
    chosen = list(islice(_plain_messages(), wanted))
    return chosen[:_WARM_UP], chosen[_WARM_UP:]


def pairs(events: list[dict[str, Any]]) -> Iterator[tuple[ChatEvent, Policy]]:
    """Each event with each policy that it is judged under."""
    registry: PolicyRegistry = load_policies(POLICIES)
    for fields in events:
        event = ChatEvent.model_validate(fields)
        for policy in registry.applicable(event)[0]:
            yield event, policy


def _plain_messages() -> Iterator[dict[str, Any]]:
    # Numbered, so that no two are alike: a repeated content would come from the prefix cache.
    for number, fields in enumerate(demo_events(100_000, datetime.now(UTC))):
        content = fields["content"]
        if isinstance(content, str) and content.strip() and len(content) < _MOST_CHARACTERS:
            yield {
                "event_id": f"e-{number}",
                "occurred_at": fields["occurred_at"],
                "kind": "message",
                "conversation_id": f"c-{number % 50}",
                "author": {"id": "u-1", "role": "user"},
                "content": f"{number}: {content}",
            }
