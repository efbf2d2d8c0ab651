"""Weights: two logistic regressions side by side, whose logits are averaged."""

import io
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from afterguard.prefilter.encoder import WIDTH
from afterguard.prefilter.features import BUCKETS, Features, Floats, worst

_C_VECTORS: Final = 1.0
_C_TERMS: Final = 10.0
_SHAPES: Final = {
    "vector_weights": (WIDTH,),
    "word_idf": (BUCKETS,),
    "word_weights": (BUCKETS,),
    "char_idf": (BUCKETS,),
    "char_weights": (BUCKETS,),
    "offsets": (2,),
}


class Weights(NamedTuple):
    """Everything that was learned, but for the calibration.

    Attributes:
        vector_weights: Of the encoder's vector.
        word_idf: How rare each bucket of words is.
        word_weights: Of each bucket of words.
        char_idf: How rare each bucket of pieces is.
        char_weights: Of each bucket of pieces.
        offsets: Of the regression on vectors, and of that on counts.
    """

    vector_weights: NDArray[np.float32]
    word_idf: NDArray[np.float32]
    word_weights: NDArray[np.float32]
    char_idf: NDArray[np.float32]
    char_weights: NDArray[np.float32]
    offsets: NDArray[np.float32]

    def logits(self, features: Features) -> Floats:
        """One logit for each text: that of its worst window."""
        # Row by row: a matrix product adds in another order with other rows beside.
        by_vector = (features.vectors * self.vector_weights).sum(axis=1) + self.offsets[0]
        words = _scaled(features.words, self.word_idf) @ self.word_weights
        chars = _scaled(features.chars, self.char_idf) @ self.char_weights
        both = (by_vector + words + chars + self.offsets[1]).astype(np.float64) / 2
        return worst(features.owner, features.texts, both)


def fit_weights(features: Features, violates: NDArray[np.bool_]) -> Weights:
    """The weights that tell these violations from the rest.

    Args:
        features: Of the texts.
        violates: Of each text.
    """
    from scipy import sparse  # noqa: PLC0415 (an extra)

    labels = violates[features.owner]
    # Each text counts once, however many windows it has.
    shares = 1.0 / np.bincount(features.owner)[features.owner]
    word_idf, char_idf = _idf(features.words), _idf(features.chars)
    terms = sparse.hstack(
        [_scaled(features.words, word_idf), _scaled(features.chars, char_idf)], format="csr"
    )
    by_vector, first = _regression(features.vectors, labels, shares, _C_VECTORS)
    # Buckets that nothing falls into get no weight, and cost nothing here.
    filled = np.unique(terms.indices)
    of_filled, second = _regression(terms[:, filled], labels, shares, _C_TERMS)
    by_term = np.zeros(2 * BUCKETS, dtype=np.float32)
    by_term[filled] = of_filled
    return Weights(
        by_vector,
        word_idf,
        by_term[:BUCKETS],
        char_idf,
        by_term[BUCKETS:],
        np.asarray([first, second], dtype=np.float32),
    )


def to_bytes(weights: Weights) -> bytes:
    """The weights as an npz file; no pickle is in it."""
    file = io.BytesIO()
    np.savez_compressed(file, **weights._asdict())
    return file.getvalue()


def from_bytes(raw: bytes) -> Weights:
    """The weights of an npz file.

    Raises:
        ValueError: It is no such file, or holds other arrays.
    """
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (BadZipFile, OSError, EOFError, KeyError) as error:
        raise ValueError("is no npz file") from error
    for name, shape in _SHAPES.items():
        array = arrays.get(name)
        if array is None or array.shape != shape or array.dtype != np.float32:
            raise ValueError(f"{name} is missing or of another form")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds what is no number")
    return Weights(**{name: arrays[name] for name in _SHAPES})


def _idf(counts: Any) -> NDArray[np.float32]:  # noqa: ANN401 (scipy ships no types)
    windows = counts.shape[0]
    having = np.bincount(counts.indices, minlength=BUCKETS)
    rarity: NDArray[np.float32] = (np.log((1 + windows) / (1 + having)) + 1).astype(np.float32)
    return rarity


def _scaled(counts: Any, idf: NDArray[np.float32]) -> Any:  # noqa: ANN401
    """Counts times rarity, each row of length 1."""
    from sklearn.preprocessing import normalize  # noqa: PLC0415 (an extra)

    scaled = counts.copy()
    scaled.data = (scaled.data * idf[scaled.indices]).astype(np.float64)
    return normalize(scaled, copy=False)


def _regression(
    rows: Any,  # noqa: ANN401
    labels: NDArray[np.bool_],
    shares: Floats,
    strength: float,
) -> tuple[NDArray[np.float32], float]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (an extra)

    fitted = LogisticRegression(C=strength, solver="liblinear", random_state=0).fit(
        rows, labels, sample_weight=shares
    )
    return fitted.coef_[0].astype(np.float32), float(fitted.intercept_[0])
