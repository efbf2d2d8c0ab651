"""Scores of a model whose miscalibration is known, and the results of a run that hold them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from afterguard.contracts.words import Effort, Outcome
from afterguard.evaluation.fit_scores import ScoredRows
from afterguard.evaluation.results import Result

TEXT = "0123456789abcdef"


def boastful(rows: int, seed: int = 0, boast: float = 4.0) -> tuple[list[bool], list[float]]:
    """Labels and scores: of what truly has log-odds x, the score says `boast` times x and 1 more.

    So a logistic curve of slope 1 / boast mends it.
    """
    random = np.random.default_rng(seed)
    odds = random.normal(-0.5, 1.5, rows)
    labels = random.random(rows) < 1 / (1 + np.exp(-odds))
    scores = 1 / (1 + np.exp(-(boast * odds + 1)))
    return [bool(it) for it in labels], [float(it) for it in scores]


def rows_of_scores(labels: Sequence[bool], scores: Sequence[float], **changes: Any) -> ScoredRows:
    """To be fitted on, each row by itself."""
    values: dict[str, Any] = {
        "policy": "harassment",
        "version": "00000000000000aa",
        "reads": TEXT,
        "model": "scripted-1",
        "effort": Effort.LOW,
        "labels": labels,
        "scores": scores,
        "groups": range(len(labels)),
    }
    return ScoredRows(**(values | changes))


def result(number: int, expected: bool | None, score: float | None, **changes: Any) -> Result:
    """What became of one row."""
    values: dict[str, Any] = {
        "row_id": f"r-{number}",
        "policy_id": "harassment",
        "policy_version": "00000000000000aa",
        "policy_reads": TEXT,
        "expected": expected,
        "outcome": Outcome.VIOLATION if score and score >= 0.5 else Outcome.NO_VIOLATION,
        "score": score,
        "raw_score": score,
        "effort": Effort.LOW,
        "model": "scripted-1",
        "alike": (f"row:{number}",),
    }
    return Result(**(values | changes))
