"""`pdenca digits reproduce`."""

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
    ):
        assert f"## {heading}" in result.stdout


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--seeds", "0,x"), "expected whole numbers"),
        (("--models", "memry"), "no model 'memry'"),
        (("--parts", "model"), "'models', 'damage', 'basins' or 'letters'"),
    ],
)
def test_what_does_not_fit_is_told(refused, tmp_path, options, named):
    assert named in refused("digits", "reproduce", "--sample", "--out", tmp_path / "all", *options)
    assert not (tmp_path / "all").exists()
