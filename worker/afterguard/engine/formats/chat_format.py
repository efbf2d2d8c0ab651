"""What an engine asks of a chat format."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.engine.answer import in_turn

# Below this many characters, encoding takes less than a hop to a thread and back.
ENCODE_ON_LOOP_CHARACTERS: Final = 16_384
_MOST_KEPT: Final = 512

Made = TypeVar("Made")
Policies = tuple[Policy, ...]
_Key = tuple[Effort, tuple[tuple[str, str], ...]]


class Parts(NamedTuple):
    """What the model wrote, apart: its reasoning, and the text that must hold the answer."""

    reasoning: str
    answer: str


class ChatFormat(Protocol):
    """Turns policies and a content into prompt tokens, and output tokens into parts.

    `also` are more policies of the same prompt, after `policy` and in their order. Control tokens
    come from the format alone: whatever a content holds is encoded as plain text.
    """

    @property
    def name(self) -> str:
        """`harmony` or `chat-template`."""
        ...

    @property
    def labels(self) -> tuple[int, int]:
        """The tokens of `0` and `1`."""
        ...

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Tokens that end the model's turn."""
        ...

    @property
    def most_token_bytes(self) -> int:
        """No token stands for more bytes of UTF-8 than this."""
        ...

    def prefix(self, policy: Policy, effort: Effort, also: Policies = ()) -> tuple[int, ...]:
        """All tokens before the content; the same object for the same policies and effort."""
        ...

    def suffix(self, policy: Policy, effort: Effort, also: Policies = ()) -> tuple[int, ...]:
        """All tokens after the content."""
        ...

    def encode(self, content: str) -> list[int]:
        """A content as plain text; safe to call in a thread.

        Raises:
            RequestRefused: The tokenizer makes a control token of it all the same.
        """
        ...

    def render(
        self, policy: Policy, effort: Effort, content: str, also: Policies = ()
    ) -> list[int]:
        """The whole prompt: prefix, content, suffix."""
        ...

    def grammar(self, policy: Policy, effort: Effort, also: Policies = ()) -> str:
        """The structural tag: free reasoning up to the effort's cap, then the answer."""
        ...

    def parse(self, output_ids: Sequence[int]) -> Parts:
        """The parts of an output."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some tokens."""
        ...


class PerPolicy:
    """Keeps what was made for versions of policies and an effort; forgets the oldest first."""

    def __init__(self) -> None:
        self._kept: dict[_Key, Any] = {}
        self._policies = 0

    def get(
        self, policy: Policy, effort: Effort, make: Callable[[], Made], also: Policies = ()
    ) -> Made:
        """What is kept, or what `make` makes.

        Args:
            policy: The policy.
            effort: How long the model may reason.
            make: Makes what is not kept.
            also: More policies of the same prompt, in its order.
        """
        key = effort, tuple((it.id, it.version) for it in (policy, *also))
        if key not in self._kept:
            made = make()
            self._policies += 1 + len(also)
            while self._kept and self._policies > _MOST_KEPT:
                # There are as many prompts as sets of policies, and each is as long as its set.
                oldest = next(iter(self._kept))
                del self._kept[oldest]
                self._policies -= len(oldest[1])
            self._kept[key] = made
        kept: Made = self._kept[key]
        return kept


def structural_tag(*elements: dict[str, Any]) -> str:
    """A structural tag in xgrammar's JSON form, out of elements in a row."""
    tag = {"type": "structural_tag", "format": in_turn(*elements)}
    return json.dumps(tag, ensure_ascii=False)


def encodable(text: str) -> str:
    """The text with lone surrogates, which no tokenizer takes, replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
