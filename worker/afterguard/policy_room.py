"""The policies' part of the composition: the documents of the folder, and the store above it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import Policy
from afterguard.policy.calibration import FittedScores
from afterguard.policy.calibration_document import parse_calibration
from afterguard.policy.live import LivePolicies
from afterguard.policy.registry import PolicyRegistry
from afterguard.policy.store import PolicyStore
from afterguard.policy.store_folder import FolderPolicyStore
from afterguard.settings import Settings
from afterguard.state.policy_store import RedisPolicyStore
from afterguard.telemetry.metrics import Metrics

# No event waits for this store, so a busy moment need not look like one that is away.
_PATIENCE_S: Final = 2.0


def policy_store(settings: Settings) -> PolicyStore | None:
    """The store that the settings name: the folder of `policies.store`, else Redis, else none.

    Raises:
        SettingsError: Redis can never be reached in the way that the settings say.
    """
    section = settings.policies
    if section.store is not None:
        return FolderPolicyStore(section.store, poll_s=section.poll_s)
    redis = settings.redis
    if redis.url is not None:
        patient = redis.model_copy(update={"timeout_s": max(redis.timeout_s, _PATIENCE_S)})
        return RedisPolicyStore(patient, poll_s=section.poll_s)
    return None


def policy_room(
    settings: Settings,
    folder: PolicyRegistry,
    metrics: Metrics,
    *,
    scores: FittedScores,
    accepts: Callable[[Policy], None],
) -> LivePolicies:
    """The policies in force, as folder and store say.

    Args:
        settings: All of them.
        folder: The documents of the folder.
        metrics: Where versions and changes are shown.
        scores: Learns the calibrations that come with versions.
        accepts: Raises `PolicyError` for a version that this worker cannot judge under; called in
            a thread.

    Raises:
        SettingsError: Redis can never be reached in the way that the settings say.
    """
    return LivePolicies(
        folder,
        metrics,
        store=policy_store(settings),
        only=settings.policies.only,
        accepts=accepts,
        calibrates=partial(learn, scores),
    )


def learn(scores: FittedScores, policy: Policy, text: str | None) -> None:
    """Have a version judged with the calibration that comes with it.

    Args:
        scores: Learns it.
        policy: The version.
        text: Its calibration, as a release carries it; None when it carries none.

    Raises:
        PolicyError: It cannot be used, or belongs to another policy.
    """
    if text is None:
        scores.release(policy, None)
        return
    path = Path(f"{policy.id}@{policy.version}, calibration")
    calibration = parse_calibration(text, path)
    if calibration.policy != policy.id:
        raise PolicyError(f"is that of {calibration.policy}", file=path, field="policy")
    scores.release(policy, calibration)
