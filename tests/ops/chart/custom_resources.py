"""Custom resources against their definitions, by the types of the npm packages @kubernetes-models.

TypeScript refuses a field that does not exist; the packages' validators refuse what no type can
say, such as a duration that is none. All objects are looked at in one run of each.
"""

import json
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.ops.chart.rendered import Document
from tests.ops.fetched import NODE_MODULES, tool

_KEDA: Final = "@kubernetes-models/keda/keda.sh/v1alpha1"
_PROMETHEUS: Final = "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1"
# Where each kind is described.
KINDS: Final = {
    "PodMonitor": _PROMETHEUS,
    "ServiceMonitor": _PROMETHEUS,
    "PrometheusRule": _PROMETHEUS,
    "ScaledObject": _KEDA,
    "TriggerAuthentication": _KEDA,
}

_VALIDATE: Final = """
import { readFileSync } from "node:fs";
const told = {};
for (const [name, data] of Object.entries(JSON.parse(readFileSync("objects.json", "utf8")))) {
  const kinds = { %(kinds)s };
  try { new kinds[data.kind](data).validate(); } catch (error) { told[name] = error.message; }
}
console.log(JSON.stringify(told));
"""


def faults(objects: Mapping[str, Document]) -> dict[str, list[str]]:
    """What is wrong with each of these, by their names; those that are right are left out."""
    return _faults(json.dumps(objects))


@cache
def _faults(text: str) -> dict[str, list[str]]:
    objects: dict[str, Document] = json.loads(text)
    node = tool("node")
    assert NODE_MODULES.exists(), "node packages are not here: `make ops-tools` fetches them"
    found: dict[str, list[str]] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "node_modules").symlink_to(NODE_MODULES)
        for fault in _by_types(folder, objects), _by_validators(folder, node, objects):
            for which, told in fault.items():
                found.setdefault(which, []).extend(told)
    return found


def _imports(word: str, prefix: str) -> str:
    return "\n".join(
        f'import {word}{{ {prefix}{kind} }} from "{package}/{kind}";'
        for kind, package in KINDS.items()
    )


def _by_types(folder: Path, objects: Mapping[str, Document]) -> dict[str, list[str]]:
    # One line for each object, so that the line of a fault names it.
    head = _imports("type ", "I")
    lines = [
        f"export const o{place}: I{it['kind']} = {json.dumps(it)};"
        for place, it in enumerate(objects.values())
    ]
    (folder / "objects.mts").write_text("\n".join([head, *lines]))
    done = subprocess.run(
        [
            NODE_MODULES / ".bin" / "tsc",
            *("--noEmit", "--strict", "--skipLibCheck", "--pretty", "false"),
            *("--module", "nodenext", "--moduleResolution", "nodenext", "objects.mts"),
        ],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    names, above = list(objects), head.count("\n") + 2
    found: dict[str, list[str]] = {}
    told_at = re.compile(r"^objects\.mts\((\d+),\d+\): error (.*)$", re.MULTILINE)
    for line, told in told_at.findall(done.stdout):
        found.setdefault(names[int(line) - above], []).append(told)
    assert found or done.returncode == 0, done.stdout + done.stderr
    return found


def _by_validators(
    folder: Path, node: Path, objects: Mapping[str, Document]
) -> dict[str, list[str]]:
    (folder / "objects.json").write_text(json.dumps(objects))
    program = _imports("", "") + _VALIDATE % {"kinds": ", ".join(KINDS)}
    (folder / "validate.mjs").write_text(program)
    done = subprocess.run(
        [node, "validate.mjs"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {name: [told] for name, told in json.loads(done.stdout).items()}
