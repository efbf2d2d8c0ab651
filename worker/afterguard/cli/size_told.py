"""How `afterguard size` tells a plan: for people, and for scripts."""

from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from afterguard.sizing.estimate import Fleet
from afterguard.sizing.gpus import GPUS, MODELS
from afterguard.sizing.measured_runs import HOW
from afterguard.sizing.plan import Plan

_WIDE: Final = 180
_DAY_H: Final = 24
_MANY_WORKERS: Final = 100
_CASES: Final = ("best", "likely", "worst")


def as_data(plan: Plan, price: float | None) -> str:
    """The plan as one JSON object; what is infinite is null.

    Args:
        plan: The plan.
        price: Of one GPU for an hour.
    """
    gpus = plan.rates.gpus
    told: dict[str, Any] = {
        "gpu": plan.asked.gpu,
        "model": MODELS[plan.asked.model].name,
        "gpus_a_worker": gpus,
        "settings": plan.settings._asdict(),
        "kafka_and_redis": {
            name: value for name, value in plan.streams._asdict().items() if name != "rests_on"
        },
        "processor_cores": dict(zip(_CASES, plan.worker_cores, strict=True)),
        "assumptions": [{**it._asdict(), "basis": it.basis.value} for it in plan.rests_on],
    }
    for name, fleet in plan.fleet.cases:
        hours = plan.gpu_hours_a_million(fleet.server.work_s)
        told[name] = {
            "gpus": fleet.engines * gpus,
            "workers": fleet.engines,
            "gpus_at_average": fleet.at_average * gpus,
            "events_per_s_a_worker": fleet.server.capacity,
            "decided_by": fleet.decided_by,
            "peak": {key: _finite(value) for key, value in fleet.peak._asdict().items()},
            "burst_s": _finite(fleet.burst_s),
            "drained_s": _finite(fleet.drained_s),
            "utilisation_with_one_away": _finite(fleet.one_away),
            "gpu_hours_a_million_events": hours,
            "cost_a_million_events": None if price is None else hours * price,
        }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2).decode()


def show(plan: Plan, price: float | None) -> None:
    """The plan as tables.

    Args:
        plan: The plan.
        price: Of one GPU for an hour.
    """
    console = Console()
    if not console.is_terminal:
        console.width = _WIDE  # a pipe has no width
    for line in _heading(plan):
        console.print(line, highlight=False)
    console.print(_fleet_table(plan, price))
    console.print(_settings_table(plan))
    console.print("What this rests on:", highlight=False)
    console.print(_assumption_table(plan))
    for line in _advice(plan):
        console.print(line, highlight=False)


def _heading(plan: Plan) -> Iterator[str]:
    best, likely, worst = (fleet.engines * plan.rates.gpus for _, fleet in plan.fleet.cases)
    gpu = GPUS[plan.asked.gpu].title
    workers = plan.fleet.likely.engines
    yield (
        f"{likely} x {gpu} in {workers} {'worker' if workers == 1 else 'workers'} at the peak; "
        f"between {best} and {worst}. An estimate: nothing of it was run on a GPU here."
    )


def _fleet_table(plan: Plan, price: float | None) -> Table:
    table = Table("", *_CASES, box=None)

    def row(name: str, of: Any) -> None:  # noqa: ANN401 (a function of a fleet)
        table.add_row(name, *(of(fleet) for _, fleet in plan.fleet.cases))

    gpus = plan.rates.gpus
    row("GPUs at the peak", lambda it: f"{it.engines * gpus:,}")
    row("GPUs on average, if scaled", lambda it: f"{it.at_average * gpus:,}")
    row("decided by", lambda it: it.decided_by)
    row("events a second and worker", lambda it: f"{it.server.capacity:,.1f}")
    row("utilisation at the peak", lambda it: f"{it.peak.utilisation:.0%}")
    row("the same with one worker away", lambda it: _share(it.one_away))
    row("judged after, mean", lambda it: _time(it.peak.mean_s))
    row("judged after, p99", lambda it: _time(it.peak.p99_s))
    row("the last of a burst after", lambda it: _time(it.burst_s))
    row("burst forgotten after", lambda it: _time(it.drained_s))
    row("GPU hours a million events, engines full", lambda it: f"{_hours(plan, it):,.2f}")
    row("GPU hours a day at the peak's size", lambda it: f"{it.engines * gpus * _DAY_H:,}")
    if price is not None:
        row("cost of a million events, engines full", lambda it: f"{_hours(plan, it) * price:,.2f}")
        row(
            "cost of a day at the peak's size",
            lambda it: f"{it.engines * gpus * _DAY_H * price:,.0f}",
        )
    return table


