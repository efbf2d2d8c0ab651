"""The policies' part of the composition: the documents of the folder, and the store above it."""

from collections.abc import Callable

from afterguard.contracts.policies import Policy
from afterguard.policy.live import LivePolicies
from afterguard.policy.registry import load_policies
from afterguard.policy.store import PolicyStore
from afterguard.policy.store_folder import FolderPolicyStore
from afterguard.settings import Settings
from afterguard.state.policy_store import RedisPolicyStore
from afterguard.telemetry.metrics import Metrics


def policy_store(settings: Settings) -> PolicyStore | None:
    """The store that the settings name: the folder of `policies.store`, else Redis, else none.

    Raises:
        SettingsError: Redis can never be reached in the way that the settings say.
    """
    section = settings.policies
    if section.store is not None:
        return FolderPolicyStore(section.store, poll_s=section.poll_s)
    if settings.redis.url is not None:
        return RedisPolicyStore(settings.redis, poll_s=section.poll_s)
    return None


def policy_room(
    settings: Settings,
    metrics: Metrics,
    *,
    accepts: Callable[[Policy], None] = lambda _: None,
    calibrates: Callable[[Policy, str], None] = lambda _, __: None,
) -> LivePolicies:
    """The policies that the settings describe.

    Args:
        settings: All of them.
        metrics: Where versions and changes are shown.
        accepts: Raises `PolicyError` for a version that this worker cannot judge under.
        calibrates: Given a version and the calibration that came with it.

    Raises:
        PolicyError: A document is wrong.
        SettingsError: The folder has no policies, or Redis cannot be used as it is set.
    """
    section = settings.policies
    return LivePolicies(
        load_policies(section),
        metrics,
        store=policy_store(settings),
        only=section.only,
        accepts=accepts,
        calibrates=calibrates,
    )
