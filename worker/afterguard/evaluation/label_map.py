"""The label map: which label of a file speaks of which policy."""

from collections.abc import Mapping, Sequence

from afterguard.contracts.errors import SettingsError
from afterguard.contracts.policies import Policy

Names = Mapping[str, str]


def read_label_map(entries: Sequence[str]) -> dict[str, str]:
    """The map of `--labels`: `H=hate,HR=harassment`, in one entry or in several.

    Raises:
        SettingsError: An entry is not of that form.
    """
    named: dict[str, str] = {}
    for entry in (part.strip() for it in entries for part in it.split(",")):
        label, _, policy = entry.partition("=")
        if not (label.strip() and policy.strip()):
            raise SettingsError([f"--labels {entry}: must be LABEL=POLICY, such as H=hate"])
        named[label.strip()] = policy.strip()
    return named


class LabelMap:
    """Brings the labels of a file to policies.

    A label goes where the map sends it; else to the policy of that id; else to the policy whose
    rules begin with it, as codes of a pack do. A label without a name of its own goes to the policy
    that the file is named after, or to the only one there is.

    Args:
        named: By label, the policy's id.
        policies: Those that are evaluated.
        lone: Labels without a name of their own.
        home: The policy that the file is named after, if there is one of that id.
    """

    def __init__(
        self,
        named: Names,
        policies: Sequence[Policy],
        lone: frozenset[str] = frozenset(),
        home: str = "",
    ) -> None:
        self._named = named
        self._ids = [policy.id for policy in policies]
        self._prefixes = {policy.rules[0].id[:-1]: policy.id for policy in policies}
        self._lone = lone
        self._home = home if home in self._ids else next(iter(self._ids), "")
        self._homeless = home not in self._ids and len(self._ids) != 1
        self.used: dict[str, str] = {}
        self.unused: set[str] = set()

    def policy_of(self, label: str) -> str | None:
        """The policy that a label speaks of; None when it speaks of none that is evaluated."""
        found = self._find(label)
        if found is None:
            self.unused.add(label)
        else:
            self.used[label] = found
        return found

    def expected(self, labels: Mapping[str, bool | None]) -> dict[str, bool]:
        """What is known by policy.

        Several labels may speak of one policy: it is violated when one of them says so, and is not
        when all say no. If some say no and others nothing, nobody knows.
        """
        told: dict[str, list[bool | None]] = {}
        for label, violates in labels.items():
            if (policy := self.policy_of(label)) is not None:
                told.setdefault(policy, []).append(violates)
        return {
            policy: any(answers)
            for policy, answers in told.items()
            if any(answers) or None not in answers
        }

    def rules(self, rules: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Rules that should be cited, by policy."""
        return {
            policy: wanted
            for label, wanted in rules.items()
            if wanted and (policy := self.policy_of(label)) is not None
        }

    def _find(self, label: str) -> str | None:
        if label in self._named:
            return self._named[label] if self._named[label] in self._ids else None
        if label in self._ids:
            return label
        if label in self._prefixes:
            return self._prefixes[label]
        if label in self._lone and not self._homeless:
            return self._home
        return None
