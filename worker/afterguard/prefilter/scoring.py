"""Scoring: many texts for many classifiers in one go, none of them read twice."""

from collections.abc import Sequence
from typing import NamedTuple

from afterguard.prefilter.classifier import Classifier
from afterguard.prefilter.encoder import Encoder
from afterguard.prefilter.features import features_of


class Task(NamedTuple):
    """One text, and the classifier that is to score it."""

    classifier: Classifier
    text: str


def score_all(tasks: Sequence[Task]) -> list[float | None]:
    """P(violation) of each task; None for a text that is too long to be read.

    Classifiers of one encoder share what is dear: a text's vectors and counts.
    """
    by_encoder: dict[Encoder, list[int]] = {}
    for number, task in enumerate(tasks):
        by_encoder.setdefault(task.classifier.encoder, []).append(number)
    scores: list[float | None] = [None] * len(tasks)
    for encoder, numbers in by_encoder.items():
        _score(tasks, numbers, encoder, scores)
    return scores


def _score(
    tasks: Sequence[Task], numbers: list[int], encoder: Encoder, scores: list[float | None]
) -> None:
    windows = {
        text: pieces
        for text in dict.fromkeys(tasks[number].text for number in numbers)
        if (pieces := encoder.windows(text)) is not None
    }
    if not windows:
        return
    features = features_of(list(windows.values()), encoder)
    place = {text: at for at, text in enumerate(windows)}
    for classifier in {tasks[number].classifier for number in numbers}:
        found = classifier.score_features(features)
        for number in numbers:
            task = tasks[number]
            if task.classifier is classifier and task.text in place:
                scores[number] = found[place[task.text]]
