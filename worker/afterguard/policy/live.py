"""Live policies: those of the folder, as far as the store says nothing else, swapped while at work.

All policies change at once, by one assignment. An event keeps those that it was admitted with, so
what is in flight ends under the versions it began with. Whatever is wrong with a store or with a
version in it, the worker goes on with what it has.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import aclosing
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

import structlog

from afterguard.contracts.errors import PolicyError, StateUnavailable
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy, Stage
from afterguard.policy.document import parse_policy
from afterguard.policy.registry import Candidate, PolicyRegistry
from afterguard.policy.store import Pointer, PolicyStore, Release, StoreState
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_PATIENCE_S: Final = 5.0
_RETRY_S: Final = 1.0
# What a version lacked may be there later, such as a classifier that is still being copied.
_REFUSED_AGAIN_S: Final = 30.0


class _Named(NamedTuple):
    """A version as a store names it; the revision tells a text that was handed in anew."""

    policy_id: str
    version: str
    revision: int


class LivePolicies:
    """The policies in force; implements `flow.ports.PolicySource`.

    Args:
        folder: Those of the folder; in force where the store says nothing.
        metrics: Where versions, changes and the last contact are shown.
        store: Says which versions are in force; None when the folder alone does.
        only: Ids that this worker judges under; all of folder and store when None.
        accepts: Raises `PolicyError` for a version that this worker cannot judge under. May read
            files: it is called in a thread.
        calibrates: Given a version and the calibration that came with it, if any, before it is in
            force; raises `PolicyError` for one that cannot be used. Called in a thread.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        folder: PolicyRegistry,
        metrics: Metrics,
        *,
        store: PolicyStore | None = None,
        only: Collection[str] | None = None,
        accepts: Callable[[Policy], None] = lambda _: None,
        calibrates: Callable[[Policy, str | None], None] = lambda _, __: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._folder, self._metrics, self._store = folder, metrics.policies, store
        self._only = None if only is None else frozenset(only)
        self._accepts, self._calibrates, self._clock = accepts, calibrates, clock
        self._registry = folder
        self._state = StoreState()
        self._taken: dict[_Named, Policy] = {}
        self._refused: dict[_Named, str] = {}
        self._refused_at = self._contact_at = clock()
        self._confirmed, self._away = store is None, False
        self._metrics.in_force(_all(folder))
        self._metrics.store.unconfirmed.set(not self._confirmed)
        if store is not None:
            self._metrics.store.contact_age.set_function(lambda: clock() - self._contact_at)

    @property
    def registry(self) -> PolicyRegistry:
        """What is in force and on trial now."""
        return self._registry

    @property
    def confirmed(self) -> bool:
        """See `flow.ports.PolicySource.confirmed`."""
        return self._confirmed

    def applicable(self, event: ChatEvent) -> tuple[tuple[Policy, ...], tuple[str, ...]]:
        """See `flow.ports.PolicySource.applicable`."""
        return self._registry.applicable(event)

    async def start(self) -> None:
        """Ask the store once, and go on without it when it does not answer."""
        if self._store is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self.apply(await self._store.state())
        except (StateUnavailable, TimeoutError) as error:
            self._lost(error)

    async def run(self) -> None:
        """Follow the store until cancelled."""
        while self._store is not None:
            try:
                async with aclosing(self._store.watch()) as states:
                    async for state in states:
                        _unless_cancelled()
                        await self.apply(state)
            except StateUnavailable as error:
                self._lost(error)
            await asyncio.sleep(_RETRY_S)

    async def stop(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            await self._store.close()

    async def apply(self, state: StoreState) -> None:
        """Put in force what a state says, all at once.

        Raises:
            StateUnavailable: A text could not be asked for; nothing has changed.
        """
        if self._forgotten(state):
            return
        again = self._refused and self._clock() - self._refused_at >= _REFUSED_AGAIN_S
        if again or state != self._state:
            await self._swap(state)
        self._contact_at, self._confirmed = self._clock(), True
        self._metrics.store.unconfirmed.set(0)
        if self._away:
            self._away = False
            _log.info("the policy store answers again", revision=state.revision)

    def told(self, parameters: Mapping[str, str]) -> object:
        """What is in force, for a person who asks the worker."""
        del parameters
        store, registry = self._store, self._registry
        ours = {it.active for it in self._state.policies.values()}
        return {
            "store": store.place if store else None,
            "confirmed": self._confirmed,
            "revision": self._state.revision,
            "contact_age_s": round(self._clock() - self._contact_at, 3) if store else None,
            "policies": [
                {
                    "id": it.id,
                    "version": it.version,
                    "stage": it.stage.value,
                    "from": "store" if it.version in ours else "folder",
                }
                for it in registry.policies
            ],
            "trials": [
                {"id": it.policy.id, "version": it.policy.version, "share": it.share}
                for it in registry.candidates
            ],
            "refused": [
                {"id": it.policy_id, "version": it.version, "because": why}
                for it, why in self._refused.items()
            ],
        }

    async def _swap(self, state: StoreState) -> None:
        policies = {it.id: it for it in self._folder.policies}
        candidates: list[Candidate] = list(self._folder.candidates)
        taken: dict[_Named, Policy] = {}
        refused: dict[_Named, str] = {}
        for policy_id, pointer in sorted(state.policies.items()):
            if self._only is not None and policy_id not in self._only:
                continue
            for version, stage in _named(pointer):
                name = _Named(policy_id, version, pointer.changed.revision)
                found = self._taken.get(name) or await self._take(name)
                if isinstance(found, Policy):
                    taken[name] = found
                    policy = found.model_copy(update={"stage": stage})
                    if stage is Stage.ACTIVE:
                        policies[policy_id] = policy
                    elif pointer.shadow is not None:
                        candidates.append(Candidate(policy, pointer.shadow.share))
                    continue
                refused[name] = found
                if stage is Stage.ACTIVE and (stays := self._registry.by_id(policy_id)):
                    policies[policy_id] = stays
        for name, why in refused.items():
            if name not in self._refused:
                _log.error(
                    "a version is refused, what was in force stays",
                    policy=name.policy_id,
                    version=name.version,
                    error=why,
                )
        before, self._registry = self._registry, PolicyRegistry([*policies.values()], candidates)
        self._state, self._taken, self._refused = state, taken, refused
        self._refused_at = self._clock()
        self._metrics.in_force(_all(self._registry))
        self._metrics.store.refusals([it.policy_id for it in refused])
        self._tell(before)

    async def _take(self, name: _Named) -> Policy | str:
        """The policy of a version, or why it cannot be used."""
        assert self._store is not None
        release = await self._store.document(name.policy_id, name.version)
        if release is None:
            return "its text is not in the store"
        try:
            return await asyncio.to_thread(self._read, name, release)
        except PolicyError as error:
            return str(error)
        except Exception as fault:  # noqa: BLE001 (no version may stop the worker)
            return f"unforeseen: {type(fault).__name__}"

    def _read(self, name: _Named, release: Release) -> Policy:
        path = Path(f"{name.policy_id}@{name.version}")
        policy = parse_policy(release.text, path)
        if (policy.id, policy.version) != (name.policy_id, name.version):
            raise PolicyError(f"its text is that of {policy.id}@{policy.version}", file=path)
        self._accepts(policy)
        self._calibrates(policy, release.calibration)
        return policy

    def _forgotten(self, state: StoreState) -> bool:
        """Whether the store has lost all it knew; nobody asked for a change then."""
        if state.revision or not self._state.revision:
            return False
        if not self._away:
            self._away = True
            _log.error(
                "the policy store is empty, what is in force stays", revision=self._state.revision
            )
        return True

    def _lost(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            _log.warning(
                "the policy store does not answer, what is in force stays",
                error=str(error) or type(error).__name__,
                confirmed=self._confirmed,
            )

    def _tell(self, before: PolicyRegistry) -> None:
        was, now = _places(before), _places(self._registry)
        for place in sorted(was.keys() | now.keys()):
            if was.get(place) == now.get(place):
                continue
            policy_id, stage = place
            self._metrics.store.changed(policy_id)
            _log.info(
                "policy changed",
                policy=policy_id,
                stage=stage,
                version=now.get(place),
                before=was.get(place),
                revision=self._state.revision,
            )


def _unless_cancelled() -> None:
    # Clients of stores swallow a cancellation at times, and the worker would wait at its end.
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _named(pointer: Pointer) -> list[tuple[str, Stage]]:
    named = [(pointer.active, Stage.ACTIVE)] if pointer.active is not None else []
    return [*named, (pointer.shadow.version, Stage.SHADOW)] if pointer.shadow else named


def _all(registry: PolicyRegistry) -> list[Policy]:
    return [*registry.policies, *(it.policy for it in registry.candidates)]


def _places(registry: PolicyRegistry) -> dict[tuple[str, str], str]:
    in_force = {(it.id, "in force"): f"{it.version} {it.stage.value}" for it in registry.policies}
    trials = {(it.policy.id, "trial"): it.policy.version for it in registry.candidates}
    return in_force | trials
