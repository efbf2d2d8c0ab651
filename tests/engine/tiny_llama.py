"""A llama of a few hundred thousand random weights: the fastest real engine, judges nothing.

Its tokenizer is trained on the shipped policies, so nothing is downloaded and nothing converted.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from afterguard.embedded.model import cache_folder, prepared

_VOCABULARY = 2_048
_POLICIES = Path(__file__).parents[2] / "policies"
_BEGINS, _ENDS = "<|im_start|>", "<|im_end|>"
_TEMPLATE = (
    "{% for it in messages %}<|im_start|>{{ it.role }}\n{{ it.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tiny_llama() -> Path:
    """The checkpoint's folder; made the first time, in some ten seconds."""
    return prepared(cache_folder() / "models" / "tests-tiny-llama", _make, lambda _: None)


def _make(folder: Path, _progress: Callable[[str], None]) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer()
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=_VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=8_192,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).to(torch.float32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=[_BEGINS, _ENDS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [file.read_text(encoding="utf-8") for file in sorted(_POLICIES.glob("*.md"))]
    bare.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bare,
        bos_token=_BEGINS,
        eos_token=_ENDS,
        chat_template=_TEMPLATE,
    )
