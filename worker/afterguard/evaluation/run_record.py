"""The record of a run: what was judged, by what and how, so that it can be gone on with and read.

A run is resumed only when nothing that could change a figure has changed; else its results would be
of two minds.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from afterguard import __version__
from afterguard.contracts.errors import SettingsError
from afterguard.contracts.policies import Policy
from afterguard.evaluation.datasets import DataSet
from afterguard.policy.calibration import calibration_folder
from afterguard.policy.whole_file import write_whole
from afterguard.settings import Settings

RECORD: Final = "run.json"
# Neither the place of a file nor the time of a run changes what comes out.
_CHANGES_NOTHING: Final = frozenset(
    {"began_at", "path", "seconds", "timed_rows", "afterguard", "bad_rows", "embedded"}
)

Prompt = Literal["per_policy", "combined"]


class PolicyRecord(BaseModel):
    """A policy of a run."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    version: str
    title: str
    effort: str
    threshold: float
    uncertain: tuple[float, float] | None = None
    rules: tuple[str, ...] = ()
    judge: str = "model"
    classifier: str | None = Field(default=None, description="Its own, or that of its prefilter.")
    classifier_sha256: str | None = Field(default=None, description="Of what was fitted.")
    calibration_sha256: str | None = Field(default=None, description="Of what scores go through.")


class BadRowRecord(BaseModel):
    """A row that could not be used."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    file: str
    line: int
    reason: str


class DataRecord(BaseModel):
    """A data set of a run."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    path: str
    form: str
    sha256: str
    usable: int = Field(description="Rows with a label for at least one policy of the run.")
    chosen: int = Field(description="Rows that are judged, after limit and sample.")
    unlabelled: int
    bad: int
    bad_rows: tuple[BadRowRecord, ...] = ()
    labels: dict[str, str] = {}
    ignored: tuple[str, ...] = ()


class EngineRecord(BaseModel):
    """What judged; no address and no secret."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: str
    model: str
    format: str
    structured: bool
    temperature: float
    max_model_len: int
    max_content_tokens: int
    reasoning_max_tokens: dict[str, int]
    args_sha256: str


class RunRecord(BaseModel):
    """What was judged, by what and how."""

    model_config = ConfigDict(extra="ignore")

    afterguard: str = __version__
    began_at: datetime
    policies: tuple[PolicyRecord, ...]
    data: tuple[DataRecord, ...]
    engine: EngineRecord
    judges: tuple[str, ...]
    prompt: Prompt
    limit: int | None = None
    sample: int | None = None
    unlabelled_too: bool = False
    embedded: bool = Field(default=False, description="Whether the demo's model judged.")
    seconds: float = Field(default=0.0, description="Of judging, all sittings together.")
    timed_rows: int = Field(default=0, description="Rows that were judged in these seconds.")


def record_of(
    settings: Settings,
    policies: Sequence[Policy],
    data: Sequence[tuple[DataSet, int]],
    *,
    judges: Sequence[str],
    limit: int | None,
    sample: int | None,
    unlabelled_too: bool,
    embedded: bool,
) -> RunRecord:
    """The record of a run that is about to begin.

    Args:
        settings: `engine` and `judging` as they are used.
        policies: As they are used.
        data: Each set with the number of its rows that are judged.
        judges: `model`, `classifier` or both.
        limit: Rows of each set at most.
        sample: Seed of the sample; None for the first rows.
        unlabelled_too: Whether pairs without a label are judged, too.
        embedded: Whether the demo's model judges.
    """
    engine = settings.engine
    return RunRecord(
        began_at=datetime.now(UTC),
        policies=tuple(_policy_record(it, settings) for it in policies),
        data=tuple(_data_record(it, chosen) for it, chosen in data),
        engine=EngineRecord(
            kind=engine.kind,
            model="null" if engine.kind == "null" else engine.model_name or engine.model,
            format=engine.format,
            structured=engine.structured,
            temperature=engine.temperature,
            max_model_len=engine.max_model_len,
            max_content_tokens=engine.max_content_tokens,
            reasoning_max_tokens={k.value: v for k, v in engine.reasoning_max_tokens.items()},
            # They may hold a token for a hub.
            args_sha256=sha256(orjson.dumps(engine.args, option=_SORTED, default=str)).hexdigest(),
        ),
        judges=tuple(judges),
        prompt=settings.judging.prompt,
        limit=limit,
        sample=sample,
        unlabelled_too=unlabelled_too,
        embedded=embedded,
    )


def differences(before: RunRecord, now: RunRecord) -> list[str]:
    """What differs so that results of both may not be mixed, each as `field: before -> now`."""
    found: list[str] = []
    _differ("", before.model_dump(mode="json"), now.model_dump(mode="json"), found)
    return found


def save_record(folder: Path, record: RunRecord) -> None:
    """Write the record, whole or not at all.

    Raises:
        SettingsError: It cannot be written.
    """
    write_file(folder / RECORD, orjson.dumps(record.model_dump(mode="json"), option=_INDENTED))


def read_record(folder: Path) -> RunRecord | None:
    """The record of a run; None when the folder holds none.

    Raises:
        SettingsError: It cannot be read.
    """
    path = folder / RECORD
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no record of a run"
        raise SettingsError([f"{path}: {why}"]) from None


def write_file(path: Path, content: bytes) -> None:
    """Write a file of a run so that it is there whole or not at all.

    Raises:
        SettingsError: It cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror}"]) from None


