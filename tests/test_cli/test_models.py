"""train, evaluate, rollout, plot, report: the way of a model, on a dataset made in a moment."""

import json
import re
import shutil

import numpy as np
import pytest

from pdenca.cli.pictures import FIGURES as NAMED
from pdenca.datasets import TrajectoryFile, data_files
from pdenca.evaluation import METRICS, Results
from pdenca.tasks import comparison
from pdenca.tasks.figures import FIGURES, USES
from pdenca.tasks.rivals import baseline_rows
from pdenca.tasks.settings import EXPERIMENTS

QUICK = ["--set", "stages.0.num_steps=2", "--set", "validation_frames=5"]
QUICKER = [*QUICK, "--set", "stages.0.num_windows=4", "--set", "stages.0.cells_per_window=32"]
for _stage in (1, 2):
    for _setting in ("num_steps=1", "num_windows=1", "cells_per_window=32"):
        QUICKER += ["--set", f"stages.{_stage}.{_setting}"]

TINY_NETWORK = [*QUICK, "--set", "stages.0.num_steps=1", "--set", "stages.0.num_windows=4"]
TINY_NETWORK += ["--set", "network.width=4"]


@pytest.fixture(scope="module")
def data(tmp_path_factory, call):
    """A dataset of two regimes that trains in a second."""
    out = tmp_path_factory.mktemp("models") / "data"
    flags = ["--grid", "16", "--trajectories", "1", "--frames", "14", "--refine", "1", "--set", "batch=1"]
    flags += ["--regimes", "maze,spirals", "--splits", "train,valid,test,ood_domain"]
    flags += ["--set", "num_valid_trajectories=1", "--set", "num_domain_trajectories=1"]
    assert call("generate", "gray-scott", "--out", out, *flags).exit_code == 0
    return out


@pytest.fixture(scope="module")
def runs(data, call):
    """A run on all regimes, and a folder with one run per regime."""
    folder = data.parent / "runs"
    trained = call("train", data, "--out", folder / "mlp", *QUICKER, "--seed", "3", "--threads", "1")
    assert trained.exit_code == 0, trained.output
    assert f"next: pdenca evaluate {folder / 'mlp'} --data {data}" in trained.stdout
    for regime in ("maze", "spirals"):
        flags = ["--model", "founding-paper", "--regimes", regime, *QUICK]
        assert call("train", data, "--out", folder / "paper" / regime, *flags).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def results(data, runs, call):
    """Both models evaluated."""
    out = data.parent / "results"
    flags = ["--data", data, "--out", out, "--json", data.parent / "rows.json"]
    done = call("evaluate", runs / "mlp", runs / "paper", *flags)
    assert done.exit_code == 0, done.output
    assert "pooled_vrmse, split test" in done.stdout
    for model in ("mlp", "paper", "persistence", "equations, spectral"):
        assert f"\n  {model} " in done.stdout
    return out


def test_flags_become_settings_of_the_run(runs):
    settings = json.loads((runs / "mlp" / "settings.json").read_text(encoding="utf-8"))
    assert settings["seed"] == 3
    assert settings["stages"][0]["num_steps"] == 2
    assert json.loads((runs / "paper" / "maze" / "scales.json").read_text(encoding="utf-8"))[
        "parameter_pairs"
    ] == [[0.029, 0.057]]


def test_help_names_the_experiments(call):
    words = re.sub(r"-\s+", "-", call("train", "--help").stdout)  # lines break after hyphens
    for name in EXPERIMENTS:
        assert name in words


def test_info_describes_a_run(call, runs):
    words = call("info", runs / "mlp").stdout
    assert "gray-scott, told feed_rate, kill_rate" in words
    assert "derivative (levenberg-marquardt)" in words


def test_train_refuses(refused, data, runs, tmp_path):
    out = ("--out", tmp_path / "run")
    assert "did you mean 'polynomial'?" in refused("train", data, *out, "--model", "polynomal")
    assert "did you mean 'num_steps'?" in refused("train", data, *out, "--set", "stages.0.num_step=1")
    assert "maze, spirals" in refused("train", data, *out, "--regimes", "worms")
    assert "not a dataset" in refused("train", tmp_path, *out)
    assert "--resume" in refused("train", data, "--out", runs / "mlp", *QUICKER, "--seed", "3")
    assert "other settings" in refused("train", data, "--out", runs / "mlp", "--seed", "4", "--resume")
    assert not (tmp_path / "run").exists()


