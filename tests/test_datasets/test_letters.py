"""Synthetic letters: the same again, whole, in their place, and no family in both splits."""

import shutil
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch

from pdenca.core import BadInputError
from pdenca.datasets import letters as letters_module
from pdenca.datasets.letters import LETTERS, drawing, faces, families_of, left_out, make_letters
from pdenca.datasets.letters.faces import SPLIT_SEED, family_of, find_faces, is_for_test
from pdenca.datasets.letters.glyphs import BODY, EXTENT, Foundry, from_outline, from_strokes

pytest.importorskip("HersheyFonts")

FOLDER = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@pytest.fixture(scope="module")
def letters():
    return make_letters("train", 6, seed=1)


def test_the_same_arguments_make_the_same_letters(letters):
    again = make_letters("train", 6, seed=1)
    assert torch.equal(again.images, letters.images)
    assert torch.equal(again.labels, letters.labels)
    assert not torch.equal(make_letters("train", 6, seed=2).images, letters.images)


def test_all_letters_are_there_equally_often(letters):
    assert letters.classes == LETTERS == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert torch.bincount(letters.labels).tolist() == [6] * 26
    assert letters.labels[:26].tolist() == list(range(26))  # so the first ones show all of them
    assert len({image.numpy().tobytes() for image in letters.images}) == len(letters)


def test_letters_look_like_those_who_write_mnist(letters):
    ink = letters.images.float() / 255
    share = ink.mean((1, 2))
    assert 0.1 < float(share.mean()) < 0.16  # MNIST: 0.13
    assert float(share.min()) > 0.02
    assert float(share.max()) < 0.35
    assert bool((ink.amax((1, 2)) > 0.7).all())
    # edges are grey, not jagged
    between = ((ink > 0.1) & (ink < 0.9)).float().mean()
    assert 0.05 < float(between) < 0.2


def test_letters_are_in_the_middle_and_whole(letters):
    ink = letters.images.float()
    number = torch.arange(28.0)
    for axis in (1, 2):
        profile = ink.sum(axis)
        centre = (profile * number).sum(1) / profile.sum(1) - 13.5
        assert float(centre.abs().max()) < drawing.SHIFT + 0.5
        assert abs(float(centre.mean())) < 0.4
        wide = (profile > 0.2 * 255).sum(1)
        assert int(wide.max()) <= drawing.BOX + 3  # the warp
        assert 13 <= float(wide.float().mean()) <= 20
    for edge in (ink[:, 0], ink[:, -1], ink[:, :, 0], ink[:, :, -1]):
        assert float(edge.max()) < 0.3 * 255  # nothing is cut off


def test_a_letter_is_neither_mirrored_nor_turned(generator):
    # both kinds of fonts: L has its foot at the bottom right
    strokes = dict(faces.strokes_of())["rowmans"]["L"]
    outline = faces.Face("DejaVu Sans", "DejaVuSans.ttf", FOLDER / "DejaVuSans.ttf")
    for glyph in (from_strokes(strokes, False, np.random.default_rng(0)), from_outline(outline, "L")):
        side = len(glyph.distance)
        ink = glyph.distance > -0.5
        assert not ink[: side // 3, side // 2 + 3 :].any()
        assert ink[2 * side // 3 :, side // 2 + 3 :].any()
        assert float(ink.any(1).sum()) * EXTENT / side == pytest.approx(BODY + 1, abs=2)
    image = drawing.draw([glyph] * 8, generator).float().mean(0)
    assert float(image[18:, 14:].sum()) > 5 * float(image[:10, 14:].sum())


def test_no_family_is_in_both_splits():
    train, test = families_of("train"), families_of("test")
    assert not set(train) & set(test)
    # the choice is fixed: whoever changes it changes what was measured
    assert SPLIT_SEED == 101
    assert test == ("DejaVu Sans", "Hershey Times", "STIX")
    assert train == (
        "Computer Modern Calligraphic",
        "Computer Modern Roman",
        "Computer Modern Sans",
        "Computer Modern Typewriter",
        "DejaVu Serif",
        "Hershey Sans",
        "Hershey Script",
    )


def test_the_splits_are_drawn_in_their_own_families(monkeypatch):
    used = set()

    class Watched(Foundry):
        def glyph(self, face, letter, variant):
            used.add(face.family)
            return super().glyph(face, letter, variant)

    monkeypatch.setattr(letters_module, "Foundry", Watched)
    for split in ("train", "test"):
        used.clear()
        make_letters(split, 2)
        assert used == set(families_of(split))


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("DejaVu Sans Mono", "DejaVu Sans"),
        ("Open Sans Semibold Italic", "Open Sans"),
        ("Source Serif Extra Light", "Source Serif"),
        ("STIXGeneral", "STIX"),
        ("cmb10", "Computer Modern Roman"),
        ("Bold", "Bold"),
    ],
)
def test_weights_and_slants_are_of_one_family(name, family):
    assert family_of(name) == family


def test_another_folder_moves_no_family(tmp_path):
    shutil.copy(FOLDER / "DejaVuSansDisplay.ttf", tmp_path)  # without capital letters
    shutil.copy(FOLDER / "STIXGeneral.ttf", tmp_path / "renamed.ttf")
    with pytest.raises(BadInputError, match=r"has no font with capital letters .*repeats another one"):
        make_letters("train", 1, fonts=tmp_path)
    resize(FOLDER / "cmtt10.ttf", tmp_path / "own.ttf")
    found = find_faces(tmp_path)[0]
    assert [face.name for face in found[-1:]] == ["own.ttf"]
    assert found[:-1] == find_faces()[0]
    assert set(left_out(tmp_path)) == {"DejaVuSansDisplay.ttf", "renamed.ttf"}
    split = "test" if is_for_test(found[-1].family) else "train"
    assert set(families_of(split, tmp_path)) >= set(families_of(split))
    assert len(make_letters(split, 1, fonts=tmp_path)) == 26


def resize(source, target):
    """Copy a font as a larger one, so that it is no copy: its unit is a smaller part of its height."""
    content = bytearray(source.read_bytes())
    for entry in range(12, 12 + 16 * int.from_bytes(content[4:6]), 16):
        if content[entry : entry + 4] == b"head":
            place = int.from_bytes(content[entry + 8 : entry + 12]) + 18
            content[place : place + 2] = (int.from_bytes(content[place : place + 2]) * 4 // 5).to_bytes(2)
    target.write_bytes(content)


def test_files_that_are_no_fonts_are_left_out(tmp_path):
    (tmp_path / "a.ttf").write_bytes(b"nonsense")
    (tmp_path / "LastResort.TTF").write_bytes((FOLDER / "LastResortHE-Regular.ttf").read_bytes())
    with pytest.raises(BadInputError, match=r"LastResort\.TTF .*; a\.ttf cannot be read"):
        find_faces(tmp_path)
    with pytest.raises(BadInputError, match="is no folder"):
        find_faces(tmp_path / "none")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("valid", 1), "splits train and test, got 'valid'"),
        (("train", 0), "got 0 of each"),
        (("train", 1, -1), "the seed -1"),
    ],
)
def test_what_does_not_fit_is_told(arguments, named):
    with pytest.raises(BadInputError, match=named):
        make_letters(*arguments)
    with pytest.raises(BadInputError, match="splits train and test"):
        families_of("valid")


def test_without_the_stroke_fonts_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "HersheyFonts", None)
    with pytest.raises(BadInputError, match=r"usual cure: pip install 'pdenca\[letters\]'"):
        make_letters("train", 1)
