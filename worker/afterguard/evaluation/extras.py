"""The packages that measuring needs; a worker has none of them."""

from importlib.util import find_spec
from typing import Final

from afterguard.contracts.errors import SettingsError

_PACKAGES: Final = ("numpy", "sklearn", "scipy", "matplotlib", "jinja2")


def require_eval() -> None:
    """Say what to install when a package is missing.

    Raises:
        SettingsError: One is.
    """
    if missing := [it for it in _PACKAGES if find_spec(it) is None]:
        raise SettingsError(
            [f"not installed: {', '.join(missing)}; pip install 'afterguard[eval]'"]
        )
