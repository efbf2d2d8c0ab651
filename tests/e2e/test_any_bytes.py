"""Whatever bytes come in, each record has exactly one fate and the partition goes on."""

from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.memory_worker import MemoryWorker, until
from tests.samples import event_fields

from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.records import OutputRecord
from afterguard.contracts.verdicts import AuditRecord
from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=10,
)
FIELDS = (*event_fields(), "target", "tenant", "lane", "deadline", "policies", "sequence", "extra")


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


@st.composite
def nearly_events(draw: st.DrawFn) -> bytes:
    """A valid event with some fields replaced, some left out, and now and then a byte turned."""
    fields: dict[str, Any] = event_fields(
        event_id=draw(st.text(min_size=1, max_size=5)),
        conversation_id=draw(st.sampled_from("abc")),
        content=draw(st.text(max_size=40)),
    )
    for field in draw(st.lists(st.sampled_from(FIELDS), max_size=3)):
        fields[field] = draw(JSON)
    for field in draw(st.lists(st.sampled_from(FIELDS), max_size=1)):
        fields.pop(field, None)
    try:
        raw = bytearray(_json(fields))
    except TypeError:  # an integer of more than 64 bits
        return repr(fields).encode()
    if draw(st.booleans()) and draw(st.booleans()):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return bytes(raw)


VALUES = st.none() | st.binary(max_size=60) | nearly_events() | nearly_events()
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["traceparent", "tracestate", "ce_id", "ce_time", "ce_type", "x"]),
        st.none() | st.binary(max_size=20),
    ),
    max_size=3,
)


class AnyAnswer:
    """A model that may say anything at all: the fault is put in at the engine's seam."""

    engine = "null"
    model = "any-answer"

    def __init__(self, judgements: list[Judgement]) -> None:
        self._judgements = judgements
        self._next = 0

    async def start(self) -> None: ...

    async def judge(self, request: JudgeRequest) -> Judgement:
        self._next += 1
        return self._judgements[self._next % len(self._judgements)]

    async def healthy(self) -> bool:
        return True

    async def stop(self) -> None: ...


JUDGEMENTS = st.builds(
    Judgement,
    st.sampled_from(JudgementStatus),
    violation=st.none() | st.booleans(),
    rule_ids=st.lists(st.text(max_size=70), max_size=4).map(tuple),
    rationale=st.text(st.characters(), max_size=50),
    answer=st.text(st.characters(), max_size=50) | st.just("\ud800"),
    score=st.none() | st.floats(),
    prompt_tokens=st.integers(0, 10),
    others=st.just(()),
)


@pytest.mark.slow
@pytest.mark.usefixtures("expected_errors")  # verdicts that cannot be written down
@settings(max_examples=20, deadline=None)
@given(
    records=st.lists(st.tuples(VALUES, HEADERS), min_size=1, max_size=25),
    judgements=st.lists(JUDGEMENTS, min_size=1, max_size=5),
)
async def test_each_record_has_exactly_one_fate(
    records: list[tuple[bytes | None, list[tuple[str, bytes | None]]]],
    judgements: list[Judgement],
) -> None:
    worker = MemoryWorker(AnyAnswer(judgements))
    for value, headers in records:
        record = OutputRecord(worker.topics.events, b"k", value, tuple(headers), partition=0)
        worker.log.append(record)
    serving = worker.serve()
    await until(lambda: worker.committed == len(records) or serving.done())
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED

    verdicts = [AuditRecord.model_validate_json(it.value or b"") for it in worker.audit]
    letters = [
        DeadLetter.model_validate_json(it.value or b"")
        for it in worker.log.records(worker.topics.dead_letters)
    ]
    judged = Counter(it.offset for it in verdicts)
    rejected = Counter(it.offset for it in letters if it.outcome == "rejected")
    failed = Counter(it.offset for it in letters if it.outcome == "failed")
    assert judged + rejected == Counter(range(len(records)))
    assert set(failed) <= set(judged), "what the engine failed at is audited too"
    assert worker.app.assignments.fates == (len(records), len(records), 0, 0)
    assert worker.app.budget.statistics().tokens == 0
    for letter in letters:
        assert letter.value == records[letter.offset][0]
    assert {it.outcome for it in verdicts if it.outcome == "no_violation"} <= {
        "no_violation" if any(it.violation is False for it in judgements) else "none"
    }
