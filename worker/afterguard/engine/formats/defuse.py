"""Breaks what looks like a control token, where a tokenizer of somebody else will read it.

A server that applies a chat template to messages turns `<|im_end|>` in a text into the control
token. The one place where that is prevented for the engine `openai`; the embedded formats encode
contents as plain text instead and come here only when a tokenizer has no other way.
"""

import re
from typing import Final

# `<` before a bar, also the full-width one, always; others when they are closed: `<name>`,
# `</name>`, `<<name>>` and `[NAME]`.
_LOOKS_LIKE_CONTROL: Final = re.compile(
    r"<(?=[|\uff5c])|<(?=<?/?[A-Za-z_][^\s<>]{0,63}>)|\[(?=/?[A-Z][A-Z0-9_]{2,31}\])"
)


def defused(text: str) -> str:
    """The text with a space inside everything that looks like a control token.

    A space, and no invisible character: some tokenizers drop those before they look for control
    tokens.
    """
    return _LOOKS_LIKE_CONTROL.sub(lambda opening: f"{opening.group()} ", text)
