"""Rates: fitted to runs, and honest about where they come from."""

import pytest

from afterguard.contracts.errors import SettingsError
from afterguard.sizing.figures import Basis
from afterguard.sizing.gpus import GPUS, MODELS
from afterguard.sizing.rates import fit, measured_rates, published_rates
from afterguard.sizing.throughput_runs import PUBLISHED, Run


def test_runs_of_known_rates_give_these_rates_back() -> None:
    runs = [
        Run("long", 1_000_000, 10_000, 1_000_000 / 30_000 + 10_000 / 9_000),
        Run("short", 10_000, 300_000, 10_000 / 30_000 + 300_000 / 9_000),
    ]
    found = fit(runs)
    assert found.prefill == pytest.approx(30_000)
    assert found.decode == pytest.approx(9_000)
    assert found.worst_error == pytest.approx(0, abs=1e-9)


def test_runs_of_one_shape_tell_nothing_apart() -> None:
    with pytest.raises(SettingsError, match="too alike"):
        fit([Run("a", 1_000, 100, 1.0), Run("b", 2_000, 200, 2.0)])


def test_runs_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(SettingsError, match="contradict"):
        # The same reading and more writing, in less time.
        fit([Run("a", 1_000_000, 1_000, 1.0), Run("b", 1_000_000, 100_000, 0.9)])


@pytest.mark.parametrize("key", PUBLISHED, ids=str)
def test_published_runs_are_told_by_two_rates_within_a_quarter(key: tuple[str, str]) -> None:
    assert fit(PUBLISHED[key].runs).worst_error < 0.25


def test_runs_on_an_h100_are_told_within_a_few_percent() -> None:
    assert fit(PUBLISHED["h100", "20b"].runs).worst_error < 0.03


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("gpu", GPUS)
def test_a_rate_without_a_published_run_says_that_it_is_assumed(gpu: str, model: str) -> None:
    rates = published_rates(gpu, model)
    expected = Basis.PUBLISHED if (gpu, model) in PUBLISHED else Basis.ASSUMED
    assert rates.rests_on[0].basis is expected
    assert rates.prefill.best > rates.prefill.likely > rates.prefill.worst > 0
    assert rates.decode.best > rates.decode.likely > rates.decode.worst > 0


def test_what_was_measured_has_a_smaller_range_than_what_was_published() -> None:
    mine = measured_rates("h100", "20b", 35_000, 12_000, basis=Basis.MEASURED, source="here")
    theirs = published_rates("h100", "20b")
    assert mine.decode.best / mine.decode.worst < theirs.decode.best / theirs.decode.worst
    assert mine.decode.likely == 12_000
