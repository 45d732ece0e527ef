"""`pdenca steady` and `pdenca train --mode equilibrium`, from the outside."""

import json

import numpy as np
import pytest
from PIL import Image

from pdenca.tasks.steady.report import SENTENCES

SMALL = ["--set", "num_cells=12", "--set", "num_frames=24", "--set", "newton_below=3e-3", "--workers", 1]
SHORT = {
    "stages.0.num_steps": 8,
    "stages.0.num_windows": 4,
    "stages.0.cells_per_window": 64,
    "stages.0.validate_every": 8,
    "stages.1.num_windows": 2,
    "stages.1.num_steps": 1,
    "stages.1.validate_every": 1,
    "stages.2.batch_size": 2,
    "stages.2.num_steps": 2,
    "stages.2.validate_every": 2,
    "stages.2.map_steps": 4,
    "stages.2.max_evaluations": 5,
    "validation_frames": 2,
    "model.num_products": 2,
}


@pytest.fixture(scope="module")
def data(call, tmp_path_factory):
    folder = tmp_path_factory.mktemp("steady") / "data"
    made = call(
        "generate", "steady-schnakenberg", "--out", folder, "--trajectories", 2, *SMALL,
        "--set", "num_valid_trajectories=1", "--set", "num_test_trajectories=1",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    return folder


@pytest.fixture(scope="module")
def run(call, data):
    folder = data.parent / "run"
    flags = [word for key, value in SHORT.items() for word in ("--set", f"{key}={value}")]
    trained = call("train", data, "--out", folder, "--mode", "equilibrium", *flags)
    assert trained.exit_code == 0, trained.output
    assert f"next: pdenca steady {folder}" in trained.stdout
    return folder


def test_a_rule_settles_and_every_start_gets_a_verdict(call, run, data, tmp_path):
    table, arrays, picture = (tmp_path / name for name in ("a.json", "a.npz", "a.png"))
    found = call(
        "steady", run, "--data", data, "--rollout", "--max-time", 5, "--tolerance", 1e-4,
        "--json", table, "-o", arrays, "--png", picture,
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    assert "1 start:" in found.stdout
    told = json.loads(table.read_text())["patterns"]
    assert [row["name"] for row in told] == ["supplied/0"]
    for row in told:
        assert row["verdict"] in SENTENCES
        assert SENTENCES[row["verdict"]] in found.stdout
        assert row["evaluations"] > 0
        assert row["reference_rate"] > 0
    with np.load(arrays) as content:
        assert content["state_0"].shape == content["target_0"].shape == (2, 12, 12)
        assert content["fields"].tolist() == ["u", "v"]
    with Image.open(picture) as image:
        assert image.width > 300


def test_from_the_last_frames_the_search_begins_at_the_target(call, run, data, tmp_path):
    table, arrays = tmp_path / "a.json", tmp_path / "a.npz"
    found = call(
        "steady", run, "--data", data, "--from-last", "--max-time", 0.1, "--method", "picard",
        "--json", table, "-o", arrays,
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    (row,) = json.loads(table.read_text())["patterns"]
    with np.load(arrays) as content:
        near = abs(content["state_0"] - content["target_0"]).max()
    assert 0 < near < 0.2
    assert 0 < row["error"] < 0.2


@pytest.mark.slow
def test_turned_starts_settle_in_the_turned_patterns(call, refused, run, data, tmp_path):
    told = {}
    for split in ("test", "ood_rotation_90"):
        table, arrays = tmp_path / f"{split}.json", tmp_path / f"{split}.npz"
        found = call(
            "steady", run, "--data", data, "--split", split, "--max-time", 5, "--tolerance", 1e-4,
            "--json", table, "-o", arrays,
        )  # fmt: skip
        assert found.exit_code == 0, found.output
        with np.load(arrays) as content:
            told[split] = json.loads(table.read_text())["patterns"], content["state_0"], content["target_0"]
    (rows, state, target), (of_turned, moved, expected) = told.values()
    assert rows[0]["error"] == pytest.approx(of_turned[0]["error"], rel=1e-6)
    for before, after in ((state, moved), (target, expected)):
        np.testing.assert_allclose(after, np.rot90(before, axes=(1, 2)), rtol=1e-6)
        assert abs(after - before).max() > 1e-3
    message = refused("steady", run, "--data", data, "--split", "ood_noise_0.01")
    assert "expected a stored split or 'ood_rotation_90'" in message


def test_an_equation_settles(call, tmp_path):
    table = tmp_path / "b.json"
    found = call(
        "steady", "schnakenberg", "--grid", 12, "--spacing", 1.25, "--boundary", "no-flux", "--starts", 2,
        "--max-time", 2000, "--json", table, "--png", tmp_path / "b.png",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    rows = json.loads(table.read_text())["patterns"]
    assert [row["verdict"] for row in rows] == ["steady", "steady"]
    assert all(row["rate"] < 1e-10 and row["growth_rate"] < 0 for row in rows)
    assert rows[0]["error"] is None


def test_a_state_without_a_pattern_is_called_dead(call):
    # too little space for a wave
    found = call("steady", "schnakenberg", "--grid", 4, "--spacing", 0.5, "--boundary", "no-flux")
    assert "no stable patterned equilibrium from this start: it dies out" in found.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["shnakenberg"], "schnakenberg"),
        (["schnakenberg", "--data", "x"], "--data is for a trained rule"),
        (["schnakenberg", "--preset", "maze"], "maze"),
        (["schnakenberg", "--set", "supply_w=1"], "did you mean"),
        (["schnakenberg", "-o", "x.hdf5"], "expected .npz"),
        (["schnakenberg", "--png", "x.txt"], "expected .png"),
        (["schnakenberg", "--max-time", "-1"], "max_time"),
        (["schnakenberg", "--max-time", "0"], "max_time"),
        (["schnakenberg", "--tolerance", "0"], "tolerance"),
    ],
)
def test_bad_input_is_refused(refused, words, sentence):
    assert sentence in refused("steady", *words)


def test_bad_input_about_rules_is_refused(refused, run, data, tmp_path):
    assert "expected --data DIR" in refused("steady", run)
    assert "--grid is for an equation" in refused("steady", run, "--data", data, "--grid", 12)
    assert "is not the folder of a run" in refused("steady", tmp_path, "--data", data)
    assert "max_time" in refused("steady", run, "--data", data, "--max-time", "-1")
    assert "expected --mode rollout" in refused(
        "train", data, "--out", tmp_path / "r", "--mode", "equilibrium", "--model", "mlp"
    )
