"""A classifier with the real encoder, fitted once for all tests of this folder."""

from pathlib import Path

import pytest
from tests.conftest import needs_prefilter
from tests.prefilter.rows import rows

from afterguard.prefilter.artefact import Artefact


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    """`sellers`, which tells sellers from others; it bears out 0.95, and not 0.99."""
    needs_prefilter()
    from afterguard.prefilter.fit import Labelled, fit

    folder: Path = tmp_path_factory.mktemp("classifiers")
    texts, violates = rows(300)
    labelled = Labelled(texts, violates, "sells something")
    return fit(labelled, "sellers", folder, targets=(0.95, 0.99), confidence=0.95)
