"""Afterguard: messages flow untouched; a moment later each one has been judged."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("afterguard")
except PackageNotFoundError:
    __version__ = "0+unknown"

__all__ = ["__version__"]
