"""Changes of policies, and documents to release, that tests change to make their point."""

from typing import Any

from tests.policy.documents import FRONT, PATH, document

from afterguard.policy.document import parse_policy
from afterguard.policy.store import Act, Change, Release


def text(number: int = 1, policy_id: str = "queue", **front: str) -> str:
    """A document whose version differs with the number."""
    head = FRONT.replace("id: queue", f"id: {policy_id}").replace(
        "front-desk", f"front-desk-{number}"
    )
    return document(head + "".join(f"{name}: {value}\n" for name, value in front.items()))


def version(number: int = 1, policy_id: str = "queue", **front: str) -> str:
    """The version of that document."""
    return parse_policy(text(number, policy_id, **front), PATH).version


def change(number: int = 1, act: Act = Act.ACTIVATE, **changes: Any) -> Change:
    """Activation of that document, with its text."""
    policy_id = changes.get("policy_id", "queue")
    values: dict[str, Any] = {
        "policy_id": policy_id,
        "act": act,
        "version": version(number, policy_id),
        "by": "ann@desk",
        "release": Release(text(number, policy_id)),
    }
    return Change(**{**values, **changes})


def trial(number: int = 2, share: float = 0.5, **changes: Any) -> Change:
    """That document on trial."""
    return change(number, Act.SHADOW, share=share, **changes)


def end_of_trial(policy_id: str = "queue") -> Change:
    """No version on trial any more."""
    return Change(policy_id=policy_id, act=Act.SHADOW_OFF, by="ann@desk")
