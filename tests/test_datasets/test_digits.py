"""Digits: IDX files whole and damaged, where they are looked for, and the checksums they must have."""

import gzip
import hashlib
import struct

import pytest
import torch

from pdenca.core import BadInputError, FormatError
from pdenca.datasets.digits import (
    CHECKSUMS,
    cache_folder,
    load_digits,
    parse_idx,
    places,
    read_idx,
    split_digits,
    write_idx,
)


def put(folder, images, labels, prefix="train", end=".gz"):
    """Write a split of digits into a folder."""
    write_idx(folder / f"{prefix}-images-idx3-ubyte{end}", images)
    write_idx(folder / f"{prefix}-labels-idx1-ubyte{end}", labels)


@pytest.mark.parametrize("name", ["a.gz", "a"])
@pytest.mark.parametrize("shape", [(7,), (3, 4, 5), (0, 28, 28)])
def test_what_is_written_is_read(tmp_path, generator, name, shape):
    values = torch.randint(0, 256, shape, generator=generator).to(torch.uint8)
    write_idx(tmp_path / name, values)
    assert torch.equal(read_idx(tmp_path / name, len(shape)), values)
    assert not list(tmp_path.glob(".*"))


def test_the_layout_is_that_of_mnist():
    content = b"\0\0\x08\x03" + struct.pack(">3I", 1, 2, 3) + bytes(range(6))
    assert parse_idx(content, "x", 3).tolist() == [[[0, 1, 2], [3, 4, 5]]]


GOOD = b"\0\0\x08\x01" + struct.pack(">I", 3) + b"abc"
# without the hour of packing: the bytes are names of tests, which every process that collects must agree on
PACKED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "begins with nothing"),
        (b"\0\0\x08\x03" + GOOD[4:], "begins with 00000803"),
        (b"\0\0\x0d\x01" + GOOD[4:], "expected 00000801"),
        (GOOD[:6], "ends inside its header"),
        (GOOD[:-1], "is truncated: 2 values, expected 3"),
        (GOOD + b"d", "is longer than its header says: 4 values"),
        (PACKED[:-5], "damaged gzip"),
        (PACKED[:12] + b"\xff\xff\xff" + PACKED[15:], "damaged gzip"),
    ],
)
def test_damaged_files_are_told(tmp_path, content, named):
    (tmp_path / "labels").write_bytes(content)
    with pytest.raises(FormatError, match=named):
        read_idx(tmp_path / "labels", 1)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(FormatError, match="cannot be read"):
        read_idx(tmp_path / "none", 1)


@pytest.mark.parametrize(("split", "each"), [("train", 100), ("test", 50)])
def test_the_sample_is_balanced_and_real(split, each, nowhere):
    digits = load_digits(split, sample=True)
    assert len(digits) == 10 * each
    assert torch.bincount(digits.labels).tolist() == [each] * 10
    assert digits.images.shape == (10 * each, 28, 28)
    # ink in the middle of the paper, none along its edge
    assert float(digits.images[:, 10:18, 10:18].float().mean()) > 50
    assert float(digits.images[:, 0].float().mean()) < 1


def test_the_sample_is_not_the_same_in_both_splits():
    train, test = load_digits("train", sample=True), load_digits("test", sample=True)
    assert not {image.numpy().tobytes() for image in train.images} & {
        image.numpy().tobytes() for image in test.images
    }


def test_an_own_folder_comes_before_the_variable(tmp_path, monkeypatch, nowhere):
    for number, folder in enumerate(("own", "named")):
        labels = torch.full((2,), number, dtype=torch.uint8)
        put(tmp_path / folder, torch.zeros(2, 28, 28, dtype=torch.uint8), labels, end=(".gz", "")[number])
    monkeypatch.setenv("PDENCA_DATA", str(tmp_path / "named"))
    assert load_digits("train").labels.tolist() == [1, 1]
    assert load_digits("train", tmp_path / "own").labels.tolist() == [0, 0]
    with pytest.raises(BadInputError, match="which PDENCA_DATA names, has no t10k-images-idx3-ubyte"):
        load_digits("test")
    with pytest.raises(BadInputError, match="nothing has no train-images"):
        load_digits("train", tmp_path / "nothing")


