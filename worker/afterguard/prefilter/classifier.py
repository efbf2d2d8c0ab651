"""A classifier at work: texts to probabilities."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from afterguard.prefilter.artefact import (
    MODEL_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    Artefact,
    Damaged,
)
from afterguard.prefilter.calibration import Platt
from afterguard.prefilter.card import Card
from afterguard.prefilter.encoder import Encoder
from afterguard.prefilter.features import Features, features_of
from afterguard.prefilter.weights import Weights, from_bytes

# Processors differ in the last digits; more than this is another encoder or another hash.
_SAME: Final = 0.02


class Classifier:
    """Scores texts.

    Args:
        card: What it says of itself.
        weights: What was learned.
        encoder: The one that it was fitted with; may be shared by several.
    """

    def __init__(self, card: Card, weights: Weights, encoder: Encoder) -> None:
        self.card, self.encoder = card, encoder
        self._weights = weights
        self._platt = Platt(card.calibration.slope, card.calibration.offset)

    def score(self, texts: Sequence[str]) -> list[float | None]:
        """P(violation) of each text; None for one that is too long to be read.

        A text has the same score whoever is scored with it.
        """
        windows = [self.encoder.windows(text) for text in texts]
        read = [it for it in windows if it is not None]
        scores = iter(self.score_features(features_of(read, self.encoder)) if read else [])
        return [None if it is None else next(scores) for it in windows]

    def score_features(self, features: Features) -> list[float]:
        """P(violation) of texts whose features are known."""
        scores = self._platt.probabilities(self._weights.logits(features))
        if not np.isfinite(scores).all():
            raise ValueError("a score is no number")
        return [float(it) for it in scores]


def load_classifier(
    artefact: Artefact, encoder: Encoder | None = None, *, threads: int = 1
) -> Classifier:
    """The classifier of an artefact, ready and tried.

    Args:
        artefact: Found to be whole.
        encoder: One that was loaded already from files of the same hashes.
        threads: Of the encoder, for one text.

    Raises:
        Damaged: Its parts cannot be read, or score otherwise than where they were fitted.
    """
    try:
        weights = from_bytes(artefact.part(WEIGHTS_FILE).read_bytes())
        if encoder is None:
            files = artefact.part(MODEL_FILE), artefact.part(TOKENIZER_FILE)
            encoder = Encoder(*files, threads=threads)
        classifier = Classifier(artefact.card, weights, encoder)
        probes = artefact.card.probes
        scores = classifier.score([it.text for it in probes])
    except Exception as error:  # the libraries have no common one
        raise Damaged(f"{artefact.folder}: cannot be used: {type(error).__name__}") from error
    for probe, score in zip(probes, scores, strict=True):
        if score is None or abs(score - probe.score) > _SAME:
            raise Damaged(
                f"{artefact.folder}: scores otherwise here than where it was fitted; fit it anew "
                "on this kind of machine, with the packages that are installed"
            )
    return classifier
