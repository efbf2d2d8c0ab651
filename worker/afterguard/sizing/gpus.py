"""Kinds of GPUs and the two models, by their makers' data sheets."""

from typing import Final, NamedTuple


class Gpu(NamedTuple):
    """One kind of GPU.

    Attributes:
        title: As people call it.
        memory_gb: Of one card.
        bandwidth_gb_s: Of its memory.
        tflops: Dense, 16 bit.
    """

    title: str
    memory_gb: float
    bandwidth_gb_s: float
    tflops: float


class Model(NamedTuple):
    """One size of gpt-oss(-safeguard), whose weights have 4 bits.

    Attributes:
        name: On the hub.
        weights_gb: In memory.
        kv_bytes: A token takes in the KV cache, 16 bit, as if no layer had a sliding window.
        load_s: From the start of a pod to ready, with the weights on its disk; assumed.
    """

    name: str
    weights_gb: float
    kv_bytes: int
    load_s: float


GPUS: Final = {
    "h100": Gpu("H100 SXM 80 GB", 80, 3_350, 989),
    "h200": Gpu("H200 SXM 141 GB", 141, 4_800, 989),
    "b200": Gpu("B200 180 GB", 180, 8_000, 2_250),
    "a100": Gpu("A100 SXM 80 GB", 80, 2_039, 312),
    "l40s": Gpu("L40S 48 GB", 48, 864, 362),
    "l4": Gpu("L4 24 GB", 24, 300, 121),
}
"""NVIDIA's data sheets; dense figures, which are half of those with sparsity."""

MODELS: Final = {
    "20b": Model("openai/gpt-oss-safeguard-20b", 13.0, 49_152, 180.0),
    "120b": Model("openai/gpt-oss-safeguard-120b", 61.0, 73_728, 300.0),
}
"""Layers 24 and 36, each with 8 key-value heads of 64, keys and values, 2 bytes."""

USED_SHARE: Final = 0.9
"""Of a card's memory, which vLLM takes by default."""
WORKSPACE_GB: Final = 4.0
"""Activations, graphs and what else is no weight and no KV cache; assumed."""


def gpus_for(model: Model, gpu: Gpu) -> int:
    """The fewest GPUs (1, 2, 4, 8) whose memory holds the model and a KV cache worth having."""
    for count in (1, 2, 4, 8):
        if kv_gb(model, gpu, count) >= 0.1 * gpu.memory_gb:
            return count
    return 16


def kv_gb(model: Model, gpu: Gpu, gpus: int) -> float:
    """Gigabytes that are left for the KV cache; negative when the model does not fit."""
    return gpus * (USED_SHARE * gpu.memory_gb - WORKSPACE_GB) - model.weights_gb
