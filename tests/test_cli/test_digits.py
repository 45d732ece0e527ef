"""`pdenca digits classify`: trained, judged, and refused in one sentence."""

import json

import pytest

QUICK = ["--sample", "--set", "num_epochs=1", "--set", "num_valid=100", "--set", "network.num_channels=4"]


@pytest.fixture(scope="module")
def run(call, tmp_path_factory):
    out = tmp_path_factory.mktemp("digits") / "run"
    result = call("digits", "classify", "train", "--out", out, "--seed", 1, *QUICK)
    assert result.exit_code == 0, result.output
    assert "trained, best cross-entropy on held-out digits" in result.stdout
    assert f"next: pdenca digits classify evaluate {out} --sample" in result.stdout
    return out


def test_a_run_is_judged(call, run):
    result = call("digits", "classify", "evaluate", run, "--sample", "--spectra", 1)
    assert result.exit_code == 0, result.output
    for words in (
        "on 500 test digits, 95 % interval",
        "relative residual",
        "spectral radius",
        "one iteration",
    ):
        assert words in result.stdout


def test_the_numbers_come_as_json(call, run):
    result = call("digits", "classify", "evaluate", run, "--sample", "--spectra", 0, "--json")
    found = json.loads(result.stdout)
    assert found["num_images"] == 500
    assert found["residual_worst"] <= 1e-4
    assert found["share_converged"] == 1
    assert found["spectral_radius"] is None


def test_a_run_is_not_overwritten_but_resumed(call, refused, run):
    assert "--resume" in refused("digits", "classify", "train", "--out", run, "--seed", 1, *QUICK)
    result = call("digits", "classify", "train", "--out", run, "--seed", 1, *QUICK, "--resume")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["train", "--sample", "--model", "implict"], "did you mean 'implicit'?"),
        (["train", "--sample", "--set", "num_epoch=3"], "did you mean 'num_epochs'?"),
        (["train", "--sample"], "1 to 999 can be held out, got 5000"),
        (["train", "--data-dir", "nowhere"], "the folder nowhere has no train-images-idx3-ubyte"),
    ],
)
def test_what_does_not_fit_is_told(refused, tmp_path, monkeypatch, arguments, named):
    monkeypatch.chdir(tmp_path)
    assert named in refused("digits", "classify", *arguments, "--out", "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_without_a_run_is_told(refused, tmp_path):
    assert "holds no run of a digit classifier" in refused(
        "digits", "classify", "evaluate", tmp_path, "--sample"
    )


def test_damaged_data_are_told(refused, tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"nonsense")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"nonsense")
    assert "is no IDX file" in refused(
        "digits", "classify", "train", "--data-dir", tmp_path, "--out", tmp_path / "run"
    )
