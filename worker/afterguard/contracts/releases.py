"""Releases: which version of each policy is in force, which is on trial, and how that came about.

What a policy store holds, whatever keeps it. The rule by which a change succeeds stands here once.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from afterguard.contracts.errors import StaleRevision
from afterguard.contracts.policies import PolicyId

MOST_WORDS: Final = 500

# It is the name of a file and part of a key.
Version = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
# A history is read on a terminal, which must not be steered by it.
Words = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", max_length=MOST_WORDS)
]
Share = Annotated[float, Field(gt=0, le=1)]


class Release(NamedTuple):
    """A version as it is handed to workers.

    Attributes:
        text: The policy document.
        calibration: What makes probabilities of its scores, as JSON; None when nothing was fitted.
    """

    text: str
    calibration: str | None = None


class Shadow(BaseModel):
    """A version on trial: judged beside the one in force, never acted upon."""

    model_config = ConfigDict(frozen=True)

    version: Version
    share: Share


class Act(StrEnum):
    """What was done to a policy."""

    ACTIVATE = "activate"
    ROLLBACK = "rollback"
    SHADOW = "shadow"
    SHADOW_OFF = "shadow_off"


class Change(BaseModel):
    """What somebody wants done, and on what grounds.

    Attributes:
        release: The text of `version`, where the store does not have it yet or not like this.
    """

    model_config = ConfigDict(frozen=True)

    policy_id: PolicyId
    act: Act
    version: Version | None = Field(
        default=None, description="The version meant; None for what stands in the folder."
    )
    share: Share | None = Field(default=None, description="Of the events, for a shadow.")
    by: Words = Field(min_length=1, description="Who.")
    because: Words = Field(default="", description="Why, in their words.")
    scores: Mapping[str, Any] | None = Field(
        default=None, description="Figures of the golden run; None when there was none."
    )
    model: Words | None = Field(default=None, description="The model that was asked for them.")
    despite_failures: bool = Field(
        default=False, description="Whether the golden set refused it and they insisted."
    )
    release: Release | None = None


class HistoryEntry(BaseModel):
    """One change that was made."""

    model_config = ConfigDict(frozen=True)

    revision: int = Field(ge=1, description="Of the store, after it.")
    at: AwareDatetime
    policy_id: PolicyId
    act: Act
    before: Version | None = Field(
        description="Of what was changed, the version before; None for the folder's, or none."
    )
    after: Version | None = Field(description="The version after it; None likewise.")
    share: Share | None = None
    by: Words
    because: Words = ""
    scores: Mapping[str, Any] | None = None
    model: Words | None = None
    despite_failures: bool = False


class Pointer(BaseModel):
    """What a store says of one policy."""

    model_config = ConfigDict(frozen=True)

    active: Version | None = Field(
        default=None, description="The version in force; None for what stands in the folder."
    )
    shadow: Shadow | None = None
    changed: HistoryEntry = Field(description="The last change.")


class StoreState(BaseModel):
    """All that a store says at one moment. Revision 0 is a store that nobody has written to."""

    model_config = ConfigDict(frozen=True)

    revision: int = Field(default=0, ge=0)
    policies: dict[PolicyId, Pointer] = {}

    def active(self, policy_id: str) -> str | None:
        """The version in force by the store's word; None where it has none."""
        pointer = self.policies.get(policy_id)
        return pointer.active if pointer else None

    def shadow(self, policy_id: str) -> Shadow | None:
        """The version on trial, if any."""
        pointer = self.policies.get(policy_id)
        return pointer.shadow if pointer else None


def changed(state: StoreState, change: Change, *, expected: int, at: datetime) -> StoreState:
    """The state after a change; its entry for the history is the `changed` of its pointer.

    Whoever changes one policy does not get in the way of those who change another.

    Args:
        state: As it is now.
        change: What is wanted.
        expected: The revision of the state that led to this wish.
        at: The wall clock.

    Raises:
        StaleRevision: Somebody has changed this policy since.
    """
    name = change.policy_id
    before = state.policies.get(name)
    if expected > state.revision or (before and before.changed.revision > expected):
        raise overtaken(name, before)
    active, shadow = state.active(name), state.shadow(name)
    was, now = active, change.version
    match change.act:
        case Act.ACTIVATE | Act.ROLLBACK:
            active = change.version
            if shadow is not None and shadow.version == active:
                shadow = None  # it is on trial no more
        case Act.SHADOW:
            was = shadow.version if shadow else None
            if change.version is None or change.share is None:
                raise ValueError("a shadow needs a version and a share")
            shadow = Shadow(version=change.version, share=change.share)
        case Act.SHADOW_OFF:
            was, now = (shadow.version if shadow else None), None
            shadow = None
    entry = HistoryEntry(
        revision=state.revision + 1,
        at=at,
        before=was,
        after=now,
        **change.model_dump(exclude={"release", "version"}),
    )
    pointer = Pointer(active=active, shadow=shadow, changed=entry)
    return StoreState(revision=entry.revision, policies={**state.policies, name: pointer})


def overtaken(policy_id: str, pointer: Pointer | None) -> StaleRevision:
    """The error for a change that came second."""
    if pointer is None:
        return StaleRevision(f"{policy_id}: the store is not the one that was read; look again")
    first = pointer.changed
    what = {
        Act.ACTIVATE: f"activated {first.after}",
        Act.ROLLBACK: f"rolled back to {first.after or 'the version in the folder'}",
        Act.SHADOW: f"put {first.after} on trial",
        Act.SHADOW_OFF: f"took {first.before} off trial",
    }[first.act]
    return StaleRevision(
        f"{policy_id}: {first.by} {what} at {first.at:%Y-%m-%d %H:%M:%S %Z} (revision "
        f"{first.revision}), after this command had looked; nothing was changed by it"
    )
