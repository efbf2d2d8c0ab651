"""Debts: what the worker owes for each input record, and whether the topics hold it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.policies import handle_of
from afterguard.contracts.verdicts import Verdict
from afterguard.contracts.words import Action, Outcome


@dataclass(slots=True)
class _Account:
    """What is known of one record; filled in any order."""

    is_event: bool = False
    policies: frozenset[str] = frozenset()
    judged_under: set[str] = field(default_factory=set)
    skipped: bool = False
    must_act: bool = False
    acted: bool = False
    must_have_letter: bool = False
    letter_parts: set[int] = field(default_factory=set)
    letter_size: int = 0

    @property
    def paid(self) -> bool:
        has_letter = 0 < self.letter_size == len(self.letter_parts)
        if (self.must_have_letter and not has_letter) or (self.must_act and not self.acted):
            return False
        if has_letter or self.skipped:
            return True
        return bool(self.judged_under) and self.policies <= self.judged_under


class Debts:
    """The accounts of all records.

    An event is owed a verdict under each policy that applies to it; one under a version on trial
    pays for that version alone. One verdict under no policy (it was skipped) or a dead letter with
    all its parts stands for all of them. A verdict in turn owes what it says: the intervention of
    its action, the dead letter of a `failed`; one on trial owes nothing.
    """

    def __init__(self) -> None:
        self._accounts: defaultdict[Coordinates, _Account] = defaultdict(_Account)

    def event(self, where: Coordinates, policies: Iterable[str]) -> None:
        """An input record, and the handles of the policies that apply; none: any will do."""
        account = self._accounts[where]
        account.is_event, account.policies = True, frozenset(policies)

    def verdict(self, verdict: Verdict) -> None:
        """A verdict that was written."""
        account = self._accounts[_origin(verdict)]
        if verdict.policy_id is not None:
            account.judged_under.add(
                handle_of(verdict.policy_id, verdict.policy_version, shadow=verdict.shadow)
            )
        elif verdict.outcome is Outcome.SKIPPED:
            account.skipped = True
        if verdict.shadow:
            return
        if verdict.outcome is Outcome.FAILED:
            account.must_have_letter = True
        if verdict.action is not Action.NONE:
            account.must_act = True

    def intervention(self, intervention: Intervention) -> None:
        """An intervention that was written."""
        self._accounts[_origin(intervention)].acted = True

    def dead_letter(self, letter: DeadLetter) -> None:
        """A dead letter, or a part of one, that was written."""
        account = self._accounts[_origin(letter)]
        account.letter_parts.add(letter.part)
        account.letter_size = letter.parts

    def unpaid(self) -> Iterator[Coordinates]:
        """The input records for which something is missing."""
        return (
            it for it, account in self._accounts.items() if account.is_event and not account.paid
        )


def _origin(output: Verdict | Intervention | DeadLetter) -> Coordinates:
    return Coordinates(output.topic, output.partition, output.offset)
