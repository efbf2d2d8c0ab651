"""The workers of the live scene, and the policies that they judge under.

`judging` runs the demo's model in vLLM, so that the engine's own metrics exist; `busy` asks a
server that has its moods, gets more than it can do, and shows what a worker in trouble shows.
"""

from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from tests.policy.documents import FRONT, document
from tests.prefilter.rows import rows

from afterguard.contracts.words import Effort
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
# A start of vLLM takes half a minute on two idle cores, and many times that on busy ones.
READY_S: Final = 600.0

_SECOND_LOOK: Final = "second_look: {effort: medium, severity: high}\n"
_PREFILTER: Final = "prefilter: {classifier: sellers, target_recall: 0.95}\n"


def write_policies(folder: Path) -> None:
    """One policy that looks twice, and one with a prefilter, short for a slow engine's sake."""
    folder.mkdir()
    (folder / "queue.md").write_text(_queue("front-desk"), encoding="utf-8")
    (folder / "places.md").write_text(_places(_PREFILTER), encoding="utf-8")


def fit_classifier(folder: Path) -> None:
    """The classifier `sellers` that the policy `places` uses; takes some seconds."""
    from afterguard.prefilter.fit import Labelled, fit

    texts, violates = rows(300)
    labelled = Labelled(texts, violates, "sells something")
    fit(labelled, "sellers", folder, targets=(0.95,), confidence=0.95)


def changes() -> list[Change]:
    """An edit of `queue` that goes into force, another on trial, and one that no worker can use."""
    return [
        change("queue", _queue("day-shift"), Act.ACTIVATE),
        change("queue", _queue("night-shift"), Act.SHADOW, share=0.5),
        change("places", _places(_PREFILTER.replace("sellers", "nobody")), Act.ACTIVATE),
    ]


def settings(
    name: str, *, bootstrap_servers: str, redis_url: str, server_url: str, folder: Path
) -> Settings:
    """What a worker of this name runs with; its topics end in its name.

    Args:
        name: `judging` or `busy`.
        bootstrap_servers: Where its broker is.
        redis_url: Where cache and policy store are.
        server_url: Of the server that the busy worker asks.
        folder: Holds `policies` and `classifiers`.
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
        # What is in flight when the scene ends is of no use to anybody.
        "delivery": {"drain_timeout_s": 1},
        **(_judging() if name == JUDGING else _busy(server_url)),
    }
    return Settings.model_validate(values)


def _judging() -> dict[str, Any]:
    prepare_environment()
    # Little to write, and few at a time: answers come while the load lasts, also on two busy cores.
    engine = cpu_engine_settings(
        prepare_model(),
        max_num_seqs=8,
        start_timeout_s=READY_S,
        reasoning_max_tokens={Effort.LOW: 4, Effort.MEDIUM: 8, Effort.HIGH: 8},
    )
    return {
        "engine": engine.model_dump(exclude_unset=True),
        "judging": {
            "shadow_wait_s": 60,
            "compute": {"tokens_per_hour": 1_000_000, "platform_tokens_per_hour": 5_000_000},
        },
    }


def _busy(server_url: str) -> dict[str, Any]:
    return {
        "engine": {"kind": "openai", "base_url": server_url, "model": "moody", "max_num_seqs": 4},
        # What waits is shed after a second; a fault is told at once.
        "judging": {"shed_above": 10, "shed_after_s": {"backfill": 1}, "attempts": 2},
        "intake": {"max_concurrent_events": 4, "max_events_in_flight": 60},
    }


def _queue(owner: str) -> str:
    return document(FRONT.replace("front-desk", owner) + _SECOND_LOOK)


def _places(front: str) -> str:
    text = document(FRONT.replace("id: queue", "id: places") + front)
    # The small model is never sure, and every answer in the band is uncertain.
    return text.replace("[0.3, 0.7]", "[0.49, 0.5]").replace("Q1", "P1").replace("Q2", "P2")


def change(policy_id: str, text: str, act: Act, **fields: Any) -> Change:
    """A change of a policy's version."""
    version = parse_policy(text, Path(f"{policy_id}.md")).version
    release = Release(text)
    return Change(
        policy_id=policy_id, act=act, version=version, by="scene", release=release, **fields
    )
