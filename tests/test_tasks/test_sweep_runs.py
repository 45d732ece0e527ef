"""Sweeps that are run: what is done once, what fails, what is kept, and whether the table is true."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from pdenca.core import BadInputError, FormatError
from pdenca.core.alone import alone
from pdenca.evaluation import EvaluationSettings
from pdenca.tasks.emulation import evaluate_runs, train_emulator
from pdenca.tasks.sweep import SweepSettings, crew, emulation_jobs, plan_sweep, run_sweep
from pdenca.tasks.training_record import read_metrics

STAGE = {"objective": "propagation", "fitter": "first-order", "batch_size": 2}
STEPS = {"name": "steps", "place": "model.steps_per_frame", "values": [1, 2]}
RATE = {"name": "rate", "bundles": {"usual": {}, "wild": {"stages.0.learning_rate": 1e30}}}
EVALUATE = {"splits": ["test"], "windows": [[1, 1], [2, 4]], "num_bootstrap": 20}


def tiny(dataset: Path, **changes) -> SweepSettings:
    """Runs of a moment: two values, one of them also with a rate at which nothing stays finite."""
    settings = {"validation_frames": 5, "stages": [{**STAGE, "num_steps": 2}]}
    values = {
        "experiment": "founding-paper",
        "data": str(dataset),
        "regimes": ["maze"],
        "settings": settings,
        "axes": [STEPS, RATE],
        "exclude": [{"steps": 2, "rate": "wild"}],
        "evaluate": EVALUATE,
    }
    return SweepSettings.parse({**values, **changes})


def lines_of(out: Path) -> list[dict[str, str]]:
    with (out / "table.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def swept(dataset, tmp_path_factory) -> Path:
    """A sweep of three runs, one of which diverges; do not change it."""
    out = tmp_path_factory.mktemp("swept") / "out"
    summary = run_sweep(tiny(dataset), out, num_workers=1, command="pdenca sweep tiny.toml")
    assert (summary.num_runs, summary.num_now) == (3, 3)
    assert list(summary.failed) == ["steps=1,rate=wild,seed=0"]
    return out


@pytest.fixture
def trainings(monkeypatch) -> list[str]:
    """Names of the runs that a training is begun or resumed for."""
    names: list[str] = []

    def count(data, run, settings, **options):
        names.append(run.name)
        return train_emulator(data, run, settings, **options)

    monkeypatch.setattr(emulation_jobs, "train_emulator", count)
    return names


def test_one_that_diverges_is_a_line_and_stops_no_other(swept):
    lines = lines_of(swept)
    done = {line["run"]: line["status"] for line in lines if line["run"]}
    assert done == {
        "steps=1,rate=usual,seed=0": "done",
        "steps=1,rate=wild,seed=0": "diverged",
        "steps=2,rate=usual,seed=0": "done",
    }
    (wild,) = (line for line in lines if line["rate"] == "wild")
    assert (wild["steps"], wild["seed"], wild["model"]) == ("1", "0", "founding-paper")
    assert "training diverged 11 times" in wild["reason"]
    assert wild["split"] == wild["value"] == wild["metric"] == ""


def test_the_table_says_what_a_direct_evaluation_says(swept, dataset):
    settings = EvaluationSettings(windows=((1, 1), (2, 4)), num_bootstrap=20)
    runs = {
        name: swept / "runs" / name for name in ("steps=1,rate=usual,seed=0", "steps=2,rate=usual,seed=0")
    }
    direct = evaluate_runs(
        runs, dataset, ["test"], settings, with_baselines=["persistence"], regimes=["maze"]
    )
    lines = [line for line in lines_of(swept) if line["value"]]
    assert len(lines) == len(direct.rows)

    def place(line):
        name = line["run"] or line["model"]
        return name, *(line[key] for key in ("split", "regime", "metric", "window"))

    found = {place(line): line["value"] for line in lines}
    expected = {(r.model, r.split, r.regime, r.metric, r.window): repr(r.value) for r in direct.rows}
    assert found == expected
    ends = {place(line): (line["low"], line["high"]) for line in lines}
    assert set(ends.values()) == {("", "")}  # one trajectory gives no interval


def test_baselines_by_their_names(dataset):
    settings = EvaluationSettings(windows=((1, 1),), num_bootstrap=5)
    some = evaluate_runs({}, dataset, ["test"], settings, with_baselines=["spatial-mean"], regimes=["spots"])
    assert {row.model for row in some.rows} == {"spatial-mean"}
    assert {row.regime for row in some.rows} == {"spots", "all"}
    with pytest.raises(BadInputError, match=r"no baseline 'mean'; expected some of persistence, .*spars"):
        evaluate_runs({}, dataset, ["test"], settings, with_baselines=["mean"])


def test_columns_and_facts(swept, dataset):
    lines = lines_of(swept)
    assert list(lines[0])[:4] == ["run", "steps", "rate", "seed"]
    beside = [line for line in lines if not line["run"]]
    assert {line["model"] for line in beside} == {"persistence"}
    assert {(line["steps"], line["rate"], line["seed"]) for line in beside} == {("", "", "")}
    assert (
        Counter(
            (line["split"], line["regime"], line["metric"], line["window"]) for line in beside
        ).most_common(1)[0][1]
        == 1
    )  # once
    run = "steps=2,rate=usual,seed=0"
    (line, *_) = (line for line in lines if line["run"] == run)
    seconds = read_metrics(swept / "runs" / run)[-1]["seconds"]
    assert (line["regimes"], line["data"], line["scored_on"]) == ("maze", str(dataset), str(dataset))
    assert (float(line["training_seconds"]), line["num_parameters"]) == (seconds, "776")
    facts = json.loads((swept / "table.json").read_text(encoding="utf-8"))
    assert facts["command"] == "pdenca sweep tiny.toml"
    assert facts["runs"] == {"planned": 3, "done": 2, "diverged": 1}
    assert facts["settings"]["axes"][0]["values"] == [1, 2]
    assert facts["environments"][0]["threads"] == 1
    assert facts["seconds"]["training"] > 0


def test_what_is_done_is_not_done_again_and_a_grid_may_grow(swept, dataset, tmp_path, trainings):
    out = tmp_path / "out"
    subprocess.run(["cp", "-r", swept, out], check=True)
    before = (out / "table.csv").read_bytes()
    said: list[str] = []
    again = run_sweep(tiny(dataset), out, num_workers=1, say=said.append)
    assert (trainings, said, again.num_now) == ([], [], 0)
    assert list(again.failed) == ["steps=1,rate=wild,seed=0"]
    assert (out / "table.csv").read_bytes() == before

    larger = tiny(dataset, axes=[{**STEPS, "values": [4, 2, 1]}, RATE], exclude=[{"rate": "wild"}])
    grown = run_sweep(larger, out, num_workers=1, say=said.append)
    assert trainings == ["steps=4,rate=usual,seed=0"]
    assert (grown.num_runs, grown.num_now, grown.failed) == (3, 1, {})
    assert len(said) == 1
    assert said[0].startswith("steps = 4, rate = usual, seed = 0: pooled_vrmse ")
    assert said[0].endswith("; 0 left")
    rows = Counter(line["steps"] for line in lines_of(out))
    assert rows["1"] == rows["2"] == rows["4"] == rows[""] > 0  # as many as beside them

    other = tiny(dataset, evaluate={**EVALUATE, "windows": [[1, 3]]})
    best = (out / "runs" / "steps=1,rate=usual,seed=0" / "best.safetensors").read_bytes()
    assert run_sweep(other, out, num_workers=1).num_now == 2  # scored again; what diverged is not tried again
    assert "wild" not in "".join(trainings)
    assert {line["window"] for line in lines_of(out) if line["metric"] == "pooled_vrmse"} == {"1:3"}
    assert (out / "runs" / "steps=1,rate=usual,seed=0" / "best.safetensors").read_bytes() == best


def test_a_failed_run_is_tried_again_and_the_others_are_finished(dataset, tmp_path, monkeypatch, trainings):
    out, train = tmp_path / "out", emulation_jobs.train_emulator

    def fail(data, run, settings, **options):
        if "steps=1" in run.name:
            raise RuntimeError("no room\nin memory")
        return train(data, run, settings, **options)

    monkeypatch.setattr(emulation_jobs, "train_emulator", fail)
    few = tiny(dataset, axes=[STEPS], exclude=[])
    summary = run_sweep(few, out, num_workers=1)
    assert summary.failed == {"steps=1,seed=0": "RuntimeError: no room in memory"}
    assert {line["steps"]: line["status"] for line in lines_of(out)} == {
        "1": "failed",
        "2": "done",
        "": "done",
    }
    record = json.loads((out / "records" / "steps=1,seed=0.json").read_text(encoding="utf-8"))
    assert "in fail" in record["trace"]
    assert [(item.state, item.reason) for item in plan_sweep(few, out)] == [
        ("failed", "RuntimeError: no room in memory"),
        ("done", ""),
    ]
    monkeypatch.setattr(emulation_jobs, "train_emulator", train)
    assert run_sweep(few, out, num_workers=1).failed == {}
    assert trainings == ["steps=2,seed=0", "steps=1,seed=0"]
    assert {line["status"] for line in lines_of(out)} == {"done"}


def test_a_disk_that_is_full_stops_all_and_keeps_what_is_done(dataset, tmp_path, monkeypatch):
    out, train = tmp_path / "out", emulation_jobs.train_emulator

    def fail(data, run, settings, **options):
        if "steps=2" in run.name:
            raise OSError(28, "No space left on device")
        return train(data, run, settings, **options)

    monkeypatch.setattr(emulation_jobs, "train_emulator", fail)
    with pytest.raises(OSError, match="No space left"):
        run_sweep(tiny(dataset, axes=[STEPS], exclude=[]), out, num_workers=1)
    assert {line["steps"] for line in lines_of(out)} == {"1", ""}


def test_ctrl_c_keeps_what_is_done(dataset, tmp_path, monkeypatch, trainings):
    out, train = tmp_path / "out", emulation_jobs.train_emulator

    def interrupt(data, run, settings, **options):
        if "steps=2" in run.name:
            raise KeyboardInterrupt
        return train(data, run, settings, **options)

    monkeypatch.setattr(emulation_jobs, "train_emulator", interrupt)
    few = tiny(dataset, axes=[STEPS], exclude=[])
    with pytest.raises(KeyboardInterrupt):
        run_sweep(few, out, num_workers=1)
    assert {line["steps"] for line in lines_of(out)} == {"1", ""}
    assert [item.state for item in plan_sweep(few, out)] == ["done", "to do"]


def test_a_split_that_a_model_refuses_costs_no_other(dataset, tmp_path):
    """A network that reads two frames cannot be given frames twice as far apart."""
    out = tmp_path / "out"
    stage = {"objective": "rollout", "fitter": "first-order", "num_steps": 1, "num_windows": 1}
    settings = {"network": {"width": 4, "num_given_frames": 2}, "stages": [stage], "validation_frames": 5}
    evaluate = {**EVALUATE, "splits": ["ood_dt_2", "test"], "windows": [[1, 2]]}
    asked = tiny(dataset, experiment="cnn", axes=[], exclude=[], settings=settings, evaluate=evaluate)
    assert run_sweep(asked, out, num_workers=1).failed == {}
    lines = lines_of(out)
    (refused,) = (line for line in lines if line["status"] == "refused")
    assert (refused["run"], refused["split"], refused["regime"]) == ("seed=0", "ood_dt_2", "maze")
    assert "reads 2 frames" in refused["reason"]
    scored = {(line["model"], line["split"]) for line in lines if line["value"]}
    assert scored == {("cnn", "test"), ("persistence", "test"), ("persistence", "ood_dt_2")}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"data": "nowhere"}, FormatError, "nowhere is not a dataset"),
        ({"regimes": ["mazes"]}, BadInputError, "no regime mazes; expected some of maze, spots"),
        ({"evaluate": {"splits": ["tset"]}}, BadInputError, "unknown split 'tset': did you mean 'test'"),
        ({"evaluate": {"data": "nowhere"}}, FormatError, "nowhere is not a dataset"),
        (
            {"evaluate": {"baselines": ["persistance"]}},
            BadInputError,
            "unknown baseline 'persistance': did you mean 'persistence'",
        ),
        (
            {"axes": [{"name": "fires", "place": "model.fire_rate", "values": [1, 9]}], "exclude": []},
            BadInputError,
            "combination fires = 9, seed = 0: setting 'model.fire_rate' got 9",
        ),
        (
            {
                "experiment": "mlp",
                "settings": {"stages": [{"objective": "rollout", "fitter": "lbfgs", "num_steps": 1}]},
                "axes": [{"name": "horizon", "place": "stages.0.horizon", "values": [2, 40]}],
                "exclude": [],
            },
            BadInputError,
            "combination horizon = 40, seed = 0: stage 0 .rollout. needs trajectories of 4[0-9] frames",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(
    dataset, tmp_path, trainings, changes, error, message
):
    for act in (lambda asked, out: run_sweep(asked, out, num_workers=1), plan_sweep):
        with pytest.raises(error, match=message):
            act(tiny(dataset, **changes), tmp_path / "out")
    assert trainings == []
    assert not (tmp_path / "out" / "runs").exists()


def test_folders_that_are_not_to_be_touched(swept, dataset, tmp_path, trainings):
    out = tmp_path / "out"
    subprocess.run(["cp", "-r", swept, out], check=True)
    with alone(out, "sweeping"), pytest.raises(BadInputError, match="another process is sweeping in"):
        run_sweep(tiny(dataset), out)
    with pytest.raises(
        BadInputError, match=r"runs/steps=1,rate=usual,seed=0 was trained with other settings"
    ):
        run_sweep(tiny(dataset, settings={"validation_frames": 4}), out)
    with pytest.raises(BadInputError, match="was trained with other settings or data"):
        run_sweep(tiny(dataset, regimes=["spots"]), out)
    with pytest.raises(BadInputError, match="at least 1, got 0"):
        run_sweep(tiny(dataset), out, num_workers=0)
    (out / "records" / "steps=1,rate=usual,seed=0.json").write_text("{")
    with pytest.raises(FormatError, match="is damaged"):
        run_sweep(tiny(dataset), out)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").touch()
    for act in (run_sweep, plan_sweep):
        with pytest.raises(BadInputError, match="not empty and holds no sweep"):
            act(tiny(dataset), tmp_path / "other")
    assert trainings == []


def test_scored_on_another_dataset(swept, dataset, tmp_path):
    """The rows are those of the other one, and so are the baselines."""
    out = tmp_path / "out"
    elsewhere = tmp_path / "elsewhere"
    subprocess.run(["cp", "-r", dataset, elsewhere], check=True)
    asked = tiny(dataset, axes=[STEPS], exclude=[{"steps": 2}], evaluate={**EVALUATE, "data": str(elsewhere)})
    run_sweep(asked, out, num_workers=1)
    lines = lines_of(out)
    assert {line["scored_on"] for line in lines} == {str(elsewhere)}
    assert {line["data"] for line in lines} == {str(dataset), ""}
    there = {(x["metric"], x["window"]): x["value"] for x in lines_of(swept) if x["rate"] == "usual"}
    assert {(x["metric"], x["window"]) for x in lines} == set(there)


def test_a_worker_that_dies_twice_is_a_failed_run(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "PROGRAM", "raise SystemExit(3)")
    out = tmp_path / "out"
    said: list[str] = []
    summary = run_sweep(tiny(dataset), out, num_workers=2, say=said.append)
    assert len(summary.failed) == 3 + 1  # the baselines too
    assert all("exit code 3" in reason for reason in summary.failed.values())
    assert any("its worker left with exit code 3; it is tried once more" in sentence for sentence in said)
    assert not (out / "runs").exists()


def long(data: Path) -> SweepSettings:
    """Two runs of two stages: a checkpoint soon, then some seconds without one."""
    stage = {**STAGE, "validate_every": 50}
    stages = [{**stage, "num_steps": 1}, {**stage, "num_steps": 50}]
    settings = {"stages": stages, "validation_frames": 5}
    return tiny(data, settings=settings, axes=[STEPS], exclude=[])


@pytest.fixture(scope="module")
def undisturbed(dataset, tmp_path_factory) -> Path:
    """What a sweep that is not killed makes."""
    out = tmp_path_factory.mktemp("long") / "out"
    assert run_sweep(long(dataset), out, num_workers=1).failed == {}
    return out


def numbers_of(out: Path) -> list[dict[str, str]]:
    return [{**line, "training_seconds": ""} for line in lines_of(out)]


def kill(data: Path, out: Path, num_workers: int, sign: int) -> list[psutil.Process]:
    """Begin a long sweep, send it a signal when a run has a checkpoint; return its workers."""
    asked = out.parent / "asked.json"
    asked.write_text(long(data).to_json(), encoding="utf-8")
    program = "import sys, pathlib; from pdenca.tasks.sweep import SweepSettings, run_sweep\n"
    program += "text = pathlib.Path(sys.argv[1]).read_text()\n"
    program += (
        "run_sweep(SweepSettings.from_json(text), pathlib.Path(sys.argv[2]), num_workers=int(sys.argv[3]))"
    )
    command = [sys.executable, "-P", "-c", program, str(asked), str(out), str(num_workers)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as running:
        deadline = time.monotonic() + 300
        while not list(out.glob("runs/*/last.safetensors")):
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        workers = psutil.Process(running.pid).children()
        running.send_signal(sign)
        running.communicate()
    return workers


def test_a_sweep_that_is_killed_goes_on_from_its_checkpoints(undisturbed, dataset, tmp_path, trainings):
    out = tmp_path / "out"
    kill(dataset, out, 1, signal.SIGKILL)
    assert not (out / "table.csv").exists()
    assert [item.state for item in plan_sweep(long(dataset), out)] == ["begun", "to do"]
    (run,) = (out / "runs").iterdir()
    started = (run / "environment.json").stat().st_mtime_ns
    assert run_sweep(long(dataset), out, num_workers=1).failed == {}
    assert numbers_of(out) == numbers_of(undisturbed)
    assert trainings == ["steps=1,seed=0", "steps=2,seed=0"]
    assert (run / "environment.json").stat().st_mtime_ns > started
    for name in trainings:
        again, before = (folder / "runs" / name / "best.safetensors" for folder in (out, undisturbed))
        assert again.read_bytes() == before.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_a_sweep_and_all_make_the_same(undisturbed, dataset, tmp_path, sign):
    out = tmp_path / "out"
    workers = kill(dataset, out, 2, sign)
    assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    assert run_sweep(long(dataset), out, num_workers=2).failed == {}
    assert numbers_of(out) == numbers_of(undisturbed)
    assert not list(out.rglob("*.partial"))
