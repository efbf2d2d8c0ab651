"""The common questions to the metrics, as PromQL."""

from typing import Final, NamedTuple


class Question(NamedTuple):
    """What somebody wants to know, and the expression that tells it."""

    asked: str
    expr: str


QUESTIONS: Final = (
    Question(
        "Do we keep up: the oldest event without a verdict, by lane",
        "max by (lane) (afterguard_oldest_unjudged_seconds)",
    ),
    Question("Records not taken in yet, by topic", "sum by (topic) (afterguard_lag_records)"),
    Question(
        "How fast do we act: 95 of 100 interventions come within so many seconds, by lane",
        "histogram_quantile(0.95, sum by (lane, le) "
        "(rate(afterguard_time_to_intervention_seconds_bucket[5m])))",
    ),
    Question(
        "The share of the interventions that comes within 30 s; also for "
        "0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 60, 120, 300 and 600",
        'sum(rate(afterguard_time_to_intervention_seconds_bucket{le="30.0"}[1h])) / '
        "sum(rate(afterguard_time_to_intervention_seconds_count[1h]))",
    ),
    Question(
        "Events a second through each room",
        "sum by (room) (rate(afterguard_room_events_total[5m]))",
    ),
    Question(
        "The share of them that fails there",
        'sum by (room) (rate(afterguard_room_events_total{result="error"}[5m])) / '
        "sum by (room) (rate(afterguard_room_events_total[5m]))",
    ),
    Question(
        "Where does the time go: mean seconds of an event in each room",
        "sum by (room) (rate(afterguard_room_seconds_total[5m])) / "
        "sum by (room) (rate(afterguard_room_events_total[5m]))",
    ),
    Question(
        "Events that are in each room at once, on average",
        "sum by (room) (rate(afterguard_room_seconds_total[5m]))",
    ),
    Question(
        "What do we find: violations among the verdicts of each policy",
        'sum by (policy) (rate(afterguard_verdicts_total{outcome="violation"}[1h])) / '
        "sum by (policy) (rate(afterguard_verdicts_total[1h]))",
    ),
    Question(
        "What is asked for: verdicts a second by policy and action",
        'sum by (policy, action) (rate(afterguard_verdicts_total{action!="none"}[5m]))',
    ),
    Question(
        "Events given up unjudged, a second",
        "sum by (reason, lane) (rate(afterguard_unasked_events_total[5m]))",
    ),
    Question("Dead letters a second", "sum by (reason) (rate(afterguard_dead_letters_total[5m]))"),
    Question(
        "How full is the engine; above 1, requests wait inside it",
        "sum(afterguard_engine_requests) / sum(afterguard_engine_slots)",
    ),
    Question(
        "How full is the KV cache, where the engine is in the worker",
        "max(vllm:kv_cache_usage_perc)",
    ),
    Question("Prompt tokens a second", "sum(rate(afterguard_prompt_tokens_total[5m]))"),
    Question(
        "Tokens a second that the model writes", "sum(rate(afterguard_output_tokens_total[5m]))"
    ),
    Question(
        "The share of the prompts that comes from the prefix cache",
        "sum(rate(afterguard_cached_prompt_tokens_total[5m])) / "
        "sum(rate(afterguard_prompt_tokens_total[5m]))",
    ),
    Question(
        "The share of the questions that the verdict cache answers",
        'sum(rate(afterguard_cache_requests_total{result="hit"}[5m])) / '
        "sum(rate(afterguard_cache_requests_total[5m]))",
    ),
    Question(
        "Safety's share of the platform's compute",
        "sum by (kind) (afterguard_safety_compute_share)",
    ),
    Question(
        "Versions of policies in force, and on how many workers",
        "count by (policy, version, stage) (afterguard_policy_info)",
    ),
    Question(
        "What runs, and on how many workers",
        "count by (version, engine, model) (afterguard_build_info)",
    ),
)
