"""The Overview as a picture, of a real run: `python -m tests.ops.dashboards.picture`.

A worker with the demo's model judges the demo's events while Prometheus scrapes it; the queries of
the dashboard are asked, and matplotlib draws what they give. Takes about seven minutes.
"""

import argparse
import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from math import pi, sin
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, time
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr
from tests.ops.dashboards.drawing import Answers, draw
from tests.ops.dashboards.live import change_policies, seen, started
from tests.ops.dashboards.prometheus import Prometheus, Series
from tests.ops.dashboards.queries import FOLDER, Query, load, metrics_of
from tests.ops.dashboards.scene import change

from afterguard.contracts.releases import Act, Change
from afterguard.contracts.words import Effort
from afterguard.embedded.broker import EMPTY_FETCH_PAUSE_MS, EmbeddedBroker
from afterguard.embedded.cpu_engine import cpu_engine_settings, prepare_environment
from afterguard.embedded.demo_events import demo_events
from afterguard.embedded.model import prepare_model
from afterguard.embedded.process import free_port
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.settings import Settings

_LOAD_S: Final = 300.0
_READY_S: Final = 600.0
# Events a second, which two cores judge if nobody else uses them.
_RATE: Final = 0.2
_WARM_S: Final = 8.0
_INSTANCE: Final = "worker-0"
_POLICIES: Final = ["harassment", "spam-scams"]
_FOOTER: Final = (
    "Drawn with matplotlib, not by Grafana, from the queries of deploy/grafana/overview.json. "
    "One worker; engine: vLLM on a CPU with {model},\nwhich is too small to follow a policy: the "
    "run is real, its verdicts mean nothing. Policies: {policies}. Events: the demo's. Purple: a "
    "policy was changed. Points: single events, each with its trace."
)


async def picture(out: Path, load_s: float) -> None:
    """Run it all, and write the picture."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="afterguard-picture-")))
        broker = await stack.enter_async_context(EmbeddedBroker())
        valkey = await stack.enter_async_context(EmbeddedValkey())
        settings = await asyncio.to_thread(_settings, broker.bootstrap_servers, valkey.url)
        addresses = {_INSTANCE: f"127.0.0.1:{settings.http.port}"}
        prometheus = await stack.enter_async_context(Prometheus(addresses))
        worker = await started(stack, settings, folder / _INSTANCE)
        await worker.ready(print, _READY_S)
        # The first events have the policies read, which takes long without a GPU.
        await _load(settings, _WARM_S)
        await seen(prometheus, "sum(afterguard_ledger_settled) > 0", _READY_S)
        await seen(prometheus, "sum(afterguard_in_flight_events) == 0", _READY_S)
        began = time()
        async with asyncio.TaskGroup() as group:
            group.create_task(_load(settings, load_s))
            await asyncio.sleep(load_s / 2)
            await change_policies(valkey.url, [_edit()])
        answers = _answers(prometheus, began, time())
        words = {"model": settings.engine.model_name, "policies": ", ".join(_POLICIES)}
        overview = load(FOLDER / "overview.json")
        await asyncio.to_thread(draw, overview, answers, _FOOTER.format(**words), out)


def _settings(bootstrap_servers: str, redis_url: str) -> Settings:
    prepare_environment()
    engine = cpu_engine_settings(
        prepare_model(),
        max_num_seqs=8,
        start_timeout_s=_READY_S,
        reasoning_max_tokens={Effort.LOW: 4, Effort.MEDIUM: 8, Effort.HIGH: 8},
    )
    values: dict[str, Any] = {
        "kafka": {
            "bootstrap_servers": bootstrap_servers,
            "group_id": "picture",
            "empty_fetch_pause_ms": EMPTY_FETCH_PAUSE_MS,
        },
        "redis": {"url": SecretStr(redis_url)},
        "http": {"port": free_port()},
        "policies": {"only": _POLICIES},
        "engine": engine.model_dump(exclude_unset=True),
        "delivery": {"drain_timeout_s": 1},
        # A token budget that a peak can fill.
        "intake": {"max_tokens_in_flight": 60_000, "min_tokens_in_flight": None},
    }
    return Settings.model_validate(values)


def _edit() -> Change:
    """Something to see in the middle: a policy gets another owner, and so a new version."""
    text = Path("policies/spam-scams.md").read_text(encoding="utf-8")
    edited = text.replace("owner: ", "owner: night-shift-of-", 1)
    return change("spam-scams", edited, Act.ACTIVATE)


async def _load(settings: Settings, load_s: float) -> None:
    """The demo's events, in two waves; now and then a record that is none, or one that is late."""
    events = demo_events(10_000, datetime.now(UTC))
    began = monotonic()
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap_servers) as producer:
        for number, event in zip(count(), events, strict=False):
            gone = monotonic() - began
            if gone > load_s:
                return
            now = datetime.now(UTC)
            value = {**event, "occurred_at": now}
            if number % 37 == 9:
                value["deadline"] = now - timedelta(seconds=1)
            trace = f"{number + 1:032x}"
            await producer.send(
                settings.topics.events,
                b"no event" if number % 53 == 20 else orjson.dumps(value),
                str(event["conversation_id"]).encode(),
                headers=[("traceparent", f"00-{trace}-{trace[16:]}-01".encode())],
            )
            await asyncio.sleep(1 / (_RATE * (1 + 0.7 * sin(4 * pi * gone / load_s))))


def _answers(prometheus: Prometheus, began: float, ended: float) -> Answers:
    step_s = 2

    def filled(expr: str) -> str:
        return Query("picture", expr.replace("$instance", _INSTANCE)).filled(window="30s")

    def ask(expr: str) -> list[Series]:
        return prometheus.query_range(filled(expr), began, ended, step_s)

    def exemplars(expr: str) -> list[tuple[float, float]]:
        (metric,) = metrics_of(filled(expr))
        found = prometheus.exemplars(metric, began, ended)
        return [(it["timestamp"], float(it["value"])) for it in found]

    return Answers(ask, exemplars, began, ended)


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/overview.png"))
    parser.add_argument("--seconds", type=float, default=_LOAD_S, help="How long the load lasts.")
    chosen = parser.parse_args()
    asyncio.run(picture(chosen.out, chosen.seconds))


if __name__ == "__main__":
    main()
