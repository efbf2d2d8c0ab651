"""Calibrations that tests change to make their point."""

from datetime import UTC, datetime
from typing import Any

from afterguard.contracts.policies import Policy
from afterguard.policy.calibration import what_is_read
from afterguard.policy.calibration_document import Calibration, Fit

PLATT: dict[str, Any] = {"method": "platt", "slope": 0.5, "intercept": -1.0}
LOSSES = {"brier": 0.2, "log_loss": 0.6}


def fit(policy: Policy, model: str, curve: dict[str, Any] | None = None, **changes: Any) -> Fit:
    """A fit for this policy as it stands, at its own effort."""
    return Fit.model_validate(
        {
            "version": policy.version,
            "reads": what_is_read(policy),
            "model": model,
            "effort": policy.effort,
            "curve": curve or PLATT,
            "rows": 400,
            "positives": 120,
            "before": LOSSES,
            "after": LOSSES,
            "fitted_at": datetime(2026, 1, 5, tzinfo=UTC),
            "data": "0123456789abcdef",
        }
        | changes
    )


def calibration(
    policy: Policy, model: str, curve: dict[str, Any] | None = None, **changes: Any
) -> Calibration:
    """A calibration that holds this one fit."""
    return Calibration(policy=policy.id, fits=(fit(policy, model, curve, **changes),))
