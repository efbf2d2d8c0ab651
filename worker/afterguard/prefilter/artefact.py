"""A fitted classifier on disk: one folder with all that it takes, each part known by its hash.

JSON, npz and ONNX; nothing in it can run code when it is read.
"""

import os
import shutil
from collections.abc import Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, NamedTuple

import orjson
from pydantic import ValidationError

from afterguard.contracts.errors import SettingsError
from afterguard.prefilter.card import CARD_FILE, FORM, Card

WEIGHTS_FILE: Final = "weights.npz"
MODEL_FILE: Final = "encoder.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"
PARTS: Final = (WEIGHTS_FILE, MODEL_FILE, TOKENIZER_FILE)

_SHOWN: Final = 16


class Artefact(NamedTuple):
    """The folder of a classifier, found to be whole.

    Attributes:
        folder: Where it stands.
        card: What it says.
    """

    folder: Path
    card: Card

    def part(self, name: str) -> Path:
        """The path of one of its files."""
        return self.folder / name


class Damaged(Exception):
    """A folder that is no whole classifier; the message says what is wrong and where."""


def read_artefact(folder: Path) -> Artefact:
    """The classifier of a folder, every part of it compared with its hash.

    Raises:
        Damaged: It is missing, of another form, or not what was fitted.
    """
    path = folder / CARD_FILE
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Damaged(
            f"{path}: cannot be read: {error.strerror}; `afterguard prefilter fit` makes it"
        ) from None
    try:
        fields = orjson.loads(raw)
        form = fields.get("form") if isinstance(fields, dict) else None
        if form != FORM:
            raise Damaged(f"{path}: is of form {form!r}; this version reads form {FORM}")
        card = Card.model_validate(fields)
    except orjson.JSONDecodeError:
        raise Damaged(f"{path}: is not JSON") from None
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(step) for step in fault["loc"])
        raise Damaged(f"{path}: {field}: {fault['msg']}") from None
    if card.version != version_of(card):
        raise Damaged(f"{path}: version: was changed after it was fitted")
    if card.name != folder.name:
        raise Damaged(f"{path}: name: is {card.name}, in a folder {folder.name}")
    if set(card.parts) != set(PARTS):
        raise Damaged(f"{path}: parts: must be {', '.join(PARTS)}")
    for name, digest in card.parts.items():
        if digest_of(folder / name) != digest:
            raise Damaged(f"{folder / name}: is not the file that was fitted")
    return Artefact(folder, card)


def write_artefact(card: Card, parts: Mapping[str, Path | bytes], directory: Path) -> Artefact:
    """Write a classifier, whole or not at all; one of the same name is replaced.

    A folder cannot be exchanged in one step: who is killed between two leaves the old one under a
    hidden name beside it.

    Args:
        card: Its hashes and version are set here.
        parts: The other files, as bytes or as the path of a copy.
        directory: Holds a folder for each name.

    Raises:
        SettingsError: It cannot be written there.
    """
    folder = directory / card.name
    try:
        directory.mkdir(parents=True, exist_ok=True)
        beside = Path(mkdtemp(prefix=f".{card.name}.", dir=directory))
        try:
            for name, part in parts.items():
                if isinstance(part, bytes):
                    (beside / name).write_bytes(part)
                else:
                    shutil.copyfile(part, beside / name)
            hashed = card.model_copy(
                update={"parts": {name: digest_of(beside / name) for name in parts}}
            )
            final = hashed.model_copy(update={"version": version_of(hashed)})
            (beside / CARD_FILE).write_bytes(_json(final, orjson.OPT_INDENT_2))
            beside.chmod(0o755)
            _put_in_place(beside, folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise SettingsError([f"{folder}: cannot be written: {error.strerror}"]) from None
    return Artefact(folder, final)


def _put_in_place(beside: Path, folder: Path) -> None:
    """Move a folder to its name; what was there goes, or stays when that fails."""
    if not folder.exists():
        beside.rename(folder)
        return
    old = Path(mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    folder.rename(old / folder.name)
    try:
        beside.rename(folder)
    except OSError:
        (old / folder.name).rename(folder)
        raise
    finally:
        shutil.rmtree(old)


def version_of(card: Card) -> str:
    """What a card must have as its version: a hash over all that it says, parts included."""
    said = _json(card.model_copy(update={"version": ""}), orjson.OPT_SORT_KEYS)
    return sha256(said).hexdigest()[:_SHOWN]


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes; empty when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def exists(name: str, directory: Path) -> bool:
    """Whether there is anything of this name."""
    return os.path.lexists(directory / name)


def _json(card: Card, option: int) -> bytes:
    return orjson.dumps(card.model_dump(mode="json"), option=option) + b"\n"
