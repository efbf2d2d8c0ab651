"""The short form of `make chaos`: some seconds of random faults, and every event accounted for."""

from pathlib import Path
from typing import get_args

import pytest
from tests.chaos.campaign import campaign
from tests.chaos.plan import Guarantee, Plan
from tests.chaos.report import as_json, broken, table
from tests.conftest import missing

from afterguard.contracts.errors import AfterguardError
from afterguard.embedded.broker import EmbeddedBroker
from afterguard.embedded.valkey import EmbeddedValkey

pytestmark = [pytest.mark.broker, pytest.mark.redis, pytest.mark.kills, pytest.mark.slow]


@pytest.mark.parametrize("guarantee", get_args(Guarantee))
async def test_every_event_has_its_one_outcome_whatever_is_killed(
    tmp_path: Path, guarantee: Guarantee, expected_errors: list[str]
) -> None:
    try:
        EmbeddedBroker(), EmbeddedValkey()
    except AfterguardError as error:
        missing(f"the embedded services ({error})")
    plan = Plan(
        guarantee,
        # It ends when the numbers below are reached, which takes a third of it on an idle machine.
        minutes=1.2,
        seed=5,
        workers=3,
        partitions=4,
        engines="unsteady",
        session_ms=2_000,
        kills=2,
        rebalances=1,
        engine_deaths=1,
    )
    result = await campaign(plan, tmp_path, print)
    assert broken(result) == [], table(result)
    assert sum(it.times for it in result.injuries if it.moves_work) >= 2
    assert result.generations >= 3
    assert result.account.events > 200
    told = as_json(result)
    assert told["lost"] == told["out_of_order"] == 0
    assert sum(told["outcomes"].values()) >= 2 * (
        result.account.events - result.account.dead_letters
    )
