"""Arguments pass through to vLLM, and those that would break a promise are named."""

from typing import Any

import pytest

from afterguard.contracts.errors import SettingsError
from afterguard.engine.settings import EngineSettings
from afterguard.engine.vllm_arguments import engine_arguments

# Those of the installed vLLM that are of interest here; it has two hundred.
_KNOWN = {
    *("model", "served_model_name", "max_num_seqs", "max_num_batched_tokens", "max_model_len"),
    *("scheduling_policy", "structured_outputs_config", "enable_log_requests"),
    *("skip_tokenizer_init", "max_logprobs", "tensor_parallel_size", "quantization"),
}


def _arguments(args: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return engine_arguments(EngineSettings(args=args or {}, **changes), _KNOWN)


def test_what_lanes_and_throughput_depend_on_is_set_explicitly() -> None:
    made = _arguments(max_num_seqs=7, max_num_batched_tokens=2048, max_model_len=4096)
    assert made["scheduling_policy"] == "priority"
    assert (made["max_num_seqs"], made["max_num_batched_tokens"]) == (7, 2048)
    assert made["structured_outputs_config"] == {"backend": "xgrammar"}
    assert set(made) <= _KNOWN


def test_the_name_in_verdicts_is_the_name_in_vllms_metrics() -> None:
    assert _arguments(model="/m", model_name="ours")["served_model_name"] == "ours"
    assert _arguments(model="/m")["served_model_name"] == "/m"


def test_any_engine_argument_passes_through() -> None:
    made = _arguments({"tensor_parallel_size": 4, "quantization": "mxfp4"})
    assert (made["tensor_parallel_size"], made["quantization"]) == (4, "mxfp4")


def test_further_fields_of_a_nested_argument_are_kept() -> None:
    made = _arguments({"structured_outputs_config": {"disable_any_whitespace": True}})
    assert made["structured_outputs_config"] == {
        "backend": "xgrammar",
        "disable_any_whitespace": True,
    }


@pytest.mark.parametrize(
    ("args", "named"),
    [
        ({"tensor_paralel_size": 2}, "engine.args.tensor_paralel_size"),
        ({"model": "other"}, "engine.args.model: set engine.model"),
        ({"max_num_seqs": 3}, "engine.args.max_num_seqs: set engine.max_num_seqs"),
        ({"max_model_len": 1024}, "engine.args.max_model_len: set engine.max_model_len"),
        ({"scheduling_policy": "fcfs"}, "engine.args.scheduling_policy"),
        ({"enable_log_requests": True}, "engine.args.enable_log_requests"),
        ({"skip_tokenizer_init": True}, "engine.args.skip_tokenizer_init"),
        ({"max_logprobs": 1}, "engine.args.max_logprobs"),
        ({"structured_outputs_config": {"backend": "guidance"}}, "engine.args.structured_outputs"),
    ],
)
def test_an_argument_that_is_unknown_or_contradicts_is_named(
    args: dict[str, Any], named: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        _arguments(args)
    (problem,) = raised.value.problems
    assert problem.startswith(named)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        _arguments({"nonsense": 1, "max_num_seqs": 3, "scheduling_policy": "fcfs"})
    assert len(raised.value.problems) == 3


def test_another_grammar_backend_may_be_used_where_no_grammar_is_wanted() -> None:
    made = _arguments({"structured_outputs_config": {"backend": "guidance"}}, structured=False)
    assert made["structured_outputs_config"] == {"backend": "guidance"}
