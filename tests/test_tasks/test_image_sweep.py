"""A sweep of rules for series of images: its settings, its runs, its table and its figures."""

import csv
import json
import re
from dataclasses import replace

import pytest
import torch

from pdenca.core import BadInputError, FormatError
from pdenca.tasks.images import draw_series, follow, load_image_run, read_series_file, still_errors
from pdenca.tasks.sweep import (
    SWEEPS,
    ImageSweepSettings,
    SweepSettings,
    draw_figures,
    image_jobs,
    list_combinations,
    load_sweep,
    plan_sweep,
    run_sweep,
)
from pdenca.training import step_generator

TINY = {"num_steps": 3, "validate_every": 3, "validated_hold": 4, "hold_steps": 4, "rule.num_units": 8}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return draw_series("pictures", tmp_path_factory.mktemp("series") / "pictures.hdf5", num_cells=16)


def tiny(pictures, **told):
    values = {
        "task": "images",
        "experiment": "pictures",
        "data": str(pictures),
        "settings": TINY,
        "axes": [{"name": "steps", "place": "steps_per_interval", "values": [2, 3]}],
        "evaluate": {"hold": [5, 20]},
    }
    return ImageSweepSettings.parse({**values, **told})


def read(out):
    with (out / "table.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_runs_table_and_figures(pictures, tmp_path):
    out, said = tmp_path / "out", []
    summary = run_sweep(tiny(pictures), out, num_workers=1, say=said.append)
    assert (summary.num_runs, summary.num_now, summary.failed) == (2, 2, {})
    assert said[-1].startswith("steps = 3, seed = 0: mean_squared_error ")
    lines = read(out)
    windows = ["worst", "frame 1", "frame 2", "held 5", "held 20"]
    for steps in (2, 3):
        own = [line for line in lines if line["steps"] == str(steps)]
        assert [line["window"] for line in own] == windows
        series = read_series_file(pictures)
        model, settings = load_image_run(out / "runs" / f"steps={steps},seed=0", series)
        assert settings.steps_per_interval == steps
        generator = step_generator(0, "study")
        errors = follow(model, series, steps, hold=(5, 20), generator=generator).errors
        assert [float(line["value"]) for line in own] == [max(errors), *errors]
        assert {line["num_parameters"] for line in own} == {str(model.num_parameters)}
    still = [float(line["value"]) for line in lines if line["model"] == "persistence"]
    first, last = still_errors(read_series_file(pictures))
    assert still == [max(first, last), first, last, last, last]
    assert json.loads((out / "table.json").read_text())["settings"]["task"] == "images"

    drawn = draw_figures(out, tiny(pictures).figures)
    assert [path.name for path in drawn.paths] == ["mean_squared_error-lines.png"]
    assert not drawn.remarks

    # other looks at what is held: scored again, nothing is trained
    before = (out / "runs" / "steps=2,seed=0" / "metrics.csv").read_bytes()
    later = tiny(pictures, evaluate={"hold": [30], "baselines": []})
    assert [item.state for item in plan_sweep(later, out)] == ["begun", "begun"]
    assert run_sweep(later, out, num_workers=1).num_now == 2
    assert (out / "runs" / "steps=2,seed=0" / "metrics.csv").read_bytes() == before
    assert [line["window"] for line in read(out)] == ["worst", "frame 1", "frame 2", "held 30"] * 2


def test_two_workers_make_the_same_on_two_series(pictures, tmp_path):
    other = draw_series("branching", tmp_path / "branching.hdf5", num_cells=16)
    axis = {"name": "series", "bundles": {"a": {"data": str(pictures)}, "b": {"data": str(other)}}}
    tables = []
    for count in (1, 2):
        out = tmp_path / str(count)
        assert run_sweep(tiny(pictures, axes=[axis]), out, num_workers=count).failed == {}
        tables.append([{**line, "training_seconds": ""} for line in read(out)])
    assert tables[0] == tables[1]
    assert {line["scored_on"] for line in tables[0] if not line["run"]} == {str(pictures), str(other)}


def test_a_training_that_was_cut_short_goes_on(pictures, tmp_path, monkeypatch):
    asked, train = tiny(pictures, axes=[]), image_jobs.train_images
    run_sweep(asked, tmp_path / "whole", num_workers=1)

    def interrupt(*args, progress, **named):
        def stop(now):
            progress(now)
            if now.step == 2:
                raise KeyboardInterrupt

        train(*args, progress=stop, checkpoint_seconds=0.0, **named)

    monkeypatch.setattr(image_jobs, "train_images", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(asked, tmp_path / "cut", num_workers=1)
    assert [item.state for item in plan_sweep(asked, tmp_path / "cut")] == ["begun"]
    monkeypatch.setattr(image_jobs, "train_images", train)
    run_sweep(asked, tmp_path / "cut", num_workers=1)
    values = [[line["value"] for line in read(tmp_path / name)] for name in ("whole", "cut")]
    assert values[0] == values[1]


def test_images_that_change_meanwhile(pictures, tmp_path, monkeypatch):
    path, train = tmp_path / "series.hdf5", image_jobs.train_images
    path.write_bytes(pictures.read_bytes())

    def train_and_draw(*args, **named):
        train(*args, **named)
        path.unlink()
        draw_series("pictures", path, num_cells=16, seed=1)

    monkeypatch.setattr(image_jobs, "train_images", train_and_draw)
    summary = run_sweep(tiny(path), tmp_path / "out", num_workers=1)
    assert "trained, but not scored: " in summary.failed["steps=2,seed=0"]
    assert all("has changed since the sweep began" in reason for reason in summary.failed.values())
    assert len(summary.failed) == 2


@pytest.mark.parametrize("change", ["boundary", "mask"])
def test_another_boundary_or_mask_is_another_series(pictures, tmp_path, change):
    path = tmp_path / "pictures.hdf5"
    if change == "boundary":
        draw_series("pictures", path, num_cells=16, boundary="periodic")
        other = read_series_file(path)
    else:
        whole = read_series_file(pictures)
        mask = torch.ones(16, 16, dtype=torch.bool)
        mask[:4] = False
        other = replace(whole, mask=mask)
        missing = (whole.frames[0, 0] - whole.frames[0, 1]).square().mean(0)
        box = torch.zeros_like(mask)
        box[other.box(1)] = True
        assert still_errors(other)[0] == pytest.approx(float(missing[mask & box].mean()))
    assert other.facts() != read_series_file(pictures).facts()


def test_a_frame_that_shows_nothing_is_refused_before_anything_is_trained(pictures, tmp_path, monkeypatch):
    read_whole = read_series_file

    def blank(path):
        series = read_whole(path)
        frames = series.frames.clone()
        frames[:, 1] = 0
        return replace(series, frames=frames)

    monkeypatch.setattr(image_jobs, "read_series_file", blank)
    with pytest.raises(BadInputError, match=r"combination steps = 2, seed = 0: frame 1 .*nothing but"):
        run_sweep(tiny(pictures), tmp_path / "out", num_workers=1)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_the_other_kind(pictures, tmp_path):
    out = tmp_path / "out"
    asked = tiny(pictures, axes=[])
    run_sweep(asked, out, num_workers=1)
    emulators = SweepSettings(experiment="mlp", data="data")
    with pytest.raises(BadInputError, match="holds a sweep of the task 'images'"):
        plan_sweep(emulators, out)
    (out / "sweep.json").write_text(emulators.to_json())
    with pytest.raises(BadInputError, match="holds a sweep of the task 'emulation'"):
        run_sweep(asked, out, num_workers=1)
    (out / "sweep.json").write_text("[")
    with pytest.raises(FormatError, match=r"sweep\.json is damaged"):
        run_sweep(asked, out, num_workers=1)


def test_images_that_are_not_there(tmp_path):
    with pytest.raises(FormatError, match="usual cure: `pdenca images draw"):
        plan_sweep(tiny(tmp_path / "none.hdf5"), tmp_path / "out")


def test_a_rule_that_diverges_is_a_line_of_the_table(pictures, tmp_path):
    wild = {**TINY, "learning_rate": 1e30, "gradient": "plain", "optimizer": "sgd", "num_steps": 30}
    out = tmp_path / "out"
    summary = run_sweep(tiny(pictures, settings=wild, axes=[]), out, num_workers=1)
    assert list(summary.failed) == ["seed=0"]
    line = next(line for line in read(out) if line["run"])
    assert line["status"] == "diverged"
    assert line["reason"]


def test_an_error_that_is_no_number_is_the_worst():
    rows = image_jobs._rows("rule", (0.1, float("nan"), 0.2), (10,))
    assert [row.window for row in rows] == ["worst", "frame 1", "frame 2", "held 10"]
    assert rows[0].value != rows[0].value


def test_other_images_under_the_same_name_are_refused(pictures, tmp_path):
    path = tmp_path / "series.hdf5"
    path.write_bytes(pictures.read_bytes())
    asked, out = tiny(path, axes=[]), tmp_path / "out"
    run_sweep(asked, out, num_workers=1)
    path.unlink()
    draw_series("pictures", path, num_cells=16, seed=1)
    with pytest.raises(BadInputError, match="seed=0 was trained with other settings or data"):
        run_sweep(asked, out, num_workers=1)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"regimes": ["maze"]}, "unknown setting 'regimes'"),
        ({"settings": {"seed": 1}}, "usual cure: seeds = "),
        ({"evaluate": {"splits": ["test"]}}, "unknown setting 'evaluate.splits'"),
        ({"evaluate": {"hold": [100, 10]}}, "name steps that increase"),
        ({"evaluate": {"baselines": ["mean"]}}, "evaluate.baselines.0"),
        ({"figures": {"metrics": ["pooled_vrmse"]}}, "unknown metric 'pooled_vrmse'"),
    ],
)
def test_what_cannot_be_asked(pictures, told, message):
    with pytest.raises(BadInputError, match=message):
        tiny(pictures, **told)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rule.kernel": ["identity"]}, "combination seed = 0: unknown setting 'rule.kernel'"),
        ({"rule.kernels": ["identity", "curl"]}, "combination seed = 0: .*'curl'"),
    ],
)
def test_a_combination_that_is_wrong_is_named(pictures, tmp_path, settings, message):
    out = tmp_path / "out"
    with pytest.raises(BadInputError, match=message):
        run_sweep(tiny(pictures, axes=[], settings=settings), out, num_workers=1)
    assert not out.exists()


@pytest.mark.parametrize("task", ["'image'", "['images']"])
def test_an_unknown_task(tmp_path, task):
    path = tmp_path / "grid.toml"
    path.write_text(f'task = {task}\nexperiment = "pictures"\ndata = "pictures.hdf5"\n')
    with pytest.raises(BadInputError, match=f"got {re.escape(task)}: expected one of emulation, images"):
        load_sweep(path)


@pytest.mark.parametrize("name", [name for name in SWEEPS if name.startswith("images")])
def test_the_sweeps_that_come_along(name):
    sweep = load_sweep(name)
    found = list_combinations(sweep)
    assert sweep.seeds == (0, 1, 2)
    assert len({item.name for item in found}) == len(found)
    assert all(item.settings.num_steps >= 500 for item in found)
    for axis in sweep.axes:
        for item in found:
            told = axis.choices[item.choices[axis.name]]
            own = item.settings.model_dump(mode="json")
            for place, value in told.items():
                inner = own
                for part in place.split("."):
                    inner = inner[part]
                assert inner == value
