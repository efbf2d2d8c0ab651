"""`afterguard eval`: from labelled rows to a report, through faults of every kind on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.commands import Told, afterguard, ended, start
from tests.evaluation.published_forms import (
    MODERATION,
    PACK_POLICY,
    PACK_TABLE,
    json_lines,
    table,
)
from tests.flow.judges import ScriptedEngine, ScriptedJudge, for_ever
from tests.policy.documents import FRONT, document
from tests.samples import answered

from afterguard.contracts.errors import EngineDead
from afterguard.evaluation.results import RESULTS, read_results
from afterguard.flow.ports import Judgement, JudgeRequest

ROWS = [
    {"id": f"r-{number}", "text": f"text {number}", "labels": {"harassment": number % 2 == 0}}
    for number in range(20)
]


@pytest.fixture(autouse=True)
def _null_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERGUARD_ENGINE__KIND", "null")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return json_lines(tmp_path / "rows.jsonl", ROWS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    rows = json_lines(folder / "rows.jsonl", ROWS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFTERGUARD_ENGINE__KIND", "null")
        told = evaluated(rows, folder / "run", "--gpu-hour-price", "2")
    assert told.code == 0
    (folder / "told.txt").write_text(told.out)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A finished run of the rows of `data`; a report takes a second, so it is made once."""
    return Path(shutil.copytree(finished / "run", tmp_path / "run"))


def evaluated(data: Path, out: Path, *more: str | Path) -> Told:
    """A run of one policy."""
    return afterguard("eval", "-p", "harassment", "-d", data, "--out", out, *more)


def test_a_run_is_judged_and_reported_in_three_forms(finished: Path) -> None:
    out = finished / "run"
    assert "cost of a thousand events" in (finished / "told.txt").read_text()
    report = json.loads((out / "report.json").read_bytes())
    assert report["policies"][0]["outcomes"] == {"no_violation": 20}
    assert report["policies"][0]["strict"]["recall"]["value"] == 0.0
    assert (out / "report.html").read_text().startswith("<!doctype html>")
    assert out.stat().st_mode & 0o077 == 0, "texts are for those who may read them"


def test_the_report_is_made_again_without_judging_and_without_the_data(run: Path) -> None:
    before = json.loads((run / "report.json").read_bytes())
    (run / "report.json").unlink()
    told = afterguard("eval", "report", run, "--json", "--gpu-hour-price", "2")
    assert told.code == 0
    assert json.loads((run / "report.json").read_bytes()) == before == json.loads(told.out)


def test_a_run_goes_on_where_it_was_and_then_only_reports(data: Path, run: Path) -> None:
    lines = (run / RESULTS).read_bytes().splitlines(keepends=True)
    (run / RESULTS).write_bytes(b"".join(lines[:7]) + lines[7][:30])
    told = evaluated(data, run)
    assert "goes on, 7 results are there" in told.err
    assert len(read_results(run)) == 20
    again = evaluated(data, run)
    assert (again.code, "20 results are there" in again.err) == (0, True)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (("--effort", "high"), "policies.0.effort: low -> high"),
        (("--limit", "5"), "limit: None -> 5"),
        (("-p", "hate"), "policies: harassment -> harassment, hate"),
        (("--prompt", "combined"), "prompt: per_policy -> combined"),
        (("--unlabelled",), "unlabelled_too: False -> True"),
    ],
)
def test_a_run_of_other_settings_is_refused_with_the_difference(
    data: Path, run: Path, changed: tuple[str, ...], named: str
) -> None:
    told = evaluated(data, run, *changed)
    assert told.code == 78
    assert named in told.err
    assert len(read_results(run)) == 20


def test_data_that_has_changed_is_another_run(data: Path, run: Path) -> None:
    json_lines(data, ROWS[:19])
    told = evaluated(data, run)
    assert told.code == 78
    assert "data.0.sha256" in told.err


