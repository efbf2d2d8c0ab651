"""The files that the house rules are about."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "worker" / "afterguard"
MODULES = sorted(PACKAGE.rglob("*.py"))
ALL_PYTHON = sorted(
    path for folder in ("worker", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)


def named(path: Path) -> str:
    """The path as a person would write it."""
    return str(path.relative_to(ROOT))
