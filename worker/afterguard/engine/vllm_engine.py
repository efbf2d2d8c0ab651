"""The engine `vllm`: AsyncLLM inside this worker.

vLLM is imported at `start` and only through `vllm_surface`, so that a worker with another engine
does without it.
"""

import asyncio
import multiprocessing
import threading
from collections.abc import Callable
from contextlib import aclosing, suppress
from importlib import import_module
from time import monotonic
from types import ModuleType
from typing import Any, Final, NamedTuple

import structlog
from prometheus_client import CollectorRegistry

from afterguard.contracts.errors import (
    EngineFault,
    EngineUnavailable,
    RequestRefused,
    SettingsError,
)
from afterguard.engine.combined_answer import answer_tokens, reasoning_tokens
from afterguard.engine.completion import Completion, judgement
from afterguard.engine.daemon_thread import in_daemon_thread
from afterguard.engine.formats.chat_format import ENCODE_ON_LOOP_CHARACTERS, ChatFormat, PerPolicy
from afterguard.engine.formats.pick import pick_format
from afterguard.engine.process_tree import kill_tree
from afterguard.engine.settings import EngineSettings
from afterguard.engine.vllm_logs import configure_vllm_logs
from afterguard.engine.vllm_metrics import VllmMetrics
from afterguard.flow.deadlines import Deadlines
from afterguard.flow.ports import EngineLoad, Judgement, JudgementStatus, JudgeRequest

_log = structlog.get_logger(__name__)

_SURFACE: Final = "afterguard.engine.vllm_surface"
# What vLLM may take beyond the time it was given, to kill its processes.
_KILL_S: Final = 5.0


class _Running(NamedTuple):
    """A started engine and what goes with it."""

    surface: ModuleType
    engine: Any
    format: ChatFormat
    longest: int


