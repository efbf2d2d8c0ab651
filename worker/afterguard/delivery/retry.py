"""When to try again: exponential backoff with full jitter, inside the deadline.

Full jitter spreads the retries of many events that failed together; source: M. Brooker,
"Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import random


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """How often and how soon.

    Attributes:
        attempts: Faults of one request after which it is given up.
        base_s: Upper bound of the first wait, seconds.
        cap_s: Upper bound of any wait, seconds.
        full_s: How long a full queue is waited for by what has no deadline, seconds.
        random: Gives a number in [0, 1); a test hands in its own.
    """

    attempts: int
    base_s: float
    cap_s: float
    full_s: float = 3_600.0
    random: Callable[[], float] = random

    def wait_s(self, attempt: int, *, left_s: float | None) -> float | None:
        """How long to wait before the next try.

        Args:
            attempt: Tries made so far, from 1.
            left_s: Seconds until the deadline; None without one.

        Returns:
            Seconds; None when the deadline would pass while waiting.
        """
        # The exponent is bounded so that a large attempt count cannot overflow the float.
        bound = min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 32))
        wait = self.random() * bound
        return None if left_s is not None and wait >= left_s else wait