def test_a_folder_that_holds_something_else_is_left_alone(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("x")
    told = evaluated(data, out)
    assert (told.code, "is not empty" in told.err) == (78, True)
    assert [it.name for it in out.iterdir()] == ["thesis.txt"]


def test_bad_rows_are_told_and_do_not_hinder(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    json_lines(path, ROWS[:2])
    path.write_text(path.read_text() + "{broken\n")
    told = evaluated(path, tmp_path / "run")
    assert told.code == 0
    assert f"{path}:3: not JSON" in told.err
    assert "1 rows of the data cannot be used" in told.out.replace("\n", " ")


def test_how_labels_are_understood_is_told(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "samples.jsonl", MODERATION)
    told = afterguard(
        *("eval", "-p", "hate", "-p", "harassment", "-d", path), "--out", tmp_path / "r"
    )
    assert told.code == 0
    for line in ("label H2 speaks of hate", "of no chosen policy: S, S3, SH, V, V2"):
        assert line in told.err
    assert "published F1 on openai-moderation" in told.out


def test_a_pack_is_judged_under_its_own_text(tmp_path: Path) -> None:
    policy = tmp_path / "queue.md"
    policy.write_text(PACK_POLICY)
    data = table(tmp_path / "queue.csv", PACK_TABLE)
    told = afterguard("eval", "-p", policy, "-d", data, "--out", tmp_path / "run", "--json")
    report = json.loads(told.out)
    assert (report["policies"][0]["policy"]["rules"], report["results"]) == (["QU1", "QU2"], 5)
    assert [it["label"] for it in report["policies"][0]["labels"]] == ["QU0", "QU1", "QU2"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("-p", "nobody", "-d", "x.jsonl"), "there is no policy 'nobody'"),
        (("-p", "hate", "-d", "x.jsonl"), "x.jsonl: cannot be read"),
        (("-p", "hate"), "--data: name at least one"),
        (("-d", "x.jsonl"), "--policy: name at least one"),
        (("-p", "hate", "-p", "hate", "-d", "x"), "the id hate is there twice"),
        (("-p", "hate", "-d", "x", "--labels", "H"), "--labels H: must be LABEL=POLICY"),
        (("-p", "hate", "-d", "x", "--labels", "H=spam"), "--labels: no policy of this run: spam"),
        (("-p", "hate", "-d", "x", "--token-prices", "1"), "--token-prices 1"),
        (("-p", "hate", "-d", "x", "--sample", "1"), "--sample: say by --limit"),
    ],
)
def test_what_cannot_be_done_is_told(arguments: tuple[str, ...], why: str) -> None:
    told = afterguard("eval", *arguments)
    assert (told.code, why in told.err) == (78, True), told.err


def test_a_judge_that_no_policy_names_is_told(data: Path, tmp_path: Path) -> None:
    told = evaluated(data, tmp_path / "run", "--judges", "model,classifier")
    assert told.code == 78
    assert "no classifier is named by the policy harassment" in told.err


