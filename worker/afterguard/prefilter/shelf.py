"""The shelf: classifiers by name, each read, checked and loaded once."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import Policy
from afterguard.prefilter.extra import require_extra
from afterguard.prefilter.terms import Terms, terms_of, wanted

if TYPE_CHECKING:
    from afterguard.prefilter.classifier import Classifier
    from afterguard.prefilter.encoder import Encoder


class Shelf:
    """The classifiers of a folder. Its calls read files and take moments: not for the event loop.

    A classifier that was loaded stays as it is until the worker ends, whatever becomes of its
    folder.

    Args:
        directory: Holds a folder for each name.
        threads: Of the encoder, for one text.
    """

    def __init__(self, directory: Path, *, threads: int = 1) -> None:
        self._directory, self._threads = directory, threads
        self._classifiers: dict[str, Classifier] = {}
        self._encoders: dict[tuple[str, str], Encoder] = {}
        self._lock = Lock()

    def take(self, policy: Policy) -> tuple[Classifier, Terms] | None:
        """The classifier of a policy, and its terms; None for a policy that wants none.

        Raises:
            PolicyError: It is missing, damaged, or bears out less than the policy wants.
            SettingsError: A package is not installed.
        """
        if (asked := wanted(policy)) is None:
            return None
        name, field = asked
        require_extra()
        from afterguard.prefilter.artefact import Damaged  # noqa: PLC0415 (an extra)

        with self._lock:
            try:
                classifier = self._classifiers.get(name) or self._load(name)
            except Damaged as error:
                raise PolicyError(str(error), field=field) from None
        return classifier, terms_of(policy, classifier.card)

    def _load(self, name: str) -> Classifier:
        from afterguard.prefilter.artefact import (  # noqa: PLC0415 (an extra)
            MODEL_FILE,
            TOKENIZER_FILE,
            read_artefact,
        )
        from afterguard.prefilter.classifier import load_classifier  # noqa: PLC0415 (an extra)

        artefact = read_artefact(self._directory / name)
        # Policies with classifiers of their own mostly share the encoder, and then its work.
        parts = artefact.card.parts
        files = parts[MODEL_FILE], parts[TOKENIZER_FILE]
        classifier = load_classifier(artefact, self._encoders.get(files), threads=self._threads)
        self._encoders[files] = classifier.encoder
        self._classifiers[name] = classifier
        return classifier
