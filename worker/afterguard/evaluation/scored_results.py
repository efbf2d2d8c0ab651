"""The scores of a run, sorted by what a calibration is fitted for: text, model and effort."""

from collections import Counter
from collections.abc import Iterable

from afterguard.contracts.words import Effort
from afterguard.evaluation.fit_scores import ScoredRows
from afterguard.evaluation.groups import grouped
from afterguard.evaluation.measures import scored
from afterguard.evaluation.results import MODEL, Result

_Key = tuple[str, str, str, Effort]


def scored_rows(results: Iterable[Result]) -> list[ScoredRows]:
    """The rows to fit on, one set for each policy text, model and effort.

    The score is the one that the model gave: a run may itself have been calibrated. Rows of unknown
    label, and rows that got no complete answer, are counted and left out.
    """
    sets: dict[_Key, list[Result]] = {}
    for it in results:
        if it.judge == MODEL and it.effort is not None:
            key = (it.policy_id, it.policy_reads, it.model, it.effort)
            sets.setdefault(key, []).append(it)
    efforts = Counter(key[:3] for key in sets)
    return [
        _rows(key, found)._replace(selected=efforts[key[:3]] > 1)
        for key, found in sorted(sets.items())
    ]


def _rows(key: _Key, results: list[Result]) -> ScoredRows:
    rows = scored([it.expected for it in results], [it.raw_score for it in results])
    kept = [it for it in results if it.expected is not None and it.raw_score is not None]
    policy, reads, model, effort = key
    return ScoredRows(
        policy,
        results[-1].policy_version,
        reads,
        model,
        effort,
        rows.labels,
        rows.scores,
        grouped([it.alike for it in kept]),
        rows.unknown,
        rows.unscored,
    )
