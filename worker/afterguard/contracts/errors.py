"""Every error Afterguard raises on purpose, and what follows from each.

AfterguardError
├── SettingsError            exit: a setting is wrong or contradicts another
├── PolicyError              exit: a policy document is wrong (file, line, field)
├── MappingError             dead letter: `input.map` yields nothing usable for an event
├── RejectedInput            dead letter: a record that is no valid event
├── EngineError
│   ├── EngineBusy           retry: the engine's queue is full
│   ├── EngineFault          retry: one request failed, the engine lives
│   ├── EngineLost           retry: the engine died with the request and is started again
│   ├── RequestRefused       dead letter: the engine will never take this request
│   ├── EngineUnavailable    exit: the engine cannot be started
│   └── EngineDead           exit: the engine died under us
├── StreamError
│   ├── StreamUnavailable    retry: the broker does not answer
│   ├── TopicMissing         exit: a topic does not exist
│   ├── PublishFailed        exit: an output could not be published; its offset stays unsettled
│   └── Fenced               exit: another worker took this one's partition, unknown to its group
├── StateUnavailable         retry: Redis does not answer; the flow goes on without it
├── StaleRevision            exit: somebody else changed the policy first
└── BadQuestion              exit: what a running worker was asked has no sense

The flow asks an error for its `consequence` and never matches on text.
"""

from enum import StrEnum
from pathlib import Path


class Consequence(StrEnum):
    """What the caller must do when this error reaches it."""

    RETRY = "retry"
    DEAD_LETTER = "dead_letter"
    EXIT = "exit"


class AfterguardError(Exception):
    """Root of every deliberate error."""

    consequence: Consequence = Consequence.EXIT


class SettingsError(AfterguardError):
    """The settings are unusable. `problems` holds one clear line for each fault."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class PolicyError(AfterguardError):
    """A policy document is unusable.

    Args:
        message: What is wrong and what would be right.
        file: The document at fault.
        line: Its line, counted from 1, when known.
        field: The front matter field or section at fault, when known.

    Attributes:
        others: Further faults of the same document.
    """

    def __init__(
        self, message: str, *, file: Path | None = None, line: int | None = None, field: str = ""
    ) -> None:
        self.message, self.file, self.line, self.field = message, file, line, field
        self.others: tuple[PolicyError, ...] = ()
        place = f"{file}" if file else "policy"
        if line is not None:
            place += f":{line}"
        super().__init__(f"{place}: {field + ': ' if field else ''}{message}")


class RejectReason(StrEnum):
    """Why a record is no event. Written to the dead letter and to a metric label."""

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    INVALID_EVENT = "invalid_event"
    UNMAPPED = "unmapped"
    UNREADABLE = "unreadable"


class RejectedInput(AfterguardError):
    """A record that is no valid event.

    `detail` names fields and kinds of fault and never carries the content of a message.
    """

    consequence = Consequence.DEAD_LETTER

    def __init__(self, reason: RejectReason, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}")


class MappingError(RejectedInput):
    """`input.map` found nothing usable for a required field."""

    def __init__(self, field: str, detail: str) -> None:
        self.field = field
        super().__init__(RejectReason.UNMAPPED, f"{field}: {detail}")


class EngineError(AfterguardError):
    """The engine gave no judgement."""


class EngineBusy(EngineError):
    """The engine's queue is full; the same request may be sent again."""

    consequence = Consequence.RETRY


class EngineFault(EngineError):
    """One request failed while the engine lives; it may be sent again."""

    consequence = Consequence.RETRY


class EngineLost(EngineError):
    """The engine died or hung with this request in it, and is being started again.

    The request may be what killed it, so its deaths are counted apart from its faults.
    """

    consequence = Consequence.RETRY


class RequestRefused(EngineError):
    """The engine will never accept this request, however often it is sent."""

    consequence = Consequence.DEAD_LETTER


class EngineUnavailable(EngineError):
    """The engine cannot be started or reached; the message says what to do."""


class EngineDead(EngineError):
    """The engine died; nothing in flight may be settled."""


class StreamError(AfterguardError):
    """The stream could not do what was asked."""


class StreamUnavailable(StreamError):
    """The broker does not answer."""

    consequence = Consequence.RETRY


class TopicMissing(StreamError):
    """A topic that the worker needs does not exist; the message says which command makes it."""


class PublishFailed(StreamError):
    """An output was refused or could not be sent; its event stays unsettled."""


class Fenced(StreamError):
    """Another producer with our transactional id was started; this one may write nothing more."""


class StateUnavailable(AfterguardError):
    """Redis does not answer; the flow goes on, marked as degraded."""

    consequence = Consequence.RETRY


class StaleRevision(AfterguardError):
    """A policy was changed by somebody else since it was looked at; its text says by whom."""


class BadQuestion(AfterguardError):
    """What was asked of a running worker has no sense; its text says what would have."""
