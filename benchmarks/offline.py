"""vLLM alone: `LLM.generate` on the worker's prompts."""

import sys
from dataclasses import fields
from typing import Any

from afterguard.embedded.cpu_engine import prepare_environment
from afterguard.engine.answer import ANSWER_TOKENS
from afterguard.engine.formats.pick import pick_format
from afterguard.engine.vllm_arguments import engine_arguments
from afterguard.policy.prompt import content_for
from benchmarks.child import Figures, StopWatch, tell
from benchmarks.prompts import engine_settings, pairs, warm_up_and_measured


def main(model: str, prompts: int) -> Figures:
    """Verdicts, the engine's start and a warm-up left out."""
    prepare_environment()
    from vllm import LLM  # noqa: PLC0415 (after the environment)
    from vllm.engine.arg_utils import AsyncEngineArgs  # noqa: PLC0415
    from vllm.inputs import tokens_input  # noqa: PLC0415

    from afterguard.engine import vllm_surface  # noqa: PLC0415

    settings = engine_settings(model)
    known = {it.name for it in fields(AsyncEngineArgs) if it.init}
    llm = LLM(**engine_arguments(settings, known))
    chosen = pick_format(settings, llm.model_config.hf_config.model_type, llm.get_tokenizer)

    def generate(events: list[dict[str, Any]]) -> int:
        asked, how = [], []
        for event, policy in pairs(events):
            effort = policy.effort
            asked.append(tokens_input(chosen.render(policy, effort, content_for(event))))
            how.append(
                vllm_surface.sampling(
                    temperature=settings.temperature,
                    max_tokens=settings.reasoning_max_tokens[effort] + ANSWER_TOKENS,
                    labels=chosen.labels,
                    stop_ids=chosen.stop_ids,
                    structural_tag=chosen.grammar(policy, effort),
                )
            )
        return len(llm.generate(asked, how, use_tqdm=False))

    warm_up, measured = warm_up_and_measured(prompts)
    generate(warm_up)
    watch = StopWatch()
    return watch.figures(generate(measured))


if __name__ == "__main__":
    tell(main(sys.argv[1], int(sys.argv[2])))
