"""The metrics of the engine: how full it is, how fast, and how often it fails."""

from typing import Final

from afterguard.telemetry.metric import Metric

_ENGINE_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)

ENGINE_METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "judge_seconds",
        "histogram",
        "seconds",
        "One request in the engine.",
        "grows with the queue; add workers or lower the effort",
        (),
        _ENGINE_SECONDS,
    ),
    Metric(
        "judge_faults_total",
        "counter",
        "requests",
        "Requests that the engine did not answer; judge_seconds_count has them all.",
        "`busy`: the engine is full or its server is away; `fault`: see the engine's log; `lost`: "
        "see engine_restarts_total",
        ("result",),
    ),
    Metric(
        "judge_retries_total",
        "counter",
        "requests",
        "Requests sent again.",
        "see judge_faults_total",
    ),
    Metric(
        "engine_up",
        "gauge",
        "0 or 1",
        "Whether the engine runs and answers; 0 while it is started again.",
        "see engine_restarts_total and the engine's log",
    ),
    Metric(
        "engine_restarts_total",
        "counter",
        "restarts",
        "Times that the engine was started again in place.",
        "`died`, `hung`: look at memory, GPU and `quarantined_total`; `refused`: at its own log",
        ("cause",),
    ),
    Metric(
        "suspect_requests",
        "gauge",
        "requests",
        "Requests that were at an engine that died and are tried again, few at a time.",
        "for long: the engine dies again and again; see engine_restarts_total",
    ),
    Metric(
        "quarantined_total",
        "counter",
        "requests",
        "Requests given up since the engine or the worker died with them each time.",
        "look at their dead letters, reason `quarantined`; mend the engine before a replay",
    ),
    Metric(
        "prompt_tokens_total",
        "counter",
        "tokens",
        "Tokens of prompts.",
        "none; it is the base of other figures",
    ),
    Metric(
        "cached_prompt_tokens_total",
        "counter",
        "tokens",
        "Of these, tokens from the prefix cache.",
        "a falling share: KV memory is short, or too many policies and efforts alternate",
    ),
    Metric(
        "output_tokens_total",
        "counter",
        "tokens",
        "Tokens that the model wrote.",
        "none; it is the base of other figures",
    ),
    Metric(
        "engine_slots",
        "gauge",
        "requests",
        "Requests that the engine works on at once: `engine.max_num_seqs`.",
        "none; engine_requests is to be compared with it",
    ),
    Metric(
        "engine_requests",
        "gauge",
        "requests",
        "Requests of this worker at the engine now; above engine_slots they wait inside it.",
        "below engine_slots while events wait: the worker is held back; see judge_faults_total",
    ),
)
