"""A secret from a setting or from a file, as Kubernetes mounts it."""

from pathlib import Path

from pydantic import SecretStr

from afterguard.contracts.errors import SettingsError


def secret(value: SecretStr | None, file: Path | None, setting: str) -> str | None:
    """The secret that one of two settings gives; None where neither does.

    Args:
        value: The secret itself.
        file: A file that holds it. Read anew at each call; one line end after it is no part of it.
        setting: Name of the setting of `value`; that of `file` is the same with `_file` behind it.

    Raises:
        SettingsError: Both are given, or the file cannot be read or is empty.
    """
    if value is not None and file is not None:
        raise SettingsError([f"{setting} and {setting}_file: give one of the two"])
    if file is not None:
        return read_secret(file, f"{setting}_file")
    return value.get_secret_value() if value is not None else None


def read_secret(file: Path, setting: str) -> str:
    """The secret that a file holds.

    Args:
        file: Where it is.
        setting: Name of the setting that names the file.

    Raises:
        SettingsError: The file cannot be read, is empty or holds no text.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError([f"{setting}: {file} cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        # The error's own text quotes the bytes.
        raise SettingsError([f"{setting}: {file} is not UTF-8"]) from None
    # `echo` and most editors end a file with a line end, and nobody means it as a part.
    found = text.removesuffix("\n").removesuffix("\r")
    if not found:
        raise SettingsError([f"{setting}: {file} is empty"])
    return found
