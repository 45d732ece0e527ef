"""The page of the founding paper's figures: drawn from tables, honest about those that are not there yet."""

import csv
import importlib
import json
import sys
from pathlib import Path

import pytest

from pdenca.datasets import generate
from pdenca.datasets.recipes.gray_scott_founding import GrayScottFoundingRecipe
from pdenca.tasks.emulation import load_experiment, train_emulator
from pdenca.tasks.sweep import SWEEPS, load_sweep
from pdenca.tasks.sweep.grid import COLUMNS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def drawing():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("founding_figures")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def plan(drawing):
    return importlib.import_module("founding_plan")


def write(folder, axes, lines):
    folder.mkdir(parents=True)
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, (*COLUMNS[0], *axes, *COLUMNS[1]), restval="")
        writer.writeheader()
        writer.writerows(
            {"regime": "all", "status": "done", "metric": "pooled_vrmse", **line} for line in lines
        )
    write_facts(folder, 1, 1)


def write_facts(folder, planned, done):
    facts = {
        "command": "pdenca sweep x",
        "runs": {"planned": planned, "done": done},
        "seconds": {"training": 120.0},
        "environments": [{"processor": "a processor"}],
    }
    (folder / "table.json").write_text(json.dumps(facts))


def runs_of(axis, values, windows, split="test"):
    for name, errors in values.items():
        for seed, error in enumerate(errors):
            run = {"run": f"{name}-{seed}", axis: name, "seed": seed, "model": "rule"}
            for window in windows:
                yield {**run, "split": split, "window": window, "value": error}


def test_without_tables_the_page_says_what_makes_them(drawing, plan, tmp_path):
    page = drawing.make(tmp_path / "none", tmp_path / "none", tmp_path)
    text = page.read_text()
    assert page == tmp_path / "results" / "founding-paper.md"
    for item in plan.COUNTERPARTS:
        assert f"## {item.title}" in text
        assert f"Not measured yet: `{item.command}`." in text
        assert item.differs in text
    assert "Not drawn yet: `pdenca sweep founding-time-sampling" in text
    assert not list(tmp_path.rglob("*.png"))


def test_every_figure_has_a_sweep_that_scores_what_it_looks_at(plan):
    for item in plan.COUNTERPARTS:
        assert item.sweep in SWEEPS
        sweep = load_sweep(item.sweep)
        if item.of_images:
            known = {"worst", "frame 1", *(f"held {steps}" for steps in sweep.evaluate.hold)}
            assert {look.window for look in item.looks} <= known
            continue
        windows = {f"{a}:{b}" if a < b else str(a) for a, b in sweep.evaluate.windows}
        assert {look.window for look in item.looks} <= windows
        assert {look.split for look in item.looks} <= set(sweep.evaluate.splits)
        assert {look.metric for look in item.looks} <= set(sweep.figures.KNOWN)


def test_a_table_becomes_a_section(drawing, tmp_path):
    values = {"0.0": [0.1, 0.3, 0.2], "0.5": [0.4, 0.6]}
    lines = [*runs_of("noise", values, ("1:128", "128"))]
    lines.append(
        {"run": "0.5-2", "noise": "0.5", "seed": 2, "status": "diverged", "metric": "", "regime": ""}
    )
    lines.append({"run": "0.5-3", "noise": "0.5", "status": "failed", "reason": "no package"})
    lines.append({"model": "our rule", "split": "ood_horizon", "status": "refused", "reason": "too short"})
    for model, error in (("persistence", 1.5), ("our rule", 0.05)):
        lines.append({"model": model, "split": "test", "window": "1:128", "value": error})
    write(tmp_path / "sweeps" / "founding-noise", ["noise"], lines)
    text = drawing.make(tmp_path / "sweeps", tmp_path, tmp_path / "docs").read_text()
    assert "| noise | unseen starts | unseen, n = 1024 |" in text
    assert "| 0.0 | 0.2 [0.1, 0.3] | 0.2 [0.1, 0.3] |" in text
    assert "| 0.5 | 0.6 [0.4, diverged] | 0.6 [0.4, diverged] |" in text
    assert "| persistence | 1.5 |  |" in text
    assert "| our rule | 0.05 |  |" in text
    assert (tmp_path / "docs" / "figures" / "founding-noise.png").is_file()
    assert "pdenca sweep founding-noise" not in text
    assert "Made by `pdenca sweep x`; a processor; 2 minutes of work." in text
    assert "- 0.5-3: failed, no package" in text
    assert "- our rule on ood_horizon: refused, too short" in text
    write_facts(tmp_path / "sweeps" / "founding-noise", 9, 1)  # being done again
    (tmp_path / "sweeps" / "founding-noise" / "table.csv").write_text("half")
    assert drawing.make(tmp_path / "sweeps", tmp_path, tmp_path / "docs").read_text() == text
    # the copy beside the page is enough to draw it again
    again = drawing.make(tmp_path / "gone", tmp_path, tmp_path / "docs").read_text()
    assert again == text


def test_snapshots_of_what_is_trained(drawing, tmp_path):
    told = {"num_cells": 32, "num_frames": 5, "num_valid_trajectories": 1, "num_horizon_trajectories": 1}
    recipe = GrayScottFoundingRecipe.parse({**told, "splits": ["train", "valid", "ood_horizon"]})
    sweeps = tmp_path / "sweeps"
    data = generate(recipe, sweeps / "data" / "t8").out
    quick = {"stages.0.num_steps": 1, "stages.0.batch_size": 1, "validation_interval": 8.0}
    run = sweeps / "founding-time-sampling" / "runs" / "time_sampling=8,seed=0"
    train_emulator(data, run, load_experiment("founding-study", quick))
    snapshots = importlib.import_module("founding_snapshots")
    assert snapshots.find_runs(sweeps) == {"8": run}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "TIMES", (8, 72, 1024))  # the last is not in these data
        text = "\n".join(snapshots.section(sweeps, tmp_path / "figures"))
        figure = snapshots.draw({"8": run}, data)
    assert (tmp_path / "figures" / snapshots.PICTURE).is_file()
    assert "Not drawn yet" not in text
    assert [axes.get_title() for axes in figure.axes[:2]] == ["n = 8", "n = 72"]
    assert len(figure.axes) == 4


def test_names_and_several_axes_become_a_map(drawing, tmp_path):
    write(
        tmp_path / "founding-activations", ["activation"], runs_of("activation", {"relu": [0.1]}, ("1:128",))
    )
    rates = [
        {**line, "optimiser": "adam"}
        for line in runs_of("learning_rate", {"0.01": [0.2], "0.1": [0.4]}, ("1:128",), "train")
    ]
    write(tmp_path / "founding-learning-rates", ["learning_rate", "optimiser"], rates)
    text = drawing.make(tmp_path, tmp_path, tmp_path / "docs").read_text()
    assert "| learning_rate, optimiser | training starts |" in text
    assert "| 0.1, adam | 0.4 |" in text
    drawn = {path.name for path in (tmp_path / "docs" / "figures").iterdir()}
    assert drawn == {"founding-activations.png", "founding-learning-rates.png"}