def test_resume_of_a_finished_run_keeps_it(call, data, runs):
    before = (runs / "mlp" / "best.safetensors").read_bytes()
    again = call("train", data, "--out", runs / "mlp", *QUICKER, "--seed", "3", "--resume")
    assert again.exit_code == 0
    assert (runs / "mlp" / "best.safetensors").read_bytes() == before


def test_evaluate_saves_rows_and_where_they_come_from(results):
    loaded = Results.load(results)
    assert {row.split for row in loaded.rows} == {"test", "ood_domain"}
    assert len(json.loads((results.parent / "rows.json").read_text(encoding="utf-8"))) == len(loaded.rows)
    sources = json.loads((results / "sources.json").read_text(encoding="utf-8"))
    assert sources == {
        "data": "../data",
        "runs": {"mlp": ["../runs/mlp"], "paper": ["../runs/paper/maze", "../runs/paper/spirals"]},
    }


@pytest.fixture
def few_rivals(monkeypatch):
    """Only the cheapest of the rows beside a model, where a test is not about them."""
    few = ("persistence", "spatial-mean", "equations, order-6")

    def chosen(members, scales):
        return {name: row for name, row in baseline_rows(members, scales).items() if name in few}

    monkeypatch.setattr(comparison, "baseline_rows", chosen)
    monkeypatch.setattr(comparison, "tuned_rows", lambda data, scales: {})


@pytest.mark.usefixtures("few_rivals")
def test_evaluate_one_run_on_one_split(call, data, runs, tmp_path):
    run = shutil.copytree(runs / "mlp", tmp_path / "run")
    done = call("evaluate", run, "--data", data, "--split", "ood_domain", "--metric", "range_violation")
    assert done.exit_code == 0
    assert "range_violation, split ood_domain" in done.stdout
    assert {row.split for row in Results.load(run / "evaluation").rows} == {"ood_domain"}


@pytest.mark.slow
@pytest.mark.usefixtures("few_rivals")
def test_evaluate_on_splits_without_files(call, refused, data, runs, tmp_path):
    """They are scored, drawn and reported like stored ones; what is special about them is said."""
    run = shutil.copytree(runs / "mlp", tmp_path / "run")
    asked = ["--splits", "test,ood_noise_0.1,ood_dt_2", "--split", "ood_rotation_90", "--symmetry", 1]
    asked += ["--patterns", "1:4"]
    done = call("evaluate", run, "--data", data, *asked)
    assert done.exit_code == 0, done.output
    assert "ood_noise_0.1: test, noise of 0.1 std on the given frames" in done.stdout
    assert "patterns was not scored on test (maze, spirals)" in done.stdout
    results = Results.load(run / "evaluation")
    values = {
        (row.split, row.model, row.metric): row.value
        for row in results.rows
        if row.regime == "all" and row.window in ("1", "1:1")
    }
    assert {row.split for row in results.rows} == {"test", "ood_noise_0.1", "ood_dt_2", "ood_rotation_90"}
    score = ("persistence", "pooled_vrmse")
    assert values["ood_noise_0.1", *score] > values["test", *score]
    assert values["ood_rotation_90", *score] == pytest.approx(values["test", *score])
    assert values["test", "run", "equivariance_residual"] < 1e-5
    for split in ("ood_noise_0.1", "ood_dt_2"):
        drawn = call("plot", run, "--figure", "frames", "--split", split, "-o", tmp_path / f"{split}.png")
        assert drawn.exit_code == 0, drawn.output
    assert call("report", run, "--data", data).exit_code == 0
    assert "equivariance_residual" in (run / "report.html").read_text(encoding="utf-8")
    assert "FIRST:LAST" in refused("evaluate", run, "--data", data, "--patterns", "9")


