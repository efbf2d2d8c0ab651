"""Where the model is kept, and what an engine in the worker is given."""

from typing import Any

import pytest
from tests.ops.chart.rendered import HELMS, Helm, minimal, of_kind, only, render
from tests.ops.chart.workload import VLLM_FREE, mounts, pod, variables, volumes, worker

pytestmark = pytest.mark.parametrize("helm", HELMS)

CLAIM: dict[str, Any] = {"type": "existingClaim", "existingClaim": "models"}
MODELS = "/cache/huggingface"


def test_without_a_word_the_model_is_downloaded_by_each_pod(helm: Helm) -> None:
    assert volumes(pod(helm=helm))["model"] == {"name": "model", "emptyDir": {"sizeLimit": "50Gi"}}
    named = variables(worker(helm=helm))
    assert named["HF_HOME"] == MODELS
    assert "HF_HUB_OFFLINE" not in named


def test_a_new_claim_is_mounted_and_outlives_the_release(helm: Helm) -> None:
    values = {"model": {"cache": {"type": "newClaim", "size": "80Gi", "storageClass": "fast"}}}
    documents = render(minimal(values), helm=helm)
    claim = only(documents, "PersistentVolumeClaim")
    spec = only(documents, "Deployment")["spec"]["template"]["spec"]
    assert volumes(spec)["model"]["persistentVolumeClaim"] == {
        "claimName": claim["metadata"]["name"]
    }
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"]["resources"]["requests"] == {"storage": "80Gi"}
    assert claim["spec"]["storageClassName"] == "fast"
    assert "readOnly" not in mounts(spec["containers"][0])[MODELS]


def test_a_new_claim_may_go_with_the_release(helm: Helm) -> None:
    values = {"model": {"cache": {"type": "newClaim", "keep": False}}}
    claim = only(render(minimal(values), helm=helm), "PersistentVolumeClaim")
    assert "annotations" not in claim["metadata"]


def test_an_existing_claim_is_only_read_and_the_hub_not_asked(helm: Helm) -> None:
    values = {"model": {"cache": {**CLAIM, "subPath": "hf"}}}
    source = volumes(pod(values, helm))["model"]["persistentVolumeClaim"]
    assert source == {"claimName": "models", "readOnly": True}
    container = worker(values, helm)
    assert mounts(container)[MODELS]["readOnly"] is True
    assert mounts(container)[MODELS]["subPath"] == "hf"
    assert variables(container)["HF_HUB_OFFLINE"] == "1"


def test_what_engines_write_goes_elsewhere_than_to_a_claim_that_is_only_read(helm: Helm) -> None:
    container = worker({"model": {"cache": CLAIM}}, helm)
    folders = [it for it in variables(container).values() if str(it).startswith("/cache/")]
    assert [it for it in folders if it.startswith(MODELS)] == [MODELS]
    assert not mounts(container)["/cache"].get("readOnly")


def test_an_existing_claim_may_be_filled(helm: Helm) -> None:
    values = {"model": {"cache": {**CLAIM, "readOnly": False}}}
    container = worker(values, helm)
    assert "readOnly" not in mounts(container)[MODELS]
    assert "HF_HUB_OFFLINE" not in variables(container)


def test_a_folder_may_be_mounted_where_the_model_name_says(helm: Helm) -> None:
    values = {"model": {"name": "/models/20b", "cache": {**CLAIM, "mountPath": "/models"}}}
    container = worker(values, helm)
    assert mounts(container)["/models"]["name"] == "model"
    assert MODELS not in mounts(container)


def test_a_model_in_the_image_needs_no_volume(helm: Helm) -> None:
    values = {"model": {"name": "/opt/model", "baked": True, "offline": True}}
    assert "model" not in volumes(pod(values, helm))
    assert variables(worker(values, helm))["HF_HUB_OFFLINE"] == "1"


def test_shared_memory_is_memory_with_a_limit(helm: Helm) -> None:
    values = {"scratch": {"shmSize": "9Gi"}}
    assert volumes(pod(values, helm))["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "9Gi"}
    assert mounts(worker(values, helm))["/dev/shm"]["name"] == "shm"


def test_no_volume_of_a_pod_can_fill_its_node(helm: Helm) -> None:
    for volume in pod(helm=helm)["volumes"]:
        if "emptyDir" in volume:
            assert volume["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize("name", ["nvidia.com/gpu", "nvidia.com/mig-3g.40gb", "amd.com/gpu"])
def test_gpus_are_asked_for_in_both_halves(helm: Helm, name: str) -> None:
    resources = worker({"gpu": {"count": 2, "resourceName": name}}, helm)["resources"]
    assert resources["requests"][name] == 2
    assert resources["limits"][name] == 2


def test_resources_of_yours_are_laid_over_the_defaults(helm: Helm) -> None:
    values = {"resources": {"requests": {"cpu": "16"}, "limits": {"memory": "99Gi"}}}
    resources = worker(values, helm)["resources"]
    assert resources["requests"] == {"cpu": "16", "memory": "24Gi", "nvidia.com/gpu": 1}
    assert resources["limits"] == {"memory": "99Gi", "nvidia.com/gpu": 1}


def test_the_taint_of_gpu_nodes_is_tolerated_by_those_who_ask_for_one(helm: Helm) -> None:
    tolerated = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    mine = {"key": "mine", "operator": "Exists"}
    assert pod({"tolerations": [mine]}, helm)["tolerations"] == [tolerated, mine]
    assert pod({"gpu": {"resourceName": "nvidia.com/mig-1g.5gb"}}, helm)["tolerations"] == [
        tolerated
    ]
    assert "tolerations" not in pod({"gpu": {"tolerate": False}}, helm)
    assert "tolerations" not in pod(VLLM_FREE, helm)


def test_the_image_is_that_of_the_engine(helm: Helm) -> None:
    assert worker(helm=helm)["image"] == "ghcr.io/afterguard/afterguard:0.1.0-gpu"
    assert worker(VLLM_FREE, helm)["image"] == "ghcr.io/afterguard/afterguard:0.1.0-cpu"
    chosen = {"image": {"repository": "mine/it", "tag": "7"}}
    assert worker(chosen, helm)["image"] == "mine/it:7"
    digest = "sha256:" + "a" * 64
    pinned = {"image": {"tag": "7", "digest": digest}}
    assert worker(pinned, helm)["image"] == f"ghcr.io/afterguard/afterguard@{digest}"


def test_commands_that_need_no_engine_take_the_small_image_unless_another_was_chosen(
    helm: Helm,
) -> None:
    def image(values: dict[str, Any]) -> str:
        test = of_kind(render(minimal(values), helm=helm), "Pod")[0]
        found: str = test["spec"]["containers"][0]["image"]
        return found

    assert image({}).endswith(":0.1.0-cpu")
    assert image({"image": {"tag": "7"}}).endswith(":7")
