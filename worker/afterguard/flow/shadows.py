"""Shadows: policies on trial, judged beside those that are acted upon and never in their way.

They share the engine, behind everything else that waits for it. In an overload they are the first
to be given up. When the policies that are acted upon are done, a shadow has a little time left;
then it is ended, for its verdict leaves with theirs and nobody waits for it longer. Whatever
happens to a shadow, what is acted upon stays as it would be without it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

import structlog

from afterguard.contracts.errors import AfterguardError
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Outcome, Reason
from afterguard.flow.findings import FAULT, SHED, Finding, Reading

_log = structlog.get_logger(__name__)

PRIORITY_BEHIND: Final = 36_000
"""How far behind its event a shadow stands in the engine: an hour, in tenths of a second."""

_CUT = Reading(Outcome.EXPIRED, Reason.SHADOW_CUT)

Found = dict[str, Finding]
Ask = Callable[[Policy], Coroutine[Any, Any, Finding]]


class Shadows:
    """Judges policies on trial.

    Args:
        wait_s: So long a shadow may go on when what is acted upon is done, seconds.
        overloaded: Whether shadows are to be given up now.
    """

    def __init__(self, *, wait_s: float, overloaded: Callable[[], bool]) -> None:
        self._wait_s, self._overloaded = wait_s, overloaded

    async def beside(
        self,
        acting: Coroutine[Any, Any, Found] | None,
        shadows: Sequence[Policy],
        ask: Ask,
        waited: Callable[[], float],
        *,
        shed: Reading | None = None,
    ) -> Found:
        """The findings under all policies of an event, by handle.

        Args:
            acting: Judges under those that are acted upon; None when there are none: then nobody
                waits, and the shadows have the time of the event.
            shadows: Those on trial.
            ask: Judges under one of them.
            waited: How long the event has been with the worker, seconds.
            shed: Why the shadows are not judged at all; None when they are.

        Raises:
            AfterguardError: One whose consequence is `exit`; the event must not be settled.
        """
        if shed is None and self._overloaded():
            shed = SHED
        if shed is not None:
            given_up = {it.handle: Finding(shed, it, queued_s=waited()) for it in shadows}
            return given_up | (await acting if acting is not None else {})
        began = waited()
        async with asyncio.TaskGroup() as group:
            tasks = {it.handle: group.create_task(_contained(ask, it)) for it in shadows}
            found = await acting if acting is not None else {}
            limit_s = None if acting is None else self._wait_s
            for late in (await asyncio.wait(tasks.values(), timeout=limit_s))[1]:
                late.cancel()
        for policy, task in zip(shadows, tasks.values(), strict=True):
            cut = Finding(_CUT, policy, queued_s=began, judging_s=waited() - began)
            found[policy.handle] = cut if task.cancelled() else task.result()
        return found


def acting_first(policies: Iterable[Policy]) -> tuple[list[Policy], list[Policy]]:
    """Those that are acted upon, and those on trial."""
    acting: list[Policy] = []
    shadows: list[Policy] = []
    for policy in policies:
        (shadows if policy.shadow else acting).append(policy)
    return acting, shadows


async def _contained(ask: Ask, policy: Policy) -> Finding:
    try:
        return await ask(policy)
    except AfterguardError:
        raise
    except Exception as error:  # noqa: BLE001 (a shadow's fault must not be its event's)
        # The text of an unknown error may quote the message, so only its type is told.
        _log.error("a shadow could not be judged", policy=policy.handle, error=type(error).__name__)
        return Finding(FAULT, policy)