_SORTED: Final = orjson.OPT_SORT_KEYS
_INDENTED: Final = orjson.OPT_INDENT_2


def _policy_record(policy: Policy, settings: Settings) -> PolicyRecord:
    named = policy.classifier.name if policy.classifier else None
    classifier = named or (policy.prefilter.classifier if policy.prefilter else None)
    fitted = calibration_folder(settings.policies)
    return PolicyRecord(
        id=policy.id,
        version=policy.version,
        title=policy.title,
        effort=policy.effort.value,
        threshold=policy.threshold,
        uncertain=policy.uncertain,
        rules=tuple(rule.id for rule in policy.rules),
        judge=policy.judge.value,
        classifier=classifier,
        classifier_sha256=_sha256(settings.prefilter.directory / classifier)
        if classifier
        else None,
        calibration_sha256=_sha256(fitted / f"{policy.id}.json") if fitted else None,
    )


def _sha256(path: Path) -> str | None:
    """Of a file, or of all files of a folder; None when there is none."""
    files = [path] if path.is_file() else sorted(it for it in path.rglob("*") if it.is_file())
    if not files:
        return None
    digest = sha256()
    for file in files:
        digest.update(sha256(file.name.encode()).digest() + sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _data_record(data: DataSet, chosen: int) -> DataRecord:
    return DataRecord(
        name=data.name,
        path=str(data.path),
        form=data.form.value,
        sha256=data.sha256,
        usable=len(data.rows),
        chosen=chosen,
        unlabelled=data.unlabelled,
        bad=len(data.bad),
        bad_rows=tuple(
            BadRowRecord(file=it.file, line=it.line, reason=it.reason) for it in data.bad
        ),
        labels=dict(data.labels),
        ignored=data.ignored,
    )


def _differ(place: str, before: Any, now: Any, found: list[str]) -> None:  # noqa: ANN401
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys([*before, *now]):
            if name not in _CHANGES_NOTHING:
                inner = f"{place}.{name}" if place else name
                _differ(inner, before.get(name), now.get(name), found)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (one, other) in enumerate(zip(before, now, strict=True)):
            _differ(f"{place}.{number}", one, other, found)
    elif before != now:
        found.append(f"{place}: {_short(before)} -> {_short(now)}")


def _short(value: object) -> str:
    if isinstance(value, list):
        named = [it.get("id") or it.get("name") for it in value if isinstance(it, dict)]
        return ", ".join(str(it) for it in named or value) or "none"
    return str(value)[:80]
