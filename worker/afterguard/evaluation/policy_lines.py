"""The lines of a policy's front matter that put chosen thresholds to work.

The label stays with the model: below the score at which it changes its mind no threshold can make a
violation, but a band can send the event to a person.
"""

import math
from typing import Final

from afterguard.evaluation.thresholds import DIGITS

# A band includes both its ends, and a score at the threshold itself must be above it.
_JUST_BELOW: Final = 1e-6
_LOWEST: Final = 10.0**-DIGITS


def policy_lines(*, precision: float | None, recall: float | None, turn: float) -> list[str]:
    """What to write into the front matter.

    Args:
        precision: The threshold from which violations are to be acted upon; None for the model's
            own.
        recall: The threshold from which an event is to be seen by somebody; None when no more is
            wanted than what is found to violate.
        turn: The score from which the model's own label is "violation".
    """
    own = min(max(math.ceil(turn / _LOWEST) * _LOWEST, _LOWEST), 1 - _LOWEST)
    if precision is None and recall is None:
        return []
    if precision is None and recall is not None and recall >= own:
        return [f"threshold: {recall:.{DIGITS}f}"]
    threshold = max(own, precision or 0.0)
    lines = [f"threshold: {threshold:.{DIGITS}f}"]
    if recall is not None and recall < threshold:
        lines.append(f"uncertain: [{recall:.{DIGITS}f}, {threshold - _JUST_BELOW:.6f}]")
    return lines
