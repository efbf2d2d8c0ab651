"""A second replay of a file is recognised: the promise of stable event ids, on real parts."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.cli.commands import ended, start
from tests.conftest import Broker, MakeTopics
from tests.onlooker import read_topic

from afterguard.app import build
from afterguard.contracts.exit_codes import ExitCode
from afterguard.engine.null_engine import NullJudge
from afterguard.lifecycle import Stop, serve
from afterguard.settings import Settings

WAIT_S = 60.0
TEXTS = ["good morning", "good morning", "who is in?", "bye"]


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.redis
async def test_a_second_replay_of_a_file_is_skipped_as_duplicate_events(
    kafka: Broker, make_topics: MakeTopics, redis_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "messages.csv"
    file.write_text("body\n" + "\n".join(TEXTS) + "\n")
    topics = await make_topics(2)
    settings = Settings.model_validate(
        {
            "kafka": kafka.settings(),
            "topics": topics,
            "redis": {"url": redis_url, "key_prefix": topics.events, "timeout_s": 5},
            "policies": {"only": ["harassment"]},
            "http": {"enabled": False},
        }
    )
    stop, ready = Stop(), asyncio.Event()
    worker = asyncio.create_task(serve(build(settings, judge=NullJudge()), stop, ready=ready.set))
    verdicts: list[dict[str, Any]] = []
    async with asyncio.timeout(WAIT_S):
        await ready.wait()
        for replays in (1, 2):
            told = await asyncio.to_thread(
                ended,
                start(
                    *("replay", file, "--text", "body", "--topic", topics.events),
                    *("--bootstrap", kafka.bootstrap_servers),
                ),
            )
            assert told.code == 0
            assert "4 of 4 rows sent and acknowledged" in told.out
            while len(verdicts) < replays * len(TEXTS):
                records = await read_topic(kafka.bootstrap_servers, topics.audit)
                verdicts = [json.loads(record.value or b"") for record in records]
    stop.ask()
    assert await worker is ExitCode.DRAINED
    outcomes = Counter((it["outcome"], it.get("reason")) for it in verdicts)
    assert outcomes == {("no_violation", None): 4, ("skipped", "duplicate_event"): 4}
