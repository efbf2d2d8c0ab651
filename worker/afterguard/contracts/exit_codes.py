"""Exit codes: how a worker or a command ended; runbooks and the chart cite their names.

They stand here and not beside the lifecycle, so that a command that starts no worker need not load
one to say how it failed.
"""

from enum import IntEnum
from typing import Final

from afterguard.contracts.errors import (
    AfterguardError,
    EngineError,
    Fenced,
    PolicyError,
    SettingsError,
    StaleRevision,
    StateUnavailable,
    StreamError,
)


class ExitCode(IntEnum):
    """How a worker or a command ended."""

    DRAINED = 0
    UNFORESEEN = 1
    CONFIGURATION = 78
    ENGINE_DIED = 80
    STREAM_LOST = 81
    FENCED = 82
    REFUSED = 83
    OVERTAKEN = 84
    STORE_AWAY = 85


# The first that fits: the fence is an error of the stream, too.
_CODES: Final[tuple[tuple[type[AfterguardError], ExitCode], ...]] = (
    (SettingsError, ExitCode.CONFIGURATION),
    (PolicyError, ExitCode.CONFIGURATION),
    (EngineError, ExitCode.ENGINE_DIED),
    (Fenced, ExitCode.FENCED),
    (StreamError, ExitCode.STREAM_LOST),
    (StaleRevision, ExitCode.OVERTAKEN),
    (StateUnavailable, ExitCode.STORE_AWAY),
)


def exit_code(error: BaseException) -> ExitCode:
    """The exit code that an error stands for; looks into exception groups."""
    if isinstance(error, BaseExceptionGroup):
        codes = {exit_code(inner) for inner in error.exceptions}
        return max(codes, default=ExitCode.UNFORESEEN)
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.UNFORESEEN)
