"""Terms: whether a classifier may do what a policy wants of it, and from which score on."""

from typing import NamedTuple

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import DedicatedClassifier, JudgedBy, Policy, Prefilter
from afterguard.prefilter.card import Card


class Terms(NamedTuple):
    """On what terms a classifier works for a policy.

    Attributes:
        threshold: As a prefilter, scores from here on are forwarded; as a judge, they violate.
        reference: Name and version of the classifier.
    """

    threshold: float
    reference: str


def wanted(policy: Policy) -> tuple[str, str] | None:
    """The name of the classifier that a policy wants, and the field that says so; else None."""
    if policy.judge is JudgedBy.CLASSIFIER and policy.classifier is not None:
        return policy.classifier.name, f"{policy.id}: classifier.name"
    if policy.prefilter is not None:
        return policy.prefilter.classifier, f"{policy.id}: prefilter.classifier"
    return None


def terms_of(policy: Policy, card: Card) -> Terms:
    """The terms.

    Raises:
        PolicyError: What the classifier showed on held-out rows is less than the policy wants.
    """
    if policy.classifier is not None:
        return _as_judge(policy.id, policy.classifier, card)
    assert policy.prefilter is not None
    return _as_prefilter(policy.id, policy.prefilter, card)


def _as_prefilter(policy_id: str, prefilter: Prefilter, card: Card) -> Terms:
    target = prefilter.target_recall
    found = card.threshold_for_recall(target)
    if found is None:
        best = max((it.recall_lower for it in card.thresholds), default=0.0)
        raise PolicyError(
            f"{_too_much(target, card, 'recall', best)}; `afterguard prefilter fit --target-recall "
            f"{target:g}` with more rows, or ask for less",
            field=f"{policy_id}: prefilter.target_recall",
        )
    return Terms(found.threshold, card.reference)


def _as_judge(policy_id: str, judge: DedicatedClassifier, card: Card) -> Terms:
    target = judge.target_precision
    found = card.point_for_precision(target)
    if found is None:
        best = max((it.precision_lower for it in card.curve), default=0.0)
        raise PolicyError(
            _too_much(target, card, "precision", best),
            field=f"{policy_id}: classifier.target_precision",
        )
    return Terms(found.threshold, card.reference)


def _too_much(target: float, card: Card, figure: str, best: float) -> str:
    return (
        f"{target:g} is more than {card.reference} bears out: on held-out rows the lower bound of "
        f"its {figure} is {best:.4f} at most"
    )
