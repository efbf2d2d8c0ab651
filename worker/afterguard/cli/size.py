"""`afterguard size`: how many GPUs a stream needs, and what that rests on."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

import typer

from afterguard.cli.failing import told_plainly
from afterguard.cli.size_told import as_data, show
from afterguard.contracts.errors import SettingsError
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.policy.document import read_policy
from afterguard.policy.registry import policy_files, shipped_policies
from afterguard.sizing.estimate import Target
from afterguard.sizing.figures import Assumption, Basis
from afterguard.sizing.gpus import GPUS, MODELS
from afterguard.sizing.measured_runs import HOW, measured_run
from afterguard.sizing.plan import Asked, plan
from afterguard.sizing.rates import Rates, fit, measured_rates, published_rates
from afterguard.sizing.worker_counters import read_counters, told_by, work_by
from afterguard.sizing.workload import Traffic, Work

_PATIENCE_S: Final = 10.0
_MOST_COUNTED: Final = 64
_RATES: Final = "--prefill-tokens-per-s and --decode-tokens-per-s"


class PromptChoice(StrEnum):
    """`judging.prompt`."""

    PER_POLICY = "per_policy"
    COMBINED = "combined"


def size_command(
    events_per_s: float = typer.Option(
        ..., "--events-per-s", min=1e-6, help="Events a second, on average over a day."
    ),
    gpu: str = typer.Option("h100", "--gpu", help=f"One of {', '.join(GPUS)}."),
    model: str = typer.Option("20b", "--model", help="Of gpt-oss-safeguard: 20b or 120b."),
    policies: int = typer.Option(
        6, "--policies", min=1, max=_MOST_COUNTED, help="So many as long as the shipped ones."
    ),
    policy: list[Path] = typer.Option(
        [], "--policy", metavar="FILE", help="These documents instead; may be repeated."
    ),
    content_tokens: int = typer.Option(
        60, "--content-tokens", min=1, help="Tokens of one message, its heading included."
    ),
    prompt: PromptChoice = typer.Option(
        PromptChoice.PER_POLICY, "--prompt", help="As `judging.prompt`."
    ),
    combined_most: int = typer.Option(
        6, "--combined-most", min=2, max=12, help="As `judging.combined_most`."
    ),
    effort: Effort | None = typer.Option(
        None, "--effort", help="Of all policies; each policy's own when absent."
    ),
    prefilter_forward: float = typer.Option(
        1.0, "--prefilter-forward", min=0, max=1, help="Share of events that pass the prefilter."
    ),
    repeats: float = typer.Option(
        0.0, "--repeats", min=0, max=1, help="Share of events whose judgement Redis still has."
    ),
    second_look_share: float = typer.Option(
        0.0, "--second-look-share", min=0, max=1, help="Share of verdicts looked at again."
    ),
    cache_hit: float = typer.Option(
        0.98, "--cache-hit", min=0, max=1, help="Share of policy tokens in the prefix cache."
    ),
    peak_factor: float = typer.Option(
        2.0, "--peak-factor", min=1, help="The busiest hour, by the average."
    ),
    burst_factor: float = typer.Option(
        1.5, "--burst-factor", min=1, help="A burst, by the busiest hour."
    ),
    burst_s: float = typer.Option(60.0, "--burst-s", min=0, help="How long a burst lasts."),
    deadline_s: float = typer.Option(
        60.0, "--deadline-s", min=0.001, help="To be met at the peak and after a burst."
    ),
    utilisation: float = typer.Option(
        0.8, "--utilisation", min=0.05, max=0.99, help="Of an engine at the peak, at most."
    ),
    prefill_tokens_per_s: float | None = typer.Option(
        None, "--prefill-tokens-per-s", min=1, help="Tokens that one engine of yours reads."
    ),
    decode_tokens_per_s: float | None = typer.Option(
        None, "--decode-tokens-per-s", min=1, help="Tokens that one engine of yours writes."
    ),
    measured: list[Path] = typer.Option(
        [],
        "--measured",
        metavar="FILE",
        help="Saved by `vllm bench serve --save-result`; two or more, of different shapes.",
    ),
    from_metrics: str | None = typer.Option(
        None,
        "--from-metrics",
        metavar="URL",
        help="Tokens for each event by a worker that runs, such as http://127.0.0.1:9108.",
    ),
    price_per_gpu_hour: float | None = typer.Option(
        None, "--price-per-gpu-hour", min=0, help="Yours; costs are told in its currency."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Estimate the GPUs that a stream needs, with every assumption and a range.

    Rates are published ones, or your own: `--measured`, or `--prefill-tokens-per-s` with
    `--decode-tokens-per-s`. Tokens for each event are counted by the policies, or read from a
    worker that runs: `--from-metrics`. The best and the worst case take all their figures at once.

    Example:  afterguard size --events-per-s 2000 --gpu h100 --prefilter-forward 0.1
    """
    with told_plainly():
        asked = Asked(
            Traffic(
                events_per_s,
                peak_factor,
                content_tokens,
                prefilter_forward,
                repeats,
                second_look_share,
            ),
            _policies(policies, policy),
            prompt.value,
            effort,
            cache_hit,
            combined_most,
            _known(gpu.lower(), GPUS, "--gpu"),
            _known(model.lower(), MODELS, "--model"),
            Target(deadline_s, utilisation, burst_factor, burst_s),
        )
        rates = _rates(asked, (prefill_tokens_per_s, decode_tokens_per_s), measured)
        found = plan(asked, rates, _running(from_metrics) if from_metrics else None)
    if as_json:
        typer.echo(as_data(found, price_per_gpu_hour))
    else:
        show(found, price_per_gpu_hour)