def test_evaluate_refuses(refused, data, runs, tmp_path):
    asked = ("evaluate", runs / "mlp", "--data", data)
    assert "did you mean 'test'?" in refused(*asked, "--split", "tst")
    assert "did you mean 'pooled_vrmse'?" in refused(*asked, "--metric", "pooled_vrms")
    assert "two runs are called 'mlp'" in refused("evaluate", runs / "mlp", runs / "mlp", "--data", data)
    assert "not the folder of a run" in refused("evaluate", data, "--data", data)
    assert "no folder" in refused("evaluate", tmp_path / "none", "--data", data)
    assert "not a dataset" in refused("evaluate", runs / "mlp", "--data", tmp_path)
    assert len(METRICS) > 1


def test_a_damaged_run(refused, data, runs, tmp_path):
    run = shutil.copytree(runs / "mlp", tmp_path / "run")
    content = (run / "best.safetensors").read_bytes()
    (run / "best.safetensors").write_bytes(content[: len(content) // 2])
    assert "best.safetensors" in refused("evaluate", run, "--data", data)
    (run / "metrics.csv").write_text("step,loss\n1,2\n")
    assert "metrics.csv" in refused("plot", run, "--figure", "training", "-o", tmp_path / "x.png")
    (run / "settings.json").write_text("{")
    assert "settings.json" in refused("info", run)


def test_rollout_writes_hdf5(call, data, runs, tmp_path):
    file = tmp_path / "predicted.hdf5"
    done = call("rollout", runs / "mlp", "--data", data, "--start", "4", "--frames", "3", "-o", file)
    assert done.exit_code == 0, done.output
    assert "3 frames predicted by mlp from frame 4 of trajectory 0, test/maze" in done.stdout
    assert call("check", file).exit_code == 0
    with TrajectoryFile(file) as predicted, TrajectoryFile(data_files(data, "test", ["maze"])[0]) as stored:
        assert predicted.header.shape == (1, 4, 2, 16, 16)
        np.testing.assert_array_equal(predicted.read()[0, 0], stored.read(0)[0, 4])


def test_rollout_writes_npz(call, data, runs, tmp_path):
    file = tmp_path / "predicted.npz"
    flags = ["--split", "ood_domain", "--regime", "spirals", "--frames", "20", "-o", file]
    assert call("rollout", runs / "paper", "--data", data, *flags).exit_code == 0
    with np.load(file) as content:
        assert content["prediction"].shape == (21, 2, 32, 32)
        assert content["truth"].shape == (11, 2, 32, 32)
        assert content["time"].tolist() == [10.0 * number for number in range(21)]
        assert content["fields"].tolist() == ["A", "B"]


def test_rollout_refuses(refused, data, runs, tmp_path):
    asked = ("rollout", runs / "mlp", "--data", data, "-o", tmp_path / "x.npz")
    assert "ends in '.txt'" in refused("rollout", runs / "mlp", "--data", data, "-o", tmp_path / "x.txt")
    assert "trajectory 9 does not exist" in refused(*asked, "--trajectory", "9")
    assert "frames 0 to 13" in refused(*asked, "--start", "14")
    assert "last stored frame" in refused(*asked, "--start", "13")
    assert "no split 'tst'" in refused(*asked, "--split", "tst")
    assert "'-1' is not in the range" in refused(*asked, "--start", "-1").replace("-1 is", "'-1' is")


@pytest.mark.parametrize("figure", [name for name in FIGURES if name != "frames"])
def test_figures_can_be_plotted(call, results, tmp_path, figure):
    file = tmp_path / f"{figure}.png"
    done = call("plot", results, "--figure", figure, "--dpi", "50", "-o", file)
    assert done.exit_code == 0
    assert done.stdout == f"{file}: {figure}\n"
    assert file.read_bytes().startswith(b"\x89PNG")


def test_the_figures_are_named_everywhere():
    assert tuple(FIGURES) == NAMED == tuple(USES)


def test_plots_of_a_choice(call, runs, results, tmp_path):
    chosen = ["--split", "ood_domain", "--regime", "spirals", "--field", "A", "--model", "paper"]
    frames = call("plot", results, "--figure", "frames", *chosen, "--dpi", "50", "-o", tmp_path / "x.svg")
    assert frames.exit_code == 0
    assert b"ood_domain, spirals" in (tmp_path / "x.svg").read_bytes()  # the comment beside drawn text
    alone = call("plot", runs / "mlp", "--figure", "training", "-o", tmp_path / "alone.pdf")
    assert alone.exit_code == 0
    assert (tmp_path / "alone.pdf").read_bytes().startswith(b"%PDF")


def test_plot_refuses(refused, runs, results, tmp_path):
    file = ("-o", tmp_path / "x.png")
    assert "did you mean 'spectra'?" in refused("plot", results, "--figure", "spectre", *file)
    assert "expected .png, .pdf or .svg" in refused("plot", results, "--figure", "errors", "-o", "x.jpg")
    assert "did you mean 'mlp'?" in refused("plot", results, "--figure", "frames", "--model", "mpl", *file)
    assert "did you mean 'test'?" in refused("plot", results, "--figure", "errors", "--split", "tes", *file)
    assert "no choice of split" in refused("plot", results, "--figure", "training", "--split", "test", *file)
    assert "fixed" in refused("plot", results, "--figure", "kernels", "--model", "paper", *file)
    assert "pdenca evaluate" in refused("plot", runs / "mlp", "--figure", "errors", *file)
    assert "no folder" in refused("plot", tmp_path / "none", "--figure", "errors", *file)
    assert not (tmp_path / "x.png").exists()


@pytest.mark.slow
def test_report_and_moved_data(call, refused, results, data, tmp_path):
    moved = shutil.copytree(results, tmp_path / "moved" / "results")
    words = refused("report", moved)
    assert "no dataset" in words or "is not a training run" in words
    done = call("report", results)
    assert done.exit_code == 0, done.output
    page = (results / "report.html").read_text(encoding="utf-8")
    for words in (
        "Frames: test, spirals",
        "Errors: ood_domain",
        "Symmetry",
        "Training: paper",
        "Where it loses",
    ):
        assert f">{words}<" in page
    assert ">Where it loses<" in page
    assert page.count("data:image/svg+xml") == 11
    assert page.count("data:image/webp") == 1
    assert f"pdenca report {results}" in page
    assert page.replace(str(results), "").count(str(data.parent)) == 0
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_report_refuses(refused, runs, tmp_path):
    assert "was not evaluated yet" in refused("report", runs / "mlp")
    assert "no folder" in refused("report", tmp_path / "none")


def test_a_stage_that_the_data_cannot_serve_is_refused_before_anything_is_trained(data, call, tmp_path):
    for assignment, complaint in [
        ("stages.2.horizon=20", "stage 2 (rollout) needs trajectories of 23 frames, the data have 14"),
        ("stages.1.crop=48", "pieces of 48 cells cannot be cut out of frames of 16"),
        ("stages.1.augment=cube", "stage 1: augment = 'cube' turns 3 axes, the data have 2"),
    ]:
        refused = call("train", data, "--out", tmp_path / "run", *QUICKER, "--set", assignment)
        assert refused.exit_code == 2
        assert complaint in refused.stderr
        assert not (tmp_path / "run").exists()


def test_a_run_that_ended_before_its_start_does_not_occupy_its_folder(data, call, tmp_path):
    unet = ["train", data, "--out", tmp_path / "run", "--model", "unet", *TINY_NETWORK]
    refused = call(*unet, "--set", "network.num_levels=5")
    assert refused.exit_code == 2
    assert "needs a multiple of 32 cells" in refused.stderr
    assert call(*unet).exit_code == 0
    assert "already holds a training run" in call(*unet).stderr


def test_the_score_that_is_told_is_that_of_the_model_that_is_kept(data, call, tmp_path):
    hopeless = [*TINY_NETWORK, "--set", "stages.0.learning_rate=100"]
    trained = call("train", data, "--out", tmp_path / "run", "--model", "unet", *hopeless)
    assert "that of the untrained model: no step made it better" in trained.stdout
    told = re.search(r"best validation score ([^,;]+)", trained.stdout)[1]
    assert f"best {told}" in call("info", tmp_path / "run").stdout
    resumed = call("train", data, "--out", tmp_path / "run", "--model", "unet", *hopeless, "--resume")
    assert f"best validation score {told}" in resumed.stdout


def test_settings_that_contradict_each_other_are_told_without_all_the_others(data, call, tmp_path):
    refused = call("train", data, "--out", tmp_path / "run", "--set", "model.rule=gated")
    assert refused.exit_code == 2
    assert "settings 'model': vector kernels and the rule 'gated' need each other" in refused.stderr
    assert "{" not in refused.stderr
