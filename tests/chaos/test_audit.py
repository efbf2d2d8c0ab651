"""The auditor finds what it is there to find: an audit that cannot fail proves nothing."""

from base64 import b64encode
from typing import Any

import orjson
from tests.chaos.audit import Account, Topics, account
from tests.chaos.load import Sent

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.records import InputRecord

POLICIES = ("queue", "shouting")


def record(topic: str, offset: int, value: bytes) -> InputRecord:
    return InputRecord(Coordinates(topic, 0, offset), b"c-1", value, (), 1_000 + offset)


def sent(count: int = 3) -> dict[tuple[int, int], Sent]:
    """So many events of one conversation, and one record behind them that is no event."""
    ledger = {(0, n): Sent(f"e-{n}", "c-1", b'{"n": %d}' % n, 0.0) for n in range(count)}
    return {**ledger, (0, count): Sent(None, "c-1", b"no event", 0.0)}


def verdict(offset: int, policy: str, **changes: Any) -> dict[str, Any]:
    return {
        "partition": 0,
        "offset": offset,
        "event_id": f"e-{offset}",
        "policy_id": policy,
        "verdict_id": f"v-{offset}-{policy}",
        "outcome": "no_violation",
    } | changes


def intervention(offset: int, **changes: Any) -> dict[str, Any]:
    return {
        "partition": 0,
        "offset": offset,
        "conversation_id": "c-1",
        "intervention_id": f"i-{offset}",
    } | changes


def letter(offset: int, value: bytes = b"no event", **changes: Any) -> dict[str, Any]:
    return {
        "partition": 0,
        "offset": offset,
        "dead_letter_id": f"d-{offset}-{changes.get('part', 0)}",
        "outcome": "rejected",
        "part": 0,
        "parts": 1,
        "value": b64encode(value).decode(),
    } | changes


VERDICTS = [verdict(offset, policy) for offset in range(3) for policy in POLICIES]
INTERVENTIONS = [intervention(offset) for offset in range(3)]


def audited(
    verdicts: list[dict[str, Any]] | None = None,
    interventions: list[dict[str, Any]] | None = None,
    letters: list[dict[str, Any]] | None = None,
    *,
    committed: int = 4,
) -> Account:
    """The account of three events and one bad record; by default all of it went well."""
    ledger = sent()
    topics = Topics(
        [record("events", offset, it.value) for (_, offset), it in ledger.items()],
        *[
            [record(name, at, orjson.dumps(it)) for at, it in enumerate(those)]
            for name, those in (
                ("audit", VERDICTS if verdicts is None else verdicts),
                ("interventions", INTERVENTIONS if interventions is None else interventions),
                ("letters", [letter(3)] if letters is None else letters),
            )
        ],
    )
    return account(ledger, topics, POLICIES, {0: committed})


def test_a_run_in_which_all_went_well_is_told_so() -> None:
    found = audited()
    assert found.broken(repeats_allowed=0) == []
    assert (found.events, found.verdicts, found.interventions, found.dead_letters) == (4, 6, 3, 1)
    assert found.outcomes == {"no_violation": 6, "rejected": 1}


def test_one_missing_verdict_of_one_policy_is_a_loss() -> None:
    found = audited(verdicts=VERDICTS[:-1])
    assert found.lost == {(0, 2): ["no verdict under shouting"]}
    assert found.broken(repeats_allowed=0) == ["1 lost"]


def test_a_missing_intervention_or_dead_letter_is_a_loss() -> None:
    assert audited(interventions=INTERVENTIONS[1:]).lost == {(0, 0): ["no intervention"]}
    assert audited(letters=[]).lost == {(0, 3): ["no dead letter"]}
    parts = [letter(3, b"no ", parts=2)]
    assert audited(letters=parts).lost == {(0, 3): ["no dead letter"]}, "half of one is none"


def test_a_failed_verdict_needs_its_dead_letter() -> None:
    failed = [verdict(0, "queue", outcome="failed"), *VERDICTS[1:]]
    assert audited(verdicts=failed).lost == {(0, 0): ["failed, and no dead letter"]}
    kept = letter(0, b'{"n": 0}', outcome="failed")
    assert audited(verdicts=failed, letters=[letter(3), kept]).broken(repeats_allowed=0) == []


def test_a_dead_letter_joins_to_its_origin() -> None:
    joined = [letter(3, b"event", part=1, parts=2), letter(3, b"no ", part=0, parts=2)]
    assert audited(letters=joined).broken(repeats_allowed=0) == []
    assert audited(letters=[letter(3, b"other")]).spoiled == ["(0, 3)"]


def test_the_same_id_again_is_a_duplicate_whatever_it_is() -> None:
    found = audited(
        verdicts=[*VERDICTS, verdict(1, "queue", outcome="violation")],
        interventions=[*INTERVENTIONS, intervention(2)],
        letters=[letter(3), letter(3)],
    )
    assert len(found.repeats) == 3
    assert found.differing == 1
    assert found.broken(repeats_allowed=3) == []
    assert found.broken(repeats_allowed=2) == ["3 duplicated, at most 2 allowed"]


def test_two_ids_for_one_event_and_policy_conflict() -> None:
    assert audited(verdicts=[*VERDICTS, verdict(0, "queue", verdict_id="v-x")]).conflicts
    assert audited(interventions=[*INTERVENTIONS, intervention(0, intervention_id="x")]).conflicts


def test_an_intervention_behind_a_later_one_of_its_conversation_is_out_of_order() -> None:
    first, second, third = INTERVENTIONS
    assert audited(interventions=[first, third, second]).out_of_order == ["c-1: 1 after 2"]
    # What was written before a kill comes again; only where it first stood counts.
    assert audited(interventions=[first, second, first, second, third]).out_of_order == []


def test_what_nobody_sent_and_what_was_not_committed_are_told() -> None:
    assert audited(verdicts=[*VERDICTS, verdict(7, "queue")]).strangers
    assert audited(committed=3).broken(repeats_allowed=0) == ["1 not committed"]
    ledger = sent()
    empty = Topics([], [], [], [])
    assert len(account(ledger, empty, POLICIES, {}).lost) == 4
