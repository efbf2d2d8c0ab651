"""The format of any model with a chat template."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from afterguard.contracts.errors import EngineUnavailable, RequestRefused
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.engine.combined_answer import answer_grammar, reasoning_tokens
from afterguard.engine.formats.chat_format import (
    Parts,
    PerPolicy,
    Policies,
    encodable,
    structural_tag,
)
from afterguard.engine.formats.defuse import defused
from afterguard.engine.formats.free_text import parts_of
from afterguard.engine.prompt import instructions

# Stands for the content while the template is rendered; no template or policy holds it.
_SENTINEL: Final = "afterguard7c1f0content"
_THINKING: Final = ("<think>", "</think>")
_CONTROL_SHAPE: Final = re.compile(r"^(<[^\s<>]+>|\[[A-Z_/]+\])$")


class ChatTemplate:
    """Renders with the template of the model's own tokenizer; the policy is the system message.

    Args:
        tokenizer: A fast tokenizer of transformers.
        reasoning_max_tokens: Cap on the reasoning for each effort.

    Raises:
        EngineUnavailable: The tokenizer is not a fast one, or has no usable chat template.
    """

    name = "chat-template"

    def __init__(
        self,
        tokenizer: Any,  # noqa: ANN401 (untyped)
        reasoning_max_tokens: Mapping[Effort, int],
    ) -> None:
        if getattr(tokenizer, "backend_tokenizer", None) is None:
            raise EngineUnavailable("engine.model: its tokenizer is no fast tokenizer")
        if not getattr(tokenizer, "chat_template", None):
            raise EngineUnavailable("engine.model: it has no chat template; use a chat model")
        self._tokenizer = tokenizer
        self._plain, described = _without_added_tokens(tokenizer)
        self._caps = dict(reasoning_max_tokens)
        self._control = _control_ids(described)
        thinking = {it["id"] for it in described["added_tokens"] if it["content"] in _THINKING}
        self._never_in_reasoning = sorted(self._control - thinking)
        self.stop_ids = (tokenizer.eos_token_id,) if tokenizer.eos_token_id is not None else ()
        self.most_token_bytes = max(len(it.encode()) for it in self._plain.get_vocab())
        self.labels = (self._single("0"), self._single("1"))
        self._frames, self._grammars = PerPolicy(), PerPolicy()

    def prefix(self, policy: Policy, effort: Effort, also: Policies = ()) -> tuple[int, ...]:
        """Everything of the rendered template before the content."""
        return self._frame(policy, effort, also)[0]

    def suffix(self, policy: Policy, effort: Effort, also: Policies = ()) -> tuple[int, ...]:
        """Everything of the rendered template after the content."""
        return self._frame(policy, effort, also)[1]

    def encode(self, content: str) -> list[int]:
        """A content as plain text.

        A vocabulary may hold a control token as an ordinary piece as well; such a content is
        defused first.

        Raises:
            RequestRefused: Defused, it still becomes a control token.
        """
        content = encodable(content)
        for text in (content, defused(content)):
            ids: list[int] = self._plain.encode(text, add_special_tokens=False).ids
            if self._control.isdisjoint(ids):
                return ids
        raise RequestRefused("the content becomes a control token of the model")

    def render(
        self, policy: Policy, effort: Effort, content: str, also: Policies = ()
    ) -> list[int]:
        """The whole prompt."""
        prefix, suffix = self._frame(policy, effort, also)
        return [*prefix, *self.encode(content), *suffix]

    def grammar(self, policy: Policy, effort: Effort, also: Policies = ()) -> str:
        """Free text up to the effort's cap, then the answer."""
        return self._grammars.get(policy, effort, lambda: self._tag((policy, *also), effort), also)

    def parse(self, output_ids: Sequence[int]) -> Parts:
        """All before the answer is reasoning."""
        return parts_of(self.decode(output_ids))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some tokens, without special tokens."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def _single(self, text: str) -> int:
        ids = self._plain.encode(text, add_special_tokens=False).ids
        return int(ids[-1])

    def _frame(
        self, policy: Policy, effort: Effort, also: Policies
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self._frames.get(
            policy, effort, lambda: self._render_frame(policy, effort, also), also
        )

    def _render_frame(
        self, policy: Policy, effort: Effort, also: Policies
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        told = encodable(instructions(policy, also))
        with_system = [
            {"role": "system", "content": told},
            {"role": "user", "content": _SENTINEL},
        ]
        # Some templates know no system message: they refuse it or leave it out.
        without_system = [{"role": "user", "content": f"{told}\n\n{_SENTINEL}"}]
        for messages in (with_system, without_system):
            before, sentinel, after = self._rendered(messages, effort).partition(_SENTINEL)
            if sentinel and policy.body.strip()[:200] in before and _SENTINEL not in after:
                return self._encoded(before), self._encoded(after)
        raise EngineUnavailable("engine.model: its chat template does not show the messages")

    def _rendered(self, messages: list[dict[str, str]], effort: Effort) -> str:
        try:
            text: str = self._tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=True,
                reasoning_effort=effort.value,
            )
        except Exception:  # noqa: BLE001 (templates raise what they like)
            return ""
        return text

    def _encoded(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False))

    def _tag(self, policies: Policies, effort: Effort) -> str:
        return structural_tag(
            {
                "type": "any_tokens",
                "exclude_tokens": self._never_in_reasoning,
                "max_tokens": reasoning_tokens(self._caps[effort], policies),
            },
            answer_grammar(policies),
        )


def _without_added_tokens(
    tokenizer: Any,  # noqa: ANN401 (untyped)
) -> tuple[Any, dict[str, Any]]:
    """A tokenizer that knows no control tokens, and the description of the full one."""
    from tokenizers import Tokenizer  # noqa: PLC0415 (comes with the engine)

    described: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    bare = described | {
        "added_tokens": [],
        "post_processor": None,
        "truncation": None,
        "padding": None,
    }
    return Tokenizer.from_str(json.dumps(bare)), described


def _control_ids(described: dict[str, Any]) -> set[int]:
    """Special tokens, and other added ones that look like control: not runs of white space."""
    return {
        token["id"]
        for token in described["added_tokens"]
        if token["special"] or _CONTROL_SHAPE.match(token["content"])
    }
