"""Families of images beside MNIST: their classes, where they are looked for, and what they must be."""

import gzip
import hashlib
import zipfile
from dataclasses import replace

import pytest
import torch

from pdenca.core import BadInputError, FormatError
from pdenca.datasets.digits import Digits, cache_folder, load_digits, places, write_idx
from pdenca.datasets.digits import emnist as emnist_module
from pdenca.datasets.digits import families as families_module
from pdenca.datasets.digits.families import (
    CLOTHES,
    FAMILIES,
    FASHION,
    FASHION_CHECKSUMS,
    LETTERS_PER_CLASS,
    load_family,
)
from pdenca.datasets.digits.folders import write_folder
from pdenca.datasets.letters import LETTERS


def blank(number):
    return torch.zeros(number, 28, 28, dtype=torch.uint8)


def put(folder, labels, start="train-", end=".gz"):
    """Write a split of blank images into a folder."""
    write_idx(folder / f"{start}images-idx3-ubyte{end}", blank(len(labels)))
    write_idx(folder / f"{start}labels-idx1-ubyte{end}", torch.tensor(labels).to(torch.uint8))


def test_a_folder_names_its_classes(tmp_path):
    put(tmp_path, [0, 11, 2])
    with pytest.raises(FormatError, match=r"the label 11, expected 0 to 9; usual cure: a classes\.txt"):
        load_digits("train", tmp_path)
    names = [f"Größe {number}" for number in range(12)]
    (tmp_path / "classes.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    digits = load_digits("train", tmp_path)
    assert digits.classes == tuple(names)
    assert digits.select(torch.tensor([1])).classes == tuple(names)
    assert digits.labels.tolist() == [0, 11, 2]


def test_without_names_there_are_ten_digits(tmp_path):
    put(tmp_path, [9, 0])
    assert load_digits("train", tmp_path).classes == tuple("0123456789")
    assert Digits(blank(1), torch.zeros(1, dtype=torch.int64)).classes == tuple("0123456789")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "has 0 names"),
        (b"a\n\nb\n", "an empty name in line 2"),
        (b"a\nb\na\n", "the name 'a' twice"),
        (b"a\n\xff\n", "cannot be read"),
        ("\n".join(map(str, range(257))).encode(), "has 257 names"),
        (b"a\nb\n", "the label 2, expected 0 to 1"),
    ],
)
def test_damaged_names_are_told(tmp_path, content, named):
    put(tmp_path, [0, 1, 2])
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(FormatError, match=named):
        load_digits("train", tmp_path)


def test_what_is_written_is_read_and_not_written_over(tmp_path):
    generator = torch.Generator().manual_seed(1)
    splits = {
        split: Digits(
            torch.randint(0, 256, (number, 28, 28), generator=generator).to(torch.uint8),
            torch.arange(number) % 3,
            ("a", "b", "c"),
        )
        for split, number in (("train", 6), ("test", 3))
    }
    assert {path.name for path in write_folder(tmp_path, splits)} == {
        path.name for path in tmp_path.iterdir()
    }
    for split, digits in splits.items():
        found = load_family("mnist", split, tmp_path)
        assert torch.equal(found.images, digits.images)
        assert torch.equal(found.labels, digits.labels)
        assert found.classes == digits.classes
    with pytest.raises(BadInputError, match=r"already holds classes\.txt, train-images"):
        write_folder(tmp_path, splits)
    other = {**splits, "test": replace(splits["test"], classes=("a", "b"))}
    with pytest.raises(BadInputError, match="of the same classes"):
        write_folder(tmp_path / "new", other)
    assert not (tmp_path / "new").exists()


def test_unknown_families_splits_and_samples_are_told(nowhere):
    assert list(FAMILIES) == ["mnist", "fashion-mnist", "emnist-letters", "letters"]
    with pytest.raises(BadInputError, match="no family of images 'kmnist'; expected one of mnist, fashion"):
        load_family("kmnist", "train")
    for name in FAMILIES:
        with pytest.raises(BadInputError, match="splits train and test, got 'valid'"):
            load_family(name, "valid")
    for name in ("fashion-mnist", "emnist-letters"):
        with pytest.raises(BadInputError, match=f"no sample of {name} comes with pdenca"):
            load_family(name, "train", sample=True)
    assert len(load_family("mnist", "test", sample=True)) == 500


