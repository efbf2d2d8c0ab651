"""A text is read whole, and scored alike in any company."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.prefilter.rows import rows

from afterguard.prefilter.artefact import MODEL_FILE, TOKENIZER_FILE, Artefact
from afterguard.prefilter.classifier import Classifier, load_classifier
from afterguard.prefilter.encoder import Encoder
from afterguard.prefilter.scoring import Task, score_all


@pytest.fixture(scope="session")
def classifier(fitted: Artefact) -> Classifier:
    return load_classifier(fitted)


@pytest.fixture(scope="session")
def encoder(fitted: Artefact) -> Encoder:
    return Encoder(fitted.part(MODEL_FILE), fitted.part(TOKENIZER_FILE))


letters = st.text(alphabet="ab é漢\u200b😀\n", min_size=1, max_size=30)


@settings(max_examples=60)
@given(letters, st.integers(1, 400))
def test_windows_hold_all_of_a_text_in_its_order(encoder: Encoder, piece: str, times: int) -> None:
    text = piece * times
    windows = encoder.windows(text)
    assert windows is not None
    at = 0
    for window in windows:
        found = text.rfind(window, 0, at + len(window))
        assert 0 <= found <= at
        at = max(at, found + len(window))
    assert at == len(text)


def test_a_word_without_an_end_is_cut_too(encoder: Encoder) -> None:
    windows = encoder.windows("x" * 9_000) or []
    assert "".join(windows) == "x" * 9_000
    assert len(windows) == 5


def test_a_text_beyond_all_windows_is_not_read(encoder: Encoder) -> None:
    assert encoder.windows("a word " * 6_000) is None
    assert encoder.windows("x" * 200_000) is None


def test_a_long_harmless_beginning_hides_no_end(classifier: Classifier) -> None:
    talk = "shall we meet at the library at noon, and see you at the park. " * 60
    pitch = "buy cheap followers today for half the price, click the link. " * 12
    harmless, hidden = classifier.score([talk, f"{talk}{pitch}"])
    assert harmless is not None
    assert hidden is not None
    assert hidden > 0.5 > harmless


def test_a_score_does_not_depend_on_who_is_scored_with_it(classifier: Classifier) -> None:
    texts, _ = rows(12, seed=4)
    texts += [texts[0] * 40, "😀", "   "]
    together = score_all([Task(classifier, text) for text in texts])
    alone = [classifier.score([text])[0] for text in texts]
    assert together == alone


def test_a_text_that_is_too_long_has_no_score_and_takes_none_from_others(
    classifier: Classifier,
) -> None:
    first, second = score_all([Task(classifier, "x" * 200_000), Task(classifier, "hello")])
    assert first is None
    assert second is not None
    assert score_all([Task(classifier, "x" * 200_000)]) == [None]
