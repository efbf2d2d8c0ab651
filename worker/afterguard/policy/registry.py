"""The registry: the loaded policies, and which of them an event is judged under."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from afterguard.contracts.errors import PolicyError, SettingsError
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Kind, Role
from afterguard.policy.document import read_policy
from afterguard.policy.sampling import Candidate, checked, drawn
from afterguard.policy.settings import PolicySettings

__all__ = ["Candidate", "PolicyRegistry", "load_policies", "policy_files", "shipped_policies"]

_ROUTES = 4_096
_SUBTAG = re.compile("[-_]")
# Undetermined, several, none: a policy for one language still looks at these.
_NO_LANGUAGE = frozenset({"", "und", "mul", "mis", "zxx"})

_Route = tuple[tuple[Policy, ...], tuple[Candidate, ...]]


class PolicyRegistry:
    """Policies by id and by what they apply to.

    Args:
        policies: In the order in which events are judged under them.
        candidates: Versions on trial beside them, of ids that may be among `policies`. One of a
            version that is in force is left out: there is nothing to compare it with.

    Raises:
        ValueError: The verdicts of a candidate would be acted upon, or its share is none.
    """

    def __init__(self, policies: Sequence[Policy], candidates: Sequence[Candidate] = ()) -> None:
        self.policies = tuple(policies)
        self._by_id = {policy.id: policy for policy in policies}
        in_force = {(policy.id, policy.version) for policy in policies}
        self.candidates = tuple(
            checked(it) for it in candidates if (it.policy.id, it.policy.version) not in in_force
        )
        self._known = self._by_id.keys() | {it.policy.id for it in self.candidates}
        # Tenants and channels repeat; matching patterns anew for every event would be waste.
        self._route = lru_cache(maxsize=_ROUTES)(self._match)

    @property
    def confirmed(self) -> bool:
        """See `flow.ports.PolicySource.confirmed`: documents are what they are."""
        return True

    def by_id(self, policy_id: str) -> Policy | None:
        """The policy of that id, or None."""
        return self._by_id.get(policy_id)

    def applicable(self, event: ChatEvent) -> tuple[tuple[Policy, ...], tuple[str, ...]]:
        """The policies to judge an event under, and the ids it asked for that nobody knows.

        An event that names its policies is judged under those alone, whatever they apply to.
        Candidates come last, each for the events of its sample.
        """
        unknown: tuple[str, ...] = ()
        if event.policies is not None:
            unknown = tuple(name for name in event.policies if name not in self._known)
            asked = frozenset(event.policies)
            judged = tuple(it for it in self.policies if it.id in asked)
            candidates = tuple(it for it in self.candidates if it.policy.id in asked)
        else:
            judged, candidates = self._route(
                event.kind, event.author.role, event.tenant, event.channel_id, event.language
            )
        if candidates:
            judged += tuple(it.policy for it in candidates if drawn(it, event))
        return judged, unknown

    def _match(
        self,
        kind: Kind,
        role: Role,
        tenant: str | None,
        channel: str | None,
        tag: str | None,
    ) -> _Route:
        language = _primary_language(tag)

        def fits(policy: Policy) -> bool:
            applies = policy.applies_to
            return (
                (not applies.kinds or kind in applies.kinds)
                and (not applies.roles or role in applies.roles)
                and _matches(tenant, applies.tenants)
                and _matches(channel, applies.channels)
                and (not applies.languages or language is None or language in applies.languages)
            )

        return (
            tuple(it for it in self.policies if fits(it)),
            tuple(it for it in self.candidates if fits(it.policy)),
        )


def load_policies(settings: PolicySettings) -> PolicyRegistry:
    """The policies of the folder that the settings name, or the shipped ones.

    Raises:
        PolicyError: A document is wrong.
        SettingsError: The folder has no policies, or `policies.only` names one that is not there.
    """
    folder = settings.directory or shipped_policies()
    if not folder.is_dir():
        raise SettingsError([f"policies.directory: {folder} is no folder"])
    policies: dict[str, Policy] = {}
    for path in policy_files(folder):
        policy = read_policy(path)
        if policy.id in policies:
            raise PolicyError(f"another document has the id {policy.id}", file=path, field="id")
        policies[policy.id] = policy
    if not policies:
        raise SettingsError([f"policies.directory: {folder} holds no policy (`*.md`)"])
    if settings.only is None:
        return PolicyRegistry(list(policies.values()))
    if unknown := sorted(set(settings.only) - set(policies)):
        known = ", ".join(policies)
        raise SettingsError(
            [f"policies.only: no such policy: {', '.join(unknown)}; there are {known}"]
        )
    return PolicyRegistry([policy for name, policy in policies.items() if name in settings.only])


def policy_files(folder: Path) -> list[Path]:
    """The policy documents of a folder, by name; a README is none, nor is a hidden file."""
    return sorted(
        path
        for path in folder.glob("*.md")
        if path.stem.lower() != "readme" and not path.name.startswith(".")
    )


def shipped_policies() -> Path:
    """The folder of the policies that come with Afterguard: in the wheel, or in the checkout."""
    bundled = Path(str(files("afterguard"))) / "policy" / "bundled"
    return bundled if bundled.is_dir() else Path(__file__).parents[3] / "policies"


def _primary_language(tag: str | None) -> str | None:
    """`pt` of `pt-BR` and of `pt_BR`; None when the tag says that nobody knows."""
    primary = _SUBTAG.split(tag, maxsplit=1)[0].lower() if tag else ""
    return None if primary in _NO_LANGUAGE else primary


def _matches(value: str | None, patterns: tuple[str, ...]) -> bool:
    if not patterns:
        return True
    return value is not None and any(fnmatchcase(value, pattern) for pattern in patterns)
