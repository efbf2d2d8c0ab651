"""Exit codes: how a worker or a command ended; runbooks and the chart cite their names.

They stand here and not beside the lifecycle, so that a command that starts no worker need not load
one to say how it failed.
"""

from enum import IntEnum

from afterguard.contracts.errors import EngineError, Fenced, PolicyError, SettingsError, StreamError


class ExitCode(IntEnum):
    """How a worker ended."""

    DRAINED = 0
    UNFORESEEN = 1
    CONFIGURATION = 78
    ENGINE_DIED = 80
    STREAM_LOST = 81
    FENCED = 82


def exit_code(error: BaseException) -> ExitCode:
    """The exit code that an error stands for; looks into exception groups."""
    if isinstance(error, BaseExceptionGroup):
        codes = {exit_code(inner) for inner in error.exceptions}
        return max(codes, default=ExitCode.UNFORESEEN)
    match error:
        case SettingsError() | PolicyError():
            return ExitCode.CONFIGURATION
        case EngineError():
            return ExitCode.ENGINE_DIED
        case Fenced():
            return ExitCode.FENCED
        case StreamError():
            return ExitCode.STREAM_LOST
    return ExitCode.UNFORESEEN
