"""How fast one engine reads and writes tokens: fitted to runs, given, or derived.

A run of an engine that is never idle takes `input / prefill + output / decode` seconds. Two runs of
different shapes give both rates; more are fitted by least squares of the relative error.
"""

from collections.abc import Sequence
from math import inf
from typing import Final, NamedTuple

from afterguard.contracts.errors import SettingsError
from afterguard.sizing.figures import Assumption, Basis, Span
from afterguard.sizing.gpus import GPUS, MODELS, gpus_for
from afterguard.sizing.throughput_runs import PUBLISHED, Run

_PUBLISHED_SPREAD: Final = 0.25
_MEASURED_SPREAD: Final = 0.10
_TOO_ALIKE: Final = (
    "the runs are too alike to tell reading from writing: measure one with long prompts and short "
    "answers, and one with short prompts and long answers"
)
_DERIVED: Final = Span(1.5, 1.0, 0.5)


class Fit(NamedTuple):
    """Two rates, and how badly they tell the runs that they come from.

    Attributes:
        prefill: Tokens read a second.
        decode: Tokens written a second.
        worst_error: The largest relative error among the runs.
    """

    prefill: float
    decode: float
    worst_error: float


class Rates(NamedTuple):
    """Of one engine.

    Attributes:
        gpus: It uses so many.
        prefill: Tokens read a second, those of the prefix cache not counted.
        decode: Tokens written a second, all requests together.
        step_s: The least that one token of one request takes, seconds.
        rests_on: What this rests on.
    """

    gpus: int
    prefill: Span
    decode: Span
    step_s: float
    rests_on: tuple[Assumption, ...]


def fit(runs: Sequence[Run]) -> Fit:
    """The rates that tell the runs best.

    Raises:
        SettingsError: The runs do not tell reading from writing.
    """
    # Minimises the sum of (read * x + written * y - 1)^2, read and written for each second.
    read = [run.input_tokens / run.seconds for run in runs]
    written = [run.output_tokens / run.seconds for run in runs]
    rr, ww = sum(it * it for it in read), sum(it * it for it in written)
    rw = sum(it * other for it, other in zip(read, written, strict=True))
    determinant = rr * ww - rw * rw
    if determinant < 1e-6 * rr * ww:
        raise SettingsError([_TOO_ALIKE])
    x = (sum(read) * ww - sum(written) * rw) / determinant
    y = (sum(written) * rr - sum(read) * rw) / determinant
    if x <= 0 or y <= 0:
        raise SettingsError(
            ["the runs contradict each other: one of them was not bounded by the GPU"]
        )
    worst = max(abs(r * x + w * y - 1) for r, w in zip(read, written, strict=True))
    return Fit(1 / x, 1 / y, worst)


def published_rates(gpu: str, model: str) -> Rates:
    """Of a kind of GPU: by published runs, or derived from another kind's.

    Args:
        gpu: Of `GPUS`.
        model: Of `MODELS`.
    """
    found = PUBLISHED.get((gpu, model))
    if found is None:
        return _derived(gpu, model)
    fitted = fit(found.runs)
    spread = max(_PUBLISHED_SPREAD, fitted.worst_error)
    told = Assumption(
        f"rates of {MODELS[model].name} on {found.gpus} x {GPUS[gpu].title}",
        f"{fitted.prefill:,.0f} tokens read and {fitted.decode:,.0f} written a second",
        Basis.PUBLISHED,
        f"{found.source}; fitted to {len(found.runs)} runs of gpt-oss-{model}, which has the same "
        f"shape; they are met within {fitted.worst_error:.0%}; range ±{spread:.0%} (assumed)",
    )
    return _rates((gpu, model, found.gpus), fitted, _around(spread), told)


def measured_rates(
    gpu: str, model: str, prefill: float, decode: float, *, basis: Basis, source: str
) -> Rates:
    """Of rates that somebody measured.

    Args:
        gpu: Of `GPUS`.
        model: Of `MODELS`.
        prefill: Tokens read a second, by one engine.
        decode: Tokens written a second, by one engine.
        basis: Who says so.
        source: Where it stands.
    """
    published = PUBLISHED.get((gpu, model))
    gpus = published.gpus if published else gpus_for(MODELS[model], GPUS[gpu])
    told = Assumption(
        f"rates of one engine on {gpus} x {GPUS[gpu].title}",
        f"{prefill:,.0f} tokens read and {decode:,.0f} written a second",
        basis,
        f"{source}; range ±{_MEASURED_SPREAD:.0%} (assumed)",
    )
    fitted = Fit(prefill, decode, 0)
    return _rates((gpu, model, gpus), fitted, _around(_MEASURED_SPREAD), told)


def _derived(gpu: str, model: str) -> Rates:
    base = PUBLISHED["h100", model]
    gpus = gpus_for(MODELS[model], GPUS[gpu])
    fitted = fit(base.runs)
    by = gpus / base.gpus
    here, there = GPUS[gpu], GPUS["h100"]
    prefill = fitted.prefill * by * here.tflops / there.tflops
    decode = fitted.decode * by * here.bandwidth_gb_s / there.bandwidth_gb_s
    told = Assumption(
        f"rates of {MODELS[model].name} on {gpus} x {here.title}",
        f"{prefill:,.0f} tokens read and {decode:,.0f} written a second",
        Basis.ASSUMED,
        f"no published run was found: derived from those on H100 ({base.source}), reading by "
        "16 bit arithmetic, writing by the memory's bandwidth; range -50% to +50%; measure first",
    )
    return _rates((gpu, model, gpus), Fit(prefill, decode, inf), _DERIVED, told)


def _rates(engine: tuple[str, str, int], fitted: Fit, spread: Span, told: Assumption) -> Rates:
    gpu, model, gpus = engine
    step_s, floor = _least_step(gpu, model, gpus)
    return Rates(
        gpus,
        spread.map(lambda it: it * fitted.prefill),
        spread.map(lambda it: it * fitted.decode),
        step_s,
        (told, floor),
    )


def _least_step(gpu: str, model: str, gpus: int) -> tuple[float, Assumption]:
    what = "least time for one token of one request"
    published = PUBLISHED.get((gpu, model))
    if published is not None and published.step_s is not None:
        source = f"{published.source}; ShareGPT, four requests at once"
        step_s = published.step_s
        return step_s, Assumption(what, f"{step_s * 1e3:.1f} ms", Basis.PUBLISHED, source)
    base = PUBLISHED["h100", model]
    here, there = GPUS[gpu].bandwidth_gb_s, GPUS["h100"].bandwidth_gb_s
    if base.step_s is not None:
        step_s = base.step_s * base.gpus * there / (gpus * here)
        source = f"that of {base.gpus} x H100, by the memory's bandwidth"
    else:
        step_s = MODELS[model].weights_gb / (gpus * here)
        source = "all weights are read once for each token: their size by the memory's bandwidth"
    return step_s, Assumption(what, f"{step_s * 1e3:.1f} ms", Basis.ASSUMED, source)


def _around(spread: float) -> Span:
    return Span(1 + spread, 1.0, 1 / (1 + spread))
