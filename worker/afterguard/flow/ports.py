"""What the flow asks of the world: the Protocols that the adapters implement."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import EngineDead
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort


class JudgeRequest(NamedTuple):
    """One content to be judged under one policy.

    Attributes:
        request_id: Unique among requests in flight; written to the engine's own logs.
        policy: The policy; its body comes first in the prompt, so that it is prefilled once.
        content: What the model reads after the policy: our header line and the hostile text.
        effort: How long the model may reason.
        priority: Lower is served sooner; ties by arrival.
        trace_headers: W3C trace context to hand to the engine; None without one.
        origin: The record that is judged; None where there is none.
        also: More policies to be answered in the same prompt, after `policy`.
        second: Whether this is a second look, at a higher effort than the first.
    """

    request_id: str
    policy: Policy
    content: str
    effort: Effort
    priority: int = 0
    trace_headers: Mapping[str, str] | None = None
    origin: Coordinates | None = None
    also: tuple[Policy, ...] = ()
    second: bool = False

    @property
    def policies(self) -> tuple[Policy, ...]:
        """All policies of the prompt, in its order."""
        return (self.policy, *self.also)


def subject(policies: Iterable[Policy]) -> str:
    """What a prompt of these policies is called: the same for the same ones in any life."""
    return "+".join(policy.handle for policy in policies)


class JudgementStatus(StrEnum):
    """How far the model came. Only `answered` may become a verdict on the content."""

    ANSWERED = "answered"
    REASONING_CUT = "reasoning_cut"
    CONTENT_TOO_LONG = "content_too_long"
    UNPARSEABLE = "unparseable"


class Judgement(NamedTuple):
    """What the engine made of one request.

    Attributes:
        status: How far the model came.
        violation: The model's label; None unless `answered`.
        rule_ids: Cited rules, exactly as the model wrote them, unchecked.
        rationale: The model's reasoning. For auditors only.
        answer: The model's final answer, as written. For auditors only.
        score: P(violation) from the label token's log-probabilities; None when unavailable.
        prompt_tokens: Tokens of the prompt.
        cached_prompt_tokens: How many of them came from the prefix cache.
        output_tokens: Tokens that the model wrote.
        others: The judgements under the policies of `JudgeRequest.also`, in their order; tokens
            are counted in the first alone.
    """

    status: JudgementStatus
    violation: bool | None = None
    rule_ids: tuple[str, ...] = ()
    rationale: str = ""
    answer: str = ""
    score: float | None = None
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    output_tokens: int = 0
    others: tuple["Judgement", ...] = ()

    @property
    def complete(self) -> bool:
        """Whether this is a whole and possible answer; nothing else may become a verdict."""
        score = self.score
        return (
            self.status is JudgementStatus.ANSWERED
            and self.violation is not None
            and (score is None or 0.0 <= score <= 1.0)
        )


class Judge(Protocol):
    """A model that reads content under a policy.

    Cancelling a call aborts its request in the engine.
    """

    @property
    def engine(self) -> str:
        """Name of the implementation: `vllm`, `openai` or `null`."""
        ...

    @property
    def model(self) -> str:
        """Id of the model, as written into verdicts and cache keys."""
        ...

    async def start(self) -> None:
        """Make the engine ready. May take minutes; must not block the event loop.

        Raises:
            EngineUnavailable: It cannot be started; the message says what to do.
        """
        ...

    async def judge(self, request: JudgeRequest) -> Judgement:
        """Judge one request.

        Raises:
            EngineBusy: The queue is full; try again later.
            EngineFault: This request failed; it may be tried again.
            EngineLost: The engine died with this request and is started again; ask again.
            RequestRefused: The engine will never take this request.
            EngineDead: The engine died; nothing in flight may be settled.
        """
        ...

    async def healthy(self) -> bool:
        """Whether the engine answers now. Never raises; takes seconds at most."""
        ...

    async def stop(self) -> None:
        """Abort what is in flight and release the engine. May be called more than once."""
        ...


class Vitals(NamedTuple):
    """Signs of life of an engine.

    Attributes:
        running: False from its death until it has been started again.
        in_flight: Requests that it was given and has not answered.
        progress: Grows with each of its steps and with each request that ends.
    """

    running: bool
    in_flight: int
    progress: int


class Revivable(Protocol):
    """An engine that can be started again in place."""

    @property
    def vitals(self) -> Vitals:
        """Its signs of life now."""
        ...

    async def restart(self, cause: EngineDead) -> None:
        """Stop it and start it again, or wait until somebody else has done so.

        Args:
            cause: Why; for the log.

        Raises:
            EngineDead: It has been started again too often.
        """
        ...


class EngineLoad(NamedTuple):
    """How busy an engine is.

    Attributes:
        running: Requests it works on.
        waiting: Requests in its own queue.
        kv_usage: Share of its KV cache in use, 0 to 1.
    """

    running: int
    waiting: int
    kv_usage: float


@runtime_checkable
class Loaded(Protocol):
    """An engine that tells how busy it is."""

    def load(self) -> EngineLoad | None:
        """What it said last; None when it has not said anything yet. Returns at once."""
        ...


class PolicySource(Protocol):
    """The policies in force."""

    @property
    def confirmed(self) -> bool:
        """False while nobody could say whether others should be in force."""
        ...

    def applicable(self, event: ChatEvent) -> tuple[tuple[Policy, ...], tuple[str, ...]]:
        """The policies to judge an event under, and the ids it asked for that nobody knows."""
        ...


class VerdictCache(Protocol):
    """Judgements already made, by key. Never in the way: a fault is a miss, marked as away."""

    @property
    def away(self) -> bool:
        """Whether the store did not answer the last time it was asked."""
        ...

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value for each key, in order; None for a miss. Never raises."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Keep a value for the configured time. Returns at once; losing it is no fault."""
        ...


class SeenEvents(Protocol):
    """Which events were judged and published already. Never in the way, like the cache."""

    @property
    def away(self) -> bool:
        """Whether the store did not answer the last time it was asked."""
        ...

    async def first_seen(self, keys: Sequence[str]) -> list[Coordinates | None]:
        """Where each key was first judged; None when it was not. Never raises."""
        ...

    def mark(self, key: str, origin: Coordinates) -> None:
        """Remember that this key was judged and published. Returns at once."""
        ...


class Attempts(Protocol):
    """How often a request was at the engine when the engine or its worker died, over all lives.

    Never in the way, like the cache: what cannot be read is none, what cannot be kept is lost.
    """

    async def deaths(self, request: JudgeRequest) -> int:
        """How many deaths are behind this request. Never raises."""
        ...

    async def charge(self, request: JudgeRequest, deaths: int) -> None:
        """Keep this count now: it holds if the worker dies. Never raises; takes moments at most."""
        ...

    def remember(self, request: JudgeRequest, deaths: int) -> None:
        """Keep this count soon, 0 to forget. Returns at once."""
        ...


class Screened(NamedTuple):
    """What a fitted classifier makes of one text under one policy.

    Attributes:
        score: P(violation), calibrated on rows that it was not fitted on.
        threshold: From where on it matters for this policy.
        classifier: Name and version.
    """

    score: float
    threshold: float
    classifier: str


class Classifiers(Protocol):
    """Fitted classifiers, one for each policy that names one. Never in the way, like the cache."""

    async def score(self, policy: Policy, text: str) -> Screened | None:
        """What the policy's classifier makes of a text; None when it gives no score. Never raises.

        Must not block the event loop, and must give the same text the same score.
        """
        ...
