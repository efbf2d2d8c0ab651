"""Steps of a compute budget that stand where a test puts them."""

from afterguard.contracts.words import Lane
from afterguard.flow.effort import Step


class Stands:
    """Every lane gets the same, until the test says otherwise."""

    def __init__(self, step: Step = Step.FULL) -> None:
        self.at = step

    def step(self, lane: Lane) -> Step:
        """See `flow.effort.Steps.step`."""
        del lane
        return self.at
