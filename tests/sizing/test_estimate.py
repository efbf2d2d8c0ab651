"""The estimate: it moves the right way, and its answer holds what was asked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afterguard.contracts.errors import SettingsError
from afterguard.contracts.words import Effort
from afterguard.policy.document import read_policy
from afterguard.policy.registry import policy_files, shipped_policies
from afterguard.sizing.batch_server import after_burst_s, waits
from afterguard.sizing.estimate import SKEW, Target
from afterguard.sizing.plan import Asked, Plan, plan
from afterguard.sizing.rates import published_rates
from afterguard.sizing.streams import partitions
from afterguard.sizing.workload import Traffic

SHIPPED = [read_policy(file) for file in policy_files(shipped_policies())]
ASKED = Asked(Traffic(200.0), SHIPPED, "per_policy", Effort.LOW, 0.98, 6, "h100", "20b", Target())


def planned(asked: Asked = ASKED) -> Plan:
    return plan(asked, published_rates(asked.gpu, asked.model), None)


def gpus(asked: Asked) -> int:
    return planned(asked).fleet.likely.engines


def test_the_best_case_needs_no_more_than_the_likely_and_that_no_more_than_the_worst() -> None:
    fleet = planned().fleet
    assert fleet.best.engines < fleet.likely.engines < fleet.worst.engines


@settings(max_examples=25, deadline=None)
@given(
    per_s=st.floats(0.1, 5_000),
    deadline_s=st.floats(20, 600),
    utilisation=st.floats(0.3, 0.95),
    burst=st.floats(1, 4),
)
def test_what_is_asked_holds_and_one_engine_fewer_breaks_it(
    per_s: float, deadline_s: float, utilisation: float, burst: float
) -> None:
    target = Target(deadline_s, utilisation, burst, 60.0)
    traffic = Traffic(per_s)
    fleet = planned(ASKED._replace(traffic=traffic, target=target)).fleet.likely
    peak = per_s * traffic.peak_factor * SKEW

    def holds(engines: int) -> bool:
        each = peak / engines
        found = waits(fleet.server, each)
        return (
            found.utilisation <= utilisation * (1 + 1e-9)
            and found.p99_s <= deadline_s
            and after_burst_s(fleet.server, each, burst, 60.0) <= deadline_s
        )

    assert holds(fleet.engines)
    assert fleet.engines == 1 or not holds(fleet.engines - 1)


@pytest.mark.parametrize(
    "changed",
    [
        ASKED._replace(prompt="combined"),
        ASKED._replace(policies=SHIPPED[:3]),
        ASKED._replace(traffic=ASKED.traffic._replace(forwarded=0.5)),
        ASKED._replace(traffic=ASKED.traffic._replace(repeated=0.5)),
        ASKED._replace(traffic=ASKED.traffic._replace(peak_factor=1.0)),
    ],
    ids=["combined prompt", "fewer policies", "prefilter", "repeats", "no peak"],
)
def test_what_saves_work_saves_gpus(changed: Asked) -> None:
    assert gpus(changed) < gpus(ASKED)


@pytest.mark.parametrize(
    "changed",
    [
        ASKED._replace(effort=Effort.HIGH),
        ASKED._replace(cache_hit=0.0),
        ASKED._replace(traffic=ASKED.traffic._replace(second_looks=0.2)),
        ASKED._replace(traffic=ASKED.traffic._replace(content_tokens=2_000)),
        ASKED._replace(gpu="l40s"),
        ASKED._replace(target=Target(burst_factor=4.0)),
    ],
    ids=["effort", "no cache", "second looks", "long contents", "slow GPU", "bursts"],
)
def test_what_costs_work_costs_gpus(changed: Asked) -> None:
    assert gpus(changed) > gpus(ASKED)


def test_a_deadline_that_one_event_alone_misses_is_refused() -> None:
    with pytest.raises(SettingsError, match="an event alone takes"):
        planned(ASKED._replace(target=Target(deadline_s=0.05)))


def test_partitions_outnumber_the_workers_of_today_and_of_tomorrow() -> None:
    assert partitions(1, 0) == 12
    assert partitions(50, 0) >= 4 * 50
    assert partitions(1, 500e6) >= 100


def test_every_figure_says_where_it_comes_from() -> None:
    assert all(it.what and it.value and it.source for it in planned().rests_on)