class _Plan(NamedTuple):
    """What is the same for all contents under the same policies and effort.

    Attributes:
        prefix: Tokens before the content.
        suffix: Tokens after it.
        parameters: Of sampling.
        most: Longest content, in tokens; below 1 when the policies leave no room.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    parameters: Any
    most: int


class VllmJudge:
    """Judges with a model that vLLM runs in processes of this worker.

    Args:
        settings: The `engine` section.
        registry: Where vLLM's own metrics are shown.
        progress: Told what happens during the start; called from any thread.
    """

    engine = "vllm"

    def __init__(
        self,
        settings: EngineSettings,
        registry: CollectorRegistry,
        progress: Callable[[str], None],
    ) -> None:
        self.model = settings.model_name or settings.model
        self._settings, self._progress = settings, progress
        self._metrics = VllmMetrics(registry)
        self._running: _Running | None = None
        self._plans = PerPolicy()
        self._in_flight: set[str] = set()
        self._steps = 0
        self._busy: EngineLoad | None = None
        self._limits = Deadlines(monotonic)
        self._given_up = threading.Event()
        self._others: frozenset[int | None] = frozenset()

    async def start(self) -> None:
        """Load vLLM and the model, off the event loop.

        Raises:
            SettingsError: vLLM cannot be imported, or an argument in `engine.args` is unknown or
                contradicts a setting.
            EngineUnavailable: It did not start, or not within `engine.start_timeout_s`.
        """
        if self._running is not None:
            return
        self._plans = PerPolicy()
        self._given_up.clear()
        self._others = frozenset(child.pid for child in multiprocessing.active_children())
        began = monotonic()
        limit = self._settings.start_timeout_s
        try:
            async with asyncio.timeout(limit):
                self._running = await in_daemon_thread(self._load, "vllm-start")
        except TimeoutError:
            await self.stop()
            raise EngineUnavailable(
                f"vLLM was not ready within engine.start_timeout_s ({limit:g} s): raise it where "
                "the model is still being downloaded; vLLM's own log, above, says how far it came"
            ) from None
        self._metrics.show()
        self._progress(f"ready in {monotonic() - began:.0f} s")

    def _load(self) -> _Running:
        self._progress("loading vLLM")
        configure_vllm_logs()
        try:
            surface = import_module(_SURFACE)
        except ImportError as error:
            # No restart of the worker mends an installation.
            problem = (
                f"engine.kind: vLLM is installed and cannot be imported ({error}): its version "
                "must be one that afterguard[gpu] or afterguard[cpu] asks for"
            )
            raise SettingsError([problem]) from error
        if self._given_up.is_set():
            raise EngineUnavailable("the start was given up")
        self._progress(f"starting the engine with {self._settings.model}")
        engine = surface.start_engine(self._settings, self._stepped)
        try:
            chosen = pick_format(
                self._settings, engine.model_config.hf_config.model_type, engine.get_tokenizer
            )
            if self._given_up.is_set():
                raise EngineUnavailable("the start was given up")
            return _Running(surface, engine, chosen, engine.model_config.max_model_len)
        except BaseException:
            engine.shutdown(timeout=self._settings.stop_timeout_s)
            raise
        finally:
            # Libraries keep errors that they caught, and with them this frame and what it holds.
            del engine

    async def judge(self, request: JudgeRequest) -> Judgement:
        """One request to the model.

        Raises:
            EngineBusy, EngineFault, RequestRefused, EngineDead: As `Judge` has them.
            EngineUnavailable: It was not started, or has been stopped.
        """
        running = self._running
        if running is None:
            raise EngineUnavailable("the engine does not run")
        plan = self._plans.get(
            request.policy, request.effort, lambda: self._plan(running, request), request.also
        )
        if plan.most < 1 and not request.also:
            raise RequestRefused(
                "the policy and its reasoning leave no room for a content: raise "
                "engine.max_model_len, or shorten the policy"
            )
        content = await self._encoded(running.format, request.content, plan.most)
        if content is None:
            return Judgement(JudgementStatus.CONTENT_TOO_LONG)
        prompt = [*plan.prefix, *content, *plan.suffix]
        limit_s = self._settings.request_timeout_s
        output = await self._limits.within(
            monotonic() + limit_s, self._generated(running, prompt, plan.parameters, request)
        )
        if output is None:
            raise EngineFault(f"not answered within engine.request_timeout_s ({limit_s:g} s)")
        written = output.outputs[0]
        if written.finish_reason not in {"stop", "length"}:
            raise EngineFault(f"vLLM ended the request early ({written.finish_reason})")
        return judgement(
            running.format,
            Completion(
                tuple(written.token_ids),
                cut=written.finish_reason == "length",
                logprobs=written.logprobs,
                prompt_tokens=len(prompt),
                cached_prompt_tokens=output.num_cached_tokens or 0,
            ),
            request.policies,
        )

    def _plan(self, running: _Running, request: JudgeRequest) -> _Plan:
        settings, chosen = self._settings, running.format
        policy, effort, also = request.policy, request.effort, request.also
        thoughts = reasoning_tokens(settings.reasoning_max_tokens[effort], request.policies)
        max_tokens = thoughts + answer_tokens(request.policies)
        prefix, suffix = chosen.prefix(policy, effort, also), chosen.suffix(policy, effort, also)
        room = running.longest - len(prefix) - len(suffix) - max_tokens
        if room < 1 and also:
            _log.warning(
                "policies leave no room in one prompt and are asked about one by one: raise "
                "engine.max_model_len, or lower judging.combined_most",
                policies=len(request.policies),
                tokens_missing=1 - room,
            )
        parameters = running.surface.sampling(
            temperature=settings.temperature,
            max_tokens=max_tokens,
            labels=chosen.labels,
            stop_ids=chosen.stop_ids,
            structural_tag=chosen.grammar(policy, effort, also) if settings.structured else None,
        )
        return _Plan(prefix, suffix, parameters, min(room, settings.max_content_tokens))

    async def _encoded(self, chosen: ChatFormat, content: str, most: int) -> list[int] | None:
        """The content's tokens; None when there are more than may be."""
        if len(content) > most * chosen.most_token_bytes:
            return None
        if len(content) <= ENCODE_ON_LOOP_CHARACTERS:
            tokens = chosen.encode(content)
        else:
            tokens = await asyncio.to_thread(chosen.encode, content)
        return tokens if len(tokens) <= most else None

    async def _generated(
        self,
        running: _Running,
        prompt: list[int],
        parameters: Any,  # noqa: ANN401 (vLLM's own)
        request: JudgeRequest,
    ) -> Any:  # noqa: ANN401
        outputs = running.surface.generation(
            running.engine,
            prompt,
            parameters,
            request.request_id,
            priority=request.priority,
            trace_headers=request.trace_headers,
        )
        last = None
        self._in_flight.add(request.request_id)
        try:
            async with aclosing(outputs):
                async for output in outputs:
                    last = output
        except asyncio.CancelledError:
            # vLLM aborts a request it knows; one that was cancelled on its way in it may keep.
            with suppress(Exception):
                await running.engine.abort(request.request_id)
            raise
        except Exception as error:  # noqa: BLE001 (vLLM raises what it likes)
            died = bool(running.engine.errored)
            raise running.surface.as_ours(error, engine_died=died) from None
        finally:
            self._in_flight.discard(request.request_id)
        if last is None:
            raise EngineFault("vLLM ended the request without an output")
        return last

    def _stepped(self, load: EngineLoad | None) -> None:
        self._steps += 1
        self._busy = load or self._busy

    def load(self) -> EngineLoad | None:
        """How busy vLLM was at its last step; None when it is not running."""
        return self._busy if self._running is not None else None

    @property
    def steps(self) -> int:
        """Steps that vLLM's engine has made, in all its lives."""
        return self._steps

    @property
    def dead(self) -> bool:
        """Whether vLLM says that its engine died."""
        return self._running is not None and bool(self._running.engine.errored)

    async def healthy(self) -> bool:
        """Whether the engine's own loop answers within `engine.probe_timeout_s`.

        vLLM's `check_health` looks at flags alone and finds a frozen engine healthy.
        """
        running = self._running
        if running is None or running.engine.errored:
            return False
        try:
            async with asyncio.timeout(self._settings.probe_timeout_s):
                paused = await running.engine.is_paused()
        except Exception as error:  # noqa: BLE001 (a probe tells, it never raises)
            _log.warning("the engine does not answer its probe", error=type(error).__name__)
            return False
        return not paused

    async def kill(self) -> None:
        """End vLLM's processes at once; one that is frozen heeds nothing else. `stop` follows."""
        await asyncio.to_thread(self._kill_what_is_left)

    async def stop(self) -> None:
        """Abort what is in flight and end vLLM's processes; those left after that are killed."""
        self._given_up.set()
        running, self._running = self._running, None
        self._metrics.hide()
        limit = self._settings.stop_timeout_s
        if running is not None:
            try:
                async with asyncio.timeout(limit + _KILL_S):
                    await self._abort_all(running)
                    await in_daemon_thread(lambda: running.engine.shutdown(limit), "vllm-stop")
            except TimeoutError:
                _log.warning("vLLM did not stop in time", limit_s=limit)
        await asyncio.to_thread(self._kill_what_is_left)

    async def _abort_all(self, running: _Running) -> None:
        with suppress(Exception):
            await running.engine.abort(list(self._in_flight))
        # Left alone it would log, with a stack trace, that its engine has gone away.
        if running.engine.output_handler is not None:
            running.engine.output_handler.cancel()

    def _kill_what_is_left(self) -> None:
        """Processes of a start that was given up, or of an engine that did not stop."""
        for child in multiprocessing.active_children():
            pid = child.pid
            if pid and pid not in self._others and child.name.startswith("EngineCore"):
                # Its own children, such as one for each GPU, might outlive it.
                kill_tree(pid)
                child.join(_KILL_S)
