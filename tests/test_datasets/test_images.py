"""What is imported can be read again, and is what the images were, scaled and turned."""

import json
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from pdenca.core import BadInputError, FormatError, NonFiniteError
from pdenca.datasets import (
    TrajectoryFile,
    Windows,
    check,
    compute_statistics,
    convert,
    data_files,
    info,
    load_split,
    open_xarray,
    read_header,
)
from pdenca.datasets.images import ImageSeries, branching, import_images, microscopy, to_images, to_space
from pdenca.tasks import prediction

tifffile = pytest.importorskip("tifffile")

SERIES = {"interval": "10min", "spacing": "0.65um"}


def noise(*shape: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    """Numbers from the whole range of a type."""
    limits = np.iinfo(dtype)
    random = np.random.default_rng(seed)
    return random.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def save(folder, frames, name="frame{}.png", first=1):
    """Save frames (time, row, column, perhaps channel) as files of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / name.format(first + number))
    return folder


def content(path) -> np.ndarray:
    """The first trajectory as images: (time, channel, row, column)."""
    with TrajectoryFile(path) as file:
        return to_images(file.read(0)[0])


def errors(path) -> list[str]:
    return [str(item) for item in check(path) if item.level == "error"]


def test_a_folder_of_png_becomes_one_trajectory(tmp_path):
    frames = noise(12, 7, 5)
    path = import_images(save(tmp_path / "colony", frames), tmp_path / "colony.hdf5", **SERIES)
    assert path == tmp_path / "colony.hdf5"
    np.testing.assert_array_equal(content(path)[:, 0], (frames / 255).astype(np.float32))
    assert check(path) == []
    header = read_header(path)
    assert header.shape == (1, 12, 1, 5, 7)  # x, y
    assert (header.dataset_name, header.channel_names, header.equation) == (
        "colony",
        ("intensity",),
        "unknown",
    )
    assert (header.grid.spacing, header.grid.boundaries) == ((0.65, 0.65), ("no-flux", "no-flux"))
    assert (header.frame_interval, header.times) == (10.0, ())
    made = header.provenance
    assert made["value_scaling"] == "uint8, 0 to 255 scaled to 0 to 1"
    assert (made["time_unit"], made["length_unit"]) == ("min", "um")
    assert "missing_frames" not in made
    lines = info(path)
    assert lines["frames"] == "12, every 10 min, t = 0 to 110 min"
    assert lines["grid"] == "5 x 7 cells of 0.65 um, no-flux"
    assert lines["values"] == made["value_scaling"]
    assert lines["from"] == "colony"


def test_x_runs_right_and_y_up(tmp_path):
    frames = np.zeros((2, 4, 6), dtype=np.uint8)
    frames[:, 0, 5] = 255  # the corner at the top right
    path = import_images(frames, tmp_path / "a.hdf5", interval=1, spacing=(2, 3))
    with TrajectoryFile(path) as file:
        assert np.argwhere(file.read()[0, 0, 0]).tolist() == [[5, 3]]
        assert file.header.grid.spacing == (2.0, 3.0)
    np.testing.assert_array_equal(to_images(to_space(frames)), frames)


def test_units_stand_beside_the_coordinates(tmp_path):
    path = import_images(noise(3, 4, 4), tmp_path / "a.hdf5", **SERIES)
    with open_xarray(path) as data:
        assert data.time.attrs["units"] == "min"
        assert data.x.attrs["units"] == "um"
        np.testing.assert_allclose(data.time, [0, 10, 20])
        np.testing.assert_allclose(data.x, 0.65 * (np.arange(4) + 0.5), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("how", ["pages", "ImageJ", "OME", "packed"])
def test_stacks(tmp_path, dtype, how):
    options = {
        "pages": {"photometric": "minisblack"},
        "ImageJ": {"imagej": True, "metadata": {"axes": "TYX"}},
        "OME": {"ome": True, "metadata": {"axes": "TYX"}},
        "packed": {"compression": "zlib", "photometric": "minisblack"},
    }[how]
    frames = noise(6, 8, 9, dtype=dtype)
    tifffile.imwrite(tmp_path / "stack.tif", frames, **options)
    path = import_images(tmp_path / "stack.tif", tmp_path / "a.hdf5", **SERIES)
    expected = (frames / np.iinfo(dtype).max).astype(np.float32)
    np.testing.assert_array_equal(content(path)[:, 0], expected)
    assert errors(path) == []


def test_a_stack_packed_by_lzw(tmp_path):
    pytest.importorskip("imagecodecs")
    frames = noise(3, 8, 9, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", frames, photometric="minisblack", compression="lzw")
    path = import_images(tmp_path / "stack.tif", tmp_path / "a.hdf5", **SERIES)
    np.testing.assert_array_equal(content(path)[:, 0], (frames / 65535).astype(np.float32))


@pytest.mark.parametrize("imagej", [False, True])
def test_stacks_of_several_channels(tmp_path, imagej):
    frames = noise(4, 2, 8, 9, dtype=np.uint16)
    tifffile.imwrite(
        tmp_path / "cells.tif", frames, imagej=imagej, metadata={"axes": "TCYX"}, photometric="minisblack"
    )
    path = import_images(
        tmp_path / "cells.tif", tmp_path / "a.hdf5", channels=["nucleus", "membrane"], **SERIES
    )
    np.testing.assert_array_equal(content(path), (frames / 65535).astype(np.float32))
    assert read_header(path).channel_names == ("nucleus", "membrane")
    other = import_images(tmp_path / "cells.tif", tmp_path / "b.hdf5", **SERIES)
    assert read_header(other).channel_names == ("channel_1", "channel_2")


def test_axes_of_a_stack_that_tells_them_wrongly(tmp_path):
    frames = noise(5, 8, 9)
    tifffile.imwrite(tmp_path / "z.tif", frames, imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(BadInputError, match=r"axes 'ZYX' \(5 x 8 x 9\).*--axes TYX"):
        import_images(tmp_path / "z.tif", tmp_path / "a.hdf5", **SERIES)
    path = import_images(tmp_path / "z.tif", tmp_path / "a.hdf5", axes="tyx", **SERIES)
    np.testing.assert_array_equal(content(path)[:, 0], (frames / 255).astype(np.float32))


def test_colours_of_a_stack(tmp_path):
    frames = noise(3, 8, 9, 4)
    tifffile.imwrite(tmp_path / "rgba.tif", frames, photometric="rgb", extrasamples=["unassalpha"])
    path = import_images(tmp_path / "rgba.tif", tmp_path / "a.hdf5", **SERIES)
    assert read_header(path).channel_names == ("red", "green", "blue", "alpha")
    np.testing.assert_array_equal(content(path), np.moveaxis(frames / 255, -1, 1).astype(np.float32))


def test_a_folder_of_tiff_of_two_channels(tmp_path):
    frames = noise(3, 2, 8, 9)
    for number, frame in enumerate(frames):
        tifffile.imwrite(tmp_path / f"t{number}.tif", frame, imagej=True, metadata={"axes": "CYX"})
    path = import_images(tmp_path, tmp_path / "a.hdf5", **SERIES)
    np.testing.assert_array_equal(content(path), (frames / 255).astype(np.float32))


def test_gif(tmp_path):
    frames = noise(4, 8, 9)
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:])
    path = import_images(tmp_path / "a.gif", tmp_path / "a.hdf5", **SERIES)
    assert read_header(path).channel_names == ("intensity",)  # its palette holds only greys
    np.testing.assert_array_equal(content(path)[:, 0], (frames / 255).astype(np.float32))


def test_gif_in_colour(tmp_path):
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]], dtype=np.uint8)
    frames = colours[np.random.default_rng(0).integers(0, 4, (3, 8, 9))]
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:])
    path = import_images(tmp_path / "a.gif", tmp_path / "a.hdf5", **SERIES)
    assert read_header(path).channel_names == ("red", "green", "blue")
    np.testing.assert_array_equal(content(path), np.moveaxis(frames, -1, 1) / np.float32(255))


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_arrays_and_tensors(tmp_path, kind):
    frames = np.random.default_rng(1).random((4, 2, 5, 6)) * 7 - 3
    path = import_images(kind(frames), tmp_path / "a.hdf5", interval=0.5, spacing=1)
    np.testing.assert_array_equal(content(path), frames.astype(np.float32))  # not scaled
    made = read_header(path).provenance
    assert made["value_scaling"] == "float64, as stored"
    assert (made["time_unit"], made["length_unit"]) == ("1", "1")
    assert "every 0.5, t = 0 to 1.5" in info(path)["frames"]
    last = import_images(
        kind(np.moveaxis(frames, 1, -1)), tmp_path / "b.hdf5", interval=0.5, spacing=1, axes="TYXC"
    )
    np.testing.assert_array_equal(content(last), content(path))


@pytest.mark.parametrize(
    ("values", "expected", "words"),
    [
        (
            np.array([-32768, 0, 32767], dtype=np.int16),
            [0, 32768 / 65535, 1],
            "int16, -32768 to 32767",
        ),
        (np.array([0, 1, 2**32 - 1], dtype=np.uint32), [0, 1 / (2**32 - 1), 1], "uint32, 0 to 4294967295"),
        (np.array([False, True, True]), [0, 1, 1], "truth values"),
        (np.array([-1.5, 0, 9], dtype=np.float16), [-1.5, 0, 9], "float16, as stored"),
    ],
)
def test_values_of_other_types(tmp_path, values, expected, words):
    frames = np.tile(values, (2, 4, 1))
    path = import_images(frames, tmp_path / "a.hdf5", interval=1, spacing=1)
    np.testing.assert_array_equal(content(path)[1, 0, 2], np.array(expected, dtype=np.float32))
    assert words in read_header(path).provenance["value_scaling"]


def test_alpha_is_kept_where_it_says_something(tmp_path):
    frames = noise(3, 6, 6, 4)
    changing = save(tmp_path / "changing", frames)
    frames[..., 3] = 200
    constant = save(tmp_path / "constant", frames)
    names = [
        read_header(import_images(folder, tmp_path / f"{number}.hdf5", alpha=alpha, **SERIES)).channel_names
        for number, (folder, alpha) in enumerate(
            [(changing, None), (changing, False), (constant, None), (constant, True)]
        )
    ]
    assert [len(item) for item in names] == [4, 3, 3, 4]
    with pytest.raises(BadInputError, match=r"the 3 channels red, green, blue .alpha was left out"):
        import_images(constant, tmp_path / "a.hdf5", channels=["r", "g", "b", "a"], **SERIES)
    with pytest.raises(BadInputError, match="an alpha channel is asked for, the array has only intensity"):
        import_images(noise(3, 6, 6), tmp_path / "a.hdf5", alpha=True, **SERIES)


def test_masks_are_a_parameter_in_space(tmp_path):
    frames = noise(3, 6, 8)
    inside = np.zeros((6, 8), dtype=np.uint8)
    inside[1:4, 2:7] = 1  # dark to the eye, and still inside
    Image.fromarray(inside).save(tmp_path / "tissue.png")
    path = import_images(frames, tmp_path / "a.hdf5", mask=tmp_path / "tissue.png", **SERIES)
    assert check(path) == []
    with TrajectoryFile(path) as file:
        np.testing.assert_array_equal(to_images(file.parameters(0)["mask"].numpy()), inside)
        np.testing.assert_array_equal(to_images(file.read())[0, :, 0], (frames / 255).astype(np.float32))
    with h5py.File(path) as file:
        assert not file["t0_fields/mask"].attrs["time_varying"]
    windows = Windows(path, 2)
    np.testing.assert_array_equal(to_images(windows[0][1]["mask"].numpy()), inside)
    windows.close()
    other = import_images(frames, tmp_path / "b.hdf5", mask=torch.from_numpy(inside) > 0, **SERIES)
    with TrajectoryFile(path) as one, TrajectoryFile(other) as two:
        torch.testing.assert_close(one.parameters(0)["mask"], two.parameters(0)["mask"])


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((8, 6)), "6 x 8 pixels, the frames of the array have 8 x 6 pixels"),
        (np.zeros((6, 8)), "0 everywhere"),
        (np.ones((2, 6, 8)), "3 axes, expected 2"),
    ],
)
def test_masks_that_do_not_fit(tmp_path, mask, message):
    with pytest.raises(BadInputError, match=message):
        import_images(noise(3, 6, 8), tmp_path / "a.hdf5", mask=mask, **SERIES)
    assert not list(tmp_path.iterdir())


def test_a_mask_of_several_images(tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", noise(3, 6, 8), photometric="minisblack")
    with pytest.raises(BadInputError, match=r"the mask m\.tif has 3 frames"):
        import_images(noise(3, 6, 8), tmp_path / "a.hdf5", mask=tmp_path / "m.tif", **SERIES)


def test_several_series_become_trajectories(tmp_path):
    frames = noise(2, 4, 6, 8)
    for name, series in zip(("b10", "b2"), frames, strict=True):
        save(tmp_path / "dishes" / name, series)
    path = import_images(tmp_path / "dishes", tmp_path / "a.hdf5", **SERIES)
    header = read_header(path)
    assert header.shape == (2, 4, 1, 8, 6)
    assert header.provenance["converted_from"] == "b2, b10"
    with TrajectoryFile(path) as file:
        read = to_images(file.read())
    np.testing.assert_array_equal(read[:, :, 0], (frames[::-1] / 255).astype(np.float32))
    assert check(path) == []
    stacks = []
    for number, series in enumerate(frames):
        stacks.append(tmp_path / "stacks" / f"s{number}.tif")
        stacks[-1].parent.mkdir(exist_ok=True)
        tifffile.imwrite(stacks[-1], series, photometric="minisblack")
    for number, source in enumerate((tmp_path / "stacks", stacks, list(frames))):
        with TrajectoryFile(import_images(source, tmp_path / f"{number}.hdf5", **SERIES)) as file:
            np.testing.assert_array_equal(to_images(file.read()), read[::-1])


def test_names_compression_and_boundaries(tmp_path):
    path = import_images(
        noise(3, 6, 8),
        tmp_path / "a.h5",
        name="plate 7",
        boundary=("periodic", "no-flux"),
        compression="gzip",
        **SERIES,
    )
    header = read_header(path)
    assert (header.dataset_name, header.grid.boundaries) == ("plate 7", ("periodic", "no-flux"))
    with h5py.File(path) as file:
        assert file["t0_fields/intensity"].compression == "gzip"
    assert errors(path) == []


def test_an_import_becomes_part_of_a_dataset(tmp_path):
    growth = microscopy(branching(6, 24, seed=1), noise=0.1, drift=0.2, seed=2)
    path = import_images(to_images(growth.numpy()), tmp_path / "growth.hdf5", **SERIES)
    np.testing.assert_array_equal(to_space(content(path)), growth.numpy())
    (header,) = convert(path, tmp_path / "data", split="train")
    assert check(tmp_path / "data") == []
    assert header.provenance["time_unit"] == "min"
    ((_, frames),) = load_split(tmp_path / "data", "train")
    torch.testing.assert_close(frames[0], growth)


def test_nothing_half_written_is_left_behind(tmp_path):
    broken = noise(2, 3, 6, 8).astype(np.float32)
    broken[1, 2, 4, 5] = np.nan
    out = tmp_path / "out" / "a.hdf5"
    with pytest.raises(
        NonFiniteError, match="array 1, frame 2, channel intensity: the value in row 4, column 5 is"
    ):
        import_images(list(broken), out, **SERIES)
    assert list(out.parent.iterdir()) == []  # the first trajectory was written and taken away again
    import_images(list(broken[:1]), out, **SERIES)
    before = out.read_bytes()
    with pytest.raises(BadInputError, match="is there already"):
        import_images(list(broken[:1]), out, **SERIES)
    assert out.read_bytes() == before


def test_infinite_values_name_their_file(tmp_path):
    for number in (8, 9, 10):
        frame = np.ones((4, 5), dtype=np.float64)
        frame[3, 1] = 1e300 if number == 10 else 1
        tifffile.imwrite(tmp_path / f"f{number}.tif", frame)
    with pytest.raises(
        NonFiniteError, match=r"f10\.tif, channel intensity: the value in row 3, column 1 is 1e\+300"
    ):
        import_images(tmp_path, tmp_path / "a.hdf5", **SERIES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either an interval or times, got none"),
        ({"interval": 1, "times": [0, 1, 2]}, "either an interval or times, got both"),
        ({"interval": 0}, "the interval is 0, expected more than 0"),
        ({"interval": "10 parsec"}, "unit 'parsec' is not understood: expected one of ms, s, min, h, d"),
        ({"interval": "10 mim"}, "did you mean 'min'"),
        ({"interval": 1, "spacing": "0.65 min"}, "unit 'min' is not understood"),
        ({"interval": 1, "spacing": "-1um"}, "the spacing is '-1um', expected more than 0"),
        ({"interval": 1, "spacing": "wide"}, "the spacing is 'wide'; expected a number"),
        ({"interval": 1, "spacing": (1, 2, 3)}, "the spacing has 3 numbers"),
        ({"interval": 1, "spacing": ("1um", 2)}, "are not alike; expected a unit for all or for none"),
        ({"interval": 1, "boundary": "open"}, "open"),
        (
            {"interval": 1, "channels": ["a", "b"]},
            "2 names of channels .a, b. do not fit the 1 channels",
        ),
        ({"interval": 1, "channels": ["time"]}, "cannot be called 'time'"),
        ({"interval": 1, "axes": "TY"}, "has 3 axes .3 x 6 x 8., but 'TY' names 2"),
        ({"interval": 1, "axes": "TYY"}, "the axes 'TYY'"),
    ],
)
def test_arguments_that_do_not_fit(tmp_path, arguments, message):
    with pytest.raises(BadInputError, match=message):
        import_images(noise(3, 6, 8), tmp_path / "a.hdf5", **{"spacing": 1, **arguments})
    assert not list(tmp_path.iterdir())


def test_other_targets(tmp_path):
    with pytest.raises(BadInputError, match=r"should be a file that ends in \.hdf5 or \.h5"):
        import_images(noise(3, 6, 8), tmp_path / "a.nc", **SERIES)
    assert not list(tmp_path.iterdir())


def irregular(path, times=(0, 1, 2, 4, 5, 7.5)):
    """A file of frames at irregular times."""
    return import_images(noise(len(times), 4, 4), path, times=list(times), spacing=1)


def test_windows_do_not_cross_gaps(tmp_path):
    path = irregular(tmp_path / "a.hdf5")
    header = read_header(path)
    assert (header.frame_interval, header.times) == (1.0, (0.0, 1.0, 2.0, 4.0, 5.0, 7.5))
    windows = Windows(path, 2)
    assert [windows.locate(index)[2] for index in range(len(windows))] == [0, 1, 3]
    frames = content(path)
    np.testing.assert_array_equal(to_images(windows[2][0].numpy()), frames[3:5])
    windows.close()
    assert [Windows(path, 3).locate(0)[2], len(Windows(path, 3)), len(Windows(path, 1))] == [0, 1, 6]
    assert len(Windows(path, 2, stride=3)) == 2
    with pytest.raises(BadInputError, match="irregular times and nowhere 4 in a row, 1 apart"):
        Windows(path, 4)


def test_check_and_info_tell_irregular_times(tmp_path):
    path = irregular(tmp_path / "a.hdf5")
    (finding,) = check(path)
    assert finding.level == "warning"
    assert "irregular times, 3 of 5 steps take the frame interval 1" in finding.message
    assert info(path)["frames"] == "6, at irregular times, 3 of 5 steps of 1, t = 0 to 7.5"
    with open_xarray(path) as data:
        np.testing.assert_array_equal(data.time, [0, 1, 2, 4, 5, 7.5])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file["time"].__setitem__(2, 0.5), "/time does not begin at 0 and increase"),
        (lambda file: file["time"].__setitem__(0, 0.5), "/time does not begin at 0 and increase"),
        (lambda file: file.attrs.__setitem__("time_spacing", "odd"), "'time_spacing' must be 'irregular'"),
        (lambda file: file.attrs.__delitem__("time_spacing"), "/time is not 0, 1, 2, ... times"),
    ],
)
def test_check_sees_broken_times(tmp_path, change, message):
    path = irregular(tmp_path / "a.hdf5")
    with h5py.File(path, "r+") as file:
        change(file)
    assert any(message in finding for finding in errors(path)), errors(path)


def test_what_needs_whole_trajectories_refuses_irregular_times(tmp_path, monkeypatch):
    path = irregular(tmp_path / "a.hdf5")
    convert(path, tmp_path / "data", split="train")
    (stored,) = data_files(tmp_path / "data", "train")
    header = read_header(stored)
    assert header.times == read_header(path).times
    assert [item.level for item in check(tmp_path / "data")] == ["warning"]
    with pytest.raises(BadInputError, match=r"irregular times .3 of 5 steps take 1."):
        load_split(tmp_path / "data", "train")
    monkeypatch.setattr(prediction, "load_model", lambda *_: SimpleNamespace(members=[None]))
    with pytest.raises(BadInputError, match=r"prediction.*usual cure: a file of its own for each stretch"):
        prediction.predict_trajectory([tmp_path], tmp_path / "data", "train")
    frames = content(path)[:, 0].astype(np.float64)
    expected = np.diff(frames, axis=0)[[0, 1, 3]].std()
    assert compute_statistics([path]).std_delta["intensity"] == pytest.approx(expected)
    with h5py.File(path, "r+") as file:
        file.attrs["frame_interval"] = 0.25
    with pytest.raises(BadInputError, match=r"no frame one frame interval .0.25. after another"):
        compute_statistics([path])


def test_missing_frames_are_gaps_in_the_times(tmp_path):
    folder = save(tmp_path / "f", noise(6, 4, 4), name="t{:03}.png")
    (folder / "t003.png").unlink()
    path = import_images(folder, tmp_path / "a.hdf5", **SERIES)
    header = read_header(path)
    assert header.times == (0.0, 10.0, 30.0, 40.0, 50.0)
    assert header.frame_interval == 10
    assert json.loads(header.provenance["missing_frames"]) == [3]
    assert errors(path) == []


def test_series_of_different_times_do_not_fit_into_one_file(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / "s" / name, noise(5, 4, 4))
    (tmp_path / "s" / "b" / "frame2.png").unlink()
    with pytest.raises(
        FormatError, match="a has 5 frames while b has 4 frames and lacks 2, expected the same times"
    ):
        import_images(tmp_path / "s", tmp_path / "a.hdf5", **SERIES)


def test_a_series_is_what_it_says():
    series = ImageSeries("a", noise(3, 1, 4, 5), ("intensity",))
    assert (series.num_frames, series.size) == (3, "5 x 4 pixels")
    assert series.select([2, 0]).file_names == ("frame 0", "frame 1")
