"""Whatever is public says what it is for."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.source import MODULES, named

Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Documented]]:
    for node in body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{prefix}{node.name}.")


def silent(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not ast.get_docstring(tree) and path.name != "__main__.py":
        yield named(path)
    yield from (
        f"{named(path)}: {name}" for name, node in public(tree.body) if not ast.get_docstring(node)
    )


def test_every_module_class_and_function_says_what_it_is_for() -> None:
    assert not [name for path in MODULES for name in silent(path)]


def test_a_silent_one_would_be_found() -> None:
    tree = ast.parse("class Loud:\n    'Says.'\n    def mute(self): ...\n")
    assert [name for name, node in public(tree.body) if not ast.get_docstring(node)] == [
        "Loud.mute"
    ]
