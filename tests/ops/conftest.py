"""Everything below is marked `ops`: `make test-ops` runs it, `make test` does not."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import needs_prefilter
from tests.ops.dashboards.live import Live, live

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in this folder."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.ops)


@pytest.fixture(scope="session", name="live")
def _live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Prometheus and what it saw of two workers under load; takes two minutes, once."""
    needs_prefilter()
    # A runner of its own: the services outlive the loops of single tests, and die with this thread.
    with asyncio.Runner() as runner:
        scene = live(tmp_path_factory.mktemp("live"))
        yield runner.run(scene.__aenter__())
        runner.run(scene.__aexit__(None, None, None))
