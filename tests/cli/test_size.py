"""`afterguard size`: a plan with its assumptions, for people and for scripts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.cli.commands import afterguard
from tests.sizing.test_worker_counters import exposition

from afterguard.contracts.exit_codes import ExitCode


@contextmanager
def worker_metrics(text: str) -> Iterator[str]:
    """A server that answers /metrics with this text; its address."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text.encode() if self.path == "/metrics" else b""
            self.send_response(200 if body else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Metrics)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_first_line_says_how_many_with_a_range_and_that_it_is_an_estimate() -> None:
    told = afterguard("size", "--events-per-s", "100", "--gpu", "h100")
    first = told.out.splitlines()[0]
    assert told.code == 0
    assert "H100 SXM 80 GB" in first
    assert "between" in first
    assert "An estimate" in first


def test_every_assumption_is_printed_with_its_basis() -> None:
    told = afterguard("size", "--events-per-s", "100")
    rows = json.loads(afterguard("size", "--events-per-s", "100", "--json").out)["assumptions"]
    assert {"given", "published", "assumed", "measured", "counted"} == {it["basis"] for it in rows}
    shown = " ".join(told.out.split())
    assert all(" ".join(it["what"].split()[:3]) in shown for it in rows)
    assert "docs.gpustack.ai" in told.out
    assert "What dominates: writing" in told.out


def test_json_has_the_three_cases_and_costs_only_with_a_price() -> None:
    free = json.loads(afterguard("size", "--events-per-s", "100", "--json").out)
    dear = json.loads(
        afterguard("size", "--events-per-s", "100", "--price-per-gpu-hour", "3", "--json").out
    )
    assert free["best"]["gpus"] <= free["likely"]["gpus"] <= free["worst"]["gpus"]
    assert free["likely"]["cost_a_million_events"] is None
    hours = dear["likely"]["gpu_hours_a_million_events"]
    assert dear["likely"]["cost_a_million_events"] == pytest.approx(3 * hours)


def test_documents_of_one_s_own_are_counted() -> None:
    policy = Path(__file__).parents[2] / "policies" / "harassment.md"
    one = json.loads(afterguard("size", "--events-per-s", "100", "--policy", policy, "--json").out)
    six = json.loads(afterguard("size", "--events-per-s", "100", "--json").out)
    assert one["likely"]["gpus"] < six["likely"]["gpus"] / 4


def test_rates_of_one_s_own_runs_are_used(tmp_path: Path) -> None:
    for name, read, written, seconds in (
        ("long", 1_000_000, 10_000, 1_000_000 / 30_000 + 10_000 / 9_000),
        ("short", 10_000, 300_000, 10_000 / 30_000 + 300_000 / 9_000),
    ):
        figures = {"total_input_tokens": read, "total_output_tokens": written, "duration": seconds}
        (tmp_path / f"{name}.json").write_text(json.dumps(figures))
    told = afterguard(
        *("size", "--events-per-s", "100", "--json"),
        *("--measured", tmp_path / "long.json", "--measured", tmp_path / "short.json"),
    )
    rates = [
        it for it in json.loads(told.out)["assumptions"] if "rates of one engine" in it["what"]
    ]
    assert rates[0]["basis"] == "measured"
    assert rates[0]["value"] == "30,000 tokens read and 9,000 written a second"


def test_a_running_worker_s_metrics_replace_what_would_be_assumed() -> None:
    with worker_metrics(exposition(2_000)) as url:
        told = afterguard("size", "--events-per-s", "100", "--from-metrics", url, "--json")
    rows = {it["what"]: it for it in json.loads(told.out)["assumptions"]}
    assert rows["an event, prefilter and repeats included"]["basis"] == "measured"
    assert "2.00 requests" in rows["an event, prefilter and repeats included"]["value"]
    assert not any("reasoning" in what for what in rows)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--gpu", "z80"], "there are h100, h200"),
        (["--model", "7b"], "there are 20b, 120b"),
        (["--decode-tokens-per-s", "100"], "go together"),
        (["--deadline-s", "0.01"], "an event alone takes"),
        (["--measured", "absent.json"], "two runs"),
        (["--from-metrics", "http://127.0.0.1:9"], "nothing answers"),
        (["--from-metrics", "file:///etc/passwd"], "must begin with http://"),
        (["--policy", "absent.md"], "absent.md"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_answered_is_told_in_a_sentence(arguments: list[str], told: str) -> None:
    found = afterguard("size", "--events-per-s", "100", *arguments)
    assert found.code == ExitCode.CONFIGURATION
    assert told in found.err
    assert found.out == ""


def test_a_fleet_that_is_too_large_for_one_group_is_told_so() -> None:
    assert "too many for one consumer group" in afterguard("size", "--events-per-s", "5000").out


def test_a_lone_worker_is_told_that_nothing_is_judged_without_it() -> None:
    told = afterguard("size", "--events-per-s", "0.1")
    assert "While this one worker is away nothing is judged" in told.out
