"""explain, and rollout without a dataset: what they print, write and refuse."""

import json

import numpy as np
import pytest

from pdenca.datasets import TrajectoryFile
from pdenca.tasks.explanation import cells, explaining
from pdenca.tasks.pretrained import pretrained_folder


@pytest.fixture(autouse=True)
def few_cells(monkeypatch):
    """Read rules at an eighth of the cells, which is quicker."""
    monkeypatch.setattr(cells, "CELLS_PER_PLACE", 8)
    monkeypatch.setattr(explaining, "STEP_CELLS", 32)


def test_explain_prints_tables_and_writes_files(call, tmp_path):
    files = ("--json", tmp_path / "rule.json", "--figure", tmp_path / "rule.png")
    done = call("explain", "--pretrained", "gray-scott", *files)
    assert done.exit_code == 0, done.output
    for words in (
        "transport A",
        "whole step",
        "equation  dA/dt = ",
        "learned   dB/dt = ",
        "box of the training",
    ):
        assert words in done.stdout
    content = json.loads((tmp_path / "rule.json").read_text(encoding="utf-8"))
    assert content["equation"] == "gray-scott"
    assert abs(content["step"]["diffusivities"][0] / 2e-5 - 1) < 0.2
    assert (tmp_path / "rule.png").read_bytes().startswith(b"\x89PNG")


def test_explain_at_the_cells_of_data(call, tmp_path):
    out = tmp_path / "data"
    flags = ["--grid", "16", "--trajectories", "1", "--frames", "9", "--refine", "1", "--regimes", "maze"]
    made = call("generate", "gray-scott", "--out", out, *flags, "--splits", "train")
    assert made.exit_code == 0, made.output
    # a model that was trained on many pairs has seen this one
    done = call("explain", "--pretrained", "gray-scott", "--data", out, "--tolerance", "0.1")
    assert done.exit_code == 0, done.output
    assert "training frames" in done.stdout
    assert "cannot be told from the other terms" in done.stdout


def test_explain_refuses(refused, tmp_path):
    assert "either RUN or --pretrained" in refused("explain")
    assert "either RUN or --pretrained" in refused("explain", tmp_path, "--pretrained", "gray-scott")
    assert "did you mean 'gray-scott'?" in refused("explain", "--pretrained", "gray-scot")
    assert "not the folder of a run" in refused("explain", tmp_path)
    assert "no folder" in refused("explain", tmp_path / "none")
    known = ("explain", "--pretrained", "gray-scott")
    assert "ends in '.jpg'" in refused(*known, "--figure", "x.jpg")
    assert "above 0 and below 1" in refused(*known, "--tolerance", "3")
    assert "not a dataset" in refused(*known, "--data", tmp_path)


def test_rollout_of_a_pretrained_model(call, tmp_path):
    names = [tmp_path / name for name in ("a.npz", "a.png", "a.gif", "line.png")]
    flags = ["--grid", "16", "--frames", "5", "--seed", "2", "--start", "1", "--truth"]
    flags += ["--set", "feed_rate=0.02", "-o", names[0], "--png", names[1], "--movie", names[2]]
    done = call("rollout", "--pretrained", "gray-scott", "--regime", "maze", *flags, "--kymograph", names[3])
    assert done.exit_code == 0, done.output
    assert "5 frames of 10 predicted by gray-scott" in done.stdout
    assert "feed_rate = 0.02" in done.stdout
    assert "pooled VRMSE" in done.stdout
    assert all(path.stat().st_size > 0 for path in names)
    with np.load(names[0]) as content:
        assert content["prediction"].shape == content["truth"].shape == (6, 2, 16, 16)
        assert content["time"].tolist() == [10.0 * number for number in range(6)]


def test_rollout_warns_beyond_the_training_and_writes_hdf5(call, tmp_path):
    file = tmp_path / "a.hdf5"
    flags = ["--grid", "16", "--frames", "2", "--set", "kill_rate=0.09", "-o", file]
    done = call("rollout", "--pretrained", "gray-scott", *flags)
    assert done.exit_code == 0, done.output
    assert "warning: outside what gray-scott was trained on: kill_rate = 0.09 (trained on" in done.stderr
    assert call("check", file).exit_code == 0
    with TrajectoryFile(file) as predicted:
        assert predicted.header.shape == (1, 3, 2, 16, 16)
        assert predicted.header.equation == "emulated gray-scott"


def test_a_run_of_ones_own_rolls_out_without_data(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call("rollout", pretrained_folder("gray-scott"), "--grid", "16", "--frames", "1", "--start", "0")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "gray_scott.png").is_file()


def test_rollout_refuses(refused, tmp_path):
    known = ("rollout", "--pretrained", "gray-scott", "--grid", "16", "--frames", "1")
    assert "either RUN or --pretrained" in refused("rollout")
    assert "did you mean 'gray-scott'?" in refused("rollout", "--pretrained", "grayscott")
    assert "did you mean 'maze'?" in refused(*known, "--regime", "mase")
    assert "not told diffusivity_a" in refused(*known, "--set", "diffusivity_a=1")
    assert "expected a number" in refused(*known, "--set", "feed_rate=fast")
    assert "expected a number" in refused(*known, "--set", "feed_rate=[1, 2]")
    assert "--split needs --data" in refused(*known, "--split", "test")
    assert "--trajectory needs --data" in refused(*known, "--trajectory", "0")
    assert "--grid does not go with --data" in refused(*known, "--data", tmp_path, "-o", tmp_path / "x.npz")
    given = ("rollout", "--pretrained", "gray-scott", "--data", tmp_path)
    assert "expected -o FILE" in refused(*given)
    assert "not a dataset" in refused(*given, "-o", tmp_path / "x.npz")
    assert "ends in '.txt'" in refused(*known, "-o", tmp_path / "x.txt")
    assert "ends in '.jpg'" in refused(*known, "--png", tmp_path / "x.jpg")
    assert "boundary" in refused(*known, "--boundary", "round")
