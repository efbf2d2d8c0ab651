"""Results on disk: what was written is there after a kill, and half a line is not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.scored import result

from afterguard.contracts.errors import SettingsError
from afterguard.contracts.words import Outcome
from afterguard.evaluation.results import RESULTS, ResultLog, read_results

ONE, TWO, THREE = (result(number, True, 0.5) for number in range(3))


def test_what_was_appended_is_read_again(tmp_path: Path) -> None:
    with ResultLog(tmp_path) as log:
        log.append([ONE, TWO])
    with ResultLog(tmp_path) as log:
        assert set(log.results) == {ONE.key, TWO.key}
        log.append([THREE])
    assert read_results(tmp_path) == [ONE, TWO, THREE]


@given(cut=st.integers(1, 200))
def test_a_line_that_a_kill_left_half_written_is_as_if_it_were_not_there(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    with ResultLog(folder) as log:
        log.append([ONE, TWO])
    path = folder / RESULTS
    whole = path.read_bytes()
    begin = whole.index(b"\n") + 1
    path.write_bytes(whole[: max(begin, len(whole) - cut)])
    assert read_results(folder) == [ONE]
    with ResultLog(folder) as log:
        log.append([THREE])
    assert read_results(folder) == [ONE, THREE]


def test_a_long_half_line_is_cut_off_whole(tmp_path: Path) -> None:
    with ResultLog(tmp_path) as log:
        log.append([ONE])
    with (tmp_path / RESULTS).open("ab") as file:
        file.write(b'{"rationale":"' + b"x" * 200_000)
    with ResultLog(tmp_path) as log:
        log.append([TWO])
    assert read_results(tmp_path) == [ONE, TWO]


def test_of_a_row_that_was_judged_again_the_last_result_holds(tmp_path: Path) -> None:
    failed = result(0, True, None, outcome=Outcome.FAILED)
    with ResultLog(tmp_path) as log:
        log.append([failed, TWO])
        log.append([ONE])
    assert read_results(tmp_path) == [ONE, TWO]


def test_a_line_that_is_no_result_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / RESULTS
    path.write_text('{"row_id": "a"}\n')
    with pytest.raises(SettingsError, match=r"results\.jsonl:1: no result: policy_id"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("outcome", "flagged", "seen"),
    [
        (Outcome.VIOLATION, True, True),
        (Outcome.NO_VIOLATION, False, False),
        (Outcome.UNCERTAIN, False, True),
        (Outcome.EXPIRED, False, True),
        (Outcome.TRUNCATED, False, True),
        (Outcome.UNPARSEABLE, False, True),
        (Outcome.FAILED, False, True),
        # A prefilter kept it from the model: nobody will look at it.
        (Outcome.SKIPPED, False, False),
    ],
)
def test_only_a_violation_is_flagged_and_doubt_goes_to_a_person(
    outcome: Outcome, flagged: bool, seen: bool
) -> None:
    it = result(0, True, None, outcome=outcome)
    assert (it.flagged, it.seen_by_someone) == (flagged, seen)


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with ResultLog(tmp_path), pytest.raises(SettingsError, match="another run is writing it"):
        ResultLog(tmp_path)
    with ResultLog(tmp_path) as log:
        log.append([ONE])
    assert read_results(tmp_path) == [ONE]