@pytest.fixture
def fashion(monkeypatch, tmp_path, nowhere):
    """A pretended Fashion-MNIST of two clothes, checksums of its own, and which files were asked for."""
    put(tmp_path / "far", [3, 9])
    files = {path.name: path.read_bytes() for path in (tmp_path / "far").iterdir()}
    for name, content in files.items():
        checksum = hashlib.sha256(gzip.decompress(content)).hexdigest()
        monkeypatch.setitem(FASHION_CHECKSUMS, name.removesuffix(".gz"), checksum)
    monkeypatch.setattr(families_module, "FASHION", replace(FASHION, installed=tmp_path / "system"))
    asked = []

    def read(url):
        asked.append(url)
        return files[url.rpartition("/")[2]]

    monkeypatch.setattr(places, "read_url", read)
    return files, asked


def test_clothes_come_from_their_mirror_once(fashion, tmp_path):
    _, asked = fashion
    digits = load_family("fashion-mnist", "train")
    assert digits.labels.tolist() == [3, 9]
    assert digits.classes == CLOTHES
    assert len(CLOTHES) == 10
    assert len(asked) == 2
    assert all(url.startswith(FASHION.mirrors[0]) for url in asked)
    assert load_family("fashion-mnist", "train").labels.tolist() == [3, 9]
    assert len(asked) == 2
    assert (tmp_path / "cache" / "pdenca" / "fashion-mnist" / "train-labels-idx1-ubyte.gz").is_file()
    assert not cache_folder().exists()  # MNIST's: the files have the same names


def test_clothes_of_a_mirror_or_the_system_must_be_clothes(fashion, tmp_path):
    files, asked = fashion
    good = files["train-labels-idx1-ubyte.gz"]
    files["train-labels-idx1-ubyte.gz"] = gzip.compress(gzip.decompress(good)[:-1] + b"\1")
    with pytest.raises(FormatError, match=r"is not Fashion-MNIST's file: its SHA-256 is"):
        load_family("fashion-mnist", "train")
    files["train-labels-idx1-ubyte.gz"] = good
    put(tmp_path / "system", [3, 9])
    asked.clear()
    assert load_family("fashion-mnist", "train").labels.tolist() == [3, 9]
    assert asked == []
    put(tmp_path / "system", [4, 9])
    with pytest.raises(FormatError, match=r"system/train-labels-idx1-ubyte\.gz is not Fashion-MNIST's"):
        load_family("fashion-mnist", "train")
    # in a folder of one's own they are anybody's data
    put(tmp_path / "own", [1])
    assert load_family("fashion-mnist", "train", tmp_path / "own").classes == CLOTHES


def test_clothes_have_a_folder_below_the_variable(fashion, monkeypatch, tmp_path):
    put(tmp_path / "data", [1])
    monkeypatch.setenv("PDENCA_DATA", str(tmp_path / "data"))
    assert load_family("fashion-mnist", "train").labels.tolist() == [1]
    put(tmp_path / "data" / "fashion-mnist", [2])
    assert load_family("fashion-mnist", "train").labels.tolist() == [2]
    assert load_family("mnist", "train").labels.tolist() == [1]


# what EMNIST's files hold: letters lying on their side, numbered from 1
LYING = torch.arange(3 * 28 * 28).view(3, 28, 28).remainder(251).to(torch.uint8)
NUMBERS = torch.tensor([1, 26, 3]).to(torch.uint8)


