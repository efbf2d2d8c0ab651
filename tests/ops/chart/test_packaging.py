"""The chart as it is checked, packaged, shipped and built into another one."""

import base64
import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.ops.chart.matrix import ALL_ON, VALUES
from tests.ops.chart.rendered import CHART, HELMS, Document, Helm, minimal, refused, render
from tests.ops.fetched import tool

both_helms = pytest.mark.parametrize("helm", HELMS)
REPOSITORY = CHART.parents[1]


def run(helm: Helm, *arguments: str | Path) -> str:
    done = subprocess.run(
        [tool(helm), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module", params=HELMS)
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"packaged-{request.param}")
    run(request.param, "package", CHART, "--destination", folder)
    return next(folder.glob("*.tgz"))


@both_helms
@pytest.mark.parametrize("name", ["minimal", "all on", "openai"])
def test_helm_finds_nothing_to_complain_about(helm: Helm, name: str, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(VALUES[name]))
    told = run(helm, "lint", "--strict", CHART, "--values", values)
    assert "[WARNING]" not in told
    assert "symbolic link" not in told


@pytest.mark.parametrize("name", ["minimal", "all on"])
def test_the_package_renders_as_the_folder_does(package: Path, name: str) -> None:
    assert render(VALUES[name], chart=package) == render(VALUES[name])


@pytest.mark.parametrize(
    ("copies", "originals"),
    [
        ("files/dashboards/*.json", "deploy/grafana/*.json"),
        ("files/alerts.yaml", "deploy/prometheus/alerts.yaml"),
    ],
)
def test_what_the_chart_ships_is_what_stands_in_deploy(copies: str, originals: str) -> None:
    ours = {it.name: it.read_bytes() for it in CHART.glob(copies)}
    theirs = {it.name: it.read_bytes() for it in REPOSITORY.glob(originals)}
    assert theirs
    assert ours == theirs, "`make chart-files` copies them"


@pytest.fixture
def umbrella(tmp_path: Path) -> Path:
    """A chart of somebody else that has ours inside."""
    chart = tmp_path / "umbrella"
    (chart / "charts").mkdir(parents=True)
    dependency = {"name": "afterguard", "version": "0.1.0", "condition": "afterguard.enabled"}
    (chart / "Chart.yaml").write_text(
        yaml.safe_dump(
            {"apiVersion": "v2", "name": "umbrella", "version": "1.0.0"}
            | {"dependencies": [dependency]}
        )
    )
    shutil.copytree(CHART, chart / "charts" / "afterguard")
    return chart


@both_helms
def test_inside_another_chart_it_is_the_same_whatever_is_global_there(
    umbrella: Path, helm: Helm
) -> None:
    ours = minimal(ALL_ON)
    around: Document = {
        "global": {"imageRegistry": "registry.example", "storageClass": "fast"},
        "afterguard": {"enabled": True, **ours},
    }
    assert render(around, helm=helm, chart=umbrella) == render(ours, helm=helm)
    around["afterguard"]["enabled"] = False
    assert render(around, helm=helm, chart=umbrella) == []


@both_helms
@pytest.mark.parametrize("place", ["autoscaling", "monitoring"])
def test_a_value_that_does_not_exist_is_refused_by_its_name(helm: Helm, place: str) -> None:
    assert "oops" in refused(minimal({place: {"oops": True}}), helm=helm)


def test_a_release_with_all_of_it_fits_into_the_secret_that_helm_keeps_it_in() -> None:
    files = [it for it in CHART.rglob("*") if it.is_file()]
    kept = json.dumps(
        {
            "chart": {it.name: base64.b64encode(it.read_bytes()).decode() for it in files},
            "manifest": json.dumps(render(minimal(ALL_ON))),
        }
    )
    # Twice in base64: by Helm, then by Kubernetes, which takes 1 MiB of the inner one.
    assert len(base64.b64encode(gzip.compress(kept.encode()))) < 700 * 1024
