"""afterguard.yaml as the chart writes it is one that the worker takes."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from tests.ops.chart.rendered import CHART, HELMS, Helm, minimal, only, refused, render
from tests.ops.chart.workload import deployment, mounts, settings_text, volumes, worker

from afterguard.contracts.words import Lane
from afterguard.policy.registry import policy_files
from afterguard.settings import ENV_PREFIX, Settings, load_settings

pytestmark = pytest.mark.parametrize("helm", HELMS)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(variable)


def loaded(values: dict[str, Any], helm: Helm, folder: Path) -> Settings:
    """What the worker makes of the settings that these values become."""
    file = folder / "afterguard.yaml"
    file.write_text(settings_text(render(minimal(values), helm=helm)), encoding="utf-8")
    return load_settings(file)


def secret_fields() -> list[str]:
    """The settings that are secrets."""
    return [
        f"{section}.{name}"
        for section, info in Settings.model_fields.items()
        for name, field in info.annotation.model_fields.items()  # type: ignore[union-attr]
        if SecretStr in getattr(field.annotation, "__args__", ())
    ]


def test_the_least_values_become_the_workers_own_defaults(helm: Helm, tmp_path: Path) -> None:
    settings = loaded({}, helm, tmp_path)
    expected = Settings()
    expected.kafka.bootstrap_servers = "kafka:9092"
    expected.http.host = "0.0.0.0"
    assert settings == expected


def test_numbers_and_nothings_arrive_as_they_were_written(helm: Helm, tmp_path: Path) -> None:
    values = {
        "settings": {
            "intake": {"max_tokens_in_flight": 20_000_000, "resume_share": 0.55},
            "judging": {"deadline_s": {"backfill": None, "live": 12.5}},
            "kafka": {"fetch_max_bytes": 16_777_217},
            "decide": {"expires_after_s": 315_360_000},
        }
    }
    settings = loaded(values, helm, tmp_path)
    assert settings.intake.max_tokens_in_flight == 20_000_000
    assert settings.intake.resume_share == 0.55
    assert settings.judging.deadline_s[Lane.BACKFILL] is None
    assert settings.judging.deadline_s[Lane.LIVE] == 12.5
    assert settings.kafka.fetch_max_bytes == 16_777_217
    assert settings.decide.expires_after_s == 315_360_000


def test_lifted_values_reach_their_settings(helm: Helm, tmp_path: Path) -> None:
    values = {
        "kafka": {"bootstrapServers": "a:1,b:2", "groupId": "second"},
        "topics": {"events": "e", "interventions": "i", "audit": "a", "deadLetters": "d"},
        "model": {"name": "somebody/else"},
        "policies": {"only": ["harassment"]},
        "redis": {"url": "redis://valkey:6379/3"},
        "http": {"port": 9200, "host": "::"},
    }
    settings = loaded(values, helm, tmp_path)
    assert settings.kafka.bootstrap_servers == "a:1,b:2"
    assert settings.kafka.group_id == "second"
    assert settings.topics.model_dump() == {
        "events": "e",
        "interventions": "i",
        "audit": "a",
        "dead_letters": "d",
    }
    assert settings.engine.model == "somebody/else"
    assert settings.policies.only == ["harassment"]
    assert settings.redis.url is not None
    assert settings.redis.url.get_secret_value() == "redis://valkey:6379/3"
    assert (settings.http.port, settings.http.host) == (9200, "::")
    container = worker(values, helm)
    assert container["ports"] == [{"name": "http", "containerPort": 9200}]


def test_the_model_of_two_gpus_is_split_over_both(helm: Helm, tmp_path: Path) -> None:
    assert loaded({"gpu": {"count": 2}}, helm, tmp_path).engine.args == {"tensor_parallel_size": 2}


def test_another_split_is_kept(helm: Helm, tmp_path: Path) -> None:
    values = {"gpu": {"count": 2}, "settings": {"engine": {"args": {"pipeline_parallel_size": 2}}}}
    assert loaded(values, helm, tmp_path).engine.args == {"pipeline_parallel_size": 2}


def test_a_setting_said_twice_alike_is_no_contradiction(helm: Helm, tmp_path: Path) -> None:
    values = {"kafka": {"groupId": "one"}, "settings": {"kafka": {"group_id": "one"}}}
    assert loaded(values, helm, tmp_path).kafka.group_id == "one"


def test_a_setting_said_twice_differently_is_refused_by_both_names(helm: Helm) -> None:
    values = {"kafka": {"groupId": "one"}, "settings": {"kafka": {"group_id": "two"}}}
    told = refused(minimal(values), helm=helm)
    assert 'settings.kafka.group_id ("two") and kafka.groupId ("one")' in told


def test_a_folder_of_policies_beside_those_of_the_values_is_refused(helm: Helm) -> None:
    values = {
        "policies": {"files": {"a.md": "text"}},
        "settings": {"policies": {"directory": "/elsewhere"}},
    }
    assert "settings.policies.directory" in refused(minimal(values), helm=helm)


@pytest.mark.parametrize("field", secret_fields())
def test_no_secret_reaches_the_config_map(helm: Helm, field: str) -> None:
    section, name = field.split(".")
    secret = "redis://:hunter2@valkey:6379" if name == "url" else "hunter2"
    told = refused(minimal({"settings": {section: {name: secret}}}), helm=helm)
    assert f"settings.{field}" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "values",
    [
        {"redis": {"url": "redis://user:hunter2@valkey:6379"}},
        {"engine": {"kind": "openai", "baseUrl": "http://user:hunter2@vllm:8000/v1"}},
        {"settings": {"engine": {"args": {"hf_token": "hunter2"}}}},
    ],
    ids=str,
)
def test_no_address_brings_a_secret_along(helm: Helm, values: Any) -> None:
    told = refused(minimal(values), helm=helm)
    assert "ConfigMap" in told
    assert "hunter2" not in told


def test_policies_of_the_values_are_read_by_the_worker(helm: Helm, tmp_path: Path) -> None:
    text = (CHART.parents[1] / "policies" / "harassment.md").read_text(encoding="utf-8")
    values = {"policies": {"files": {"harassment.md": text}}}
    documents = render(minimal(values), helm=helm)
    held = next(it for it in documents if it["metadata"]["name"] == "afterguard-policies")
    spec = only(documents, "Deployment")["spec"]["template"]["spec"]
    path = loaded(values, helm, tmp_path).policies.directory
    assert mounts(spec["containers"][0])[str(path)]["name"] == "policies"
    assert volumes(spec)["policies"]["configMap"]["name"] == "afterguard-policies"
    assert held["data"] == {"harassment.md": text}
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "harassment.md").write_text(held["data"]["harassment.md"], encoding="utf-8")
    assert [it.name for it in policy_files(folder)] == ["harassment.md"]


def test_policies_may_stand_in_a_config_map_of_yours(helm: Helm) -> None:
    values = {"policies": {"existingConfigMap": "mine"}}
    spec = deployment(values, helm)["spec"]["template"]["spec"]
    assert volumes(spec)["policies"]["configMap"]["name"] == "mine"


def test_the_defaults_of_the_grace_period_are_the_workers(helm: Helm) -> None:
    defaults = Settings()
    needed = defaults.delivery.drain_timeout_s + defaults.engine.stop_timeout_s + 40
    spec = deployment(helm=helm)["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == needed
    probe = spec["containers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= defaults.engine.start_timeout_s


def test_the_settings_of_the_topics_job_are_the_workers(helm: Helm) -> None:
    documents = render(minimal({"topics": {"createJob": {"enabled": True}}}), helm=helm)
    texts = [settings_text(documents, name) for name in ("afterguard-config", "afterguard-topics")]
    assert yaml.safe_load(texts[0]) == yaml.safe_load(texts[1])
