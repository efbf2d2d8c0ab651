"""The AsyncAPI document passes the reference parser, without a single diagnostic of weight."""

import json
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from platformdirs import user_cache_path
from tests.conftest import missing

from afterguard.contracts.asyncapi_document import document_text

HERE = Path(__file__).parent / "asyncapi"
ERROR = 0
# A hint that 3.1 exists; 3.0 is what most tools read.
EXPECTED = {"asyncapi-latest-version"}


def modules() -> Path:
    """The folder of the installed parser: in a cache outside the repository, by lock file."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        missing("node with npm")
        raise AssertionError
    lock = (HERE / "package-lock.json").read_bytes()
    root = os.environ.get("AFTERGUARD_CACHE") or user_cache_path("afterguard")
    folder = Path(root) / "asyncapi-parser" / sha256(lock).hexdigest()[:16]
    if (folder / "installed").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        (folder / name).write_bytes((HERE / name).read_bytes())
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    if done.returncode:
        missing(f"@asyncapi/parser (npm ci: {done.stderr.strip()[-300:]})")
    (folder / "installed").touch()
    return folder


def parsed(text: str, folder: Path) -> dict[str, Any]:
    """What the parser finds in a document."""
    file = folder / f"document-{os.getpid()}.yaml"
    file.write_text(text, encoding="utf-8")
    command = ["node", str(HERE / "check.mjs"), str(folder), str(file)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    finally:
        file.unlink()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def parser() -> Path:
    """The installed parser."""
    return modules()


@pytest.mark.slow
def test_the_document_is_valid_and_says_who_does_what(parser: Path) -> None:
    found = parsed(document_text(), parser)
    amiss = [it for it in found["diagnostics"] if it["code"] not in EXPECTED]
    assert amiss == []
    assert found["operations"] == {
        "judgeChatEvents": {"action": "receive", "topics": ["chat.events"]},
        "askForInterventions": {"action": "send", "topics": ["moderation.interventions"]},
        "recordVerdicts": {"action": "send", "topics": ["moderation.audit"]},
        "setAsideDeadLetters": {"action": "send", "topics": ["moderation.dead-letters"]},
    }


@pytest.mark.slow
def test_the_parser_would_find_a_fault(parser: Path) -> None:
    """A validator that accepts everything proves nothing."""
    broken = document_text().replace("action: receive", "action: listen")
    assert ERROR in {it["severity"] for it in parsed(broken, parser)["diagnostics"]}
