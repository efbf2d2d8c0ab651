"""Calibration: a logit to a probability, by Platt's two numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from afterguard.prefilter.features import Floats


class Platt(NamedTuple):
    """A rising curve from logits to probabilities.

    Attributes:
        slope: Above 0.
        offset: Added to the logit times the slope.
    """

    slope: float
    offset: float

    def probabilities(self, logits: Floats) -> Floats:
        """P(violation) of each logit."""
        rising: Floats = 1.0 / (1.0 + np.exp(-(self.slope * logits + self.offset)))
        return rising


def fit_platt(logits: Floats, violates: NDArray[np.bool_]) -> Platt:
    """The curve that fits logits of rows which the classifier had not seen.

    Raises:
        ValueError: Higher logits do not mean more violations: nothing was learned.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (an extra)

    fitted = LogisticRegression(C=1e6).fit(logits.reshape(-1, 1), violates)
    slope = float(fitted.coef_[0][0])
    if slope <= 0:
        raise ValueError("the texts do not tell violations from the rest")
    return Platt(slope, float(fitted.intercept_[0]))
