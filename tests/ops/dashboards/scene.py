"""The workers of the live scene, and the policies that they judge under.

`judging` runs the demo's model in vLLM, so that the engine's own metrics exist; `busy` runs the
null engine, gets more than it can do, and shows what a worker in trouble shows.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from tests.policy.documents import FRONT, document
from tests.prefilter.rows import rows

from afterguard.embedded.broker import EMPTY_FETCH_PAUSE_MS
from afterguard.embedded.cpu_engine import cpu_engine_settings, prepare_environment
from afterguard.embedded.model import prepare_model
from afterguard.embedded.process import free_port
from afterguard.policy.document import parse_policy
from afterguard.policy.store import Act, Change, Release
from afterguard.settings import Settings

JUDGING: Final = "judging"
BUSY: Final = "busy"
# Of one cause, after which intake of the busy worker is held; the scene ends with such a flood.
FLOOD: Final = 40

_SECOND_LOOK: Final = "second_look: {effort: medium, band: [0.0, 1.0]}\n"
_PREFILTER: Final = "prefilter: {classifier: sellers, target_recall: 0.95}\n"


def write_policies(folder: Path) -> None:
    """One policy that looks twice, and one with a prefilter, short for a slow engine's sake."""
    folder.mkdir()
    (folder / "queue.md").write_text(_queue("front-desk"), encoding="utf-8")
    places = FRONT.replace("id: queue", "id: places").replace("id: Q", "id: P")
    text = document(places + _PREFILTER).replace("Q1", "P1").replace("Q2", "P2")
    (folder / "places.md").write_text(text, encoding="utf-8")


def fit_classifier(folder: Path) -> None:
    """The classifier `sellers` that the policy `places` uses; takes some seconds."""
    from afterguard.prefilter.fit import Labelled, fit

    texts, violates = rows(300)
    labelled = Labelled(texts, violates, "sells something")
    fit(labelled, "sellers", folder, targets=(0.95,), confidence=0.95)


def changes() -> list[Change]:
    """An edit of `queue` that goes into force while the workers run, and another on trial."""
    return [_change(Act.ACTIVATE, "day-shift"), _change(Act.SHADOW, "night-shift", share=0.5)]


def settings(
    name: str, bootstrap_servers: str, redis_url: str, folder: Path, **sections: Mapping[str, Any]
) -> Settings:
    """What a worker of this name runs with; its topics end in its name.

    Args:
        name: `judging` or `busy`.
        bootstrap_servers: Where its broker is.
        redis_url: Where cache and policy store are.
        folder: Holds `policies` and `classifiers`.
        sections: Sections of the settings to change.
    """
    values: dict[str, Any] = {
        "kafka": {
            "bootstrap_servers": bootstrap_servers,
            "group_id": f"live-{name}",
            "empty_fetch_pause_ms": EMPTY_FETCH_PAUSE_MS,
        },
        "topics": {
            "events": f"chat.events.{name}",
            "interventions": f"moderation.interventions.{name}",
            "audit": f"moderation.audit.{name}",
            "dead_letters": f"moderation.dead-letters.{name}",
        },
        "redis": {"url": SecretStr(redis_url)},
        "http": {"port": free_port()},
        "policies": {"directory": folder / "policies"},
        "prefilter": {"directory": folder / "classifiers", "bypass_share": 0.5},
        "dead_letters": {"flood_count": FLOOD},
        **(_judging() if name == JUDGING else _BUSY),
    }
    return Settings.model_validate(values | sections)


def _judging() -> dict[str, Any]:
    prepare_environment()
    return {
        "engine": cpu_engine_settings(prepare_model()).model_dump(exclude_unset=True),
        "judging": {
            "shadow_wait_s": 60,
            "compute": {"tokens_per_hour": 1_000_000, "platform_tokens_per_hour": 5_000_000},
        },
    }


# Fifteen events a second at most, and what waits is shed after a second.
_BUSY: Final[dict[str, Any]] = {
    "engine": {"kind": "null", "args": {"latency_s": 0.2}},
    "intake": {"max_concurrent_events": 3, "max_events_in_flight": 60},
    "judging": {"shed_above": 10, "shed_after_s": {"backfill": 1}},
}


def _queue(owner: str) -> str:
    return document(FRONT.replace("front-desk", owner) + _SECOND_LOOK)


def _change(act: Act, owner: str, **fields: Any) -> Change:
    text = _queue(owner)
    version = parse_policy(text, Path("queue.md")).version
    return Change(
        policy_id="queue", act=act, version=version, by="scene", release=Release(text), **fields
    )
