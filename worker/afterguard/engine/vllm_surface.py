"""All that we use of vLLM, and the only file that imports it. Import it off the event loop.

Names used: `AsyncEngineArgs`, `AsyncLLM` (`from_engine_args`, `generate`, `abort`, `is_paused`,
`errored`, `get_tokenizer`, `model_config`, `output_handler`, `shutdown`), the methods of a stat
logger, `tokens_input`,
`SamplingParams`, `StructuredOutputsParams`, `RequestOutputKind`, `RequestOutput`,
`EngineDeadError` and, where there are such, `VLLMClientError` and errors that carry an
`http_status`. Run with 0.32; each name and argument was also looked up in the source of 0.26,
which was not run, and the stat logger's in an earlier source that tells no version.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from vllm import SamplingParams, exceptions
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.inputs import tokens_input
from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from afterguard.contracts.errors import (
    EngineBusy,
    EngineDead,
    EngineError,
    EngineFault,
    EngineUnavailable,
    RequestRefused,
    SettingsError,
)
from afterguard.engine.settings import EngineSettings
from afterguard.engine.vllm_arguments import engine_arguments
from afterguard.flow.ports import EngineLoad

# Before 0.32 refusals were ValueErrors and had no root of their own.
_REFUSALS: Final = (ValueError, getattr(exceptions, "VLLMClientError", ValueError))
_BUSY: Final = frozenset({429, 503})


class _Steps:
    """What vLLM calls a stat logger: told about each step of its engine."""

    def __init__(self, on_step: Callable[[EngineLoad | None], None]) -> None:
        self._on_step = on_step

    def record(self, scheduler_stats: Any = None, *_: object, **__: object) -> None:  # noqa: ANN401
        if scheduler_stats is None:
            self._on_step(None)
            return
        self._on_step(
            EngineLoad(
                scheduler_stats.num_running_reqs,
                scheduler_stats.num_waiting_reqs,
                scheduler_stats.kv_cache_usage,
            )
        )

    def log_engine_initialized(self) -> None:
        """Nothing to tell."""

    def log(self) -> None:
        """Nothing to tell."""

    def record_sleep_state(self, *_: object, **__: object) -> None:
        """Nothing to tell: nobody here sends it to sleep."""


def start_engine(settings: EngineSettings, on_step: Callable[[EngineLoad | None], None]) -> Any:  # noqa: ANN401
    """A running engine. Takes seconds to minutes, and blocks.

    Args:
        settings: The `engine` section.
        on_step: Called on the event loop after each step of the engine, with how busy it is.

    Raises:
        SettingsError: An argument in `engine.args` is unknown, wrong or contradicts a setting.
        EngineUnavailable: vLLM refused to start; tells what it said.
    """
    known = {it.name for it in fields(AsyncEngineArgs) if it.init}
    arguments = engine_arguments(settings, known)
    try:
        engine_args = AsyncEngineArgs(**arguments)
    except (TypeError, ValueError) as error:
        raise SettingsError([f"engine.args: {_first_line(error)}"]) from None
    try:
        return AsyncLLM.from_engine_args(
            engine_args, stat_loggers=[lambda *_, **__: _Steps(on_step)]
        )
    except Exception as error:
        raise EngineUnavailable(
            f"vLLM could not start {settings.model!r} ({type(error).__name__}: "
            f"{_first_line(error)}). Check engine.model (a folder, or a hub id that can be "
            "reached), engine.args, and the memory of the GPU; vLLM's own log, above, has more"
        ) from error


def sampling(
    *,
    temperature: float,
    max_tokens: int,
    labels: Sequence[int],
    stop_ids: Sequence[int],
    structural_tag: str | None,
) -> Any:  # noqa: ANN401
    """Sampling parameters that may be used for any number of requests."""
    return SamplingParams(
        temperature=temperature,
        max_tokens=max_tokens,
        logprob_token_ids=list(labels),
        stop_token_ids=list(stop_ids),
        structured_outputs=(
            StructuredOutputsParams(structural_tag=structural_tag) if structural_tag else None
        ),
        output_kind=RequestOutputKind.FINAL_ONLY,
        detokenize=False,
        skip_clone=True,
    )


def generation(
    engine: Any,  # noqa: ANN401
    prompt_ids: list[int],
    parameters: Any,  # noqa: ANN401
    request_id: str,
    *,
    priority: int,
    trace_headers: Mapping[str, str] | None,
) -> AsyncGenerator[Any, None]:
    """The outputs of one request; with our parameters there is one, the last."""
    outputs: AsyncGenerator[Any, None] = engine.generate(
        tokens_input(prompt_ids),
        parameters,
        request_id,
        priority=priority,
        trace_headers=trace_headers,
        # The grammar begins with the first token: it holds the reasoning as well.
        reasoning_ended=True,
    )
    return outputs


def as_ours(error: Exception, *, engine_died: bool) -> EngineError:
    """The error of ours for one of vLLM's.

    Its text is not repeated: it may quote the prompt.
    """
    name = type(error).__name__
    if engine_died or isinstance(error, EngineDeadError):
        return EngineDead(f"vLLM's engine died ({name}); its own log has the cause")
    if getattr(error, "http_status", None) in _BUSY:
        return EngineBusy(f"vLLM's queue is full ({name})")
    if isinstance(error, _REFUSALS):
        return RequestRefused(f"vLLM refused the request ({name})")
    return EngineFault(f"vLLM failed at this request ({name})")


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
