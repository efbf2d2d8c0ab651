"""The closed vocabularies of the contracts, each with its order where order matters."""

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a chat event is."""

    MESSAGE = "message"
    COMPLETION = "completion"
    COMPLETION_CHUNK = "completion_chunk"
    CONVERSATION = "conversation"


class Role(StrEnum):
    """Who wrote a text."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


class Lane(StrEnum):
    """How urgent an event is; the engine serves `live` first."""

    LIVE = "live"
    STANDARD = "standard"
    BACKFILL = "backfill"


class Effort(StrEnum):
    """How long the model may reason."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """Position in the rising order, from 0."""
        return _EFFORT_RANK[self]


class Outcome(StrEnum):
    """What became of one event under one policy. Exactly one of these, always.

    Only a complete and valid answer of the policy's judge may become `no_violation`: the model's,
    or that of a fitted classifier where the policy says `judge: classifier`.
    """

    VIOLATION = "violation"
    NO_VIOLATION = "no_violation"
    UNCERTAIN = "uncertain"
    EXPIRED = "expired"
    TRUNCATED = "truncated"
    UNPARSEABLE = "unparseable"
    FAILED = "failed"
    SKIPPED = "skipped"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why an outcome is what it is, where the outcome alone does not say."""

    NO_POLICY_APPLIES = "no_policy_applies"
    EMPTY_CONTENT = "empty_content"
    DUPLICATE_EVENT = "duplicate_event"
    UNKNOWN_POLICY = "unknown_policy"
    CONTENT_TOO_LONG = "content_too_long"
    REASONING_CUT = "reasoning_cut"
    NO_ANSWER = "no_answer"
    SCORE_IN_BAND = "score_in_band"
    SCORE_CONTRADICTS_LABEL = "score_contradicts_label"
    RULES_CONTRADICT_LABEL = "rules_contradict_label"
    SECOND_LOOK_FAILED = "second_look_failed"
    DEADLINE_PASSED = "deadline_passed"
    SHED_OVERLOAD = "shed_overload"
    SHED_COMPUTE_BUDGET = "shed_compute_budget"
    SHADOW_CUT = "shadow_cut"
    PREFILTERED = "prefiltered"
    RETRIES_EXHAUSTED = "retries_exhausted"
    REQUEST_REFUSED = "request_refused"
    INTERNAL_FAULT = "internal_fault"
    QUARANTINED = "quarantined"


class Degraded(StrEnum):
    """What was missing when a verdict was made."""

    CACHE_AWAY = "cache_away"
    CLOCK_SKEW = "clock_skew"
    CITATION_UNKNOWN = "citation_unknown"
    POLICY_UNKNOWN = "policy_unknown"
    POLICIES_UNCONFIRMED = "policies_unconfirmed"
    TARGET_LEFT_OUT = "target_left_out"
    EFFORT_REDUCED = "effort_reduced"
    SECOND_LOOK_FAILED = "second_look_failed"
    UNSCREENED = "unscreened"


class Severity(StrEnum):
    """How grave a violation is, in rising order."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position in the rising order, from 0."""
        return _SEVERITY_RANK[self]


class Action(StrEnum):
    """What the platform is asked to do, in rising strictness.

    `escalate` stands between `warn` and `hide`: a person must look, but what a rule says for
    certain (hide, remove, ...) is not held up by a doubt elsewhere. Whether any verdict asked for
    a person is kept apart in `Intervention.needs_review`, so that it is never lost in the merge.
    """

    NONE = "none"
    LABEL = "label"
    WARN = "warn"
    ESCALATE = "escalate"
    HIDE = "hide"
    REMOVE = "remove"
    STOP_GENERATION = "stop_generation"
    TIMEOUT = "timeout"

    @property
    def rank(self) -> int:
        """Position in the order of strictness, from 0."""
        return _ACTION_RANK[self]


_EFFORT_RANK = {effort: rank for rank, effort in enumerate(Effort)}
ANSWERED: Final = frozenset({Outcome.VIOLATION, Outcome.NO_VIOLATION, Outcome.UNCERTAIN})
"""Outcomes that say something about the content; all others are no judgement of it."""

_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(Severity)}
_ACTION_RANK = {action: rank for rank, action in enumerate(Action)}
