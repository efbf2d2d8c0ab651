"""What people said, wrote about others or are called does not reach the collector."""

from tests.flow.judges import ScriptedJudge
from tests.telemetry.traced_worker import SAMPLED, traced

from afterguard.contracts.errors import EngineFault
from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest

WORDS = (
    "hostile-content",
    "hostile-event",
    "hostile-conversation",
    "hostile-author",
    "hostile-tenant",
    "hostile-target",
    "hostile-rationale",
    "hostile-answer",
    "hostile-rule",
    "hostile-policy",
    "hostile-key",
    "hostile-state",
    "hostile-error",
)


def answers(request: JudgeRequest) -> Judgement | Exception:
    """What a model and an engine say that repeat what they were told."""
    if request.origin is not None and request.origin.offset == 1:
        return EngineFault("hostile-error")
    return Judgement(
        JudgementStatus.ANSWERED,
        violation=True,
        rule_ids=("HA1", "hostile-rule"),
        rationale="hostile-rationale",
        answer="hostile-answer",
        score=0.9,
    )


async def test_no_word_of_an_event_or_of_the_model_is_in_what_is_exported(
    expected_errors: list[str],
) -> None:
    del expected_errors
    judging = {"attempts": 2, "backoff_base_s": 0.001, "backoff_cap_s": 0.001}
    async with traced(ScriptedJudge(answers), judging=judging) as worker:
        for number in range(3):
            worker.put(
                number,
                state=b"vendor=hostile-state",
                content="hostile-content",
                event_id=f"hostile-event-{number}",
                conversation_id="hostile-conversation",
                author={"id": "hostile-author", "role": "user"},
                tenant="hostile-tenant",
                target={"hostile-target": "hostile-target"},
                policies=["hostile-policy", "harassment"],
                metadata={"hostile-key": "hostile-content"},
            )
        worker.raw(b'{"hostile-content": ', state=b"vendor=hostile-state")
        spans = await worker.work(4)
    assert len(spans) > 10
    sent = b"".join(worker.collector.bodies)
    assert [word for word in WORDS if word.encode() in sent] == []


async def test_a_hostile_tracestate_is_handed_on_or_dropped_and_harms_nobody() -> None:
    states = [b"\r\nX-Evil: 1", b"x" * 5_000, b"\xff\xfe", b"a=1,a=2,,,====", b""]
    async with traced(ScriptedJudge(answers)) as worker:
        for number, state in enumerate(states, start=2):
            worker.put(number, trace=SAMPLED, state=state)
        await worker.work(len(states))
        roots = worker.collector.named("process chat.events")
        handed_on = [
            it.header("tracestate") for it in worker.log.records(worker.topics.interventions)
        ]
    assert len(roots) == len(states)
    assert {it.span.trace_state for it in worker.collector.spans} == {""}
    assert handed_on == [None, None, None, b"a=1,a=2,,,====", None]
