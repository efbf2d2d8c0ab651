"""The desk at which policies are changed: the store, the folder, and how a version is named."""

import getpass
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import typer
from pydantic import ValidationError

from afterguard.cli.chosen_policy import is_path
from afterguard.cli.options import settings_of
from afterguard.contracts.errors import SettingsError
from afterguard.contracts.policies import Policy
from afterguard.contracts.releases import MOST_WORDS
from afterguard.policy.calibration import FOLDER, calibration_folder
from afterguard.policy.calibration_document import read_calibration
from afterguard.policy.document import parse_policy, read_text
from afterguard.policy.registry import policy_files, shipped_policies
from afterguard.policy.store import Change, PolicyStore, Release, StoreState
from afterguard.policy_room import policy_store
from afterguard.settings import Settings

# A person waits longer for Redis than a worker may.
_PATIENCE_S: Final = 10.0
_FEWEST_DIGITS: Final = 4
_NO_STORE: Final = (
    "policies.store: needed here, or redis.url: without one of them nobody can tell running "
    "workers which version is in force"
)

BY: Final = typer.Option(
    None, "--by", metavar="NAME", help="Who does this, for the history; you@this-machine if absent."
)
BECAUSE: Final = typer.Option("", "--because", metavar="WORDS", help="Why, for the history.")


class Version(NamedTuple):
    """A version that was found.

    Attributes:
        policy: As it is read.
        release: Its text, and the calibration that goes with it.
        file: Its document; None when it came from the store.
    """

    policy: Policy
    release: Release
    file: Path | None

    @property
    def name(self) -> str:
        """How the store names it."""
        return f"{self.policy.id}@{self.policy.version}"


class Desk(NamedTuple):
    """What a command works on.

    Attributes:
        settings: All of them.
        store: Where changes are kept.
        state: What it said when the command began; who changes something meanwhile is noticed.
        folder: The documents of the folder, by policy id.
    """

    settings: Settings
    store: PolicyStore
    state: StoreState
    folder: dict[str, Version]

    @property
    def ids(self) -> list[str]:
        """Of all policies that the folder or the store knows, by name."""
        return sorted(self.folder.keys() | self.state.policies.keys())

    def in_force(self, policy_id: str) -> str | None:
        """The version in force: the one that was activated, else the folder's; None for neither."""
        in_folder = self.folder.get(policy_id)
        return self.state.active(policy_id) or (in_folder and in_folder.policy.version)

    async def find(self, name: str) -> Version:
        """The version of a path, of `id@version`, or of an id: the one in force.

        Args:
            name: The version may be cut short, as long as it is the only one that begins so.

        Raises:
            PolicyError: The document is wrong.
            SettingsError: There is no such version.
            StateUnavailable: The store does not answer.
        """
        if is_path(name):
            return document(Path(name), self.settings)
        policy_id, at, version = name.partition("@")
        if not at:
            version = self.state.active(policy_id) or ""
            if not version and policy_id in self.folder:
                return self.folder[policy_id]
        if not version:
            known = ", ".join(self.ids)
            raise SettingsError([f"no policy {policy_id!r} is in force; there are {known}"])
        return await self._version(policy_id, version)

    async def whole(self, policy_id: str, version: str) -> str:
        """The version that this one, perhaps cut short, stands for.

        Raises:
            SettingsError: None begins so, or several do.
            StateUnavailable: The store does not answer.
        """
        known = set(await self.store.versions(policy_id))
        if policy_id in self.folder:
            known.add(self.folder[policy_id].policy.version)
        found = [it for it in known if it.startswith(version)]
        if len(found) == 1 and len(version) >= _FEWEST_DIGITS:
            return found[0]
        if found:
            raise SettingsError([f"{policy_id}@{version}: write more of it, several begin so"])
        there = ", ".join(sorted(known)) or "none"
        raise SettingsError([f"there is no version {policy_id}@{version}; there are: {there}"])

    async def _version(self, policy_id: str, version: str) -> Version:
        version = await self.whole(policy_id, version)
        release = await self.store.document(policy_id, version)
        if release is None:
            return self.folder[policy_id]
        policy = parse_policy(release.text, Path(f"{policy_id}@{version}"))
        return Version(policy, release, None)


def document(path: Path, settings: Settings) -> Version:
    """The version of a document, with the calibration of its policy where there is one.

    Raises:
        PolicyError: The document or the calibration is wrong.
    """
    text = read_text(path)
    policy = parse_policy(text, path)
    return Version(policy, Release(text, calibration_of(policy, path, settings)), path)


def calibration_of(policy: Policy, path: Path, settings: Settings) -> str | None:
    """What was fitted for the policy of a document, as a release carries it; None for nothing.

    Raises:
        PolicyError: It cannot be used.
    """
    folder = calibration_folder(settings.policies) or path.parent / FOLDER
    fitted = folder / f"{policy.id}.json"
    return read_calibration(fitted).model_dump_json() if fitted.is_file() else None


@asynccontextmanager
async def desk(config: Path | None) -> AsyncIterator[Desk]:
    """The desk that the settings describe.

    Raises:
        PolicyError: A document of the folder is wrong.
        SettingsError: There is no store, or it cannot be used as it is set.
        StateUnavailable: The store does not answer.
    """
    settings = settings_of(config)
    if "timeout_s" not in settings.redis.model_fields_set:
        settings.redis.timeout_s = _PATIENCE_S
    store = policy_store(settings)
    if store is None:
        raise SettingsError([_NO_STORE])
    try:
        state = await _state(store, settings)
        yield Desk(settings, store, state, _folder(settings))
    finally:
        await store.close()


def change(**fields: Any) -> Change:
    """The change that a command makes; see `Change`.

    Raises:
        SettingsError: A name or a reason is too long, or holds what no history should.
    """
    try:
        return Change(**fields)
    except ValidationError as error:
        names = sorted({str(it["loc"][0]) for it in error.errors(include_url=False)})
        raise SettingsError(
            [f"--{name}: at most {MOST_WORDS} characters, all on one line" for name in names]
        ) from None


def who(by: str | None) -> str:
    """The name that the history keeps: the one that was given, or that of this log-in."""
    if by is not None:
        return by
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


async def _state(store: PolicyStore, settings: Settings) -> StoreState:
    folder = settings.policies.store
    if folder is not None and not folder.exists():
        return StoreState()  # the first change makes it
    return await store.state()


def _folder(settings: Settings) -> dict[str, Version]:
    folder = settings.policies.directory or shipped_policies()
    found = [document(path, settings) for path in policy_files(folder)]
    only = settings.policies.only
    return {it.policy.id: it for it in found if only is None or it.policy.id in only}
