"""`pdenca digits reproduce` and `pdenca images reproduce`."""

import pytest


def test_a_part_of_it_goes_through(call, tmp_path):
    out = tmp_path / "all"
    options = ("--sample", "--quick", "--parts", "models", "--models", "auto-encoder", "--out", out)
    result = call("digits", "reproduce", *options)
    assert result.exit_code == 0, result.output
    assert "| auto-encoder | 1 | 4 | 994,369 |" in result.stdout
    assert "| auto-encoder | 24.3 |" in result.stdout
    assert str(out / "digits-restore.md") in result.stdout


@pytest.mark.slow
def test_all_of_it_goes_through(call, tmp_path):
    result = call("digits", "reproduce", "--sample", "--quick", "--out", tmp_path / "all")
    assert result.exit_code == 0, result.output
    for heading in (
        "Models",
        "Other damage than in training",
        "Attractors",
        "Letters after digits",
        "The post's",
        "Goals",
    ):
        assert f"## {heading}" in result.stdout


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--seeds", "0,x"), "expected whole numbers"),
        (("--models", "memry"), "no model 'memry'"),
        (("--family", "emnist-letters"), "no sample of emnist-letters comes with pdenca"),
        (("--parts", "models", "--family-dir", "x"), "--family-dir is the folder"),
        (("--parts", "model"), "'models', 'damage', 'basins', 'letters' or 'pictures'"),
    ],
)
def test_what_does_not_fit_is_told(refused, tmp_path, options, named):
    assert named in refused("digits", "reproduce", "--sample", "--out", tmp_path / "all", *options)
    assert not (tmp_path / "all").exists()


def test_a_quick_study_of_images(call, tmp_path):
    out = tmp_path / "images"
    result = call("images", "reproduce", "--quick", "--seeds", "0", "--parts", "courses", "--out", out)
    assert result.exit_code == 0, result.output
    assert "## Reach and hold" in result.stdout
    assert "| microscopy |" in result.stdout
    assert "Not measured yet: regrowth," in result.stdout
    assert str(out / "image-series.md") in result.stdout
    kept = ("--keep", out / "image-series.json", "--seeds", "0", "--parts", "courses")
    other = tmp_path / "other"
    assert "shorter courses" in call("images", "reproduce", *kept, "--out", other).stderr
    assert not other.exists()


def test_parts_of_a_study_of_images_that_are_not(refused, tmp_path):
    words = refused("images", "reproduce", "--parts", "course", "--out", tmp_path / "images")
    assert "'courses', 'regrowth'" in words
