"""`python -m afterguard.embedded.convert FILE.gguf FOLDER`: GGUF to bf16 safetensors."""

import sys
from pathlib import Path


def convert(source: Path, folder: Path) -> None:
    """Write model and tokenizer of a GGUF file in the form that vLLM loads.

    Args:
        source: The GGUF file.
        folder: Where the files go; must exist.
    """
    import torch  # noqa: PLC0415 (seconds to import, and only needed here)
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig  # noqa: PLC0415

    place, name = str(source.parent), source.name
    model = AutoModelForCausalLM.from_pretrained(
        place,
        gguf_file=name,
        dtype=torch.bfloat16,
        # Without it transformers keeps the quantised form, which it refuses to save.
        quantization_config=GgufConfig(dequantize=True),
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(place, gguf_file=name).save_pretrained(folder)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
