"""Both policy stores keep the same promises: one suite for Redis and the folder."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from tests.policy.releases import change, end_of_trial, text, trial, version

from afterguard.contracts.errors import StaleRevision
from afterguard.policy.store import Act, PolicyStore, Release, StoreState
from afterguard.policy.store_folder import FolderPolicyStore
from afterguard.state.policy_store import RedisPolicyStore
from afterguard.state.settings import RedisSettings

WAIT_S = 20.0


@pytest.fixture(params=["folder", pytest.param("redis", marks=pytest.mark.redis)])
def server(request: pytest.FixtureRequest) -> str | None:
    """The address of a real server; None for the folder."""
    return request.getfixturevalue("redis_url") if request.param == "redis" else None


@pytest.fixture
async def opens(server: str | None, tmp_path: Path) -> AsyncIterator[Callable[[str], PolicyStore]]:
    """Opens the store of a name; the same name is the same store, each time by other hands."""
    mark = uuid4().hex
    async with AsyncExitStack() as stack:

        def open_store(name: str) -> PolicyStore:
            made: PolicyStore
            if server is None:
                folder = tmp_path / name
                folder.mkdir(exist_ok=True)
                made = FolderPolicyStore(folder, poll_s=0.05)
            else:
                values = {"url": SecretStr(server), "key_prefix": mark + name, "timeout_s": 5}
                made = RedisPolicyStore(RedisSettings.model_validate(values), poll_s=0.05)
            stack.push_async_callback(made.close)
            return made

        yield open_store


@pytest.fixture
def store(opens: Callable[[str], PolicyStore]) -> PolicyStore:
    return opens("store")


async def test_a_store_that_nobody_wrote_to_says_nothing(store: PolicyStore) -> None:
    assert await store.state() == StoreState()
    assert await store.document("queue", version()) is None
    assert await store.history("queue") == []
    assert await store.versions("queue") == []


async def test_an_activation_is_seen_by_others_with_its_text_and_its_reasons(
    opens: Callable[[str], PolicyStore],
) -> None:
    wish = change(
        because="launch day",
        scores={"passes": True, "rows": 12},
        model="m",
        release=Release(text(), '{"form":1}'),
    )
    await opens("store").change(wish, expected=0)
    other = opens("store")
    state = await other.state()
    assert (state.revision, state.active("queue")) == (1, version())
    assert await other.document("queue", version()) == Release(text(), '{"form":1}')
    assert await other.versions("queue") == [version()]
    (entry,) = await other.history("queue")
    assert entry == state.policies["queue"].changed
    assert (entry.by, entry.because, entry.model) == ("ann@desk", "launch day", "m")
    assert (entry.before, entry.after, entry.scores) == (None, version(), wish.scores)


async def test_who_comes_second_is_told_who_was_first_and_changes_nothing(
    store: PolicyStore,
) -> None:
    seen = (await store.state()).revision
    first = await store.change(change(1, by="ann@desk"), expected=seen)
    with pytest.raises(StaleRevision, match=rf"ann@desk activated {version(1)} at \d{{4}}-"):
        await store.change(change(2, by="bob@desk"), expected=seen)
    assert await store.state() == first
    assert await store.document("queue", version(2)) is None
    assert len(await store.history("queue")) == 1


async def test_changes_of_different_policies_do_not_get_in_each_others_way(
    store: PolicyStore,
) -> None:
    await store.change(change(1, policy_id="queue"), expected=0)
    state = await store.change(change(1, policy_id="tickets"), expected=0)
    assert state.revision == 2
    assert {state.active("queue"), state.active("tickets")} == {
        version(1),
        version(1, "tickets"),
    }


async def test_a_trial_ends_when_its_version_is_activated(store: PolicyStore) -> None:
    await store.change(change(1), expected=0)
    state = await store.change(trial(2, share=0.25), expected=1)
    shadow = state.shadow("queue")
    assert shadow is not None
    assert (state.active("queue"), shadow.version, shadow.share) == (version(1), version(2), 0.25)
    state = await store.change(change(2, release=None), expected=2)
    assert (state.active("queue"), state.shadow("queue")) == (version(2), None)


async def test_a_trial_can_be_called_off(store: PolicyStore) -> None:
    await store.change(change(1), expected=0)
    await store.change(trial(2), expected=1)
    state = await store.change(end_of_trial(), expected=2)
    assert (state.active("queue"), state.shadow("queue")) == (version(1), None)
    last = (await store.history("queue"))[-1]
    assert (last.act, last.before, last.after) == (Act.SHADOW_OFF, version(2), None)


async def test_a_watch_begins_with_what_is_and_tells_each_change(
    opens: Callable[[str], PolicyStore],
) -> None:
    writer = opens("store")
    await writer.change(change(1), expected=0)
    seen: list[int] = []
    async with asyncio.timeout(WAIT_S), aclosing(opens("store").watch()) as states:
        async for state in states:
            if state.revision not in seen:
                seen.append(state.revision)
                if state.revision < 4:
                    await writer.change(change(state.revision), expected=state.revision)
            if state.revision == 4:
                break
    assert seen == [1, 2, 3, 4]


@settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    wishes=st.lists(
        st.tuples(st.sampled_from(["queue", "tickets", "seats"]), st.integers(1, 3)),
        min_size=2,
        max_size=8,
    )
)
async def test_of_those_who_saw_the_same_revision_exactly_one_wins_for_each_policy(
    opens: Callable[[str], PolicyStore], wishes: list[tuple[str, int]]
) -> None:
    name = uuid4().hex

    async def wish(number: int, policy_id: str, at: int) -> StoreState | StaleRevision:
        wanted = change(at, policy_id=policy_id, by=f"operator-{number}@desk")
        try:
            return await opens(name).change(wanted, expected=0)
        except StaleRevision as told:
            return told

    ends = await asyncio.gather(*[wish(number, *it) for number, it in enumerate(wishes)])

    policies = {policy_id for policy_id, _ in wishes}
    state = await opens(name).state()
    assert state.revision == len(policies)
    for policy_id in policies:
        mine = [number for number, it in enumerate(wishes) if it[0] == policy_id]
        (winner,) = [number for number in mine if isinstance(ends[number], StoreState)]
        (entry,) = await opens(name).history(policy_id)
        assert entry.by == f"operator-{winner}@desk"
        assert state.active(policy_id) == version(wishes[winner][1], policy_id)
        assert all(
            f"operator-{winner}@desk activated" in str(ends[number])
            for number in mine
            if number != winner
        )
