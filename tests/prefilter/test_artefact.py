"""A classifier on disk: whole or refused, and nothing in it can run code."""

import shutil
from pathlib import Path

import numpy as np
import orjson
import pytest
from tests.house.source import MODULES

from afterguard.contracts.errors import SettingsError
from afterguard.prefilter.artefact import (
    MODEL_FILE,
    PARTS,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    Artefact,
    Damaged,
    exists,
    read_artefact,
    version_of,
    write_artefact,
)
from afterguard.prefilter.card import CARD_FILE, Card
from afterguard.prefilter.classifier import load_classifier
from afterguard.prefilter.weights import Weights, from_bytes, to_bytes


@pytest.fixture
def copy(fitted: Artefact, tmp_path: Path) -> Path:
    """A copy of the classifier that a test may damage."""
    folder = tmp_path / "sellers"
    shutil.copytree(fitted.folder, folder)
    return folder


def change_card(folder: Path, **changes: object) -> None:
    path = folder / CARD_FILE
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | changes))


def refused(folder: Path) -> str:
    with pytest.raises(Damaged) as caught:
        load_classifier(read_artefact(folder))
    return str(caught.value)


def test_what_was_written_is_read_again(fitted: Artefact) -> None:
    again = read_artefact(fitted.folder)
    assert again == fitted
    assert sorted(it.name for it in fitted.folder.iterdir()) == sorted([CARD_FILE, *PARTS])


def test_one_that_cannot_take_its_place_leaves_the_one_before(
    fitted: Artefact, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename

    def broken(path: Path, target: Path) -> Path:
        if target == copy and path.name.startswith("."):
            raise OSError(28, "no space left")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", broken)
    parts = {name: fitted.folder / name for name in PARTS}
    with pytest.raises(SettingsError, match="no space left"):
        write_artefact(fitted.card, parts, copy.parent)
    assert read_artefact(copy).card == fitted.card
    assert [it.name for it in copy.parent.iterdir()] == ["sellers"]


def test_the_card_names_every_hash_and_package(fitted: Artefact) -> None:
    card = fitted.card
    assert set(card.parts) == set(PARTS)
    assert set(card.packages) == {"numpy", "scikit-learn", "onnxruntime", "tokenizers"}
    assert card.version == version_of(card)
    assert card.reference == f"sellers@{card.version}"


@pytest.mark.parametrize("part", PARTS)
def test_one_changed_byte_of_a_part_is_found(copy: Path, part: str) -> None:
    raw = bytearray((copy / part).read_bytes())
    raw[len(raw) // 2] ^= 1
    (copy / part).write_bytes(raw)
    assert f"{copy / part}: is not the file that was fitted" in refused(copy)


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_found(copy: Path, part: str) -> None:
    (copy / part).unlink()
    assert str(copy / part) in refused(copy)


def test_a_promise_that_was_edited_is_found(copy: Path) -> None:
    card = orjson.loads((copy / CARD_FILE).read_bytes())
    card["thresholds"][1]["recall_lower"] = 0.999
    change_card(copy, thresholds=card["thresholds"])
    assert "version: was changed after it was fitted" in refused(copy)


def test_another_form_is_told(copy: Path) -> None:
    change_card(copy, form=2)
    assert "is of form 2; this version reads form 1" in refused(copy)


def test_a_card_with_a_field_missing_names_it(copy: Path) -> None:
    change_card(copy, confidence=None)
    assert "confidence: " in refused(copy)


def test_a_card_that_is_no_json_is_told(copy: Path) -> None:
    (copy / CARD_FILE).write_bytes(b"{")
    assert "is not JSON" in refused(copy)


def test_a_folder_under_another_name_is_refused(copy: Path) -> None:
    other = copy.rename(copy.parent / "spammers")
    assert "name: is sellers, in a folder spammers" in refused(other)


def test_a_folder_that_is_not_there_says_what_makes_one(tmp_path: Path) -> None:
    assert "`afterguard prefilter fit` makes it" in refused(tmp_path / "nothing")


def rewritten(fitted: Artefact, folder: Path, **changes: object) -> Path:
    """The classifier with another card, as somebody would write it who can count hashes."""
    card = Card.model_validate(fitted.card.model_dump() | changes)
    parts: dict[str, Path | bytes] = {name: fitted.part(name) for name in PARTS}
    return write_artefact(card, parts, folder).folder


def test_a_classifier_that_scores_otherwise_here_is_refused(
    fitted: Artefact, tmp_path: Path
) -> None:
    probes = [it.model_dump() | {"score": 1 - it.score} for it in fitted.card.probes]
    folder = rewritten(fitted, tmp_path, probes=probes)
    assert "scores otherwise here than where it was fitted" in refused(folder)


def test_a_second_one_of_the_same_name_takes_the_first_one_s_place(
    fitted: Artefact, tmp_path: Path
) -> None:
    rewritten(fitted, tmp_path)
    folder = rewritten(fitted, tmp_path, confidence=0.9)
    assert read_artefact(folder).card.confidence == 0.9
    assert [it.name for it in tmp_path.iterdir()] == ["sellers"]
    assert exists("sellers", tmp_path)


def test_weights_come_back_as_they_were(fitted: Artefact) -> None:
    weights = from_bytes(fitted.part(WEIGHTS_FILE).read_bytes())
    again = from_bytes(to_bytes(weights))
    assert all(np.array_equal(one, other) for one, other in zip(weights, again, strict=True))


def changed(weights: Weights, **arrays: np.ndarray) -> bytes:
    return to_bytes(weights._replace(**arrays))


def test_weights_of_another_form_are_refused(fitted: Artefact) -> None:
    weights = from_bytes(fitted.part(WEIGHTS_FILE).read_bytes())
    pickled = np.asarray([{"a": 1}, {"b": 2}], dtype=object)
    faulty = [
        b"no archive",
        changed(weights, offsets=weights.offsets[:1]),
        changed(weights, offsets=weights.offsets.astype(np.float64)),
        changed(weights, offsets=np.asarray([np.nan, 0], dtype=np.float32)),
        changed(weights, offsets=pickled),
    ]
    for raw in faulty:
        with pytest.raises(ValueError):
            from_bytes(raw)


def test_no_module_reads_a_pickle() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in MODULES}
    words = ("import pickle", "import joblib", "from joblib", "import dill", "allow_pickle=True")
    assert not [path for path, text in sources.items() if any(word in text for word in words)]


def test_model_and_tokenizer_are_copies_of_their_own(fitted: Artefact) -> None:
    assert not fitted.part(MODEL_FILE).is_symlink()
    assert not fitted.part(TOKENIZER_FILE).is_symlink()
