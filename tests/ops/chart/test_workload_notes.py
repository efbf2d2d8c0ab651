"""What Helm prints after an install: the next commands, with the values that were chosen."""

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.ops.chart.rendered import CHART, HELMS, Helm, minimal, only, render

pytestmark = pytest.mark.parametrize("helm", HELMS)

# Helm prints notes when it installs, for which Helm 3 wants a cluster: they are made a document.
SHOWN = """\
kind: Notes
metadata: {name: notes}
text: |
  {{- tpl (.Files.Get "NOTES.txt") . | nindent 2 }}
"""


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the chart that shows its notes."""
    copy = tmp_path_factory.mktemp("chart") / "afterguard"
    shutil.copytree(CHART, copy)
    (copy / "templates/NOTES.txt").rename(copy / "NOTES.txt")
    (copy / "templates/shown.yaml").write_text(SHOWN, encoding="utf-8")
    return copy


def notes(chart: Path, values: dict[str, Any], helm: Helm) -> str:
    """What is printed for these values, over the least ones."""
    documents = render(minimal(values), helm=helm, chart=chart, name="guard", namespace="safety")
    text: str = only(documents, "Notes")["text"]
    return text


def test_the_next_commands_carry_what_was_chosen(chart: Path, helm: Helm) -> None:
    told = notes(chart, {"http": {"port": 9200}, "kafka": {"groupId": "second"}}, helm)
    commands = [it.strip() for it in told.splitlines() if it.startswith(("  kubectl", "  helm"))]
    assert len(commands) >= 5
    assert all(shlex.split(it)[1:3] == ["-n", "safety"] for it in commands)
    assert any("deploy/guard-afterguard 9200" in it for it in commands)
    assert any(it.startswith("helm -n safety test guard") for it in commands)
    assert "of group second" in told


def test_topics_are_asked_for_unless_the_release_makes_them(chart: Path, helm: Helm) -> None:
    assert "topics.createJob.enabled=true" in notes(chart, {}, helm)
    assert "topics.createJob" not in notes(
        chart, {"topics": {"createJob": {"enabled": True}}}, helm
    )


def test_more_workers_than_new_topics_have_partitions_are_remarked(chart: Path, helm: Helm) -> None:
    assert "13 workers: new topics" in notes(chart, {"replicaCount": 13}, helm)
    assert "workers: new topics" not in notes(
        chart, {"replicaCount": 13, "topics": {"partitions": 13}}, helm
    )


def test_what_is_for_trials_is_remarked(chart: Path, helm: Helm) -> None:
    told = notes(chart, {}, helm)
    assert "No Redis" in told
    assert "downloads the model" in told
    better = {"redis": {"url": "redis://valkey:6379/0"}, "model": {"cache": {"type": "newClaim"}}}
    told = notes(chart, better, helm)
    assert "No Redis" not in told
    assert "downloads the model" not in told
