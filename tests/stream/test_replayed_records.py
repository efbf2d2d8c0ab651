"""A whole worker and records that say they were put back: the true ones, and the forged ones."""

import orjson
import pytest
from tests.memory_worker import MemoryWorker, until
from tests.samples import event_fields

from afterguard.contracts.coordinates import Coordinates, intervention_id, verdict_id
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.records import OutputRecord
from afterguard.contracts.replays import ORIGIN_HEADER, REPLAY_HEADER
from afterguard.contracts.verdicts import AuditRecord

FIRST = Coordinates("chat.events", 0, 0)


async def worked(origin: bytes, replay: bytes, value: bytes | None = None) -> MemoryWorker:
    """A worker that has settled an event, and behind it one that claims this origin."""
    worker = MemoryWorker(decide={"publish_none": True})
    worker.send(1)
    claims = ((ORIGIN_HEADER, origin), (REPLAY_HEADER, replay))
    event = orjson.dumps(event_fields(event_id="e-2")) if value is None else value
    worker.log.append(OutputRecord(worker.topics.events, b"k", event, claims, 0))
    serving = worker.serve()
    await until(lambda: worker.committed == 2)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    return worker


def written(worker: MemoryWorker) -> tuple[AuditRecord, Intervention]:
    audit = AuditRecord.model_validate_json(worker.audit[1].value)
    told = worker.log.records(worker.topics.interventions)[1]
    return audit, Intervention.model_validate_json(told.value or b"")


def claims(worker: MemoryWorker) -> dict[str, float]:
    return {told: it._value.get() for told, it in worker.app.metrics.replayed.items()}


async def test_a_replay_has_the_verdict_id_of_its_origin_and_its_number_as_revision() -> None:
    worker = await worked(b"chat.events/0/0", b"3")
    audit, intervention = written(worker)
    assert audit.verdict_id == verdict_id(FIRST, "harassment", audit.policy_version or "")
    assert (audit.origin, audit.replay, audit.offset) == (str(FIRST), 3, 1)
    assert intervention.intervention_id == intervention_id(FIRST, 3)
    assert (intervention.revision, intervention.origin) == (3, str(FIRST))
    assert (intervention.verdict_ids, intervention.offset) == ((audit.verdict_id,), 1)
    assert claims(worker) == {"believed": 1, "refused": 0}


@pytest.mark.parametrize(
    ("origin", "replay"),
    [(b"chat.events/0/7", b"1"), (b"chat.events/1/0", b"1"), (b"chat.events/0/0", b"0")],
)
async def test_a_forged_origin_takes_nobodys_id_and_is_counted(
    origin: bytes, replay: bytes
) -> None:
    worker = await worked(origin, replay)
    audit, intervention = written(worker)
    here = Coordinates("chat.events", 0, 1)
    assert audit.verdict_id == verdict_id(here, "harassment", audit.policy_version or "")
    assert (audit.origin, audit.replay) == (None, 0)
    assert intervention.intervention_id == intervention_id(here)
    assert claims(worker) == {"believed": 0, "refused": 1}


async def test_the_dead_letter_of_a_replay_has_its_own_place_and_names_the_origin() -> None:
    worker = await worked(b"chat.events/0/0", b"3", b"no json")
    (record,) = worker.log.records(worker.topics.dead_letters)
    letter = DeadLetter.model_validate_json(record.value or b"")
    assert (letter.offset, letter.origin, letter.replay) == (1, str(FIRST), 3)
