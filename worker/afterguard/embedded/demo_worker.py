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
from typing import Any

import aiohttp
import orjson
import yaml
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from pydantic_core import to_jsonable_python

from afterguard.contracts.errors import EngineUnavailable
from afterguard.embedded.process import die_with_parent, end
from afterguard.settings import ENV_PREFIX, Settings

# For one look; a worker that is loading a model may be slow to answer.
_LOOK_S = 2.0
_TAIL_BYTES = 64 * 1024
_LAST_WORDS = 15


@dataclass(frozen=True, slots=True)
class Glance:
    """One look at the worker's metrics, for the progress display only."""

    received: int = 0
    settled: int = 0
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
        await asyncio.to_thread(self._write_config)
        # What a person has set for a worker of theirs must not lead this one to their broker.
        environment = {name: it for name, it in os.environ.items() if not _is_setting(name)}
        with await asyncio.to_thread(self.log.open, "wb") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which then drains the worker.
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "afterguard",
                "run",
                "--config",
                str(self._config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**environment, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
                preexec_fn=die_with_parent,
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
        async with _session() as http:
            while not self.ended and monotonic() < deadline:
                if await self._answers_ready(http):
                    return
                stage = await asyncio.to_thread(self._stage)
                if stage and stage != last:
                    told(stage)
                    last = stage
                await asyncio.sleep(0.2)
        code = None if self._process is None else self._process.returncode
        what = (
            f"was not ready within {timeout_s:g} s" if code is None else f"ended with code {code}"
        )
        raise EngineUnavailable(
            f"the worker {what}; the end of its log:\n{await self.last_words()}"
        )

    async def glance(self) -> Glance:
        """What the worker's metrics say; zeros when it does not answer."""
        try:
            async with _session() as http, http.get(f"{self._url}/metrics") as answer:
                return _glance(await answer.text())
        except (aiohttp.ClientError, TimeoutError):
            return Glance()

    async def last_words(self) -> str:
        """The end of its log."""
        return "\n".join((await asyncio.to_thread(self._tail))[-_LAST_WORDS:])

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process is None or self._process.returncode is not None

    async def drain(self, timeout_s: float) -> int:
        """SIGTERM, and the exit code.

        Args:
            timeout_s: SIGKILL after these seconds.
        """
        return 0 if self._process is None else await end(self._process, timeout_s)

    async def _answers_ready(self, http: aiohttp.ClientSession) -> bool:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with http.get(f"{self._url}/readyz") as answer:
                return answer.status == 200
        return False

    def _write_config(self) -> None:
        values = _revealed(self._settings.model_dump(exclude_unset=True))
        # Nobody else may read it at any moment, for it holds credentials.
        self._config.touch(mode=0o600)
        self._config.write_text(yaml.safe_dump(to_jsonable_python(values)))

    def _stage(self) -> str:
        for line in reversed(self._tail()):
            with contextlib.suppress(orjson.JSONDecodeError):
                entry = orjson.loads(line)
                if isinstance(entry, dict) and entry.get("event") == "engine":
                    return str(entry.get("stage", ""))
        return ""

    def _tail(self) -> list[str]:
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_LOOK_S))


def _is_setting(name: str) -> bool:
    return name.upper().startswith(ENV_PREFIX)


def _revealed(values: Any) -> Any:  # noqa: ANN401
    if isinstance(values, dict):
        return {name: _revealed(value) for name, value in values.items()}
    return values.get_secret_value() if isinstance(values, SecretStr) else values


def _glance(exposition: str) -> Glance:
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    acted = totals.get("afterguard_time_to_intervention_seconds_count", 0.0)
    seconds = totals.get("afterguard_time_to_intervention_seconds_sum", 0.0)
    return Glance(
        received=int(totals.get("afterguard_events_received_total", 0)),
        settled=int(totals.get("afterguard_ledger_settled", 0)),
        verdicts=int(totals.get("afterguard_verdicts_total", 0)),
        interventions=int(totals.get("afterguard_interventions_total", 0)),
        in_flight=int(totals.get("afterguard_in_flight_events", 0)),
        lag=int(totals.get("afterguard_lag_records", 0)),
        to_intervention_s=seconds / acted if acted else 0.0,
    )


def run_directory() -> TemporaryDirectory[str]:
    """A folder for one run: the worker's settings and log; gone afterwards."""
    return TemporaryDirectory(prefix="afterguard-demo-")
