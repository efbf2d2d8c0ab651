"""Results: what became of each labelled row under each policy, one JSON line each, on disk.

A line is written when its judgement is there, so that a run which was killed goes on where it was.
"""

import fcntl
from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from afterguard.contracts.errors import SettingsError
from afterguard.contracts.words import Effort, Kind, Outcome, Reason
from afterguard.flow.findings import FAULT, Finding
from afterguard.policy.calibration import what_is_read
from afterguard.policy.labelled import LabelledRow

RESULTS: Final = "results.jsonl"
MODEL: Final = "model"
CLASSIFIER: Final = "classifier"
_LOOKED_AT: Final = 65_536

# What a person is asked about, unless `decide.unjudged_action` says otherwise.
_FOR_A_PERSON: Final = frozenset(
    {
        Outcome.UNCERTAIN,
        Outcome.EXPIRED,
        Outcome.TRUNCATED,
        Outcome.UNPARSEABLE,
        Outcome.FAILED,
    }
)


class ResultKey(NamedTuple):
    """What is judged once in a run."""

    row_id: str
    policy_id: str
    judge: str


class Result(BaseModel):
    """What became of one row under one policy, beside what is right about it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    row_id: str
    policy_id: str
    policy_version: str
    policy_reads: str = Field(
        default="", description="Digest of all that the model reads of the policy."
    )
    judge: str = Field(default=MODEL, description="`model` or `classifier`.")
    expected: bool | None = Field(description="Whether it violates; None when nobody knows.")
    wanted_rules: tuple[str, ...] = Field(
        default=(), description="One of these should be cited; any will do when empty."
    )
    outcome: Outcome
    reason: Reason | None = None
    category: str | None = None
    rule_ids: tuple[str, ...] = ()
    unknown_rules: tuple[str, ...] = ()
    score: float | None = Field(default=None, description="P(violation) as it was weighed.")
    score_calibrated: bool = False
    raw_score: float | None = Field(
        default=None, description="As the model gave it, before any calibration."
    )
    effort: Effort | None = None
    stages: tuple[str, ...] = ()
    engine: str = ""
    model: str = ""
    attempts: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    output_tokens: int = 0
    queued_s: float = 0.0
    judging_s: float = 0.0
    kind: Kind = Kind.MESSAGE
    language: str | None = None
    characters: int = Field(default=0, description="Length of the text.")
    tags: tuple[str, ...] = ()
    variant_of: str | None = None
    alike: tuple[str, ...] = Field(
        default=(),
        description="Rows that share any of these are not independent: digest of the text, "
        "conversation, row that is disguised.",
    )
    rationale: str = Field(default="", description="The model's reasoning. For auditors only.")
    degraded: tuple[str, ...] = ()

    @property
    def key(self) -> ResultKey:
        """What it is the result of."""
        return ResultKey(self.row_id, self.policy_id, self.judge)

    @property
    def flagged(self) -> bool:
        """Whether it was found to violate: the strict figure. Anything else is not flagged."""
        return self.outcome is Outcome.VIOLATION

    @property
    def seen_by_someone(self) -> bool:
        """Whether it was found to violate or goes to a person: the figure with review."""
        return self.flagged or self.outcome in _FOR_A_PERSON


def result_of(row: LabelledRow, finding: Finding, *, judge: str, engine: str, model: str) -> Result:
    """The result of one finding.

    Args:
        row: What was judged.
        finding: Under one policy, which it names.
        judge: `model` or `classifier`; what a classifier gave no score for has failed.
        engine: Name of the engine, unless the finding names another.
        model: Id of the model, unless the finding names another.
    """
    policy, reading, judgement = finding.policy, finding.reading, finding.judgement
    assert policy is not None, "a finding of an evaluation has a policy"
    if judge == CLASSIFIER and finding.judged_by is None:
        # At work the model is asked instead. Here that would be the model's figure, not its own.
        reading = FAULT
    event = row.event
    text = text_of(row)
    engine, model = finding.judged_by or (engine, model)
    return Result(
        row_id=row.row_id,
        policy_id=policy.id,
        policy_version=policy.version,
        policy_reads=what_is_read(policy),
        judge=judge,
        expected=row.expected.get(policy.id),
        wanted_rules=row.rules.get(policy.id, ()),
        outcome=reading.outcome,
        reason=reading.reason,
        category=reading.category,
        rule_ids=reading.rule_ids,
        unknown_rules=tuple(_whole(it) for it in reading.unknown_rules),
        score=finding.score,
        score_calibrated=finding.score_calibrated,
        raw_score=judgement.score if judgement is not None and judgement.complete else None,
        effort=finding.effort,
        stages=finding.stages,
        engine=engine,
        model=model,
        attempts=finding.attempts,
        prompt_tokens=judgement.prompt_tokens if judgement else 0,
        cached_prompt_tokens=judgement.cached_prompt_tokens if judgement else 0,
        output_tokens=judgement.output_tokens if judgement else 0,
        queued_s=finding.queued_s,
        judging_s=finding.judging_s,
        kind=event.kind,
        language=event.language,
        characters=len(text),
        tags=row.tags,
        variant_of=row.variant_of,
        alike=_alike(row, text),
        rationale=_whole(judgement.rationale) if judgement else "",
        degraded=tuple(finding.degraded),
    )


def text_of(row: LabelledRow) -> str:
    """What a row says; the turns of a conversation one below the other."""
    content = row.event.content
    if isinstance(content, str):
        return content
    return "\n".join(f"{turn.role.value}: {turn.text}" for turn in content)


def _whole(written: str) -> str:
    """What a model wrote, without halves of characters, which no file can hold."""
    return written.encode("utf-8", "replace").decode()


def _alike(row: LabelledRow, text: str) -> tuple[str, ...]:
    same_text = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    conversation = f"conversation:{row.event.conversation_id}"
    return f"text:{same_text}", conversation, f"row:{row.variant_of or row.row_id}"


class ResultLog:
    """The results of a run, appended as they come.

    A line that a killed run left half written is cut off when the file is opened.

    Args:
        folder: Of the run.

    Raises:
        SettingsError: The file cannot be read or written, holds what is no result, or is being
            written by another run.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / RESULTS
        try:
            self._file = self._path.open("ab")
        except OSError as error:
            raise SettingsError([f"{self._path}: {error.strerror}"]) from None
        try:
            _alone(self._file, self._path)
            _cut_half_line(self._path)
            self.results = {it.key: it for it in _read(self._path)}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, results: Iterable[Result]) -> None:
        """Write results; they are with the operating system when this returns.

        Raises:
            SettingsError: The disk is full, or the file cannot be written.
        """
        fresh = list(results)
        lines = b"".join(it.model_dump_json(exclude_defaults=True).encode() + b"\n" for it in fresh)
        try:
            self._file.write(lines)
            self._file.flush()
        except OSError as error:
            raise SettingsError([f"{self._path}: {error.strerror}"]) from None
        self.results.update((it.key, it) for it in fresh)


def read_results(folder: Path) -> list[Result]:
    """The results of a run; of a row that was judged again the last.

    Raises:
        SettingsError: There are none, or a line is no result.
    """
    path = folder / RESULTS
    try:
        return list({it.key: it for it in _read(path)}.values())
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror}"]) from None


def _read(path: Path) -> Iterator[Result]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):  # the run is still writing, or was killed
                return
            try:
                yield Result.model_validate_json(line)
            except ValidationError as error:
                field = ".".join(str(it) for it in error.errors()[0]["loc"])
                raise SettingsError([f"{path}:{number}: no result: {field}"]) from None


def _alone(file: BufferedWriter, path: Path) -> None:
    """Two runs in one folder would judge each row twice, and cut each other's lines."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SettingsError([f"{path}: another run is writing it; wait for its end"]) from None


def _cut_half_line(path: Path) -> None:
    if not path.exists() or not (size := path.stat().st_size):
        return
    with path.open("rb+") as file:
        whole = size
        while whole:
            begin = max(0, whole - _LOOKED_AT)
            file.seek(begin)
            at = file.read(whole - begin).rfind(b"\n")
            whole = begin + at + 1
            if at >= 0:
                break
        if whole < size:
            file.truncate(whole)
