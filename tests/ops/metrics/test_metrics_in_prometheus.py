"""The metrics of a worker are what a real Prometheus reads of it, exemplars included."""

import asyncio
import subprocess
from collections.abc import Iterator
from math import isnan

import promql_parser
import pytest
from tests.ops.fetched import tool
from tests.ops.metrics.scraped import TRACE, Scraped, scraped

from afterguard.telemetry.metric_questions import QUESTIONS

# What a worker without vLLM, a cache or a prefix cache has no answer to.
UNANSWERED = ("vllm:", "cache")


@pytest.fixture(scope="module", name="seen")
def _seen() -> Iterator[Scraped]:
    # A runner of its own: the worker outlives the loops of single tests.
    with asyncio.Runner() as runner:
        scene = scraped()
        yield runner.run(scene.__aenter__())
        runner.run(scene.__aexit__(None, None, None))


@pytest.mark.parametrize("metric", ["time_to_intervention_seconds", "judge_seconds"])
def test_an_exemplar_leads_from_a_bucket_to_the_producers_trace(seen: Scraped, metric: str) -> None:
    name = f"afterguard_{metric}_bucket"
    found = seen.prometheus.exemplars(name, seen.began, seen.ended)
    assert found
    assert {it["labels"]["trace_id"] for it in found} == {TRACE}


def test_promtool_has_nothing_to_say_against_the_names(seen: Scraped) -> None:
    assert seen.page.count(b"\nafterguard_") > 300
    told = subprocess.run(
        [tool("promtool"), "check", "metrics"],
        input=seen.page,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=30,
    )
    assert (told.returncode, told.stdout.decode()) == (0, "")


@pytest.mark.parametrize("expr", [it.expr for it in QUESTIONS], ids=[it.asked for it in QUESTIONS])
def test_a_question_of_the_page_is_promql_and_has_an_answer(seen: Scraped, expr: str) -> None:
    promql_parser.parse(expr)
    answer = seen.query(expr)
    if not any(it in expr for it in UNANSWERED):
        assert answer
        assert not any(isnan(value) for it in answer for _, value in it.points)


def test_the_scrape_takes_every_sample(seen: Scraped) -> None:
    scraped_, kept = (
        seen.query(f"scrape_samples_{it}")[0].points[0][1]
        for it in ("scraped", "post_metric_relabeling")
    )
    assert scraped_ == kept > 300
    assert seen.query("up")[0].points[0][1] == 1
