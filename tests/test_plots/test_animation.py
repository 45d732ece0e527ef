import io

import numpy as np
import pytest
from PIL import Image

from pdenca.core import BadInputError
from pdenca.plots import ANIMATION_FORMATS, animate
from pdenca.plots.animation import data_uri, image_type


def decoded(content):
    picture = Image.open(io.BytesIO(content))
    frames = []
    for index in range(picture.n_frames):
        picture.seek(index)
        frames.append(np.asarray(picture.convert("RGB")))
    return frames


@pytest.mark.parametrize("file_format", ANIMATION_FORMATS)
def test_every_frame_comes_back_and_the_two_sides_differ_where_the_prediction_does(run, file_format):
    prediction = run.predictions["U-Net"]
    content = animate(
        run.reference,
        prediction,
        run.times,
        field_name="B",
        file_format=file_format,
        scale=2,
        frames_per_second=5,
    )
    frames = decoded(content)
    assert len(frames) == len(run.times)
    assert Image.open(io.BytesIO(content)).info["loop"] == 0
    left, right = (
        [frame[26 : 26 + 96, start : start + 96].astype(int) for frame in frames]
        for start in (8, 8 + 96 + 12)
    )
    assert np.abs(left[0] - right[0]).max() <= 40
    assert np.abs(left[5] - right[5]).max() > 60
    grey = right[8][:20]
    assert np.abs(grey - 217).max() <= 8  # WebP is lossy


def test_gif_keeps_every_cell_in_its_place(run):
    field = np.zeros((1, 4, 4))
    field[0, 3, 0] = 1.0
    (frame,) = decoded(animate(field, field, [0.0], field_name="A", scale=5, file_format="gif"))
    bright = frame[26:46, 8:28].astype(int)[2::5, 2::5].sum(-1)
    assert np.argwhere(bright == bright.max()).tolist() == [[3, 3]]  # x to the right, y upwards


def test_the_picture_stays_small_and_long_runs_are_thinned():
    time, x, y = np.meshgrid(np.arange(150), np.arange(64), np.arange(64), indexing="ij")
    field = np.sin(0.3 * x + 0.05 * time) * np.cos(0.2 * y)
    content = animate(field, field, np.arange(150), field_name="A", max_frames=40)
    frames = decoded(content)
    assert len(frames) == 40
    assert len(content) < 1_500_000
    assert frames[0].shape == (192 + 66, 2 * 192 + 28, 3)


def test_animation_refuses_what_it_cannot_show(run):
    good = run.reference[:2, :8, :8]
    for change, message in (
        ({"file_format": "mp4"}, "gif or webp"),
        ({"times": [0.0]}, "one per frame"),
        ({"prediction": good[:, :4]}, "shape"),
        ({"reference": np.full_like(good, np.nan)}, "not finite"),
        ({"max_frames": 0}, "positive"),
    ):
        given = {"reference": good, "prediction": good, "times": [0.0, 1.0], "field_name": "A"} | change
        with pytest.raises(BadInputError, match=message):
            animate(**given)


def test_pictures_are_known_by_their_first_bytes(run):
    assert image_type(animate(run.reference[:1], run.reference[:1], [0.0], field_name="A")) == "image/webp"
    assert image_type(b"GIF89a") == "image/gif"
    assert data_uri(b"\x89PNG") == "data:image/png;base64,iVBORw=="
    with pytest.raises(BadInputError, match="neither"):
        image_type(b"<html>")
