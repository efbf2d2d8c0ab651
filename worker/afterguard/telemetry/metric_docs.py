"""The metrics as a page: `python -m afterguard.telemetry.metric_docs > docs/metrics.md`."""

from afterguard.telemetry.metric_list import METRICS


def page() -> str:
    """The page in Markdown."""
    lines = [
        "# Metrics",
        "",
        "Made from the lists in `worker/afterguard/telemetry/` by `make schemas`.",
        "All names begin with `afterguard_`; vLLM's own (`vllm:*`) stand beside them.",
        "",
        "| name | kind | unit | labels | meaning | when it is odd |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{it.name}` | {it.kind} | {it.unit} | {', '.join(it.labels) or '-'} "
        f"| {it.meaning} | {it.remedy} |"
        for it in METRICS
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
