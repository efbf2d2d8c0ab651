"""The counts see every loss and every repeat, whatever else the topics hold."""

from collections import Counter
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.embedded.topics_content import (
    EVENTS,
    NOON_MS,
    ON_TRIAL,
    Fate,
    Judged,
    Rejected,
    Skipped,
    TopicsContent,
    fates,
)
from tests.samples import NOON, event_fields, input_record

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.records import InputRecord
from afterguard.embedded.counts import Tally, percentiles
from afterguard.stream.ports import Partition

_CLEAN = Judged({"harassment": "clean", "hate": "clean"})
_VIOLATES = Judged({"harassment": "violates", "hate": "clean"})
_FAILED = Judged({"harassment": "failed", "hate": "clean"})

runs = st.lists(fates, max_size=12)


def _total(content: TopicsContent, **changes: Any) -> Tally:
    return content.count().result(**changes)


def _origin(output: InputRecord) -> tuple[str, int, int]:
    fields = orjson.loads(output.value or b"")
    return fields["topic"], fields["partition"], fields["offset"]


def _changed(record: InputRecord, **fields: Any) -> InputRecord:
    return record._replace(value=orjson.dumps(orjson.loads(record.value or b"") | fields))


@given(runs)
def test_a_whole_run_has_lost_nothing_and_said_nothing_twice(run: list[Fate]) -> None:
    content = TopicsContent.after(run)
    total = _total(content)
    assert (total.lost, total.left, total.duplicates, total.unreadable) == (0, 0, 0, 0)
    assert (total.events, total.verdicts) == (len(run), len(content.audit))
    assert total.interventions == len(content.interventions)
    rejected = sum(isinstance(fate, Rejected) for fate in run)
    assert total.outcomes.total() == total.verdicts + rejected


@given(runs, st.data())
def test_the_event_of_any_output_that_is_missing_is_lost(run: list[Fate], data: Any) -> None:
    content = TopicsContent.after(run)
    kept = {_origin(letter) for letter in content.dead_letters}
    # What is kept as a dead letter can be judged again, so a verdict on it may be missing.
    needed = [*content.interventions, *content.dead_letters]
    needed += [record for record in content.audit if _origin(record) not in kept]
    missing = data.draw(st.sets(st.sampled_from(needed))) if needed else set()
    total = _total(content.without(*missing))
    assert total.lost == len({_origin(record) for record in missing})


@given(runs, st.data())
def test_any_output_that_is_there_twice_is_a_duplicate_and_counts_once(
    run: list[Fate], data: Any
) -> None:
    content = TopicsContent.after(run)
    once = _total(content).as_json()
    repeated = 0
    for topic in (content.interventions, content.audit, content.dead_letters):
        again = data.draw(st.lists(st.sampled_from(topic))) if topic else []
        repeated += len(again)
        topic.extend(again)
    assert _total(content).as_json() == once | {"duplicates": repeated}


@given(runs, st.data())
def test_the_order_of_reading_changes_nothing(run: list[Fate], data: Any) -> None:
    content = TopicsContent.after(run)
    expected = _total(content).as_json()
    count = TopicsContent(policies=content.policies).count()
    taken = [(count.event, record) for record in content.events]
    taken += [(count.verdict, record) for record in content.audit]
    taken += [(count.intervention, record) for record in content.interventions]
    taken += [(count.dead_letter, record) for record in content.dead_letters]
    for take, record in data.draw(st.permutations(taken)):
        take(record)
    assert count.result().as_json() == expected


@given(runs, st.integers(0, 8), st.integers(0, 8))
def test_what_the_group_has_not_passed_is_left_and_not_lost(
    run: list[Fate], first: int, second: int
) -> None:
    content = TopicsContent.after(run)
    nothing = content.without(*content.outputs())
    total = _total(nothing, committed={Partition(EVENTS, 0): first, Partition(EVENTS, 1): second})
    passed = sum(
        it.coordinates.offset < (first, second)[it.coordinates.partition] for it in content.events
    )
    assert (total.lost, total.left) == (passed, len(run) - passed)


@pytest.mark.parametrize("fate", [_CLEAN, _VIOLATES, Skipped(), Rejected(1)])
def test_an_event_of_which_the_topics_know_nothing_is_lost(fate: Fate) -> None:
    content = TopicsContent.after([fate])
    assert _total(content.without(*content.outputs())).lost == 1


def test_a_verdict_on_trial_does_not_pay_for_the_one_that_is_acted_upon() -> None:
    content = TopicsContent.after([Judged({"hate": "clean", ON_TRIAL: "violates"})])
    in_force, on_trial = content.audit
    assert _total(content).lost == 0
    assert _total(content.without(in_force)).lost == 1
    assert _total(content.without(on_trial)).lost == 1


def test_a_trial_that_failed_owes_no_dead_letter() -> None:
    content = TopicsContent.after([Judged({"hate": "clean", ON_TRIAL: "failed"})])
    assert content.dead_letters == []
    assert _total(content).lost == 0


def test_a_skip_stands_for_every_policy_that_applies() -> None:
    content = TopicsContent.after([Skipped()])
    assert len(content.policies[content.events[0].coordinates]) > 1
    assert _total(content).lost == 0


def test_a_dead_letter_stands_for_its_event_when_all_its_parts_are_there() -> None:
    content = TopicsContent.after([_FAILED, Rejected(3)])
    verdicts_gone = content.without(*content.audit)
    assert _total(verdicts_gone).lost == 0
    assert _total(verdicts_gone.without(content.dead_letters[-2])).lost == 1


