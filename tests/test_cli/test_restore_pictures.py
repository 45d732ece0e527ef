"""`pdenca digits restore landscape` and `regrow`: pictures come out, and what does not fit is told."""

import pytest
from PIL import Image

QUICK = ["--sample", "--set", "num_steps=2", "--set", "validate_every=1", "--set", "num_valid=50"]
QUICK += ["--set", "batch_size=8"]
LATTICE = [
    *QUICK, "--set", "model.num_steps=4", "--set", "model.num_hidden=8", "--set", "model.num_channels=4",
    "--set", "model.gate.first_step=2", "--set", "model.gate.num_hidden=8",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(call, tmp_path_factory):
    out = tmp_path_factory.mktemp("pictures") / "run"
    result = call("digits", "restore", "train", "--out", out, *LATTICE)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def network(call, tmp_path_factory):
    out = tmp_path_factory.mktemp("network") / "run"
    small = ["--model", "auto-encoder", "--set", "model.num_code=2"]
    result = call("digits", "restore", "train", "--out", out, *small, *QUICK)
    assert result.exit_code == 0, result.output
    return out


def test_a_landscape_is_drawn(call, run, tmp_path):
    picture = tmp_path / "landscape.png"
    command = ("digits", "restore", "landscape", run, "--sample", "--points", 5, "--rounds", 3)
    result = call(*command, "--png", picture)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["digit 0 (7)", "digit 1 (2)", "digit 2 (1)"]
    assert all("from the plane" in line and "after 3 rounds" in line for line in lines[:3])
    assert str(picture) in lines[-1]
    with Image.open(picture) as image:
        assert image.width > image.height > 300
    other = call(*command, "--digits", 5, 3, 400, "--png", tmp_path / "other.svg")
    assert other.exit_code == 0, other.output
    assert "digit 400 (" in other.stdout


def test_a_regrowth_is_filmed(call, run, tmp_path):
    movie = tmp_path / "regrow.gif"
    options = ("--digits", 2, "--wound", 0.5, "--steps", 6)
    result = call("digits", "restore", "regrow", run, "--sample", *options, "--movie", movie)
    assert result.exit_code == 0, result.output
    assert f"{movie}: 2 digits, 6 steps, wounded after step 3" in result.stdout
    with Image.open(movie) as frames:
        assert frames.n_frames == 7


def test_what_does_not_fit_is_told(refused, run, network, tmp_path):
    landscape, regrow = ("digits", "restore", "landscape"), ("digits", "restore", "regrow")
    png, gif = ("--png", tmp_path / "a.png"), ("--movie", tmp_path / "a.gif")
    assert "expected .png" in refused(*landscape, run, "--sample", "--png", tmp_path / "a.gif")
    assert "saved as .mp4, .gif or .webp" in refused(*regrow, run, "--sample", "--movie", tmp_path / "a.png")
    for command, out in ((landscape, png), (regrow, gif)):
        message = refused(*command, network, "--sample", *out)
        assert "the kind 'auto-encoder' answers at once and has no cells" in message
        assert "usual cure: one of ca, gate, hybrid" in message
        assert "holds no run of a restorer" in refused(*command, tmp_path, "--sample", *out)
    assert "expected 0 to 499" in refused(*landscape, run, "--sample", "--digits", 0, 1, 500, *png)
    assert "three different ones" in refused(*landscape, run, "--sample", "--digits", 0, 1, 1, *png)
    assert "--wound" in refused(*regrow, run, "--sample", "--wound", 2, *gif)
    assert "expected 1 to 500" in refused(*regrow, run, "--sample", "--digits", 501, *gif)
    assert list(tmp_path.iterdir()) == []
