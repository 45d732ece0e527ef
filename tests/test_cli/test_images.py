"""`pdenca images`: draw, train, evaluate, show."""

import json

import pytest

from pdenca.datasets import TrajectoryFile

RULE = ("rule.num_hidden=2", "rule.num_units=6", "rule.leak=0")
SMALL = ("steps_per_interval=3", "hold_steps=4", "num_copies=2")
QUICK = ("num_steps=2", "validate_every=1", "validated_hold=4", *RULE, *SMALL)
SETTINGS = tuple(part for setting in QUICK for part in ("--set", setting))


@pytest.fixture(scope="module")
def made(call, tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    file, run = folder / "pictures.hdf5", folder / "run"
    result = call("images", "draw", "pictures", "--cells", "18", "--out", file)
    assert result.exit_code == 0, result.output
    assert f"next: pdenca images train {file}" in result.stdout
    result = call("images", "train", file, *SETTINGS, "--out", run)
    assert result.exit_code == 0, result.output
    assert f"next: pdenca images evaluate {run} {file}" in result.stdout
    return file, run


def test_a_run_is_judged(call, made):
    file, run = made
    options = ("--hold", "20", "--trials", "2", "--damage", "erase,flip", "--regrow", "3")
    result = call("images", "evaluate", run, file, *options)
    assert result.exit_code == 0, result.output
    assert "| 3 | 1 |" in result.stdout
    assert "| 26 | 2 |" in result.stdout
    assert "% of 2 |" in result.stdout
    told = json.loads(call("images", "evaluate", run, file, *options, "--json").stdout)
    assert told["course"]["steps"] == [3, 6, 16, 26]
    assert [item["damage"] for item in told["regrowth"]] == ["erase", "flip"]
    assert len(told["ages"]) == 2
    assert {*range(1, 21)} >= set(told["ages"])
    low, high = min(told["ages"]), max(told["ages"])
    assert f"damage {low} to {high} steps after the last frame's time" in result.stdout
    assert told["course"]["peak"] >= told["course"]["errors"][-1]
    assert f"from the last frame's time on: {told['course']['peak']:.3g}" in result.stdout


def test_series_may_have_other_edges(call, tmp_path):
    file = tmp_path / "torus.hdf5"
    result = call("images", "draw", "pictures", "--cells", "18", "--boundary", "periodic", "--out", file)
    assert result.exit_code == 0, result.output
    with TrajectoryFile(file) as opened:
        assert opened.header.grid.boundaries == ("periodic", "periodic")
    result = call("images", "draw", "pictures", "--boundary", "nothing", "--out", tmp_path / "other.hdf5")
    assert result.exit_code == 2
    assert "boundary 'nothing' is unknown" in result.stderr


def test_a_strip_is_drawn(call, made, tmp_path):
    file, run = made
    png = tmp_path / "strip.png"
    result = call("images", "show", run, file, "--hold", "5", "--png", png)
    assert result.exit_code == 0, result.output
    assert png.is_file()


def test_starts_are_provoked(call, made, tmp_path):
    file, run = made
    png = tmp_path / "changed.png"
    result = call("images", "provoke", run, file, "--threshold", "0.6", "--png", png)
    assert result.exit_code == 0, result.output
    assert "| smallest that breaks |" in result.stdout
    assert "| largest that does not |" in result.stdout
    assert png.is_file()
    result = call("images", "provoke", run, file, "--threshold", "1e-9", "--png", png)
    assert result.exit_code == 2
    assert "no outcome to break" in result.stderr


def test_without_its_weights_a_rule_does_nothing(call, made):
    file, run = made
    told = call("images", "evaluate", run, file, "--prune", "1", "--trials", "0", "--hold", "10", "--json")
    errors = json.loads(told.stdout)["course"]["errors"]
    assert len(set(errors[1:])) == 1, "the start stays as it is"


def test_bad_input_is_told_in_a_sentence(call, made, tmp_path):
    file, run = made
    for arguments, message in (
        (("draw", "squares", "--out", tmp_path / "a.hdf5"), "pictures"),
        (("draw", "pictures", "--out", file), "is there already"),
        (("train", tmp_path / "none.hdf5", "--out", tmp_path / "run"), "none.hdf5"),
        (("train", file, "--out", run), "already holds a training run"),
        (("train", file, "--set", 'rule.kernels=["sobel"]', "--out", tmp_path / "run"), "'sobel'"),
        (("evaluate", run, file, "--damage", "crush"), "no damage 'crush'"),
        (("evaluate", tmp_path, file), "a rule for a series of images"),
        (("show", run, file, "--png", tmp_path / "strip.txt"), "expected .png"),
    ):
        result = call("images", *arguments)
        assert result.exit_code == 2, (arguments, result.output)
        assert message in result.stderr
    assert not (tmp_path / "run").exists()
