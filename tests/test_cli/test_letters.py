"""`pdenca digits letters`, and the other families of images on the command line."""

import json

import pytest

from pdenca.cli.digit_training import DATA
from pdenca.datasets.digits.families import FAMILIES

pytest.importorskip("HersheyFonts")

TINY = [
    "--model", "explicit", "--set", "num_epochs=1", "--set", "num_valid=26", "--set", "batch_size=26",
    "--set", "network.num_channels=4", "--set", "network.num_layers=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(call, tmp_path_factory):
    out = tmp_path_factory.mktemp("letters") / "letters"
    result = call("digits", "letters", "--out", out, "--train", 4, "--test", 2, "--seed", 3)
    assert result.exit_code == 0, result.output
    assert f"{out}: 104 letters to train, of Computer Modern Calligraphic" in result.stdout
    assert f"{out}: 52 letters to test, of DejaVu Sans, Hershey Times, STIX\n" in result.stdout
    assert "left out" not in result.stdout
    assert len((out / "classes.txt").read_text(encoding="utf-8").split()) == 26
    assert len(list(out.iterdir())) == 5
    return out


@pytest.fixture(scope="module")
def run(call, folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("reader") / "run"
    flags = ["--data", "letters", "--data-dir", folder]
    result = call("digits", "classify", "train", *flags, "--out", out, *TINY)
    assert result.exit_code == 0, result.output
    assert f"next: pdenca digits classify evaluate {out} --data letters --data-dir {folder}" in result.stdout
    return out


def test_a_reader_of_letters_is_trained_and_judged(call, folder, run):
    settings = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    assert settings["num_classes"] == 26  # nobody had to say it
    result = call("digits", "classify", "evaluate", run, "--data", "letters", "--data-dir", folder, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["num_images"] == 52
    assert found["cross_entropy"] < 10


def test_readers_judge_no_other_family(refused, run):
    assert "tells 26 classes apart, the test digits are of 10" in refused(
        "digits", "classify", "evaluate", run, "--sample"
    )


def test_a_number_of_classes_that_was_told_is_kept(refused, folder, tmp_path):
    flags = ["--data", "letters", "--data-dir", folder, "--set", "num_classes=27", "--out", tmp_path / "run"]
    assert "--set num_classes=26" in refused("digits", "classify", "train", *flags, *TINY)


def test_letters_are_restored_and_judged_by_a_reader_of_letters(call, refused, folder, run, tmp_path):
    quick = [
        "--set",
        "num_steps=2",
        "--set",
        "validate_every=1",
        "--set",
        "num_valid=20",
        "--set",
        "batch_size=8",
    ]
    quick += ["--model", "auto-encoder", "--data", "letters", "--data-dir", folder, "--out", tmp_path / "run"]
    result = call("digits", "restore", "train", *quick)
    assert result.exit_code == 0, result.output
    command = ["digits", "restore", "evaluate", tmp_path / "run", "--judge", run]
    result = call(*command, "--data", "letters", "--data-dir", folder)
    assert result.exit_code == 0, result.output
    assert "52 test images" in result.stdout
    assert "tells 26 classes apart" in refused(*command, "--sample")
    picture = tmp_path / "film.png"
    flags = ["--data", "letters", "--data-dir", folder, "--digits", 1, "--png", picture]
    assert call("digits", "restore", "show", tmp_path / "run", *flags).exit_code == 0
    assert picture.stat().st_size > 1000


def test_the_help_names_all_families(call):
    text = call("digits", "classify", "train", "--help").stdout
    assert f"[{'|'.join(FAMILIES)}]" in text
    assert "--data" in call("digits", "restore", "show", "--help").stdout
    assert DATA is not None


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["letters"], "Missing option '--out'"),
        (["letters", "--out", "new", "--train", "0"], "'--train'"),
        (["letters", "--out", "new", "--fonts", "none"], "none is no folder"),
        (["letters", "--out", "new", "--seed", "-1"], "'--seed'"),
        (["classify", "train", "--out", "new", "--data", "mnis"], "did you mean 'mnist'?"),
        (
            ["classify", "train", "--out", "new", "--data", "fashion-mnist", "--sample"],
            "no sample of fashion",
        ),
        (
            ["classify", "train", "--out", "new", "--data", "letters", "--data-dir", "."],
            "has no train-images",
        ),
    ],
)
def test_what_does_not_fit_is_told(refused, tmp_path, monkeypatch, arguments, named):
    monkeypatch.chdir(tmp_path)
    assert named in refused("digits", *arguments)
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_over(refused, folder):
    assert "already holds classes.txt" in refused("digits", "letters", "--out", folder)
