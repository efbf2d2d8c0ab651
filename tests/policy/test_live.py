"""Live policies follow the store, and nothing that is wrong with it takes away what is in force."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.policy.live_scene import Scene, policy
from tests.policy.releases import change, end_of_trial, text, trial, version
from tests.samples import chat_event

from afterguard.contracts.errors import PolicyError, StateUnavailable
from afterguard.contracts.policies import Policy, Stage
from afterguard.policy.live import LivePolicies
from afterguard.policy.registry import PolicyRegistry
from afterguard.policy.store import Act, Release
from afterguard.telemetry.metrics import Metrics

WAIT_S = 20.0


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "store")


FOLDER = [("queue", version(0)), ("tickets", version(0, "tickets"))]


async def test_where_the_store_says_nothing_the_folder_is_in_force(scene: Scene) -> None:
    await scene.live.start()
    assert scene.in_force == FOLDER
    assert scene.live.confirmed


async def test_the_store_decides_over_the_folder_from_the_start(scene: Scene) -> None:
    await scene.change(change(1))
    await scene.live.start()
    assert scene.in_force == [("queue", version(1)), FOLDER[1]]
    assert scene.sample("policy_info", policy="queue", version=version(1), stage="active") == 1
    assert scene.sample("policy_info", policy="queue", version=version(0), stage="active") is None


async def test_a_policy_that_the_folder_does_not_have_is_judged_too(scene: Scene) -> None:
    await scene.change(change(1, policy_id="seats"))
    await scene.follow()
    assert scene.in_force == [*FOLDER, ("seats", version(1, "seats"))]


async def test_ids_that_this_worker_is_not_for_are_left_alone(tmp_path: Path) -> None:
    scene = Scene(tmp_path, policy(0), only=["queue"])
    await scene.change(change(1, policy_id="seats"))
    await scene.change(change(1))
    await scene.follow()
    assert scene.in_force == [("queue", version(1))]


async def test_the_store_decides_about_the_stage_and_not_the_document(scene: Scene) -> None:
    release = Release(text(1, stage="shadow"))
    await scene.change(change(version=version(1, stage="shadow"), release=release))
    await scene.follow()
    assert scene.live.registry.policies[0].stage is Stage.ACTIVE


async def test_a_version_on_trial_is_judged_on_its_share_and_never_acted_upon(
    scene: Scene,
) -> None:
    await scene.change(trial(2, share=0.25))
    await scene.follow()
    (candidate,) = scene.live.registry.candidates
    assert (candidate.policy.version, candidate.share) == (version(2), 0.25)
    assert candidate.policy.stage is Stage.SHADOW
    await scene.change(end_of_trial())
    await scene.follow()
    assert scene.live.registry.candidates == ()


async def test_an_event_keeps_the_policies_that_it_was_admitted_with(scene: Scene) -> None:
    before, _ = scene.live.applicable(chat_event())
    await scene.change(change(1))
    await scene.follow()
    after, _ = scene.live.applicable(chat_event())
    assert [(it.id, it.version) for it in before] == FOLDER
    assert [(it.id, it.version) for it in after] == [("queue", version(1)), FOLDER[1]]


async def test_an_unchanged_state_makes_no_new_objects(scene: Scene) -> None:
    await scene.change(change(1))
    await scene.follow()
    before = scene.live.registry
    await scene.follow()
    assert scene.live.registry is before


def _lose(scene: Scene) -> None:
    (scene.folder / "versions" / "queue" / f"{version(1)}.md").unlink()


def _edit(scene: Scene) -> None:
    path = scene.folder / "versions" / "queue" / f"{version(1)}.md"
    path.write_text(path.read_text().replace("Pushing in", "Pushing"))


def _break(scene: Scene) -> None:
    (scene.folder / "versions" / "queue" / f"{version(1)}.md").write_bytes(b"\xff\x00---")


@pytest.mark.parametrize("spoil", [_lose, _edit, _break])
@pytest.mark.usefixtures("expected_errors")
async def test_a_text_that_is_missing_or_not_what_it_should_be_leaves_the_old_version(
    scene: Scene, spoil: Any
) -> None:
    await scene.change(change(1))
    await scene.change(change(1, policy_id="tickets"))
    spoil(scene)
    await scene.follow()
    assert scene.in_force == [FOLDER[0], ("tickets", version(1, "tickets"))]
    assert scene.sample("policy_versions_refused", policy="queue") == 1
    await scene.change(change(2))
    await scene.follow()
    assert scene.in_force[0] == ("queue", version(2))
    assert scene.sample("policy_versions_refused", policy="queue") is None


@pytest.mark.parametrize("error", [PolicyError("no such classifier here"), KeyError("unforeseen")])
@pytest.mark.usefixtures("expected_errors")
async def test_a_version_that_this_worker_refuses_leaves_the_one_before(
    tmp_path: Path, error: Exception
) -> None:
    def refuse(it: Policy) -> None:
        if it.version == version(2):
            raise error

    scene = Scene(tmp_path, accepts=refuse)
    await scene.change(change(1))
    await scene.follow()
    await scene.change(change(2))
    await scene.follow()
    assert scene.in_force[0] == ("queue", version(1))
    assert scene.sample("policy_versions_refused", policy="queue") == 1


@pytest.mark.usefixtures("expected_errors")
async def test_what_was_refused_is_tried_again_after_a_while(tmp_path: Path) -> None:
    lacking = True

    def refuse(it: Policy) -> None:
        if lacking and it.version == version(1):
            raise PolicyError("no such classifier here")

    scene = Scene(tmp_path, accepts=refuse)
    await scene.change(change(1))
    await scene.follow()
    lacking = False
    await scene.follow()
    assert scene.in_force == FOLDER
    scene.now += 60
    await scene.follow()
    assert scene.in_force[0] == ("queue", version(1))
    assert scene.sample("policy_versions_refused", policy="queue") is None


@pytest.mark.usefixtures("expected_errors")
async def test_a_calibration_comes_with_its_version_and_is_refused_with_it(tmp_path: Path) -> None:
    learnt: list[tuple[str, str | None]] = []

    def learn(it: Policy, fitted: str | None) -> None:
        if fitted == "broken":
            raise PolicyError("is no calibration")
        learnt.append((it.version, fitted))

    scene = Scene(tmp_path, calibrates=learn)
    await scene.change(change(1, release=Release(text(1), "fitted")))
    await scene.follow()
    await scene.change(change(2, release=Release(text(2), "broken")))
    await scene.follow()
    assert learnt == [(version(1), "fitted")]
    assert scene.in_force[0] == ("queue", version(1))


async def test_the_same_version_with_another_calibration_is_taken_anew(tmp_path: Path) -> None:
    learnt: list[str | None] = []
    scene = Scene(tmp_path, calibrates=lambda _, fitted: learnt.append(fitted))
    await scene.change(change(1, release=Release(text(1), "first")))
    await scene.follow()
    await scene.change(change(1, release=Release(text(1), "second")))
    await scene.follow()
    await scene.change(change(1, release=Release(text(1))))
    await scene.follow()
    assert learnt == ["first", "second", None]


async def test_a_store_that_fails_between_state_and_text_changes_nothing(scene: Scene) -> None:
    await scene.change(change(1))
    state = await scene.store.state()
    scene.store.away = True
    with pytest.raises(StateUnavailable):
        await scene.live.apply(state)
    assert scene.in_force == FOLDER
    assert not scene.live.confirmed


@pytest.mark.usefixtures("expected_errors")
async def test_a_store_that_has_forgotten_everything_takes_nothing_out_of_force(
    scene: Scene,
) -> None:
    await scene.change(change(1))
    await scene.follow()
    (scene.folder / "state.json").unlink()
    await scene.follow()
    assert scene.in_force[0] == ("queue", version(1))


@asynccontextmanager
async def following(live: LivePolicies) -> AsyncGenerator[None, None]:
    task = asyncio.create_task(live.run())
    yield
    task.cancel()
    await asyncio.wait({task})


async def test_a_store_that_is_away_at_the_start_is_followed_once_it_is_there(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("afterguard.policy.live._RETRY_S", 0.01)
    await scene.change(change(1))
    scene.store.away = True
    await scene.live.start()
    assert scene.in_force == FOLDER
    assert scene.sample("policies_unconfirmed") == 1
    async with following(scene.live), asyncio.timeout(WAIT_S):
        scene.store.away = False
        while not scene.live.confirmed:
            await asyncio.sleep(0.01)
    assert scene.in_force[0] == ("queue", version(1))
    assert scene.sample("policies_unconfirmed") == 0


async def test_a_store_that_goes_away_later_leaves_all_in_force_and_its_age_shows_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("afterguard.policy.live._RETRY_S", 0.01)
    await scene.change(change(1))
    await scene.live.start()
    scene.store.away = True
    async with following(scene.live), asyncio.timeout(WAIT_S):
        scene.now += 42
        await scene.change(change(2))
        assert scene.sample("policy_store_contact_age_seconds") == 42
        assert scene.in_force[0] == ("queue", version(1))
        assert scene.live.confirmed
        scene.store.away = False
        while scene.in_force[0] != ("queue", version(2)):
            await asyncio.sleep(0.01)
    assert scene.sample("policy_store_contact_age_seconds") == 0


async def test_without_a_store_the_folder_is_all_there_is(tmp_path: Path) -> None:
    metrics = Metrics()
    live = LivePolicies(PolicyRegistry([policy(0)]), metrics)
    await live.start()
    await live.run()
    await live.stop()
    assert live.confirmed
    assert [it.version for it in live.registry.policies] == [version(0)]
    age = metrics.registry.get_sample_value("afterguard_policy_store_contact_age_seconds")
    assert age == 0


async def test_who_asks_the_worker_is_told_what_is_in_force_and_whose_word_it_is(
    scene: Scene,
) -> None:
    await scene.change(change(1))
    await scene.change(trial(2, share=0.5))
    await scene.follow()
    told: Any = scene.live.told({})
    assert (told["revision"], told["confirmed"], told["store"]) == (2, True, str(scene.folder))
    assert [(it["id"], it["version"], it["from"]) for it in told["policies"]] == [
        ("queue", version(1), "store"),
        ("tickets", version(0, "tickets"), "folder"),
    ]
    assert told["trials"] == [{"id": "queue", "version": version(2), "share": 0.5}]


ACTS = st.tuples(
    st.sampled_from(["queue", "tickets", "seats"]),
    st.sampled_from(Act),
    st.integers(0, 3),
    st.sampled_from([0.1, 1.0]),
)


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(acts=st.lists(ACTS, max_size=8), seen=st.sets(st.integers(0, 7)))
async def test_whatever_is_changed_in_whatever_order_and_seen_or_not_the_last_word_counts(
    tmp_path: Path, acts: list[tuple[str, Act, int, float]], seen: set[int]
) -> None:
    scene = Scene(tmp_path / uuid4().hex)
    active: dict[str, str] = dict(FOLDER)
    trials: dict[str, tuple[str, float]] = {}
    for step, (name, act, number, share) in enumerate(acts):
        that = version(number, name)
        if act is Act.SHADOW_OFF:
            await scene.change(end_of_trial(name))
            trials.pop(name, None)
        elif act is Act.SHADOW:
            await scene.change(trial(number, share, policy_id=name))
            trials[name] = that, share
        else:
            await scene.change(change(number, act, policy_id=name))
            active[name] = that
            if trials.get(name, ("", 0))[0] == that:
                del trials[name]
        if step in seen:
            await scene.follow()
    await scene.follow()

    expected = {name: it for name, it in trials.items() if active.get(name) != it[0]}
    found = {it.policy.id: (it.policy.version, it.share) for it in scene.live.registry.candidates}
    assert dict(scene.in_force) == active
    assert found == expected
    assert len(scene.live._taken) <= len(active) + len(trials)
