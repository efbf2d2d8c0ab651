"""What is heavy is imported where it is used, and the broker's client in one place alone."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house.source import MODULES, PACKAGE, named

HEAVY = (
    "accelerate",
    "confluent_kafka",
    "gguf",
    "jinja2",
    "matplotlib",
    "noida_db",
    "numpy",
    "onnxruntime",
    "openai",
    "openai_harmony",
    "scipy",
    "sklearn",
    "tokenizers",
    "torch",
    "transformers",
    "vllm",
    "xgrammar",
)


@pytest.mark.parametrize(
    "module",
    ["afterguard.cli.main", "afterguard.cli.evaluate", "afterguard.app", "afterguard.settings"],
)
def test_a_command_starts_without_engines_and_extras(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & set(HEAVY)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def test_only_stream_kafka_knows_the_broker_s_client() -> None:
    users = [path for path in MODULES if "aiokafka" in roots(path)]
    assert users
    assert not [named(it) for it in users if not it.is_relative_to(PACKAGE / "stream" / "kafka")]


def test_nothing_of_the_tests_or_benchmarks_is_part_of_the_product() -> None:
    foreign = {"tests", "benchmarks", "pytest", "hypothesis"}
    assert not [named(path) for path in MODULES if roots(path) & foreign]
