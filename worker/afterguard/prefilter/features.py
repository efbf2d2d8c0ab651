"""Features of texts: the encoder's vectors, and counts of words and of pieces of words.

Counts are hashed, so there is no vocabulary to keep. A long text is several windows, each with
features of its own; the text is as bad as its worst window.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from afterguard.prefilter.encoder import Encoder, Vectors

BUCKETS: Final = 2**18

Floats = NDArray[np.float64]


class Features(NamedTuple):
    """What a classifier reads of some texts; a row for each window.

    Attributes:
        owner: Rising: to which of the texts a window belongs.
        texts: How many there are; each has at least one window.
        vectors: Of the encoder.
        words: Counts of words and pairs of words, sparse.
        chars: Counts of pieces of words, 2 to 5 characters, sparse.
    """

    owner: NDArray[np.intp]
    texts: int
    vectors: Vectors
    words: Any
    chars: Any

    def of(self, chosen: NDArray[np.intp]) -> "Features":
        """The features of some of the texts, by their rising numbers."""
        rows = np.flatnonzero(np.isin(self.owner, chosen))
        owner = np.searchsorted(chosen, self.owner[rows])
        return Features(owner, len(chosen), self.vectors[rows], self.words[rows], self.chars[rows])


def features_of(
    windows: Sequence[Sequence[str]],
    encoder: Encoder,
    progress: Callable[[int], None] = lambda _: None,
) -> Features:
    """The features of texts that were cut into windows.

    Args:
        windows: Of each text, at least one.
        encoder: Of the same classifier.
        progress: Told how many texts are done.
    """
    vectors = []
    for done, pieces in enumerate(windows, start=1):
        vectors.append(encoder.encode(list(pieces)))
        progress(done)
    flat = [piece for pieces in windows for piece in pieces]
    owner = np.repeat(np.arange(len(windows)), [len(pieces) for pieces in windows])
    return Features(owner, len(windows), np.vstack(vectors), _words(flat), _chars(flat))


def worst(owner: NDArray[np.intp], texts: int, values: Floats) -> Floats:
    """The highest value of each text's windows."""
    starts = np.searchsorted(owner, np.arange(texts))
    highest: Floats = np.maximum.reduceat(values, starts)
    return highest


def _words(texts: list[str]) -> Any:  # noqa: ANN401 (scipy ships no types)
    return _counts(texts, analyzer="word", ngram_range=(1, 2))


def _chars(texts: list[str]) -> Any:  # noqa: ANN401
    return _counts(texts, analyzer="char_wb", ngram_range=(2, 5))


def _counts(texts: list[str], **how: Any) -> Any:  # noqa: ANN401
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415 (an extra)

    hashing = HashingVectorizer(n_features=BUCKETS, alternate_sign=False, norm=None, **how)
    counts = hashing.transform(texts)
    # The fifth time a word says less than the first.
    counts.data = 1.0 + np.log(counts.data)
    return counts
