"""The ladder: the more of a budget is used, the further down the work steps, and not to and fro.

A step is taken when its mark is reached, and taken back only when the use has fallen below the
mark before it. So between a step and its return the use has moved by a whole rung.
"""

from typing import Final

RUNGS: Final = 9
"""Steps between full use of a budget and none; the last mark is at the whole budget."""


class Ladder:
    """Says how many steps down the work stands.

    Args:
        begins: Share of the budget at which the first step is taken, above 0 and below 1.
        lowest: No more steps than this.
    """

    def __init__(self, begins: float, lowest: int = RUNGS) -> None:
        self._begins, self._lowest = begins, min(lowest, RUNGS)
        self._rung = (1.0 - begins) / (RUNGS - 1)
        self._steps = 0

    def stand(self, used: float) -> int:
        """The steps to stand at now.

        Args:
            used: Share of the budget that is used; above 1 when more was spent.
        """
        while self._steps < self._lowest and used >= self.mark(self._steps + 1):
            self._steps += 1
        while self._steps and used < self.mark(self._steps - 1):
            self._steps -= 1
        return self._steps

    def mark(self, step: int) -> float:
        """The use at which this step is taken."""
        # The last one exactly: no sum of shares may end a little above the whole budget.
        return 1.0 if step == RUNGS else self._begins + self._rung * (step - 1)
