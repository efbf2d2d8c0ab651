"""Comparison of two runs: what became better or worse, on the rows that both have judged.

A run may have been judged with another policy version, model, effort or prompt: that is what is
compared. Rows are paired by the id that their data gives them, and must say the same.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from afterguard.contracts.errors import SettingsError
from afterguard.evaluation.bootstrap import RESAMPLES
from afterguard.evaluation.figures import Estimate, groups_of
from afterguard.evaluation.kept_rows import expected_results, read_kept_rows
from afterguard.evaluation.paired import Answers, Change, compare, mcnemar
from afterguard.evaluation.results import Result, read_results
from afterguard.evaluation.run_record import RunRecord, differences, read_record
from afterguard.evaluation.weighted import Measure

TOLERANCE: Final = 0.02
ALL: Final = "all policies"

# What may not become worse. False alarms stand beside precision, which does not exist for a run
# that flagged nothing. The others are told, for they say why.
GATES: Final = (Measure.PRECISION, Measure.RECALL, Measure.F1, Measure.FALSE_POSITIVE_RATE)
_TOLD: Final = (Measure.ACCURACY, Measure.PR_AUC, Measure.ROC_AUC)


class Line(BaseModel):
    """One measure in both runs."""

    model_config = ConfigDict(frozen=True)

    measure: Measure
    first: float | None
    second: float | None
    difference: Estimate
    change: Change
    gates: bool = Field(description="Whether a regression of it is one of the comparison.")


class Compared(BaseModel):
    """One policy in both runs, or all of them."""

    model_config = ConfigDict(frozen=True)

    policy: str
    judges: tuple[str, str]
    versions: tuple[str, str]
    pairs: int = Field(description="Rows with a label that both runs have judged.")
    only_first_right: int
    only_second_right: int
    p: float = Field(description="McNemar: the chance of such a split if both were equally good.")
    lines: tuple[Line, ...]
    undecided: tuple[int, int] = Field(
        description="Of these rows, those whose outcome is neither violation nor no violation."
    )

    @property
    def regressions(self) -> tuple[Line, ...]:
        """Measures that became worse by more than is tolerated, and not by chance."""
        return tuple(it for it in self.lines if it.gates and it.change is Change.REGRESSION)


class Comparison(BaseModel):
    """Two runs side by side."""

    model_config = ConfigDict(frozen=True)

    first: str
    second: str
    tolerance: float
    differences: tuple[str, ...] = Field(description="How the runs themselves differ.")
    compared: tuple[Compared, ...]
    only_in_first: int = Field(description="Results without a partner, which are left out.")
    only_in_second: int
    missing: int = Field(description="Results that the second run would have at its end.")
    changed_texts: int = Field(description="Rows of one id that do not say the same; left out.")

    @property
    def regressed(self) -> bool:
        """Whether anything became worse for certain."""
        return any(it.regressions for it in self.compared)


class _Side(NamedTuple):
    record: RunRecord
    results: dict[tuple[str, str], Result]
    judge: str


def compare_runs(
    first: Path,
    second: Path,
    *,
    tolerance: float = TOLERANCE,
    judges: tuple[str | None, str | None] = (None, None),
    resamples: int = RESAMPLES,
) -> Comparison:
    """Two runs side by side, on the rows of both alone.

    Args:
        first: Folder of the run before.
        second: Folder of the run to be judged; may be the same with another judge.
        tolerance: A fall up to this does not matter.
        judges: Which judge of each run; the only one when None.
        resamples: How often rows are drawn for the intervals.

    Raises:
        SettingsError: A folder holds no run, or the runs have no row in common.
    """
    one, two = _side(first, judges[0]), _side(second, judges[1])
    shared = [key for key in one.results if key in two.results]
    same = [key for key in shared if _alike(one.results[key], two.results[key])]
    pairs = [
        (one.results[key], two.results[key])
        for key in same
        if two.results[key].expected is not None
    ]
    if not pairs:
        raise SettingsError([f"{first} and {second} have no labelled row and policy in common"])
    policies = list(dict.fromkeys(it.policy_id for it, _ in pairs))
    parts: dict[str, list[tuple[Result, Result]]] = {
        policy: [pair for pair in pairs if pair[0].policy_id == policy] for policy in policies
    }
    if len(policies) > 1:
        parts[ALL] = pairs
    return Comparison(
        first=str(first),
        second=str(second),
        tolerance=tolerance,
        differences=tuple(differences(one.record, two.record)),
        compared=tuple(
            _compared(name, part, (one, two), tolerance, resamples) for name, part in parts.items()
        ),
        only_in_first=len(one.results) - len(shared),
        only_in_second=len(two.results) - len(shared),
        missing=_missing(second, two),
        changed_texts=len(shared) - len(same),
    )


def _side(folder: Path, judge: str | None) -> _Side:
    record = read_record(folder)
    if record is None:
        raise SettingsError([f"{folder}: holds no run of `afterguard eval`"])
    results = read_results(folder)
    judges = sorted({it.judge for it in results})
    if judge is None and len(judges) != 1:
        raise SettingsError(
            [f"{folder}: judged by {' and '.join(judges) or 'nobody'}; name one by --judges"]
        )
    judge = judge or judges[0]
    own = {(it.row_id, it.policy_id): it for it in results if it.judge == judge}
    if not own:
        raise SettingsError([f"{folder}: nothing was judged by {judge}"])
    return _Side(record, own, judge)


def _missing(folder: Path, side: _Side) -> int:
    expected = expected_results(side.record, read_kept_rows(folder))
    return max(0, expected - len(side.results))


def _alike(one: Result, two: Result) -> bool:
    """Whether both say the same: an id that was given to another text would pair strangers."""
    texts = [{it for it in side.alike if it.startswith("text:")} for side in (one, two)]
    return texts[0] == texts[1]


def _compared(
    name: str,
    pairs: Sequence[tuple[Result, Result]],
    sides: tuple[_Side, _Side],
    tolerance: float,
    resamples: int,
) -> Compared:
    first, second = [it for it, _ in pairs], [it for _, it in pairs]
    # Labels are mended from one run to the next: both are held against what is right today.
    expected = [it.expected for it in second]
    found = compare(
        expected,
        Answers([it.flagged for it in first], [it.score for it in first]),
        Answers([it.flagged for it in second], [it.score for it in second]),
        (*GATES, *_TOLD),
        groups=groups_of(second),
        tolerance=tolerance,
        resamples=resamples,
    )
    test = mcnemar(expected, [it.flagged for it in first], [it.flagged for it in second])
    return Compared(
        policy=name,
        judges=(sides[0].judge, sides[1].judge),
        versions=(_versions(first), _versions(second)),
        pairs=len(pairs),
        only_first_right=test.only_first,
        only_second_right=test.only_second,
        p=test.p,
        lines=tuple(
            Line(
                measure=it.measure,
                first=it.first.value,
                second=it.second.value,
                difference=Estimate(
                    value=it.difference.value,
                    low=it.interval.low,
                    high=it.interval.high,
                    reason=it.difference.reason or it.interval.reason,
                ),
                change=it.change,
                gates=it.measure in GATES,
            )
            for it in found
        ),
        undecided=(_undecided(first), _undecided(second)),
    )


def _versions(results: Sequence[Result]) -> str:
    versions: Mapping[str, None] = dict.fromkeys(it.policy_version for it in results)
    return next(iter(versions)) if len(versions) == 1 else f"{len(versions)} versions"


def _undecided(results: Sequence[Result]) -> int:
    return sum(it.seen_by_someone and not it.flagged for it in results)
