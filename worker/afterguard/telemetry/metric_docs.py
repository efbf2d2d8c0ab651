"""The metrics as a page: `python -m afterguard.telemetry.metric_docs > docs/metrics.md`."""

from collections.abc import Iterator

from afterguard.telemetry.metric import Metric
from afterguard.telemetry.metric_list import SECTIONS
from afterguard.telemetry.metric_questions import QUESTIONS
from afterguard.telemetry.room_metric_list import ROOM_METRICS, ROOMS
from afterguard.telemetry.series import MOST

_HEAD = f"""# Metrics

Made from the lists in `worker/afterguard/telemetry/` by `make schemas`.
Each worker shows its own at `http://HOST:9108/metrics`, those of the engine in it beside them
(`vllm:*`). All names of ours begin with `afterguard_`.

- **Formats.** OpenMetrics 1.0 to whoever asks for it in `Accept`, as Prometheus does; the classic
  text to all others.
- **Exemplars.** Buckets of `time_to_intervention_seconds` and `judge_seconds` name the `trace_id`
  of an event in them, where its producer sent a sampled `traceparent` or tracing follows it
  (`tracing` in [settings](settings.md)). Only OpenMetrics has them, and Prometheus keeps them with
  `--enable-feature=exemplar-storage`.
- **Labels** take their values from closed sets: policies, outcomes, partitions. No message, id or
  free text ever stands in one.
- **How many series.** One worker shows at most {MOST.fixed}, {MOST.policy} more for each policy,
  and {MOST.partition} more for each of its partitions. Most policies stay below a third of that,
  since few outcomes lead to many actions. What a policy has counted stays until the worker ends.
"""

_ROOMS = """Every event goes through six rooms. Each counts the events that leave it, those that
leave it with an error, and the time between entering and leaving: rate, errors and duration of each
room from two counters."""


def page() -> str:
    """The page in Markdown."""
    return "\n".join([_HEAD, *_questions(), *_sections()])


def _questions() -> Iterator[str]:
    yield "## Questions"
    for asked, expr in QUESTIONS:
        yield from ("", f"{asked}:", "", "```promql", expr, "```")
    yield ""


def _sections() -> Iterator[str]:
    for title, metrics in SECTIONS.items():
        yield from (f"## {title}", "")
        if metrics is ROOM_METRICS:
            yield from _rooms()
        yield "| name | kind | unit | labels | meaning | when it is odd |"
        yield "| --- | --- | --- | --- | --- | --- |"
        yield from map(_row, metrics)
        yield ""


def _rooms() -> Iterator[str]:
    yield from (_ROOMS, "")
    yield "| room | an event enters it when | leaves it when | `error` is |"
    yield "| --- | --- | --- | --- |"
    yield from (f"| `{it.name}` | {it.begins} | {it.ends} | {it.error} |" for it in ROOMS)
    yield ""


def _row(metric: Metric) -> str:
    labels = ", ".join(metric.labels) or "-"
    return (
        f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} "
        f"| {metric.meaning} | {metric.remedy} |"
    )


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
