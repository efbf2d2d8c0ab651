"""What is in force is shown as it is now, with what it asks of its prefilter."""

from tests.samples import policy

from afterguard.contracts.policies import Policy, Prefilter
from afterguard.telemetry.metrics import Metrics


def _with(target: float | None) -> Policy:
    asks = None if target is None else Prefilter(classifier="spam-scams", target_recall=target)
    return policy().model_copy(update={"prefilter": asks})


def _shown(metrics: Metrics) -> float | None:
    labels = {"policy": policy().id}
    return metrics.registry.get_sample_value("afterguard_prefilter_target_recall", labels)


def test_the_target_is_that_of_the_version_in_force_and_not_of_the_one_on_trial() -> None:
    metrics = Metrics()
    metrics.policies.in_force([_with(0.99), _with(0.9)])
    assert _shown(metrics) == 0.99


def test_a_policy_that_has_lost_its_prefilter_shows_no_target() -> None:
    metrics = Metrics()
    metrics.policies.in_force([_with(0.99)])
    metrics.policies.in_force([_with(None)])
    assert _shown(metrics) is None


def test_a_policy_in_force_has_not_changed_yet() -> None:
    metrics = Metrics()
    metrics.policies.in_force([policy()])
    labels = {"policy": policy().id}
    assert metrics.registry.get_sample_value("afterguard_policy_changes_total", labels) == 0


def test_a_policy_in_force_has_found_no_violation_yet() -> None:
    metrics = Metrics()
    metrics.policies.in_force([policy()])
    labels = {"policy": policy().id, "outcome": "violation", "action": "remove"}
    assert metrics.registry.get_sample_value("afterguard_verdicts_total", labels) == 0
