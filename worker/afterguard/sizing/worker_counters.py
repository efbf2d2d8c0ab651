"""What a running worker's metrics say about its events: tokens, repeats, second looks."""

from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from afterguard.contracts.errors import SettingsError
from afterguard.sizing.figures import Assumption, Basis, Span
from afterguard.sizing.workload import Work

_PREFIX: Final = "afterguard_"
_ENOUGH: Final = 1_000


class Counters(NamedTuple):
    """Sums since the worker started.

    Attributes:
        events: Taken from the input topic.
        requests: That the engine answered.
        prompt: Tokens of prompts.
        cached: Of them, from the prefix cache.
        written: Tokens that the model wrote.
        busy_s: The engine had work for so long, seconds.
        answered_s: Of all requests together, from asked to answered, seconds.
    """

    events: float
    requests: float
    prompt: float
    cached: float
    written: float
    busy_s: float
    answered_s: float


def read_counters(exposition: str) -> Counters:
    """The sums of a text of `/metrics`.

    Raises:
        SettingsError: It is no worker's, or the worker has judged next to nothing yet.
    """
    sums: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(exposition):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    except ValueError:
        raise SettingsError(["--from-metrics: the answer is no text of metrics"]) from None

    def of(name: str) -> float:
        return sums.get(_PREFIX + name, 0.0)

    found = Counters(
        of("events_received_total"),
        of("judge_seconds_count"),
        of("prompt_tokens_total"),
        of("cached_prompt_tokens_total"),
        of("output_tokens_total"),
        of("judging_engine_seconds_total"),
        of("judge_seconds_sum"),
    )
    if found.requests < _ENOUGH or not found.written:
        seen = f"{found.requests:.0f} requests and {found.written:.0f} tokens written"
        later = f"ask again after {_ENOUGH:,} requests to a real engine"
        raise SettingsError([f"--from-metrics: this worker knows of {seen}; {later}"])
    return found


def work_by(counters: Counters) -> Work:
    """Of an event of all that came; what the prefilter or Redis kept from the engine is in it."""
    events, requests = counters.events, counters.requests
    return Work(
        requests / events,
        counters.prompt / events,
        (counters.prompt - counters.cached) / events,
        Span.exactly(counters.written / events),
        Span.exactly(counters.written / requests),
    )


def told_by(counters: Counters, url: str) -> tuple[Assumption, ...]:
    """What an estimate by these sums rests on."""
    events, requests = counters.events, counters.requests
    per_s = f"{events / counters.busy_s:,.1f}" if counters.busy_s else "?"
    source = f"{url}, {events:,.0f} events and {requests:,.0f} requests since its start"
    return (
        Assumption(
            "an event, prefilter and repeats included",
            f"{requests / events:.2f} requests, {counters.prompt / events:,.0f} tokens of prompt, "
            f"{counters.cached / counters.prompt if counters.prompt else 0:.1%} of them cached, "
            f"{counters.written / events:,.0f} written",
            Basis.MEASURED,
            source,
        ),
        Assumption(
            "a request in that engine",
            f"{counters.answered_s / requests:.2f} s; {per_s} events for each second that it "
            "had work",
            Basis.MEASURED,
            f"{source}; a rate of the engine only if it was full all the time, and not used here",
        ),
    )
