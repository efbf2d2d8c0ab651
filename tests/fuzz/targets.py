"""What is fuzzed: each target makes an input from a seed, and runs it.

An outcome, or an error of ours that says what is wrong, is right; any other exception is a find.
"""

import atexit
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from tests.engine.formats import harmony
from tests.fuzz.answer_inputs import answer_input
from tests.fuzz.event_inputs import event_input
from tests.fuzz.policy_inputs import policy_input
from tests.samples import answered, entry, policy, ticket

from afterguard.contracts.codec import decode_event, encode
from afterguard.contracts.errors import PolicyError, RejectedInput
from afterguard.contracts.policies import Policy
from afterguard.contracts.records import InputRecord
from afterguard.contracts.words import Outcome
from afterguard.engine.answer import parse
from afterguard.engine.completion import Completion, judgement
from afterguard.engine.formats.free_text import parts_of
from afterguard.engine.tokens import estimate_tokens
from afterguard.flow.admit import Admit
from afterguard.flow.decide import Decide
from afterguard.flow.findings import Finding, Reading, read
from afterguard.flow.settings import DecideSettings, JudgingSettings
from afterguard.policy.document import read_policy
from afterguard.policy.lint import lint
from afterguard.policy.prompt import content_for
from afterguard.policy.registry import PolicyRegistry
from afterguard.stream.outputs import Outputs
from afterguard.stream.settings import TopicSettings

_LARGEST = 1_000_000
# What costs much more than the parser itself is looked at for a share of the inputs.
_SELDOM = 5
_SHORT = 2_000
_POLICY = policy()
_OTHER = policy(id="spam")


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that reads what strangers write.

    Attributes:
        make: An input, the same for the same seed.
        run: Reads it; the word says how it ended. Raises when there is a fault in our code.
    """

    make: Callable[[Random], Any]
    run: Callable[[Any], str]


def read_event(record: InputRecord) -> str:
    """From the bytes of a record to all records about it."""
    try:
        event = decode_event(record, max_bytes=_LARGEST)
    except RejectedInput as rejected:
        letters = _outputs().dead_letter(
            record,
            outcome=Outcome.REJECTED,
            reason=rejected.reason.value,
            detail=rejected.detail,
            attempts=0,
        )
        assert all(len(it.value or b"") < _LARGEST for it in letters)
        return rejected.reason.value
    assert estimate_tokens(event.content) > 0
    assert content_for(event)
    encode(event).decode()
    admission = _admit().admit(event, record, entry(record.coordinates.offset), ticket())
    if admission.skip is None:
        judged = answered(True, "H1")
        findings = [Finding(read(judged, it), it, judged) for it in admission.policies]
    else:
        findings = [Finding(Reading(Outcome.SKIPPED, admission.skip))]
    decision = _decide().decide(admission, findings, admission.received_at)
    for it in _outputs().audit(decision):
        assert it.value is None or len(it.value) < _LARGEST
    if decision.intervention is not None:
        _outputs().intervention(decision.intervention, record)
    return "event"


def read_document(data: bytes) -> str:
    """From the bytes of a document to a policy."""
    path = _folder() / "policy.md"
    path.write_bytes(data)
    if len(data) % _SELDOM == 0:
        lint(data.decode("utf-8", "replace"), path, None)
    try:
        read = read_policy(path)
    except PolicyError as error:
        told = [str(it) for it in (error, *error.others)]
    else:
        assert Policy.model_validate(read.model_dump()) == read
        return "policy"
    assert all(it.startswith(str(path)) for it in told)
    return "refused"


def read_answer(text: str) -> str:
    """From what a model wrote to a reading of it."""
    reasoning, answer = parts_of(text)
    assert reasoning + answer in text or reasoning or answer or not text.strip()
    found = parse(text)
    if found is not None:
        again = parse(text[found.start :])
        assert again is not None
        assert again.answer == found.answer
        assert all(isinstance(it, str) for it in found.answer.rule_ids)
    if len(text) % _SELDOM == 0 and len(text) < _SHORT:
        ids = harmony()._with_control(text.encode("utf-8", "replace").decode())
        completion = Completion(ids, len(ids) % 7 == 0, None, 1, 0)
        for policies in ((_POLICY,), (_POLICY, _OTHER)):
            told = judgement(harmony(), completion, policies)
            for it, policy in zip((told, *told.others), policies, strict=True):
                reading = read(it, policy)
                assert (reading.outcome is not Outcome.NO_VIOLATION) or it.complete
    return "no answer" if found is None else f"violation {found.answer.violation}"


@cache
def _folder() -> Path:
    folder = Path(mkdtemp(prefix="afterguard-fuzz-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    return folder


@cache
def _outputs() -> Outputs:
    return Outputs(TopicSettings(), source="/afterguard/fuzz", max_record_bytes=900_000)


@cache
def _admit() -> Admit:
    return Admit(PolicyRegistry([_POLICY]), JudgingSettings(), max_clock_skew_s=60)


@cache
def _decide() -> Decide:
    return Decide(DecideSettings(), engine="null", model="null")


TARGETS = {
    "codec": Target(event_input, read_event),
    "policy": Target(policy_input, read_document),
    "answer": Target(answer_input, read_answer),
}
