"""One place in the fleet: a worker process, and after its end the next one."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from tests.conftest import Broker
from tests.faults.worker_process import WorkerProcess

from afterguard.embedded.process import die_with_parent, free_port
from afterguard.stream.settings import TopicSettings

Kind = Literal["unsteady", "vllm"]
_LOOK_S = 1.0


class State(Enum):
    """What a member does now."""

    STARTING = auto()
    SERVING = auto()
    HURT = auto()
    ENDED = auto()


class End(NamedTuple):
    """How a process ended.

    Attributes:
        worker: Its name.
        code: Its exit code; negative for a signal.
        asked: Whether we killed it or asked it to end.
        fates: From its last log line; None when it had no time for one.
        held: What its budgets still held at the end, tokens and events together.
    """

    worker: str
    code: int
    asked: bool
    fates: dict[str, int] | None
    held: int

    @property
    def balanced(self) -> bool:
        """Whether all that it took in was settled or given back, and every budget is whole."""
        it = self.fates
        whole = it is None or it["admitted"] == it["settled"] + it["abandoned"]
        return whole and not self.held


class Gauges(NamedTuple):
    """What a worker's `/metrics` says of its fates."""

    admitted: int
    settled: int
    abandoned: int
    in_flight: int

    @property
    def balanced(self) -> bool:
        """Whether admitted is settled plus given back plus in flight."""
        return self.admitted == self.settled + self.abandoned + self.in_flight


class _VllmProcess(WorkerProcess):
    # A process group of its own: Ctrl-C reaches the harness alone, and a kill takes the engine's
    # processes along, as the end of a container does.
    spawning: ClassVar[dict[str, Any]] = {"process_group": 0, "preexec_fn": die_with_parent}


class _UnsteadyProcess(_VllmProcess):
    module: ClassVar[str] = "tests.chaos.unsteady_worker"


class Member:
    """One place in the fleet.

    Args:
        name: Of the place; each process adds a number.
        kind: Which engine.
        folder: Where the processes' files go.
        broker: The group coordinator's address.
        topics: Their names.
        sections: Sections of the settings.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        folder: Path,
        *,
        broker: Broker,
        topics: TopicSettings,
        sections: dict[str, dict[str, Any]],
    ) -> None:
        self.name, self.kind = name, kind
        self._folder, self._broker, self._topics, self._sections = folder, broker, topics, sections
        self._count = 0
        self._port = 0
        self._process: WorkerProcess | None = None
        self.state = State.ENDED
        self.asked = False
        self.stays = True

    @property
    def client(self) -> str:
        """The process's name, which is also its client id."""
        return f"{self.name}.{self._count}"

    @property
    def orders(self) -> Path:
        """The folder in which the unsteady engine looks for orders."""
        return self._folder / self.client

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None
        return self._process.pid

    async def run(self, ended: Callable[[End], None]) -> None:
        """Run one process from its start to its end."""
        self._count += 1
        self._port = free_port()
        self.orders.mkdir(parents=True)
        sections = {name: dict(it) for name, it in self._sections.items()}
        sections["kafka"] |= {"client_id": self.client}
        sections["http"] = {"enabled": True, "port": self._port}
        made = _VllmProcess if self.kind == "vllm" else _UnsteadyProcess
        process = made(self.orders, self._broker, self._topics, **sections)
        self._process, self.state, self.asked = process, State.STARTING, False
        await process.start()
        try:
            watch = asyncio.create_task(self._until_ready(process))
            code = await process.ended(within_s=10**6)
            watch.cancel()
        finally:
            self.state = State.ENDED
            if process.running:
                self.kill()
        with suppress(ProcessLookupError):
            # Nothing that it started outlives it.
            os.killpg(process.pid, signal.SIGKILL)
        told = [line for line in process.lines() if line.get("event") == "ended"]
        last = told[-1] if told else {}
        held = last.get("tokens", 0) + last.get("events", 0)
        ended(End(self.client, code, self.asked, last.get("fates"), held))

    async def _until_ready(self, process: WorkerProcess) -> None:
        while all(line.get("event") != "ready" for line in process.lines()):
            await asyncio.sleep(0.2)
        if self.state is State.STARTING:
            self.state = State.SERVING

    def kill(self) -> None:
        """SIGKILL to the process and all it started."""
        self.asked = True
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def ask_to_end(self) -> None:
        """SIGTERM."""
        self.asked = True
        self.send(signal.SIGTERM)

    def send(self, which: signal.Signals) -> None:
        """A signal to the worker process alone; nothing when it is gone."""
        if self._process is not None and self._process.running:
            self._process.send(which)

    def engine_cores(self) -> list[int]:
        """The ids of the processes that vLLM's engine runs in."""
        found = []
        for task in Path(f"/proc/{self.pid}/task").glob("*/children"):
            with suppress(OSError):
                found += [int(pid) for pid in task.read_text().split() if _is_core(int(pid))]
        return found

    def engine_lives(self) -> int:
        """How often its engine was started again in place, so far."""
        if self._process is None:
            return 0
        again = "the engine runs again"
        return sum(line.get("event") == again for line in self._process.lines())

    async def gauges(self) -> Gauges | None:
        """What its metrics say; None when it does not answer."""
        timeout = aiohttp.ClientTimeout(total=_LOOK_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.get(f"http://127.0.0.1:{self._port}/metrics") as answer,
            ):
                return _gauges(await answer.text())
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


def _is_core(pid: int) -> bool:
    # vLLM names the process so; before it has, it is Python's spawned child.
    return b"EngineCore" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _gauges(text: str) -> Gauges | None:
    names = ("ledger_admitted", "ledger_settled", "ledger_abandoned", "in_flight_events")
    wanted = {f"afterguard_{name}" for name in names}
    # The page may be long; only our few lines are parsed.
    lines = [it for it in text.splitlines() if it.partition(" ")[0].partition("{")[0] in wanted]
    found: dict[str, int] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        found[family.name] = int(sum(it.value for it in family.samples))
    if set(found) != wanted:
        return None
    return Gauges(*(found[f"afterguard_{name}"] for name in names))
