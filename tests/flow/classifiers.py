"""Classifiers that say what a test wants. Test code only."""

from afterguard.contracts.policies import Policy
from afterguard.flow.ports import Screened


class ScriptedClassifiers:
    """Gives every text the score that a test wants, or none."""

    def __init__(self, score: float | None) -> None:
        self._score = score
        self.texts: list[str] = []

    async def score(self, policy: Policy, text: str) -> Screened | None:
        """See `flow.ports.Classifiers.score`."""
        self.texts.append(text)
        return None if self._score is None else Screened(self._score, 0.4, "sellers@abc")
