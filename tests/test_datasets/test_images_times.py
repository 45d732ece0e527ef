"""When frames were taken: numbers in names, lists, text files, units."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pdenca.core import BadInputError, FormatError, NonFiniteError
from pdenca.datasets import TrajectoryFile, read_header, write_blocks
from pdenca.datasets.images import import_images
from pdenca.datasets.images.folders import frame_numbers, missing_numbers
from pdenca.datasets.images.times import read_times, schedule_told
from pdenca.datasets.images.units import LENGTHS, TIMES, in_one_unit, parse_amount


def frames_named(folder, *names):
    """Frames of which each holds its place in this list."""
    folder.mkdir()
    for number, name in enumerate(names):
        Image.fromarray(np.full((3, 4), number, dtype=np.uint8)).save(folder / name)
    return folder


@pytest.mark.parametrize(
    ("text", "units", "expected"),
    [
        ("10min", TIMES, (10, "min")),
        (" 2.5 h ", TIMES, (2.5, "h")),
        ("1e-3 seconds", TIMES, (1e-3, "s")),
        (".5d", TIMES, (0.5, "d")),
        ("7", TIMES, (7, "1")),
        (3, TIMES, (3, "1")),
        ("0.65um", LENGTHS, (0.65, "um")),
        ("0.65\N{MICRO SIGN}m", LENGTHS, (0.65, "um")),
        ("0.65\N{GREEK SMALL LETTER MU}m", LENGTHS, (0.65, "um")),
        ("3 m", LENGTHS, (3, "m")),
    ],
)
def test_amounts(text, units, expected):
    assert parse_amount(text, units, "it") == expected


@pytest.mark.parametrize("text", ["", "min", "10 5", "1,5min", "nan", "inf", "1e999", "ten"])
def test_what_is_no_amount(text):
    with pytest.raises(BadInputError, match="expected a number"):
        parse_amount(text, TIMES, "the interval")


def test_amounts_in_the_unit_of_the_first():
    assert in_one_unit(["0min", "30 min", "1h", "5400s"], TIMES, "a time") == ((0, 30, 60, 90), "min")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a1.png", "a2.png", "a4.png"], (1, 2, 4)),
        (["x2_t001.tif", "x2_t010.tif"], (1, 10)),
        (["img_1_t10.png", "img_2_t20.png"], (1, 2)),  # both count the frames
        (["T1.png", "t2.png"], (1, 2)),
    ],
)
def test_the_number_that_counts_the_frames(names, expected):
    assert frame_numbers(names) == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["after.png", "before.png"], "after.png and before.png differ in more than numbers"),
        (["frame1.png", "overview.png"], "frame1.png and overview.png differ in more"),
        (["a1.png", "a1.tif"], "a1.png and a1.tif have the same number or none"),
        (["a01.png", "a1.png", "a2.png"], "a01.png and a1.png have the number 1 both"),
        (["t1_c1.tif", "t1_c2.tif", "t2_c1.tif", "t2_c2.tif"], "have the number 1 both while another number"),
    ],
)
def test_names_that_do_not_count(names, message):
    with pytest.raises(BadInputError, match=message):
        frame_numbers(names)


def test_missing_numbers():
    assert missing_numbers([1, 2, 4]) == (3,)
    assert missing_numbers([0, 10, 20, 40]) == (30,)
    assert missing_numbers([1, 3, 5]) == ()
    assert missing_numbers([7, 9]) == ()
    for dates in ([20240530, 20240531, 20240601], [1, 2, 1000]):
        with pytest.raises(BadInputError, match=r"expected a count of the frames.*--times"):
            missing_numbers(dates)


def test_names_do_not_matter_where_times_are_told(tmp_path):
    folder = frames_named(tmp_path / "f", "after.png", "before.png")
    path = import_images(folder, tmp_path / "a.hdf5", times=["1h", "90min"], spacing=1)
    header = read_header(path)
    assert (header.frame_interval, header.provenance["time_unit"]) == (0.5, "h")
    assert header.provenance["first_time"] == 1
    assert header.times == ()


def test_times_of_numpy(tmp_path):
    path = import_images(np.zeros((3, 4, 5)), tmp_path / "a.hdf5", times=np.array([0, 2, 3]), spacing=1)
    assert read_header(path).times == (0, 2, 3)


@pytest.mark.parametrize(
    ("times", "interval", "regular"),
    [
        ((0, 2, 4, 6), 2, True),
        ((5, 5.1, 5.2, 5.3), 0.1, True),
        ((0, 10, 20, 40), 10, False),
        ((0, 20, 40, 50), 20, False),
        ((0, 10, 30), 10, False),  # once each: the shorter one
        ((0, 1, 2.01, 3), 1, False),
    ],
)
def test_the_interval_of_told_times(times, interval, regular):
    schedule = schedule_told(times, len(times))
    assert schedule.is_regular == regular
    assert schedule.interval == pytest.approx(interval)
    assert schedule.times[0] == 0
    assert schedule.first == times[0]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0, 1], "there are 2 times for 3 frames"),
        ([0, 1, 1], "do not increase: 1.0 of frame 1 is followed by 1.0"),
        ([0, 2, 1], "do not increase"),
        (["0s", "1s", 2], "are not alike"),
        (["0s", "1s", "2 pt"], "unit 'pt' is not understood"),
        ([0, 1, float("nan")], "a time is nan; expected a number"),
    ],
)
def test_times_that_do_not_fit(tmp_path, times, message):
    with pytest.raises(BadInputError, match=message):
        import_images(np.zeros((3, 4, 5)), tmp_path / "a.hdf5", times=times, spacing=1)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    ["0min\n10min\n30min\n", "time\n0min\n\n10min # late\n30min", "\ufefftime\n0 min\n10 min\n0.5 h"],
)
def test_a_file_of_times(tmp_path, text):
    times = write(tmp_path / "times.txt", text)
    path = import_images(np.zeros((3, 4, 5)), tmp_path / "a.hdf5", times=times, spacing=1)
    assert read_header(path).times == (0, 10, 30)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_file_of_names_and_times_puts_frames_in_order(tmp_path, mark):
    folder = frames_named(tmp_path / "f", "after.png", "before.png", "later.png")
    rows = [("file", "time"), ("before.png", "0"), ("after.png", "2"), ("later.png", "7")]
    times = write(tmp_path / "times.csv", "\n".join(mark.join(row) for row in rows))
    path = import_images(folder, tmp_path / "a.hdf5", times=str(times), spacing=1)
    with TrajectoryFile(path) as file:
        np.testing.assert_allclose(file.read()[0, :, 0, 0, 0] * 255, [1, 0, 2])
        assert file.header.times == (0, 2, 7)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.png,0\nc.png,1", "the times do not fit f: c.png, which is none of its frames"),
        ("a.png,0", "b.png, which has no time"),
        ("a.png,0\nb.png,1\na.png,2", "a.png, which has two times"),
        ("b.png,1\na.png,0", "do not increase"),
    ],
)
def test_names_of_times_that_do_not_fit(tmp_path, rows, message):
    folder = frames_named(tmp_path / "f", "a.png", "b.png")
    times = write(tmp_path / "times.csv", rows)
    with pytest.raises(BadInputError, match=message):
        import_images(folder, tmp_path / "a.hdf5", times=times, spacing=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no times"),
        ("time\n", "has no times"),
        ("1,2,3\n4,5,6", "has lines of 3 columns"),
        ("1\n2,3", "has lines of 1 and 2 columns"),
    ],
)
def test_files_that_hold_no_times(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        read_times(write(tmp_path / "times.txt", text))


def test_files_of_times_that_cannot_be_read(tmp_path):
    with pytest.raises(FormatError, match=r"times\.txt cannot be read"):
        read_times(tmp_path / "times.txt")
    (tmp_path / "times.txt").write_bytes(b"\xff\xfe0\0")
    with pytest.raises(FormatError, match="expected times as text in UTF-8"):
        read_times(tmp_path / "times.txt")


@pytest.mark.parametrize(
    ("times", "error"),
    [
        ((0.0, 1.0), BadInputError),
        ((1.0, 2.0, 4.0), BadInputError),
        ((0.0, 2.0, 2.0), BadInputError),
        ((0.0, 2.0, float("inf")), NonFiniteError),
    ],
)
def test_no_file_is_written_with_times_that_do_not_fit(tmp_path, times, error):
    header = read_header(import_images(np.zeros((3, 4, 5)), tmp_path / "a.hdf5", interval=1, spacing=1))
    data = np.zeros((1, 3, 1, 5, 4), dtype=np.float32)
    with pytest.raises(error):
        write_blocks(tmp_path / "b.hdf5", replace(header, times=times), [data])
    write_blocks(tmp_path / "b.hdf5", replace(header, times=(0.0, 2.0, 5.0)), [data])
    assert read_header(tmp_path / "b.hdf5").times == (0, 2, 5)
