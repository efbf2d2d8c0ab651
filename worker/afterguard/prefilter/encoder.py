"""The sentence encoder: windows of a text to vectors, by ONNX and without torch.

Each window is encoded alone. In a batch the int8 model scales its activations over all of it, so
that a text's score would depend on who came with it, and the padding makes it slower as well.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 384

# Short, so that a few bad words are not lost among many harmless ones; measured on the moderation
# set of 2022, windows of twice the length rank no better.
_MOST_TOKENS: Final = 128
_WINDOW: Final = 126
_STEP: Final = 96
# A word that the vocabulary does not know is one token, however long.
_MOST_CHARS: Final = 2_000
_MOST_WINDOWS: Final = 64

Vectors = NDArray[np.float32]


class Encoder:
    """MiniLM, or any encoder of its inputs and width.

    Args:
        model: The ONNX file.
        tokenizer: Its `tokenizer.json`.
        threads: For one window.
    """

    def __init__(self, model: Path, tokenizer: Path, *, threads: int = 1) -> None:
        from onnxruntime import InferenceSession, SessionOptions  # noqa: PLC0415 (an extra)
        from tokenizers import Tokenizer  # noqa: PLC0415 (an extra)

        options = SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session: Any = InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer: Any = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def windows(self, text: str) -> list[str] | None:
        """The text in overlapping pieces that the encoder can read; None when it is too long.

        All of it is in them: a harmless beginning does not hide what comes after.
        """
        if len(text) > _MOST_WINDOWS * _MOST_CHARS:
            return None
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        if len(offsets) <= _WINDOW and len(text) <= _MOST_CHARS:
            return [text]
        pieces: list[str] = []
        for first in range(0, max(1, len(offsets) - _WINDOW + _STEP), _STEP):
            last = first + _WINDOW
            begin = offsets[first][0] if first else 0
            end = offsets[last][0] if last < len(offsets) else len(text)
            pieces += [
                text[at : min(at + _MOST_CHARS, end)] for at in range(begin, end, _MOST_CHARS)
            ]
            if len(pieces) > _MOST_WINDOWS:
                return None
        return pieces

    def encode(self, windows: list[str]) -> Vectors:
        """One vector of length 1 for each window: the mean over its tokens."""
        return np.vstack([self._vector(it) for it in windows])

    def _vector(self, window: str) -> Vectors:
        ids = np.asarray([self._tokenizer.encode(window).ids[:_MOST_TOKENS]], dtype=np.int64)
        hidden = self._session.run(
            None,
            {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "token_type_ids": np.zeros_like(ids),
            },
        )[0]
        mean = hidden[0].mean(axis=0)
        vector: Vectors = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
        return vector
