"""The policy that a command was asked for, and where its document stands."""

from pathlib import Path

from afterguard.contracts.errors import SettingsError
from afterguard.contracts.policies import Policy
from afterguard.policy.document import read_policy
from afterguard.policy.registry import load_policies, shipped_policies
from afterguard.policy.settings import PolicySettings


def chosen_policy(name: str, settings: PolicySettings) -> Policy:
    """The policy of an id, or of a document's path.

    Raises:
        PolicyError: The document is wrong.
        SettingsError: There is no policy of that id.
    """
    if is_path(name):
        return read_policy(Path(name))
    registry = load_policies(settings)
    found = registry.by_id(name)
    if found is None:
        known = ", ".join(policy.id for policy in registry.policies)
        raise SettingsError([f"there is no policy {name!r}; there are {known}"])
    return found


def is_path(name: str) -> bool:
    """Whether a policy is named by the path of its document, and not by its id."""
    return name.endswith(".md") or "/" in name


def document_of(policy_id: str, settings: PolicySettings) -> Path:
    """Where the document of an id stands, or would; what belongs to it stands beside it."""
    return (settings.directory or shipped_policies()) / f"{policy_id}.md"
