"""Tokens for each event, as a running worker's metrics have them."""

import pytest
from prometheus_client import generate_latest

from afterguard.contracts.errors import SettingsError
from afterguard.sizing.worker_counters import read_counters, work_by
from afterguard.telemetry.metrics import Metrics

NAMES = (
    "afterguard_events_received_total",
    "afterguard_prompt_tokens_total",
    "afterguard_cached_prompt_tokens_total",
    "afterguard_output_tokens_total",
    "afterguard_judge_seconds_count",
    "afterguard_judge_seconds_sum",
    "afterguard_judging_engine_seconds_total",
)


def exposition(requests: int) -> str:
    return "\n".join(
        [
            "# TYPE afterguard_events_received_total counter",
            "afterguard_events_received_total 1000",
            "# TYPE afterguard_prompt_tokens_total counter",
            "afterguard_prompt_tokens_total 900000",
            "# TYPE afterguard_cached_prompt_tokens_total counter",
            "afterguard_cached_prompt_tokens_total 800000",
            "# TYPE afterguard_output_tokens_total counter",
            "afterguard_output_tokens_total 200000",
            "# TYPE afterguard_judge_seconds histogram",
            f'afterguard_judge_seconds_bucket{{le="+Inf"}} {requests}',
            f"afterguard_judge_seconds_count {requests}",
            "afterguard_judge_seconds_sum 4000",
            "",
        ]
    )


def test_an_event_costs_its_share_of_all_sums() -> None:
    work = work_by(read_counters(exposition(2_000)))
    assert work.requests == 2
    assert work.read == 100
    assert work.written.likely == 200
    assert work.longest.likely == 100


def test_a_worker_that_has_judged_next_to_nothing_is_not_believed() -> None:
    with pytest.raises(SettingsError, match="ask again"):
        read_counters(exposition(10))


def test_a_text_that_is_no_worker_s_is_refused() -> None:
    with pytest.raises(SettingsError):
        read_counters("<html>nothing</html>")


def test_the_names_that_are_read_are_names_of_the_worker() -> None:
    told = generate_latest(Metrics().registry).decode()
    missing = [it for it in NAMES if it.removesuffix("_count").removesuffix("_sum") not in told]
    assert missing == []
