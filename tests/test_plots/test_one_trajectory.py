"""Snapshots, kymographs and movies of a single trajectory."""

import io
import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from pdenca.core import BadInputError
from pdenca.plots import MOVIE_FORMATS, kymograph, save_movie, snapshots


@pytest.fixture
def fields():
    time, x, y = np.meshgrid(np.arange(6.0), np.arange(12.0), np.arange(8.0), indexing="ij")
    wave = np.sin(0.7 * x + 0.5 * time) * np.cos(0.4 * y)
    return {"A": wave, "B": 3 + 2 * np.roll(wave, 3, axis=1)}


def decoded(path):
    picture = Image.open(io.BytesIO(path.read_bytes()))
    frames = []
    for index in range(picture.n_frames):
        picture.seek(index)
        frames.append(np.asarray(picture.convert("RGB")))
    return frames


TIMES = np.arange(6.0) * 2.5


@pytest.mark.parametrize("file_format", MOVIE_FORMATS)
def test_a_movie_has_all_frames_and_both_fields(fields, tmp_path, file_format):
    path = save_movie(fields, TIMES, tmp_path / f"movie.{file_format}", scale=4, frames_per_second=10)
    if file_format == "mp4":
        # imageio_ffmpeg's own reader leaves its pipes open
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(),
            "-i",
            str(path),
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-",
        ]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        width, height = 2 * 8 + 2 * 48 + 12, 26 + 8 * 4 + 60  # two panels of 12 x 8 cells, 4 pixels each
        frames = list(np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3))
    else:
        frames = decoded(path)
    assert len(frames) == 6
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    brightness = np.stack([frame[26:58, 8 : 8 + 48].astype(float).sum(-1) for frame in frames])
    cells = brightness.reshape(6, 8, 4, 12, 4).mean((2, 4))[:, ::-1].transpose(0, 2, 1)
    # viridis grows lighter with the value: bright cells are where the field is large
    assert np.corrcoef(cells.ravel(), fields["A"].ravel())[0, 1] > 0.95


def test_every_field_has_its_own_colours(fields, tmp_path):
    path = save_movie(fields, TIMES, tmp_path / "movie.gif", scale=4)
    frame = decoded(path)[0]
    left, right = frame[26:58, 8:56].astype(int), frame[26:58, 68:116].astype(int)
    np.testing.assert_array_equal(left[2::4, 2::4], np.roll(right[2::4, 2::4], -3, axis=1))


def test_movies_refuse_what_they_cannot_show(fields, tmp_path, monkeypatch):
    with pytest.raises(BadInputError, match=r"saved as \.mp4, \.gif or \.webp"):
        save_movie(fields, TIMES, tmp_path / "movie.avi")
    with pytest.raises(BadInputError, match="one time per frame"):
        save_movie(fields, TIMES[:3], tmp_path / "movie.gif")
    with pytest.raises(BadInputError, match="must be positive"):
        save_movie(fields, TIMES, tmp_path / "movie.gif", max_frames=0)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(BadInputError, match=r"pip install 'pdenca\[movie\]'"):
        save_movie(fields, TIMES, tmp_path / "movie.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_kymograph_shows_every_value_of_the_line(fields):
    lines = {name: values[:, :, 2].copy() for name, values in fields.items()}
    lines["A"][3, 4] = np.nan
    figure = kymograph(lines, TIMES, 0.5, units={"B": "mol"}, time_unit="s", length_unit="um")
    first, second = figure.axes[:2]
    shown = first.images[0].get_array()
    np.testing.assert_array_equal(shown.filled(7.0), np.nan_to_num(lines["A"].T, nan=7.0))
    assert second.images[0].get_extent() == [-1.25, 13.75, 0.0, 6.0]
    assert second.get_xlabel() == "time (s)"
    assert second.get_ylabel() == "x (um)"
    assert [axes.get_ylabel() for axes in figure.axes[2:]] == ["A (dimensionless)", "B (mol)"]
    with pytest.raises(BadInputError, match="one time per frame, at least 2"):
        kymograph({"A": lines["A"][:1]}, TIMES[:1], 0.5)


def test_snapshots_show_each_field_at_the_chosen_times(fields):
    figure = snapshots(fields, TIMES, (0.5, 0.25), shown=[0, -1], units={"A": "mol"}, title="two fields")
    panels = figure.axes[:4]
    for number, panel in enumerate(panels):
        frame = list(fields.values())[number // 2][[0, -1][number % 2]]
        np.testing.assert_array_equal(panel.images[0].get_array(), frame.T)
        assert panel.images[0].get_extent() == [0.0, 6.0, 0.0, 2.0]
    assert panels[1].get_title() == "$t$ = 12.5 s"
    assert figure.axes[4].get_ylabel() == "A (mol)"
    with pytest.raises(BadInputError, match="one time per frame"):
        snapshots(fields, TIMES[:2], 0.5)