def _settings_table(plan: Plan) -> Table:
    table = Table("setting or size", "value", box=None)
    chosen, flow, needed = plan.settings, plan.streams, plan.worker_cores
    cores = f"{needed.likely:,.1f} ({needed.best:,.1f} to {needed.worst:,.1f})"
    gpus = "one GPU each" if plan.rates.gpus == 1 else f"{plan.rates.gpus} GPUs each"
    for name, value in (
        (
            "workers (replicas)",
            f"{plan.fleet.likely.engines:,}, {gpus}",
        ),
        ("partitions of topics.events", f"{flow.partitions:,}"),
        ("engine.max_num_seqs", f"{chosen.max_num_seqs:,}"),
        ("engine.max_num_batched_tokens", f"{chosen.max_num_batched_tokens:,}"),
        ("intake.max_concurrent_events", f"{chosen.max_concurrent_events:,}"),
        ("intake.max_events_in_flight", f"{chosen.max_events_in_flight:,}"),
        ("intake.max_tokens_in_flight", f"{chosen.max_tokens_in_flight:,}"),
        ("Kafka in, at the peak", _rate(flow.in_bytes_per_s)),
        ("Kafka out, verdicts", _rate(flow.audit_bytes_per_s)),
        ("Kafka out, interventions", _rate(flow.intervention_bytes_per_s)),
        ("Kafka disk a day, 3 copies", _bytes(flow.disk_bytes_a_day)),
        ("Redis memory", _bytes(flow.redis_bytes)),
        ("processor cores of all workers", cores),
    ):
        table.add_row(name, value)
    return table


def _assumption_table(plan: Plan) -> Table:
    table = Table("what", "value", "basis", "source", box=None)
    for it in plan.rests_on:
        table.add_row(it.what, it.value, it.basis.value, it.source)
    return table


def _advice(plan: Plan) -> Iterator[str]:
    yield f"What dominates: {_dominates(plan)}."
    yield from _remarks(plan)
    yield (
        "Measure your own. Rates: " + HOW + ", and give both files to --measured. Tokens: run one "
        "worker on your traffic for an hour and give its address to --from-metrics. The worker's "
        "part: python -m benchmarks."
    )


def _remarks(plan: Plan) -> Iterator[str]:
    workers = plan.fleet.likely.engines
    if workers > _MANY_WORKERS:
        yield (
            f"{workers:,} workers are too many for one consumer group, where each change stops "
            "them all for a moment: split by region, or let fewer workers share a pool of model "
            "servers (docs/scaling.md)."
        )
    if workers == 1:
        yield "While this one worker is away nothing is judged: two cost more and stand a failure."


def _dominates(plan: Plan) -> str:
    reading = plan.work.read / plan.rates.prefill.likely
    writing = plan.work.written.likely / plan.rates.decode.likely
    share = writing / (reading + writing)
    if share >= 0.5:
        return (
            f"writing, {share:.0%} of an engine's time: how much the model reasons. Lower effort, "
            "fewer policies for each event, one combined prompt or a prefilter change it; "
            "faster reading does not"
        )
    return (
        f"reading, {1 - share:.0%} of an engine's time: content, and what the prefix cache "
        "does not hold"
    )


def _hours(plan: Plan, fleet: Fleet) -> float:
    return plan.gpu_hours_a_million(fleet.server.work_s)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _share(value: float) -> str:
    return f"{value:.0%}" if isfinite(value) else "nothing is judged"


def _time(seconds: float) -> str:
    if not isfinite(seconds):
        return "never"
    if seconds < 10:
        return f"{seconds:.2g} s"
    return f"{seconds:.0f} s" if seconds < 300 else f"{seconds / 60:.0f} min"


def _rate(bytes_per_s: float) -> str:
    return f"{bytes_per_s / 1e6:,.2f} MB/s"


def _bytes(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count < 1e12 else f"{count / 1e12:,.1f} TB"