def test_a_failed_verdict_under_no_policy_owes_a_dead_letter_and_pays_nothing_else() -> None:
    content = TopicsContent.after([Skipped()])
    content.audit[0] = _changed(content.audit[0], outcome="failed", reason="internal_fault")
    assert _total(content).lost == 1
    content.audit[0] = _changed(content.audit[0], outcome="uncertain", reason=None)
    assert _total(content).lost == 1


def test_a_verdict_for_another_event_pays_nothing() -> None:
    content = TopicsContent.after([_CLEAN, _CLEAN], partitions=1)
    content.audit = [_changed(record, offset=0) for record in content.audit]
    assert _total(content).lost == 1


def test_a_verdict_under_a_policy_that_does_not_apply_pays_nothing() -> None:
    content = TopicsContent.after([_CLEAN])
    content.audit[0] = _changed(content.audit[0], policy_id="weather")
    assert _total(content).lost == 1


def test_a_shadow_verdict_owes_no_intervention() -> None:
    content = TopicsContent.after([Judged({ON_TRIAL: "violates"})])
    assert _total(content.without(*content.interventions)).lost == 0


def test_an_output_against_its_contract_is_told_and_pays_nothing() -> None:
    content = TopicsContent.after([_CLEAN, _VIOLATES, Rejected(1)])
    for topic in (content.audit, content.interventions, content.dead_letters):
        topic[0] = topic[0]._replace(value=b"{}")
    total = _total(content)
    assert (total.unreadable, total.lost) == (3, 3)


def test_outcomes_are_those_of_the_verdicts_and_rejected_records() -> None:
    content = TopicsContent.after([_VIOLATES, _FAILED, Skipped(), Rejected(2)])
    total = _total(content)
    assert total.outcomes == Counter(violation=1, no_violation=2, failed=1, skipped=1, rejected=1)
    assert (total.dead_letters, total.judged) == (2, 4)


def _one_intervention(occurred_s: float, received_ms: int, acted_ms: int) -> TopicsContent:
    content = TopicsContent.after([_VIOLATES])
    said = (NOON + timedelta(seconds=occurred_s)).isoformat()
    value = orjson.dumps(event_fields(event_id="e-0", occurred_at=said))
    content.events[0] = content.events[0]._replace(value=value, timestamp_ms=NOON_MS + received_ms)
    content.interventions[0] = _changed(
        content.interventions[0]._replace(timestamp_ms=NOON_MS + acted_ms),
        event_to_intervention_ms=1.0,
    )
    return content


@pytest.mark.parametrize(
    ("occurred_s", "received_ms", "acted_ms", "expected"),
    [
        (0, 50, 1_250, 1_250),
        (-3, 50, 1_250, 4_250),
        # A clock that is ahead must not make us look quick.
        (300, 50, 1_250, 1_200),
    ],
)
def test_time_to_intervention_is_from_what_was_said_to_the_record_in_the_log(
    occurred_s: float, received_ms: int, acted_ms: int, expected: float
) -> None:
    total = _total(_one_intervention(occurred_s, received_ms, acted_ms))
    assert set(total.time_to_intervention_ms.values()) == {expected}


def test_without_interventions_there_is_no_time_to_them() -> None:
    delays = _total(TopicsContent.after([_CLEAN])).time_to_intervention_ms
    assert delays == {"p50": None, "p95": None, "p99": None}


def test_verdicts_per_second_are_the_judged_ones_between_two_records_of_the_log() -> None:
    content = TopicsContent.after([_CLEAN, Skipped()])
    content.events[0] = content.events[0]._replace(timestamp_ms=NOON_MS)
    last = [NOON_MS + 500, NOON_MS + 2_000, NOON_MS + 60_000]  # the last one was skipped
    content.audit = [
        record._replace(timestamp_ms=at) for record, at in zip(content.audit, last, strict=True)
    ]
    assert _total(content).verdicts_per_s == 1.0


def test_the_prefix_ratio_is_of_the_tokens_of_all_prompts() -> None:
    content = TopicsContent.after([_CLEAN])
    tokens = [(300, 0), (100, 100)]
    content.audit = [
        _changed(record, prompt_tokens=prompt, cached_prompt_tokens=cached)
        for record, (prompt, cached) in zip(content.audit, tokens, strict=True)
    ]
    total = _total(content)
    assert total.prefix_cache_hit_ratio == 0.25
    assert (total.engine, total.model) == ("vllm", "tiny")


def test_a_run_without_an_engine_has_no_figures_of_one() -> None:
    total = _total(TopicsContent.after([Skipped(), Rejected(1)]))
    assert (total.engine, total.prefix_cache_hit_ratio, total.verdicts_per_s) == (None, None, 0.0)


def test_the_verdicts_that_are_kept_are_those_behind_the_interventions() -> None:
    total = _total(TopicsContent.after([_CLEAN, _VIOLATES]))
    assert [it.event_id for it in total.acted] == ["e-1"]
    assert {it.verdict_id for it in total.audit} == set(total.acted[0].verdict_ids)


def test_a_record_that_cannot_be_read_needs_no_policies_and_some_output() -> None:
    content = TopicsContent.after([Rejected(1)])
    content.events.append(
        input_record(None, coordinates=Coordinates(EVENTS, 1, 0), timestamp_ms=NOON_MS)
    )
    assert _total(content).lost == 1


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([50, 95, 99]))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    values: list[float], share: int
) -> None:
    found = percentiles(values)[f"p{share}"]
    reached = [
        it for it in sorted(values) if sum(v <= it for v in values) * 100 >= share * len(values)
    ]
    assert found == round(reached[0], 1)


def test_percentiles_of_one_to_a_hundred_are_their_own_names() -> None:
    assert percentiles(list(range(100, 0, -1))) == {"p50": 50, "p95": 95, "p99": 99}
