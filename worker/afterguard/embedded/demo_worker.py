"""The demo's worker: `afterguard run` as a process of its own, watched from outside."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import aiohttp
import orjson
import yaml
from prometheus_client.parser import text_string_to_metric_families

from afterguard.contracts.errors import EngineUnavailable
from afterguard.settings import Settings


@dataclass(frozen=True, slots=True)
class Glance:
    """One look at the worker's metrics, for the progress display only."""

    received: int = 0
    verdicts: int = 0
    interventions: int = 0
    in_flight: int = 0
    lag: int = 0
    to_intervention_s: float = 0.0


class DemoWorker:
    """Starts the worker, looks at it, and stops it by its process id.

    Args:
        settings: What the worker runs with; `http.port` must be set.
        directory: Where its settings file and its log go.
    """

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._settings = settings
        self._config = directory / "afterguard.yaml"
        self.log = directory / "worker.log"
        self._process: asyncio.subprocess.Process | None = None
        self._url = f"http://127.0.0.1:{settings.http.port}"

    async def start(self) -> None:
        """Start the process; it is not ready yet."""
        values = self._settings.model_dump(mode="json", exclude_unset=True)
        if self._settings.redis.url is not None:
            values["redis"]["url"] = self._settings.redis.url.get_secret_value()
        await asyncio.to_thread(self._config.write_text, yaml.safe_dump(values))
        await asyncio.to_thread(self._config.chmod, 0o600)
        with await asyncio.to_thread(self.log.open, "wb") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which then drains the worker.
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "afterguard",
                "run",
                "--config",
                str(self._config),
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    async def ready(self, told: Callable[[str], None], timeout_s: float) -> None:
        """Wait until the worker takes events.

        Args:
            told: Hears what the engine is doing.
            timeout_s: Seconds to wait.

        Raises:
            EngineUnavailable: The worker ended or was not ready in time; quotes its last words.
        """
        deadline = monotonic() + timeout_s
        last = ""
        async with aiohttp.ClientSession() as http:
            while monotonic() < deadline:
                if self._process is None or self._process.returncode is not None:
                    break
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with http.get(f"{self._url}/readyz") as answer:
                        if answer.status == 200:
                            return
                stage = await asyncio.to_thread(self._stage)
                if stage and stage != last:
                    told(stage)
                    last = stage
                await asyncio.sleep(0.2)
        raise EngineUnavailable(
            "the worker did not become ready; the end of its log:\n"
            + "\n".join(
                (await asyncio.to_thread(self.log.read_text, errors="replace")).splitlines()[-15:]
            )
        )

    async def glance(self) -> Glance:
        """What the worker's metrics say; zeros when it does not answer."""
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"{self._url}/metrics") as answer,
            ):
                return _glance(await answer.text())
        except (aiohttp.ClientError, TimeoutError):
            return Glance()

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process is None or self._process.returncode is not None

    async def drain(self, timeout_s: float) -> int:
        """SIGTERM, and the exit code.

        Args:
            timeout_s: SIGKILL after these seconds.
        """
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(timeout_s):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()

    def _stage(self) -> str:
        for line in reversed(self.log.read_bytes().splitlines()[-50:]):
            with contextlib.suppress(orjson.JSONDecodeError):
                entry = orjson.loads(line)
                if isinstance(entry, dict) and entry.get("event") == "engine":
                    return str(entry.get("stage", ""))
        return ""


def _glance(exposition: str) -> Glance:
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    acted = totals.get("afterguard_time_to_intervention_seconds_count", 0.0)
    seconds = totals.get("afterguard_time_to_intervention_seconds_sum", 0.0)
    return Glance(
        received=int(totals.get("afterguard_events_received_total", 0)),
        verdicts=int(totals.get("afterguard_verdicts_total", 0)),
        interventions=int(totals.get("afterguard_interventions_total", 0)),
        in_flight=int(totals.get("afterguard_in_flight_events", 0)),
        lag=int(totals.get("afterguard_lag_records", 0)),
        to_intervention_s=seconds / acted if acted else 0.0,
    )


def run_directory() -> TemporaryDirectory[str]:
    """A folder for one run: broker data, settings, logs; gone afterwards."""
    return TemporaryDirectory(prefix="afterguard-demo-")
