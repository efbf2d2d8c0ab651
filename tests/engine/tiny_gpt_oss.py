"""A gpt_oss of 26 million random weights: proves the harmony path, judges nothing.

The tokenizer is the real one, rebuilt from the vocabulary that `oss-harmony` carries.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from afterguard.embedded.model import cache_folder, prepared

_ORDINARY = 199_998
_ALL = 201_088
_NAMED = {
    199998: "<|startoftext|>",
    199999: "<|endoftext|>",
    200002: "<|return|>",
    200003: "<|constrain|>",
    200005: "<|channel|>",
    200006: "<|start|>",
    200007: "<|end|>",
    200008: "<|message|>",
    200012: "<|call|>",
    200018: "<|endofprompt|>",
}
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CONTRACTED = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = "|".join(
    (
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTED}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTED}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)


def tiny_gpt_oss() -> Path:
    """The checkpoint's folder; made the first time, in about half a minute."""
    return prepared(cache_folder() / "models" / "tests-tiny-gpt-oss", _make, lambda _: None)


def _make(folder: Path, _progress: Callable[[str], None]) -> None:
    import torch
    from transformers import GptOssConfig, GptOssForCausalLM

    torch.manual_seed(7)
    config = GptOssConfig(
        vocab_size=_ALL,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        num_local_experts=4,
        num_experts_per_tok=2,
        max_position_embeddings=4096,
        sliding_window=128,
        eos_token_id=[200002, 199999, 200012],
        pad_token_id=199999,
        bos_token_id=199998,
    )
    GptOssForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    _tokenizer(folder).save_pretrained(folder)


def _tokenizer(folder: Path) -> Any:
    from openai_harmony import HarmonyEncodingName, load_harmony_encoding
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import TikTokenConverter

    inner = load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)._inner
    vocabulary = folder / "o200k.tiktoken"
    lines = (
        base64.b64encode(bytes(inner.decode_bytes([token]))) + b" %d\n" % token
        for token in range(_ORDINARY)
    )
    vocabulary.write_bytes(b"".join(lines))
    special = [_NAMED.get(token, f"<|reserved_{token}|>") for token in range(_ORDINARY, _ALL)]
    bare = TikTokenConverter(
        vocab_file=str(vocabulary), pattern=_O200K, extra_special_tokens=special
    ).converted()
    vocabulary.unlink()
    return PreTrainedTokenizerFast(
        tokenizer_object=bare,
        bos_token="<|startoftext|>",
        eos_token="<|return|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=special,
    )
