"""The flood gate: holds intake while dead letters of one cause come in a flood.

Nothing is dropped to go on. The gate opens when a person accepts the cause, and not by itself:
what floods the dead letters is judged by nobody.
"""

from collections.abc import Callable, Mapping
from math import inf
from time import monotonic
from typing import Final

import structlog

from afterguard.contracts.durations import duration_s
from afterguard.contracts.errors import BadQuestion, RejectReason
from afterguard.contracts.words import Reason
from afterguard.delivery.flood import Flood
from afterguard.stream.settings import DeadLetterSettings
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

CAUSES: Final = frozenset({*(it.value for it in RejectReason), *(it.value for it in Reason)})


class FloodGate:
    """Is told of each dead letter, and asked by intake whether to hold.

    Args:
        settings: What a flood is.
        metrics: Where it is shown.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        settings: DeadLetterSettings,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._settings, self._metrics, self._clock = settings, metrics, clock
        self._flood = Flood(
            settings.flood_count, settings.flood_window_s, accepted=settings.flood_accept
        )

    def count(self, cause: str) -> None:
        """One more dead letter."""
        if self._flood.count(cause, self._clock()):
            self._metrics.flood.labels(cause).set(1)
            _log.error(
                "a flood of dead letters; intake is held until somebody accepts its cause",
                cause=cause,
                count=self._settings.flood_count,
                window_s=self._settings.flood_window_s,
                go_on=f"afterguard resume --accept {cause}",
            )

    @property
    def holds(self) -> bool:
        """Whether intake must take nothing more in."""
        return bool(self._flood.floods)

    @property
    def told(self) -> str:
        """The state in a few words, with what to do about it."""
        if not self.holds:
            return "no flood of dead letters"
        causes = sorted(self._flood.floods)
        look = " and ".join(f"`afterguard dead-letters list --reason {it}`" for it in causes)
        accept = " ".join(f"--accept {it}" for it in causes)
        return (
            f"intake is held: {self._settings.flood_count} dead letters within "
            f"{self._settings.flood_window_s:g} s for {', '.join(causes)}; look at them with "
            f"{look}, go on with `afterguard resume {accept}`"
        )

    def accept(self, wish: Mapping[str, str]) -> object:
        """Go on in spite of some causes.

        Args:
            wish: `accept`: the causes, separated by commas. `for`: how long, such as `10m`; until
                the worker ends when absent.

        Returns:
            What was done: `resumed` names the causes that held intake, `held_by` those that
            still do.

        Raises:
            BadQuestion: No cause, one that nobody knows, or no length of time.
        """
        causes = [it for it in wish.get("accept", "").split(",") if it]
        if not causes:
            raise BadQuestion(f"accept: name a cause; {self.told}")
        if unknown := [it for it in causes if it not in CAUSES]:
            raise BadQuestion(f"accept: no such cause: {', '.join(unknown)}; there are {_CAUSES}")
        until = self._clock() + _duration_s(wish["for"]) if wish.get("for") else inf
        resumed = []
        for cause in causes:
            if self._flood.accept(cause, until):
                resumed.append(cause)
                self._metrics.flood.labels(cause).set(0)
            _log.warning("a cause of dead letters is accepted", cause=cause, lasts=wish.get("for"))
        return {"accepted": causes, "resumed": resumed, "held_by": sorted(self._flood.floods)}


def _duration_s(text: str) -> float:
    seconds = duration_s(text)
    if seconds is None:
        raise BadQuestion("for: a number with s, m, h or d, such as 10m")
    return seconds


_CAUSES: Final = ", ".join(sorted(CAUSES))
