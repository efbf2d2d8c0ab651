"""A module is named after its one idea; a drawer is named after nothing."""

from pathlib import Path

from tests.house.source import ALL_PYTHON, ROOT, named

DRAWERS = {
    "base",
    "common",
    "core",
    "helper",
    "helpers",
    "lib",
    "manager",
    "misc",
    "shared",
    "stuff",
    "tools",
    "util",
    "utils",
}


def words(path: Path) -> set[str]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return {word for part in parts for word in part.split("_")}


def test_no_module_and_no_folder_is_a_drawer() -> None:
    assert not [named(path) for path in ALL_PYTHON if words(path) & DRAWERS]


def test_a_drawer_would_be_found() -> None:
    assert words(ROOT / "worker" / "afterguard" / "text_utils.py") & DRAWERS