def _known(name: str, names: Mapping[str, object], option: str) -> str:
    if name not in names:
        raise SettingsError([f"{option} {name}: is not known here; there are {', '.join(names)}"])
    return name


def _policies(count: int, files: list[Path]) -> list[Policy]:
    if files:
        return [read_policy(file) for file in files]
    shipped = [read_policy(file) for file in policy_files(shipped_policies())]
    return [shipped[number % len(shipped)] for number in range(count)]


def _rates(asked: Asked, given: tuple[float | None, float | None], files: list[Path]) -> Rates:
    prefill, decode = given
    if (prefill is None) != (decode is None):
        raise SettingsError([f"{_RATES} go together: give both"])
    if files and prefill is not None:
        raise SettingsError([f"--measured and {_RATES} exclude each other"])
    if prefill is not None and decode is not None:
        return measured_rates(
            asked.gpu, asked.model, prefill, decode, basis=Basis.GIVEN, source=_RATES
        )
    if len(files) == 1:
        raise SettingsError([f"--measured: two runs of different shapes are needed: {HOW}"])
    if files:
        fitted = fit([measured_run(file) for file in files])
        source = f"{', '.join(file.name for file in files)}; met within {fitted.worst_error:.0%}"
        return measured_rates(
            asked.gpu,
            asked.model,
            fitted.prefill,
            fitted.decode,
            basis=Basis.MEASURED,
            source=source,
        )
    return published_rates(asked.gpu, asked.model)


def _running(url: str) -> tuple[Work, tuple[Assumption, ...]]:
    address = url.rstrip("/")
    address = address if address.endswith("/metrics") else f"{address}/metrics"
    request = Request(address)  # noqa: S310 (checked below)
    if request.type not in {"http", "https"}:
        raise SettingsError([f"--from-metrics {url}: must begin with http://"])
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=_PATIENCE_S) as answer:
            text = answer.read().decode("utf-8", "replace")
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise SettingsError([f"--from-metrics: nothing answers at {address}: {reason}"]) from None
    counters = read_counters(text)
    return work_by(counters), told_by(counters, address)