def put_emnist(folder, numbers=NUMBERS, end=".gz"):
    write_idx(folder / f"emnist-letters-train-images-idx3-ubyte{end}", LYING)
    write_idx(folder / f"emnist-letters-train-labels-idx1-ubyte{end}", numbers)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A pretended gzip.zip with a checksum of its own."""
    put_emnist(tmp_path / "packed")
    path = tmp_path / "emnist" / "gzip.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as packed:
        for file in (tmp_path / "packed").iterdir():
            packed.write(file, f"gzip/{file.name}")
    monkeypatch.setattr(emnist_module, "ARCHIVE_CHECKSUM", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def check_emnist(letters):
    assert torch.equal(letters.images, LYING.transpose(1, 2))
    assert letters.images.is_contiguous()
    assert letters.labels.tolist() == [0, 25, 2]
    assert letters.classes == tuple("abcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize(("below", "end"), [("", ".gz"), ("", ""), ("gzip", ".gz")])
def test_emnist_is_read_from_a_folder(tmp_path, below, end):
    put_emnist(tmp_path / below, end=end)
    check_emnist(load_family("emnist-letters", "train", tmp_path))


def test_emnist_is_read_from_its_archive(archive, monkeypatch):
    check_emnist(load_family("emnist-letters", "train", archive.parent))
    monkeypatch.setenv("PDENCA_DATA", str(archive.parent))
    check_emnist(load_family("emnist-letters", "train"))
    with pytest.raises(FormatError, match=r"gzip\.zip: gzip/emnist-letters-test-images.* cannot be read"):
        load_family("emnist-letters", "test", archive.parent)


def test_another_archive_is_refused(archive):
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(FormatError, match="is not EMNIST's archive: its SHA-256 is"):
        load_family("emnist-letters", "train", archive.parent)


def test_without_emnist_one_sentence_says_where_it_is(tmp_path, nowhere):
    for told in (None, tmp_path):
        with pytest.raises(
            BadInputError, match=r"fetch gzip\.zip \(536 MB\) from https://biometrics\.nist\.gov"
        ):
            load_family("emnist-letters", "train", told)


@pytest.mark.parametrize("numbers", [(0, 1, 2), (1, 2, 27)])
def test_another_split_of_emnist_is_refused(tmp_path, numbers):
    put_emnist(tmp_path, torch.tensor(numbers).to(torch.uint8))
    with pytest.raises(
        FormatError, match="expected 1 to 26; usual cure: the file of EMNIST's split 'letters'"
    ):
        load_family("emnist-letters", "train", tmp_path)


@pytest.fixture
def drawn(monkeypatch, nowhere):
    """Letters that are drawn quickly: how many of each, each time."""
    times = []

    def make(split, number):
        times.append((split, number))
        images = blank(26 * number)
        images[:, 0, 0] = len(times)
        return Digits(images, torch.arange(26 * number) % 26, LETTERS)

    monkeypatch.setattr(families_module, "make_letters", make)
    return times


def test_letters_are_drawn_once_and_kept(drawn, tmp_path):
    for _ in range(2):
        assert len(load_family("letters", "test")) == 2600
    assert drawn == [("test", 100)]
    assert LETTERS_PER_CLASS == {"train": 600, "test": 100}
    folder = tmp_path / "cache" / "pdenca" / "letters"
    kind = ("images-idx3", "labels-idx1")
    assert {path.name for path in folder.iterdir()} == {f"letters-v1-test-{name}-ubyte.gz" for name in kind}


def test_letters_that_were_cut_short_are_drawn_again(drawn, monkeypatch, tmp_path):
    folder = tmp_path / "cache" / "pdenca" / "letters"

    def break_off(path, values):
        if "labels" in path.name:
            raise OSError("killed")
        write_idx(path, values)

    with monkeypatch.context() as patch:
        patch.setattr(families_module, "write_idx", break_off)
        with pytest.raises(OSError, match="killed"):
            load_family("letters", "test")
    assert load_family("letters", "test").images[0, 0, 0] == 2
    assert not list(folder.glob(".*"))
    next(folder.glob("*labels*")).write_bytes(b"nonsense")
    with pytest.raises(FormatError, match="remove both files of letters-v1-test, to have them made again"):
        load_family("letters", "test")


def test_a_folder_of_letters_must_name_them(tmp_path):
    put(tmp_path, [1, 2])
    with pytest.raises(FormatError, match="does not name the letters A to Z"):
        load_family("letters", "train", tmp_path)
    (tmp_path / "classes.txt").write_text("\n".join(LETTERS), encoding="utf-8")
    assert load_family("letters", "train", tmp_path).classes == LETTERS
    with pytest.raises(BadInputError, match=r"has no t10k-images.* made by `pdenca digits letters"):
        load_family("letters", "test", tmp_path)


def test_the_sample_of_letters_is_drawn_on_the_spot(nowhere, tmp_path):
    pytest.importorskip("HersheyFonts")
    letters = load_family("letters", "test", sample=True)
    assert len(letters) == 260
    assert torch.bincount(letters.labels).tolist() == [10] * 26
    assert not (tmp_path / "cache").exists()
