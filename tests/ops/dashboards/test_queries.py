"""Queries of the dashboards: valid, of metrics that exist, and answered by real workers."""

from math import isnan

import promql_parser
import pytest
from tests.ops.dashboards import queries
from tests.ops.dashboards.live import Live
from tests.ops.dashboards.queries import Query

from afterguard.telemetry.metric import Metric
from afterguard.telemetry.metric_list import METRICS

ALL = [*queries.of_panels(), *queries.of_annotations()]


def test_there_are_four_dashboards() -> None:
    assert [it.stem for it in queries.FILES] == ["engine", "overview", "policies", "stream"]


@pytest.mark.parametrize("query", ALL, ids=lambda it: it.where)
def test_a_query_is_valid_and_asks_for_metrics_that_exist(query: Query) -> None:
    promql_parser.parse(query.asked())
    asked = queries.metrics_of(query.asked())
    assert asked
    assert asked <= queries.known_metrics() | queries.vllm_metrics()


@pytest.mark.parametrize("query", ALL, ids=lambda it: it.where)
def test_only_the_chosen_workers_answer(query: Query) -> None:
    selectors = query.expr.count("afterguard_") + query.expr.count("vllm:")
    assert query.expr.count('{job=~"$job", instance=~"$instance"') == selectors


@pytest.mark.parametrize("metric", METRICS, ids=lambda it: it.name)
def test_every_metric_is_shown_somewhere(metric: Metric) -> None:
    name = f"afterguard_{metric.name}"
    assert any(it.startswith(name) for query in ALL for it in queries.metrics_of(query.asked()))


# One start of everything for all queries: it takes two minutes, more beside other work.
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_real_workers_under_load_answer_every_query(live: Live) -> None:
    silent = [it.where for it in ALL if not answered(live, it)]
    assert not silent


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_points_of_the_time_to_intervention_lead_to_traces(live: Live) -> None:
    exemplars = live.exemplars("afterguard_time_to_intervention_seconds_bucket")
    assert exemplars
    assert all(len(it["labels"]["trace_id"]) == 32 for it in exemplars)


def answered(live: Live, query: Query) -> bool:
    """Whether there was a number at any moment."""
    series = live.query_range(query.asked())
    return any(not isnan(value) for it in series for _, value in it.points)
