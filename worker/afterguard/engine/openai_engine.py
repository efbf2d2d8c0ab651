"""The engine `openai`: the model runs on a server that speaks OpenAI's chat completions.

The server applies the chat template, so what looks like a control token in a content is broken
before it is sent. It has the tokenizer too: whether a content is too long is estimated here.

How the answer is held to its shape, when `engine.structured` is on: by vLLM's structural tags
(reasoning, capped, then the answer) where the server applies them; for harmony models, and where
it does not, by a JSON Schema, which lets only models with a reasoning parser on the server reason
before they answer; else not at all, and the parser alone decides.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import openai
import structlog

from afterguard.contracts.errors import (
    EngineBusy,
    EngineError,
    EngineFault,
    EngineUnavailable,
    RequestRefused,
)
from afterguard.contracts.policies import Policy
from afterguard.engine.completion import Labels, read_under
from afterguard.engine.formats.chat_format import encodable
from afterguard.engine.formats.defuse import defused
from afterguard.engine.formats.free_text import parts_of
from afterguard.engine.formats.pick import speaks_harmony
from afterguard.engine.openai_request import PROBE_WORD, Feature, Requests, feature_probe
from afterguard.engine.settings import EngineSettings
from afterguard.engine.tokens import estimate_tokens
from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest
from afterguard.security.secret_files import secret
from afterguard.telemetry.redaction import without_credentials

_log = structlog.get_logger(__name__)

_LABELS: Final = ("0", "1")
_PROBE: Final[dict[str, Any]] = {
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 1,
}
_BUSY: Final = frozenset({429, 503})
# By name, for which HTTP library is beneath is the client's own affair.
_UNREACHED: Final = frozenset({"ConnectError", "ConnectTimeout"})
_REFUSED: Final = frozenset({400, 413, 422})
_TOO_LONG: Final = frozenset({"context_length_exceeded", "input_tokens"})


class OpenAIJudge:
    """Judges with a model on a server.

    Args:
        settings: The `engine` section.
        progress: Told what happens during the start.
    """

    engine = "openai"

    def __init__(self, settings: EngineSettings, progress: Callable[[str], None]) -> None:
        self.model = settings.model_name or settings.model
        self._settings, self._progress = settings, progress
        self._where = without_credentials(settings.base_url or "")
        self._key = secret(settings.api_key, settings.api_key_file, "engine.api_key")
        self._client: openai.AsyncOpenAI | None = None
        self._requests = Requests(settings, frozenset())

    async def start(self) -> None:
        """See that the server, the key and the model work, and what the server understands.

        Raises:
            EngineUnavailable: One of them does not; names the setting.
        """
        if self._client is not None:
            return
        settings = self._settings
        self._progress(f"asking {self._where} for {settings.model}")
        client = openai.AsyncOpenAI(
            base_url=settings.base_url,
            # The package insists on a key; servers without one do not look at it.
            api_key=self._key or "none",
            timeout=settings.request_timeout_s,
            # The flow retries: it knows the deadline.
            max_retries=0,
        )
        try:
            features = await self._examine(client)
        except BaseException:
            await client.close()
            raise
        self._client, self._requests = client, Requests(settings, features)
        self._progress(f"ready; the server takes {', '.join(sorted(features)) or 'no extras'}")

    async def _examine(self, client: openai.AsyncOpenAI) -> frozenset[Feature]:
        try:
            await client.chat.completions.create(model=self._settings.model, **_PROBE)
        except openai.OpenAIError as error:
            raise EngineUnavailable(self._remedy(error)) from None
        features = {
            feature
            for feature in (Feature.LOGPROBS, Feature.PRIORITY, Feature.EFFORT)
            if await self._takes(client, feature)
        }
        if self._settings.structured:
            holders = [Feature.STRUCTURAL_TAG, Feature.JSON_SCHEMA]
            if speaks_harmony(self._settings):
                holders.remove(Feature.STRUCTURAL_TAG)
            for holder in holders:
                if await self._takes(client, holder):
                    features.add(holder)
                    break
            else:
                _log.warning("the server takes no grammar: the answer's shape is not enforced")
        return frozenset(features)

    async def _takes(self, client: openai.AsyncOpenAI, feature: Feature) -> bool:
        try:
            response = await client.chat.completions.create(
                model=self._settings.model, **(_PROBE | feature_probe(feature))
            )
        except openai.APIStatusError as error:
            if error.status_code in _REFUSED:
                return False
            raise EngineUnavailable(self._remedy(error)) from None
        except openai.OpenAIError as error:
            raise EngineUnavailable(self._remedy(error)) from None
        if feature is Feature.STRUCTURAL_TAG:
            return bool(response.choices) and response.choices[0].message.content == PROBE_WORD
        return True

    def _remedy(self, error: openai.OpenAIError) -> str:
        where = f"the server at {self._where}"
        match getattr(error, "status_code", None):
            case None:
                return f"{where} does not answer ({type(error).__name__}): check engine.base_url"
            case 401 | 403 as status:
                return f"{where} refuses us ({status}): check engine.api_key"
            case 404:
                return (
                    f"{where} knows no model {self._settings.model!r} (404): check engine.model, "
                    "and that engine.base_url ends as the server wants it, such as /v1"
                )
            case status:
                return f"{where} answers with status {status}; its own log has the cause"

    async def judge(self, request: JudgeRequest) -> Judgement:
        """One request to the server.

        Raises:
            EngineBusy, EngineFault, RequestRefused: As `Judge` has them.
            EngineUnavailable: It was not started, or key or model are no longer accepted.
        """
        client = self._client
        if client is None:
            raise EngineUnavailable("the engine does not run")
        if estimate_tokens(request.content) > self._settings.max_content_tokens:
            return Judgement(JudgementStatus.CONTENT_TOO_LONG)
        asked = self._requests.request(request, defused(encodable(request.content)))
        try:
            response = await client.chat.completions.create(
                **asked, extra_headers=dict(request.trace_headers or {})
            )
        except openai.APIStatusError as error:
            if error.status_code in _REFUSED and not _TOO_LONG.isdisjoint(
                {error.code, error.param}
            ):
                return Judgement(JudgementStatus.CONTENT_TOO_LONG)
            raise self._as_ours(error) from None
        except (openai.OpenAIError, ValueError) as error:
            if type(error.__cause__).__name__ in _UNREACHED:
                # It restarts, perhaps, and has not seen this request: no reason to give it up.
                raise EngineBusy("the server cannot be reached") from None
            raise EngineFault(f"no answer from the server ({type(error).__name__})") from None
        try:
            return _judgement(response, request.policies)
        except (AttributeError, TypeError):
            # The package builds its objects out of whatever JSON there is, unchecked.
            raise EngineFault("the server's answer is no chat completion") from None

    def _as_ours(self, error: openai.APIStatusError) -> EngineError:
        """By status; the server's text is not repeated, it may quote the content."""
        status = error.status_code
        if status in _BUSY:
            return EngineBusy(f"the server is busy ({status})")
        if status in {401, 403, 404}:
            return EngineUnavailable(self._remedy(error))
        if status in {408, 409} or status >= 500:
            return EngineFault(f"the server failed at this request ({status})")
        return RequestRefused(f"the server refused the request ({status})")

    async def healthy(self) -> bool:
        """Whether the server lists its models within `engine.probe_timeout_s`."""
        if self._client is None:
            return False
        try:
            await self._client.models.list(timeout=self._settings.probe_timeout_s)
        except (openai.OpenAIError, ValueError) as error:
            _log.warning("the server does not answer its probe", error=type(error).__name__)
            return False
        return True

    async def stop(self) -> None:
        """Close the connections; the server aborts what was asked over them."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def _judgement(
    response: Any,  # noqa: ANN401 (servers leave out what they like)
    policies: Sequence[Policy],
) -> Judgement:
    if not response.choices:
        raise EngineFault("the server sent no choice")
    choice = response.choices[0]
    message = choice.message
    written = parts_of(message.content or "")
    # The field's name differs between servers and versions.
    thought = getattr(message, "reasoning", None) or getattr(message, "reasoning_content", None)
    usage = response.usage
    details = getattr(usage, "prompt_tokens_details", None)
    told = Judgement(
        JudgementStatus.UNPARSEABLE,
        rationale="\n".join(text for text in (thought, written.reasoning) if text),
        answer=written.answer,
        prompt_tokens=usage.prompt_tokens if usage else 0,
        cached_prompt_tokens=(details.cached_tokens or 0) if details else 0,
        output_tokens=usage.completion_tokens if usage else 0,
    )
    match choice.finish_reason:
        case "length":
            told, answered = told._replace(status=JudgementStatus.REASONING_CUT), False
        case "content_filter":
            raise RequestRefused("a filter of the server's withheld the answer")
        case "stop":
            answered = True
        case reason:
            raise EngineFault(f"the server ended the request early ({reason})")
    return read_under(policies, told, _labels(choice.logprobs), answered=answered)


def _labels(logprobs: Any) -> Labels[str]:  # noqa: ANN401
    tokens = (logprobs.content if logprobs else None) or []

    def at(position: int) -> Mapping[str, float]:
        told = tokens[position]
        return {it.token: it.logprob for it in (*told.top_logprobs, told)}

    return Labels([it.token for it in tokens], _LABELS, "".join, at)
