"""Runs of vLLM that others published, as they were printed: the source of the rates for each GPU.

All by GPUStack's performance lab, `vllm bench serve` over HTTP, every request sent at once, random
prompts (so no shared prefix), the configuration that the page calls optimised. Read from the pages'
sources in github.com/gpustack/gpustack, docs/performance-lab/.
"""

from typing import Final, NamedTuple


class Run(NamedTuple):
    """One benchmark run.

    Attributes:
        name: Tokens in and out of one request.
        input_tokens: Of all requests.
        output_tokens: Of all requests.
        seconds: That it took.
    """

    name: str
    input_tokens: int
    output_tokens: int
    seconds: float


class Published(NamedTuple):
    """The runs of one model on one kind of GPU.

    Attributes:
        gpus: GPUs of one engine.
        runs: Of different shapes, so that reading and writing can be told apart.
        source: Page, version of vLLM, date of the version.
        step_s: Mean time for each token with four requests at once; None when not published.
    """

    gpus: int
    runs: tuple[Run, ...]
    source: str
    step_s: float | None = None


_PAGE: Final = "docs.gpustack.ai/latest/performance-lab"
_V11: Final = "vLLM 0.11.0 (October 2025), --async-scheduling"

PUBLISHED: Final[dict[tuple[str, str], Published]] = {
    ("h100", "20b"): Published(
        1,
        (
            Run("ShareGPT, about 215 in and 194 out", 215_312, 193_919, 21.39),
            Run("128 in, 4 out", 127_755, 4_000, 4.04),
            Run("2,000 in, 100 out", 999_120, 46_814, 31.55),
            Run("4,000 in, 200 out", 1_999_249, 52_966, 60.67),
        ),
        f"{_PAGE}/gpt-oss-20b/h100; {_V11}",
    ),
    ("a100", "20b"): Published(
        1,
        (
            Run("ShareGPT, about 215 in and 194 out", 215_312, 194_303, 37.51),
            Run("128 in, 4 out", 127_755, 4_000, 5.23),
            Run("2,000 in, 100 out", 999_120, 46_961, 55.29),
            Run("4,000 in, 200 out", 1_999_249, 52_857, 123.99),
        ),
        f"{_PAGE}/gpt-oss-20b/a100; {_V11}",
    ),
    ("h100", "120b"): Published(
        2,
        (
            Run("ShareGPT, about 215 in and 196 out", 215_312, 196_205, 25.65),
            Run("128 in, 4 out", 127_755, 4_000, 4.18),
            Run("2,000 in, 100 out", 999_120, 49_059, 30.75),
            Run("4,000 in, 200 out", 1_999_249, 68_046, 59.94),
        ),
        f"{_PAGE}/gpt-oss-120b/h100; vLLM 0.10.2 (September 2025), --async-scheduling -tp 2",
        step_s=0.00575,
    ),
    ("a100", "120b"): Published(
        1,
        (
            Run("ShareGPT, about 215 in and 195 out", 215_312, 195_400, 81.24),
            Run("128 in, 4 out", 127_755, 4_000, 12.22),
            Run("2,000 in, 100 out", 999_120, 49_103, 113.32),
            Run("4,000 in, 200 out", 1_999_249, 68_059, 244.13),
        ),
        f"{_PAGE}/gpt-oss-120b/a100; {_V11}, --max-num-batched-tokens 4096",
        step_s=0.01103,
    ),
}
