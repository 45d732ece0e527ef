"""`pdenca import-images`: what it prints, and how it refuses."""

import numpy as np
import pytest
from PIL import Image

from pdenca.datasets import read_header


@pytest.fixture
def frames(tmp_path):
    """Five numbered frames, of which the third is missing, beside a note."""
    folder = tmp_path / "colony"
    folder.mkdir()
    for number in (1, 2, 4, 5):
        Image.fromarray(np.full((6, 8, 3), number, dtype=np.uint8)).save(folder / f"frame{number}.png")
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    return folder


def test_it_says_what_it_made(call, frames, tmp_path):
    mask = tmp_path / "tissue.png"
    Image.fromarray(np.ones((6, 8), dtype=np.uint8)).save(mask)
    out = tmp_path / "colony.hdf5"
    flags = ["--interval", "10min", "--spacing", "0.65um,0.5um", "--channels", "a, b,c", "--mask", mask]
    result = call("import-images", frames, "--out", out, *flags, "--boundary", "periodic", "--name", "plate")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"{out}: 1 trajectory of 4 frames, at irregular times, 2 of 3 steps of 10 min, t = 0 to 40 min, "
        "8 x 6 cells of 0.65, 0.5 um, a, b, c",
        "  values: uint8, 0 to 255 scaled to 0 to 1",
        "  missing: frames 3; the times have gaps there",
        "  in space: mask",
        "  not read: notes.txt",
    ]
    header = read_header(out)
    assert (header.dataset_name, header.grid.boundaries) == ("plate", ("periodic", "periodic"))
    checked = call("check", out)
    assert checked.exit_code == 0
    assert "irregular times" in checked.stdout
    assert checked.stdout.splitlines()[-1].startswith("0 errors, ")
    described = call("info", out).stdout
    for words in ("plate", "mask 1 to 1 in space", "2 of 3 steps of 10 min", "notes.txt", "uint8, 0 to 255"):
        assert words in described


def test_several_sources_and_a_file_of_times(call, frames, tmp_path):
    for name in ("one", "two"):
        pictures = [Image.fromarray(np.full((4, 4), 60 * number, dtype=np.uint8)) for number in range(3)]
        pictures[0].save(tmp_path / f"{name}.gif", save_all=True, append_images=pictures[1:])
    times = tmp_path / "times.txt"
    times.write_text("0\n1\n2\n", encoding="utf-8")
    out = tmp_path / "both.hdf5"
    flags = ["--times", times, "--spacing", "1", "--compression", "gzip", "--alpha"]
    result = call("import-images", tmp_path / "one.gif", tmp_path / "two.gif", "--out", out, *flags)
    assert result.exit_code == 0, result.output
    assert (
        "2 trajectories of 3 frames, every 1, t = 0 to 2, 4 x 4 cells of 1, intensity, alpha" in result.stdout
    )
    assert "missing" not in result.stdout


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--spacing", "1"], "either an interval or times, got none"),
        (["--interval", "1"], "Missing option '--spacing'"),
        (["--interval", "10 parsec", "--spacing", "1"], "'parsec' is not understood"),
        (["--interval", "1", "--spacing", "0.65um,"], "the spacing is ''; expected a number"),
        (["--interval", "1", "--spacing", "1", "--channels", "a,b"], "2 names of channels"),
        (["--interval", "1", "--spacing", "1", "--channels", "a,,b"], "empty name"),
        (["--interval", "1", "--spacing", "1", "--boundary", "open"], "open"),
        (["--interval", "1", "--spacing", "1", "--mask", "none.png"], "none.png does not exist"),
        (["--interval", "1", "--spacing", "1", "--alpha"], "usual cure: leave out --alpha"),
        (["--times", "none.csv", "--spacing", "1"], "none.csv cannot be read"),
        (["--interval", "1", "--spacing", "1", "--intervall", "2"], "--interval"),
    ],
)
def test_what_does_not_fit_is_told(refused, frames, tmp_path, monkeypatch, flags, named):
    monkeypatch.chdir(tmp_path)
    assert named in refused("import-images", "colony", "--out", "a.hdf5", *flags)
    assert [path.name for path in tmp_path.iterdir()] == ["colony"]


def test_damaged_files_are_named_and_nothing_is_written_over(refused, frames, tmp_path):
    flags = ["--interval", "1", "--spacing", "1"]
    (frames / "frame2.png").write_bytes((frames / "frame2.png").read_bytes()[:40])
    assert "frame2.png is damaged" in refused("import-images", frames, "--out", tmp_path / "a.hdf5", *flags)
    (tmp_path / "a.hdf5").write_text("mine", encoding="utf-8")
    assert "is there already" in refused("import-images", frames, "--out", tmp_path / "a.hdf5", *flags)
    assert (tmp_path / "a.hdf5").read_text(encoding="utf-8") == "mine"
    assert "nowhere does not exist" in refused(
        "import-images", tmp_path / "nowhere", "--out", tmp_path / "b.hdf5", *flags
    )