def test_without_data_and_network_one_sentence_says_what_to_do(nowhere):
    with pytest.raises(BadInputError, match=r"no mirror answered .*unreachable.*--data-dir DIR.*--sample"):
        load_digits("train")
    assert not cache_folder().exists()


class Mirror:
    """A pretended mirror: url -> bytes, and which were asked for."""

    def __init__(self, files, deaf=()):
        self.files, self.deaf, self.asked = files, deaf, []

    def __call__(self, url):
        self.asked.append(url)
        if any(url.startswith(place) for place in self.deaf):
            raise OSError("no answer")
        return self.files[url.rpartition("/")[2]]


@pytest.fixture
def mirrored(tmp_path, monkeypatch, nowhere):
    """A pretended MNIST of two digits with checksums of its own."""
    put(tmp_path / "far", torch.full((2, 28, 28), 9, dtype=torch.uint8), torch.tensor([3, 4]).to(torch.uint8))
    files = {path.name: path.read_bytes() for path in (tmp_path / "far").iterdir()}
    for name, content in files.items():
        name = name.removesuffix(".gz")
        monkeypatch.setitem(CHECKSUMS, name, hashlib.sha256(gzip.decompress(content)).hexdigest())
    return files


def test_what_a_mirror_sends_is_kept_and_read_again(mirrored, monkeypatch):
    mirror = Mirror(mirrored, deaf=(places.MIRRORS[0],))
    monkeypatch.setattr(places, "read_url", mirror)
    assert load_digits("train").labels.tolist() == [3, 4]
    assert len(mirror.asked) == 4  # each from the second mirror, as the first is deaf
    assert {path.name for path in cache_folder().iterdir()} == set(mirrored)
    assert load_digits("train").labels.tolist() == [3, 4]
    assert len(mirror.asked) == 4


def test_other_data_from_a_mirror_are_refused(mirrored, monkeypatch, tmp_path):
    other = gzip.compress(gzip.decompress(mirrored["train-images-idx3-ubyte.gz"])[:-1] + b"\x08")
    monkeypatch.setattr(places, "read_url", Mirror({"train-images-idx3-ubyte.gz": other}))
    with pytest.raises(FormatError, match="is not MNIST's file: its SHA-256 is"):
        load_digits("train")
    assert not cache_folder().exists() or not list(cache_folder().iterdir())
    # in a folder of one's own they are anybody's data
    (tmp_path / "far" / "train-images-idx3-ubyte.gz").write_bytes(other)
    assert load_digits("train", tmp_path / "far").labels.tolist() == [3, 4]


def test_a_damaged_cache_is_told(mirrored, monkeypatch):
    monkeypatch.setattr(places, "read_url", Mirror(mirrored))
    load_digits("train")
    write_idx(cache_folder() / "train-labels-idx1-ubyte.gz", torch.zeros(2, dtype=torch.uint8))
    with pytest.raises(FormatError, match="usual cure: remove it"):
        load_digits("train")


@pytest.mark.parametrize(
    ("images", "labels", "named"),
    [
        (torch.zeros(2, 20, 28), torch.zeros(2), "images of 20 x 28"),
        (torch.zeros(2, 28, 28), torch.zeros(3), "2 images but .* 3 labels"),
        (torch.zeros(2, 28, 28), torch.tensor([0, 10]), "the label 10"),
    ],
)
def test_data_that_do_not_fit_are_told(tmp_path, images, labels, named):
    put(tmp_path, images.to(torch.uint8), labels.to(torch.uint8))
    with pytest.raises(FormatError, match=named):
        load_digits("train", tmp_path)


def test_held_out_digits_are_no_training_digits():
    digits = load_digits("train", sample=True)
    rest, held_out = split_digits(digits, 200, seed=3)
    assert (len(rest), len(held_out)) == (800, 200)
    seen = {image.numpy().tobytes() for image in rest.images}
    assert not seen & {image.numpy().tobytes() for image in held_out.images}
    again = split_digits(digits, 200, seed=3)[1]
    assert torch.equal(again.images, held_out.images)
    assert torch.equal(again.labels, held_out.labels)
    assert not torch.equal(split_digits(digits, 200, seed=4)[1].images, held_out.images)
    for number in (0, 1000):
        with pytest.raises(BadInputError, match="held out"):
            split_digits(digits, number, seed=0)
