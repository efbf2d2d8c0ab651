"""The harmony format of gpt-oss and gpt-oss-safeguard."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from afterguard.contracts.errors import EngineUnavailable
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.engine.answer import constant
from afterguard.engine.combined_answer import answer_grammar, reasoning_tokens
from afterguard.engine.formats.chat_format import (
    Parts,
    PerPolicy,
    Policies,
    encodable,
    structural_tag,
)
from afterguard.engine.prompt import instructions

# Harmony writes a date into the system message. Pinned: a new one each day would change every
# prefix, and with it every entry of the prefix cache and every verdict's prompt.
CONVERSATION_DATE: Final = "2025-08-01"

_START, _END, _MESSAGE, _CHANNEL, _CONSTRAIN = 200006, 200007, 200008, 200005, 200003
_RETURN, _CALL, _END_OF_TEXT = 200002, 200012, 199999
_CONTROL: Final = range(199998, 201088)
_STOPS: Final = (_RETURN, _CALL, _END_OF_TEXT)
_REASONING_CHANNELS: Final = ("analysis", "commentary")

# The tokenizer's time grows with the square of an unbroken piece: 100,000 times the same letter
# take 4 s. Longer texts are encoded in pieces, cut between two words where there are any.
_PIECE: Final = 1024
_BETWEEN_WORDS: Final = re.compile(r"(?<=[^\W_]) (?=[^\W_])")


class Harmony:
    """Renders and reads harmony; the policy goes into the developer message.

    Args:
        reasoning_max_tokens: Cap on the reasoning for each effort.

    Raises:
        EngineUnavailable: The vocabulary is not installed and cannot be fetched.
    """

    name = "harmony"
    stop_ids: tuple[int, ...] = _STOPS
    # The longest token of o200k is a run of 128 spaces.
    most_token_bytes = 128

    def __init__(self, reasoning_max_tokens: Mapping[Effort, int]) -> None:
        try:
            import openai_harmony  # noqa: PLC0415 (comes with vLLM)

            self._encoding: Any = openai_harmony.load_harmony_encoding(
                openai_harmony.HarmonyEncodingName.HARMONY_GPT_OSS
            )
        except Exception as error:
            raise EngineUnavailable(
                "the harmony vocabulary could not be loaded "
                f"({type(error).__name__}): install oss-harmony>=0.0.11, which carries it, "
                "or set TIKTOKEN_ENCODINGS_BASE to a folder with o200k_base.tiktoken"
            ) from error
        self._harmony = openai_harmony
        self._caps = dict(reasoning_max_tokens)
        self.labels = (self._single("0"), self._single("1"))
        self._suffix = tuple(self._with_control("<|end|><|start|>assistant"))
        self._prefixes, self._grammars = PerPolicy(), PerPolicy()

    def prefix(self, policy: Policy, effort: Effort, also: Policies = ()) -> tuple[int, ...]:
        """System and developer message, and the beginning of the user message."""
        return self._prefixes.get(
            policy, effort, lambda: self._render_prefix(policy, effort, also), also
        )

    def suffix(
        self,
        policy: Policy,  # noqa: ARG002
        effort: Effort,  # noqa: ARG002
        also: Policies = (),  # noqa: ARG002
    ) -> tuple[int, ...]:
        """The end of the user message, and the beginning of the model's."""
        return self._suffix

    def encode(self, content: str) -> list[int]:
        """A content as plain text, in time that grows with its length."""
        content = encodable(content)
        if len(content) <= _PIECE:
            return self._plain(content)
        return [token for piece in _pieces(content) for token in self._plain(piece)]

    def render(
        self, policy: Policy, effort: Effort, content: str, also: Policies = ()
    ) -> list[int]:
        """The whole prompt."""
        return [*self.prefix(policy, effort, also), *self.encode(content), *self._suffix]

    def grammar(self, policy: Policy, effort: Effort, also: Policies = ()) -> str:
        """The analysis channel up to the effort's cap, then the final channel with the answer."""
        return self._grammars.get(policy, effort, lambda: self._tag((policy, *also), effort), also)

    def parse(self, output_ids: Sequence[int]) -> Parts:
        """The analysis, and the final message."""
        reasoning: list[str] = []
        final: list[str] = []
        for channel, body in _messages(output_ids):
            text = self.decode(body)
            name = self.decode(channel).split(maxsplit=1)
            if name and name[0] == "final":
                final.append(text)
            elif not name or name[0] in _REASONING_CHANNELS:
                reasoning.append(text)
        return Parts("\n".join(reasoning).strip(), "\n".join(final).strip())

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some tokens; broken UTF-8 is replaced."""
        text: str = self._encoding.decode([token for token in ids if token not in _CONTROL])
        return text

    def _single(self, text: str) -> int:
        (token,) = self._plain(text)
        return token

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self._encoding.encode(text, allowed_special=set(), disallowed_special=())
        return ids

    def _with_control(self, text: str) -> list[int]:
        ids: list[int] = self._encoding.encode(text, allowed_special="all")
        return ids

    def _render_prefix(self, policy: Policy, effort: Effort, also: Policies) -> tuple[int, ...]:
        it = self._harmony
        system = (
            it.SystemContent.new()
            .with_reasoning_effort(it.ReasoningEffort(effort.value.capitalize()))
            .with_conversation_start_date(CONVERSATION_DATE)
        )
        told = encodable(instructions(policy, also))
        developer = it.DeveloperContent.new().with_instructions(told)
        conversation = it.Conversation.from_messages(
            [
                it.Message.from_role_and_content(it.Role.SYSTEM, system),
                it.Message.from_role_and_content(it.Role.DEVELOPER, developer),
            ]
        )
        opening = self._with_control("<|start|>user<|message|>")
        return (*self._encoding.render_conversation(conversation), *opening)

    def _tag(self, policies: Policies, effort: Effort) -> str:
        return structural_tag(
            _token(_CHANNEL),
            constant("analysis"),
            _token(_MESSAGE),
            {
                "type": "any_tokens",
                "exclude_tokens": list(range(199998, 200019)),
                "max_tokens": reasoning_tokens(self._caps[effort], policies),
            },
            _token(_END),
            _token(_START),
            constant("assistant"),
            _token(_CHANNEL),
            constant("final "),
            _token(_CONSTRAIN),
            constant("json"),
            _token(_MESSAGE),
            answer_grammar(policies),
        )


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > _PIECE:
        end = start + _PIECE
        cuts = [cut.start() for cut in _BETWEEN_WORDS.finditer(text, start + _PIECE // 2, end + 1)]
        end = cuts[-1] if cuts else end
        yield text[start:end]
        start = end
    yield text[start:]


def _messages(ids: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Channel and body of each message. The prompt ends inside a header, so outputs begin there."""
    channel: list[int] = []
    body: list[int] = []
    nowhere: list[int] = []
    place = nowhere
    for token in ids:
        if token not in _CONTROL:
            place.append(token)
        elif token == _CHANNEL:
            place = channel = []
        elif token == _MESSAGE:
            place = body = []
        elif token == _CONSTRAIN:
            place = nowhere
        else:
            if place is body:
                yield channel, body
            channel, body, place = [], [], nowhere
    if place is body:
        yield channel, body


def _token(token: int) -> dict[str, Any]:
    return {"type": "token", "token": token}
