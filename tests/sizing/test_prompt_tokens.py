"""What was counted once is what the vocabulary counts, where it is installed."""

import pytest

from afterguard.contracts.words import Effort
from afterguard.engine.settings import EngineSettings
from afterguard.policy.document import read_policy
from afterguard.policy.registry import policy_files, shipped_policies
from afterguard.sizing.prompt_tokens import request_tokens

CAPS = EngineSettings().reasoning_max_tokens
SHIPPED = [read_policy(file) for file in policy_files(shipped_policies())]


def test_prefixes_are_as_long_as_the_vocabulary_says() -> None:
    pytest.importorskip("openai_harmony", reason="the harmony vocabulary comes with vLLM")
    from afterguard.engine.formats.harmony import Harmony

    vocabulary = Harmony(CAPS)
    for policies in (*([it] for it in SHIPPED), SHIPPED[:3], SHIPPED):
        counted = len(vocabulary.prefix(policies[0], Effort.LOW, tuple(policies[1:])))
        told = request_tokens(policies, Effort.LOW, 60, CAPS).prefix
        assert told == pytest.approx(counted, rel=0.04)


def test_reasoning_is_not_longer_than_its_cap() -> None:
    found = request_tokens(SHIPPED[:1], Effort.LOW, 60, {**CAPS, Effort.LOW: 50})
    unlimited = request_tokens(SHIPPED[:1], Effort.LOW, 60, CAPS)
    assert found.output.best == unlimited.output.best
    assert found.output.worst < unlimited.output.worst


def test_one_prompt_for_six_policies_writes_less_than_six_prompts() -> None:
    together = request_tokens(SHIPPED, Effort.LOW, 60, CAPS).output.likely
    apart = sum(request_tokens([it], Effort.LOW, 60, CAPS).output.likely for it in SHIPPED)
    assert together < apart / 2
