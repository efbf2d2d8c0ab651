"""What a classifier is fitted on: texts and labels out of files."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from afterguard.contracts.errors import SettingsError
from afterguard.contracts.policies import Policy
from afterguard.evaluation.datasets import read_data, read_raw
from afterguard.evaluation.forms.raw_row import Unusable, event_of
from afterguard.prefilter.fit import Labelled
from afterguard.screening_room import classifier_text

Row = tuple[str, Mapping[str, bool | None]]

_ANY: Final = "any label"
_SHOWN: Final = 20


def of_policy(files: Sequence[Path], policy: Policy) -> Labelled:
    """The rows that say whether a policy is violated.

    Raises:
        SettingsError: A file cannot be read, or says nothing of this policy.
    """
    texts, violates, left_out = [], [], 0
    for file in files:
        data = read_data(file, [policy])
        left_out += data.unlabelled + len(data.bad)
        for row in data.rows:
            texts.append(classifier_text(row.event))
            violates.append(row.expected[policy.id])
    if not texts:
        raise SettingsError([f"no row says whether {policy.id} is violated; name a --label"])
    return Labelled(texts, violates, f"policy {policy.id}", left_out=left_out)


def of_labels(files: Sequence[Path], labels: Sequence[str]) -> Labelled:
    """The rows that say yes to one of these labels, or no to all of them.

    Args:
        files: Each read whole.
        labels: By the names of the files; the only one there is when none is given.

    Raises:
        SettingsError: A file cannot be read, or has no such label.
    """
    rows, bad = _rows(files)
    named = sorted({name for _, given in rows for name in given})
    told = ", ".join(named[:_SHOWN]) or "none"
    if not labels and len(named) != 1:
        raise SettingsError(
            [f"say what a violation is: --any, --policy or --label; there are {told}"]
        )
    chosen = list(labels) or named
    if missing := [it for it in chosen if it not in named]:
        raise SettingsError([f"no row has the label {', '.join(missing)}; there are {told}"])
    texts, violates = [], []
    for text, given in rows:
        answers = [given.get(name) for name in chosen]
        if any(answers) or None not in answers:
            texts.append(text)
            violates.append(any(answers))
    left_out = bad + len(rows) - len(texts)
    return Labelled(texts, violates, f"label {' or '.join(chosen)}", left_out=left_out)


def of_any(files: Sequence[Path], *, only_known: bool) -> Labelled:
    """All rows: a violation is what has any label.

    Args:
        files: Each read whole.
        only_known: Leave out rows that say no to some labels and nothing of others; else they
            count as no violation, and are counted.

    Raises:
        SettingsError: A file cannot be read, or has no labels.
    """
    rows, bad = _rows(files)
    names = {name for _, given in rows for name in given}
    texts, violates, unknown = [], [], 0
    for text, given in rows:
        answers = [given.get(name) for name in names]
        if any(answers):
            known = True
        elif False not in answers:
            continue
        else:
            known = None not in answers
        if known or not only_known:
            unknown += not known
            texts.append(text)
            violates.append(any(answers))
    if not texts:
        raise SettingsError(["no row has a label"])
    left_out = bad + len(rows) - len(texts)
    return Labelled(texts, violates, _ANY, unknown=unknown, left_out=left_out)


def _rows(files: Iterable[Path]) -> tuple[list[Row], int]:
    """Texts with their labels, and how many rows cannot be used."""
    found: list[Row] = []
    bad = 0
    for file in files:
        for line, raw in read_raw(file):
            if isinstance(raw, str):
                bad += 1
                continue
            try:
                event = event_of(raw.event, f"line-{line}")
            except Unusable:
                bad += 1
                continue
            found.append((classifier_text(event), raw.labels))
    return found, bad