def test_a_classifier_that_is_not_there_is_told_before_anything_is_judged(
    data: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "harassment.md"
    front = FRONT.replace("id: queue", "id: harassment")
    policy.write_text(document(f"{front}judge: classifier\nclassifier: {{name: not-fitted}}\n"))
    out = tmp_path / "run"
    told = afterguard("eval", "-p", policy, "-d", data, "--out", out, "--judges", "classifier")
    assert (told.code, "`afterguard prefilter fit` makes it" in told.err) == (78, True)
    assert read_results(out) == []


def test_without_the_packages_of_the_extra_it_says_which(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("afterguard.evaluation.extras.find_spec", lambda _: None)
    told = afterguard("eval", "-p", "hate", "-d", data)
    assert (told.code, "pip install 'afterguard[eval]'" in told.err) == (78, True)


def test_the_command_loads_no_package_of_the_extra_before_it_is_called() -> None:
    code = (
        "import sys, afterguard.cli.evaluate;"
        "print({'numpy', 'scipy', 'sklearn', 'matplotlib', 'jinja2'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_equal_runs_compare_with_code_0_and_a_worse_one_with_code_1(
    run: Path, tmp_path: Path
) -> None:
    better = Path(shutil.copytree(run, tmp_path / "better"))
    # As a judge would have answered that finds each violation.
    found = (run / RESULTS).read_text().splitlines()
    mended = [
        line.replace('"no_violation"', '"violation"') if '"expected":true' in line else line
        for line in found
    ]
    (better / RESULTS).write_text("\n".join(mended) + "\n")
    assert afterguard("eval", "compare", run, run).code == 0
    worse = afterguard("eval", "compare", better, run)
    assert (worse.code, "regression" in worse.out) == (1, True)
    assert afterguard("eval", "compare", run, better).code == 0
    assert afterguard("eval", "compare", better, run, "--tolerance", "1").code == 0


def test_a_second_run_that_is_not_at_its_end_fails_a_comparison(run: Path, tmp_path: Path) -> None:
    half = Path(shutil.copytree(run, tmp_path / "half"))
    lines = (half / RESULTS).read_bytes().splitlines(keepends=True)
    (half / RESULTS).write_bytes(b"".join(lines[:15]))
    told = afterguard("eval", "compare", run, half)
    assert (told.code, "5 results are missing" in told.out) == (1, True)
    assert afterguard("eval", "compare", run, half, "--partial").code == 0
    compared = afterguard("eval", "compare", run, half, "--json")
    assert json.loads(compared.out)["missing"] == 5


def test_runs_that_are_not_there_are_told(tmp_path: Path) -> None:
    told = afterguard("eval", "compare", tmp_path / "a", tmp_path / "b")
    assert (told.code, "holds no run" in told.err) == (78, True)


def _judging(data: Path, out: Path) -> "subprocess.Popen[bytes]":
    """A run that takes its time, as a process of its own, when it has judged some rows."""
    process = start(
        *("eval", "-p", "harassment", "-d", data, "--out", out, "--concurrency", "1"),
        AFTERGUARD_ENGINE__KIND="null",
        AFTERGUARD_ENGINE__ARGS='{"latency_s": 0.25}',
    )
    results = out / RESULTS
    while process.poll() is None and not (results.exists() and results.stat().st_size):
        time.sleep(0.05)
    return process


@pytest.mark.kills
def test_a_run_that_is_killed_goes_on_and_judges_no_row_twice(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = _judging(data, out)
    os.kill(process.pid, signal.SIGKILL)
    assert ended(process).code == -signal.SIGKILL
    kept = {it.row_id: it.judging_s for it in read_results(out)}
    assert 0 < len(kept) < len(ROWS)
    settings = tmp_path / "fast.yaml"
    settings.write_text('engine: {kind: "null", args: {latency_s: 0.25}}\n')
    told = evaluated(data, out, "--config", settings)
    assert told.code == 0
    after = {it.row_id: it.judging_s for it in read_results(out)}
    assert set(after) == {str(it["id"]) for it in ROWS}
    assert kept.items() <= after.items()


@pytest.mark.kills
def test_ctrl_c_keeps_what_was_judged_and_says_how_to_go_on(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = _judging(data, out)
    process.send_signal(signal.SIGINT)
    told = ended(process)
    assert told.code == 130
    assert f"--out {out}" in told.err
    assert 0 < len(read_results(out)) < len(ROWS)


def test_ctrl_c_while_the_engine_starts_ends_at_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await for_ever()

    engine = ScriptedEngine(answered(False), start=slowly)
    monkeypatch.setattr("afterguard.cli.evaluate_run.create_judge", lambda *_, **__: engine)
    told = evaluated(data, tmp_path / "run")
    assert (told.code, "stopped after 0 of 20 rows" in told.err) == (130, True)
    assert engine.stopped == 1


def test_an_engine_that_dies_is_told_and_what_was_judged_is_kept(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(request: JudgeRequest) -> Judgement | BaseException:
        return EngineDead("it is gone") if "text 5" in request.content else answered(False)

    monkeypatch.setattr(
        "afterguard.cli.evaluate_run.create_judge", lambda *_, **__: ScriptedJudge(script)
    )
    out = tmp_path / "run"
    told = evaluated(data, out, "--concurrency", "1")
    assert told.code == 80
    assert "it is gone" in told.err
    assert f"--out {out} goes on" in told.err
    assert len(read_results(out)) == 5
