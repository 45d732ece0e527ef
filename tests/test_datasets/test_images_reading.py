"""Which files are read in which order, and what is refused by name."""

import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from pdenca.core import BadInputError, FormatError, PdencaError
from pdenca.datasets import read_header
from pdenca.datasets.images import import_images, natural_key, read_frames, read_series

tifffile = pytest.importorskip("tifffile")

GREYS = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)


def save(path, frame=GREYS[0], **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(frame).save(path, **options)
    return path


def stack(path, frames=GREYS, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, frames, **{"photometric": "minisblack", **options})
    return path


def test_numbers_in_names_count(tmp_path):
    for number in (1, 2, 9, 10, 11, 100):
        save(tmp_path / f"Frame{number}.PNG", np.full((3, 4), number, dtype=np.uint8))
    series = read_frames(tmp_path)
    assert series.frames[:, 0, 0, 0].tolist() == [1, 2, 9, 10, 11, 100]
    assert series.files[-1] == "Frame100.PNG"
    assert sorted(["a10b", "a2c", "a2b", "A1"], key=natural_key) == ["A1", "a2b", "a2c", "a10b"]


def test_kinds_of_greys_and_colours(tmp_path):
    kinds = {"1": GREYS[0] > 3, "L": GREYS[0], "I;16": GREYS[0].astype(np.uint16) * 1000}
    for mode, values in kinds.items():
        for number in (1, 2):
            save(tmp_path / "grey" / f"f{number}.png", values)
        series = read_frames(tmp_path / "grey")
        expected = values.astype(np.uint8) * 255 if mode == "1" else values
        np.testing.assert_array_equal(series.frames[1, 0], expected)
        assert series.frames.dtype == expected.dtype
        assert series.channels == ("intensity",)


def test_palettes_become_colours(tmp_path):
    colours = np.array([[255, 0, 0], [0, 0, 255]], dtype=np.uint8)[GREYS % 2]
    for number, frame in enumerate(colours):
        picture = Image.fromarray(frame).quantize(4)
        assert picture.mode == "P"
        picture.save(tmp_path / f"p{number}.png")
    series = read_frames(tmp_path)
    np.testing.assert_array_equal(np.moveaxis(series.frames[:, :3], 1, -1), colours)
    path = import_images(tmp_path, tmp_path / "a.hdf5", interval=1, spacing=1)
    assert read_header(path).channel_names == ("red", "green", "blue")


def test_a_transparent_colour_is_alpha(tmp_path):
    frame = np.zeros((4, 5, 3), dtype=np.uint8)
    frame[1:3] = 255
    for number in (1, 2):
        save(tmp_path / f"t{number}.png", frame, transparency=(0, 0, 0))
    series = read_frames(tmp_path)
    assert series.channels[-1] == "alpha"
    np.testing.assert_array_equal(series.frames[0, 3], frame[..., 0])


def test_pictures_taken_sideways_are_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    for number in (1, 2):
        save(tmp_path / f"p{number}.jpg", np.full((4, 6, 3), 90, dtype=np.uint8), exif=exif)
    assert read_frames(tmp_path).frames.shape == (2, 3, 6, 4)


def test_animated_png(tmp_path):
    pictures = [Image.fromarray(frame) for frame in GREYS]
    pictures[0].save(tmp_path / "a.png", save_all=True, append_images=pictures[1:])
    np.testing.assert_array_equal(read_frames(tmp_path / "a.png").frames[:, 0], GREYS)


def test_what_is_no_image_is_named(tmp_path):
    for number in (1, 2):
        save(tmp_path / "s" / f"f{number}.png")
    for name in (".hidden.png", "Thumbs.db", "desktop.ini", "notes.txt", "movie.avi"):
        (tmp_path / "s" / name).write_text("x", encoding="utf-8")
    (tmp_path / "s" / "old").mkdir()
    series = read_frames(tmp_path / "s")
    assert series.left_out == ("movie.avi", "notes.txt", "old/")
    path = import_images(tmp_path / "s", tmp_path / "a.hdf5", interval=1, spacing=1)
    assert read_header(path).provenance["not_read"] == "movie.avi, notes.txt, old/"


def test_what_was_left_out_of_folders_of_folders_is_named(tmp_path):
    for name in ("a", "b"):
        for number in (1, 2):
            save(tmp_path / name / f"f{number}.png")
    (tmp_path / "b" / "log.txt").write_text("x", encoding="utf-8")
    (tmp_path / "plan.txt").write_text("x", encoding="utf-8")
    found = read_series(tmp_path)
    assert [series.name for series in found] == ["a", "b"]
    assert [series.left_out for series in found] == [("plan.txt",), ("b/log.txt",)]
    with pytest.raises(BadInputError, match=r"holds 2 series .a, b, ...., expected one"):
        read_frames(tmp_path)


def deep_png(path):
    """A PNG of red, green and blue with 16 bits each."""

    def chunk(kind, content):
        told = kind + content
        return struct.pack(">I", len(content)) + told + struct.pack(">I", zlib.crc32(told))

    head = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    body = zlib.compress(b"\0" + bytes(12))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    with Image.open(path) as image:
        assert image.mode == "RGB", "half of the bits would be lost"


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def damaged_png(folder):
    save(folder / "f1.png")
    noise = np.random.default_rng(0).integers(0, 256, (40, 50), dtype=np.uint8)
    cut(save(folder / "f2.png", noise))
    return r"f2\.png is damaged or no image"


def not_a_png(folder):
    save(folder / "f1.png")
    (folder / "f2.png").write_text("hello", encoding="utf-8")
    return r"f2\.png is damaged or no image \(cannot identify"


def empty_png(folder):
    save(folder / "f1.png")
    (folder / "f2.png").touch()
    return r"f2\.png is damaged"


def damaged_tiff(folder):
    cut(stack(folder / "a.tif", np.zeros((9, 40, 40), dtype=np.uint16)))
    return r"a\.tif is damaged or no TIFF"


def cut_between_pages(folder):
    pictures = [Image.fromarray(np.full((40, 50), number, dtype=np.uint8)) for number in range(6)]
    pictures[0].save(folder / "a.tif", save_all=True, append_images=pictures[1:])
    content = (folder / "a.tif").read_bytes()
    (folder / "a.tif").write_bytes(content[: len(content) // 2])
    with tifffile.TiffFile(folder / "a.tif") as file:
        assert file.series[0].shape == (3, 40, 50), "the other pages would go unnoticed"
    return r"a\.tif is damaged or no TIFF that can be read \(.*invalid page offset"


def not_a_tiff(folder):
    save(folder / "f1.png")
    (folder / "f2.tif").write_text("hello hello", encoding="utf-8")
    return r"f2\.tif is damaged or no TIFF"


def damaged_gif(folder):
    pictures = [Image.fromarray(frame) for frame in np.random.default_rng(0).random((4, 60, 60))]
    pictures = [picture.convert("RGB") for picture in pictures]
    pictures[0].save(folder / "a.gif", save_all=True, append_images=pictures[1:])
    cut(folder / "a.gif")
    return r"a\.gif is damaged"


def sizes(folder):
    save(folder / "f1.png")
    save(folder / "f2.png", GREYS[0].T.copy())
    return r"f1\.png and f2\.png differ in size \(5 x 4 pixels and 4 x 5 pixels\)"


def kinds(folder):
    save(folder / "f1.png")
    save(folder / "f2.png", np.zeros((4, 5, 3), dtype=np.uint8))
    return r"f1\.png and f2\.png differ in channels \(intensity and red, green, blue\)"


def types(folder):
    stack(folder / "f1.tif", GREYS[0])
    stack(folder / "f2.tif", GREYS[0].astype(np.uint16))
    return r"f1\.tif and f2\.tif differ in type \(uint8 and uint16\)"


def one_frame(folder):
    save(folder / "f1.png")
    return "holds one frame only, expected a series of two or more"


def no_images(folder):
    (folder / "data.czi").touch()
    return r"holds no images, only data\.czi; expected files that end in \.png"


def empty(folder):
    return r"holds no images; expected files"


def frames_and_stacks(folder):
    save(folder / "f1.png")
    stack(folder / "f2.tif")
    return r"holds single frames \(f1\.png\) and files of several \(f2\.tif\)"


def images_and_folders(folder):
    save(folder / "f1.png")
    save(folder / "more" / "f1.png")
    return r"holds images \(f1\.png\) and folders with images \(more\)"


def stacks_in_folders(folder):
    for name in ("a", "b"):
        stack(folder / "s" / f"{name}.tif")
    stack(folder / "t" / "c.tif")
    return "s holds several series, expected the frames of one"


def deep_colours(folder):
    deep_png(folder / "f1.png")
    return r"f1\.png is a colour PNG of 16 bits a channel, of which only 8"


def printed_colours(folder):
    Image.new("CMYK", (5, 4)).save(folder / "f1.jpg")
    return r"f1\.jpg is of the kind CMYK"


def white_is_zero(folder):
    stack(folder / "f1.tif", photometric="miniswhite")
    return "values of the kind MINISWHITE, expected grey with 0 for black"


def complex_numbers(folder):
    stack(folder / "f1.tif", GREYS.astype(np.complex64))
    return "values of type complex64, expected whole or floating point numbers"


def several_shapes(folder):
    with tifffile.TiffWriter(folder / "f1.tif") as file:
        file.write(GREYS)
        file.write(np.zeros((2, 9, 9), dtype=np.uint8))
    return r"f1\.tif holds 2 series of images of different shapes \(2 x 4 x 5, 2 x 9 x 9\)"


def volumes(folder):
    stack(folder / "f1.tif", np.zeros((2, 3, 4, 5), dtype=np.uint8))
    return r"f1\.tif has the axes 'QQYX' \(2 x 3 x 4 x 5\).*--axes TYX or TCYX"


FAULTS = [
    damaged_png, not_a_png, empty_png, damaged_tiff, not_a_tiff, cut_between_pages,
    damaged_gif, sizes, kinds, types, one_frame,
    no_images, empty, frames_and_stacks, images_and_folders, stacks_in_folders, deep_colours, printed_colours,
    white_is_zero, complex_numbers, several_shapes, volumes,
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_what_cannot_be_read_is_one_sentence_that_names_it(tmp_path, fault):
    folder = tmp_path / "s"
    folder.mkdir()
    message = fault(folder)
    with pytest.raises(PdencaError, match=message) as caught:
        import_images(folder, tmp_path / "a.hdf5", interval=1, spacing=1)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_paths_that_are_not_there_or_of_no_kind(tmp_path):
    with pytest.raises(BadInputError, match="none does not exist"):
        read_frames(tmp_path / "none")
    (tmp_path / "a.czi").touch()
    with pytest.raises(
        BadInputError, match=r"a\.czi is no kind of image that is read, expected one of \.png"
    ):
        read_frames(tmp_path / "a.czi")
    with pytest.raises(BadInputError, match="nothing to import"):
        read_series([])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((4, 5)), "has 2 axes, expected 3"),
        (np.zeros((1, 4, 5)), "one frame only"),
        (np.zeros((2, 0, 5)), "is empty"),
        (np.array([[["a"]]] * 2), "values of type <U1"),
    ],
)
def test_arrays_that_are_no_series(values, message):
    with pytest.raises((BadInputError, FormatError), match=message):
        read_frames(values)


def test_without_tifffile_the_extra_is_named(tmp_path, monkeypatch):
    stack(tmp_path / "a.tif")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(BadInputError, match=r"need tifffile .*pip install 'pdenca\[images\]'"):
        read_frames(tmp_path / "a.tif")


def test_without_codecs_the_extra_is_named(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    stack(tmp_path / "a.tif")
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", refuse)
    with pytest.raises(
        FormatError, match=r"requires the 'imagecodecs' package.*pip install 'pdenca\[images\]'"
    ):
        read_frames(tmp_path / "a.tif")
