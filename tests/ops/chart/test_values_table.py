"""The table of values in the chart's README is the one that is made from values.yaml."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.ops.chart.rendered import CHART
from tests.ops.fetched import NODE_MODULES, tool

GENERATOR = NODE_MODULES / ".bin" / "readme-generator"


def generated(folder: Path) -> str:
    """The README with a table that was made anew; the chart's own is not touched."""
    tool("node")
    if not GENERATOR.exists():
        pytest.fail("readme-generator is not here: `make ops-tools` fetches it")
    for name in ("values.yaml", "README.md"):
        shutil.copyfile(CHART / name, folder / name)
    done = subprocess.run(
        [str(GENERATOR), "-v", str(folder / "values.yaml"), "-r", str(folder / "README.md")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "README.md").read_text(encoding="utf-8")


def test_the_table_is_made_from_the_values(tmp_path: Path) -> None:
    table = generated(tmp_path)
    assert table == (CHART / "README.md").read_text(encoding="utf-8"), (
        "run: readme-generator -v helm/afterguard/values.yaml -r helm/afterguard/README.md"
    )
    assert "| `kafka.bootstrapServers` " in table
