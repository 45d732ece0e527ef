"""Which faces letters are drawn in, of which families they are, and which families are kept for the test."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from pdenca.core import BadInputError

LETTERS: Final = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

STROKES: Final = {
    "rowmans": "Hershey Sans",
    "rowmand": "Hershey Sans",
    "timesr": "Hershey Times",
    "timesrb": "Hershey Times",
    "timesi": "Hershey Times",
    "timesib": "Hershey Times",
    "scripts": "Hershey Script",
    "scriptc": "Hershey Script",
}
"""Stroke fonts by Hershey -> family. The package's others are not Latin, hold symbols, repeat these
glyph by glyph, or are blackletter, where I is like J and doubled strokes would run together at this size."""

OUTLINES: Final = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmr10", "cmb10", "cmti10", "cmmi10", "cmss10", "cmtt10", "cmsy10"),
)
"""Files of matplotlib's that have capital letters; its others hold symbols."""

SUFFIXES: Final = (".ttf", ".otf", ".woff", ".woff2")

SPLIT_SEED: Final = 101
"""Decides which families are kept for the test. The smallest number with which these are, of the ten that
come with the packages, Hershey Times, one outline family with serifs and one without: STIX, DejaVu Sans."""
_TEST_SHARE: Final = 0.3

# what tells faces of one family apart, at the end of its name; a typewriter face repeats its family's shapes
_STYLE: Final = re.compile(
    "thin|hairline|light|regular|book|normal|medium|bold|black|heavy|(semi|demi|extra|ultra)(light|bold)?|"
    "italic|oblique|cond|condensed|narrow|compressed|extended|expanded|mono|display|text|caption",
    re.IGNORECASE,
)
# families whose names in their files do not say that they belong together
_KNOWN_AS: Final = {
    "stixgeneral": "STIX",
    **dict.fromkeys(("cmr10", "cmb10", "cmti10", "cmmi10"), "Computer Modern Roman"),
    "cmss10": "Computer Modern Sans",
    "cmtt10": "Computer Modern Typewriter",
    "cmsy10": "Computer Modern Calligraphic",
}
_SYMBOLS: Final = re.compile(
    r"symbol|dingbat|wingding|webding|\bicons?\b|emoji|awesome|barcode|last ?resort", re.I
)
_PROBE: Final = 40  # pixels: large enough to tell letters apart


@dataclass(frozen=True)
class Face:
    """One way to draw the letters.

    Arguments:
        family: faces of one family are in the same split.
        name: of a font by Hershey, or of the file.
        path: the file of an outline font; None for strokes.
    """

    family: str
    name: str
    path: Path | None = None


def is_for_test(family: str) -> bool:
    """Return whether a family is kept for the test: a function of its name alone.

    So another folder of fonts never moves a family from one split to the other.
    """
    digest = hashlib.sha256(f"{SPLIT_SEED}/{family.casefold()}".encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32 < _TEST_SHARE


def family_of(name: str) -> str:
    """Return the family that a font's name belongs to: without weight, slant and width.

    >>> family_of("DejaVu Sans Mono"), family_of("Open Sans Condensed Light"), family_of("cmti10")
    ('DejaVu Sans', 'Open Sans', 'Computer Modern Roman')
    """
    words = name.split()
    while len(words) > 1 and _STYLE.fullmatch(words[-1]):
        words.pop()
    plain = " ".join(words)
    return _KNOWN_AS.get(plain.casefold(), plain)


def find_faces(fonts: Path | None = None) -> tuple[list[Face], dict[str, str]]:
    """Return all faces, and which files were left out why.

    Arguments:
        fonts: a folder with outline fonts of one's own, beside those that come with the packages.

    Raises:
        BadInputError: if the folder is none, or has no face that can be used.
    """
    faces = [Face(family, name) for name, family in STROKES.items()]
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    seen: set[bytes] = set()
    for path in (folder / f"{name}.ttf" for name in OUTLINES):
        face = _examine(path, seen)
        if isinstance(face, str):
            raise BadInputError(
                f"{path}, a font of matplotlib's, {face}; usual cure: install matplotlib again"
            )
        faces.append(face)
    left_out: dict[str, str] = {}
    if fonts is None:
        return faces, left_out
    if not fonts.is_dir():
        raise BadInputError(f"{fonts} is no folder; expected one with {', '.join(SUFFIXES)} files")
    own = []
    for path in sorted(path for path in fonts.rglob("*") if path.suffix.lower() in SUFFIXES):
        face = _examine(path, seen)
        if isinstance(face, str):
            left_out[str(path.relative_to(fonts))] = face
        else:
            own.append(face)
    if not own:
        why = "; ".join(f"{name} {reason}" for name, reason in list(left_out.items())[:3])
        raise BadInputError(
            f"{fonts} has no font with capital letters that pdenca has not already"
            f"{f' ({why})' if why else ''}; expected {', '.join(SUFFIXES)} files"
        )
    return faces + own, left_out


def faces_of(split: str, faces: Iterable[Face]) -> dict[str, list[Face]]:
    """Return the families of a split, by name, and the faces of each, in the order given."""
    found: dict[str, list[Face]] = {}
    for face in faces:
        if is_for_test(face.family) == (split == "test"):
            found.setdefault(face.family, []).append(face)
    return dict(sorted(found.items()))


def letter_mask(font: ImageFont.FreeTypeFont, letter: str) -> Image.Image:
    """Return a letter in black (0) and white (255: ink), as tall and wide as its ink."""
    left, top, right, bottom = (int(edge) for edge in font.getbbox(letter))
    image = Image.new("L", (max(right - left, 1), max(bottom - top, 1)))
    ImageDraw.Draw(image).text((-left, -top), letter, font=font, fill=255)
    inked = image.getbbox()
    return image.crop(inked) if inked else image


def open_font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """Open an outline font, laid out without the machine's own text engine."""
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def _examine(path: Path, seen: set[bytes]) -> Face | str:
    """Return the face of a file, or why it is none; remember what its letters look like."""
    try:
        font = open_font(path, _PROBE)
        name = font.getname()[0] or path.stem
        masks = [_content(letter_mask(font, letter)) for letter in LETTERS]
        missing = _content(letter_mask(font, "\U0010fffd"))
    except (OSError, ValueError) as error:
        return f"cannot be read ({error})"
    if _SYMBOLS.search(name):
        return "holds symbols"
    if not all(any(pixels) for _, pixels in masks) or len({*masks, missing}) <= len(masks):
        return "has no capital letters A to Z, each with a shape of its own"
    looks = hashlib.sha256(repr(masks).encode()).digest()
    if looks in seen:
        return "repeats another one letter by letter"
    seen.add(looks)
    return Face(family_of(name), path.name, path)


def _content(image: Image.Image) -> tuple[tuple[int, int], bytes]:
    return image.size, image.tobytes()


def strokes_of() -> Iterator[tuple[str, dict[str, list[list[tuple[float, float]]]]]]:
    """Yield fonts by Hershey: (name, letter -> strokes, each a list of points x, y with y downwards).

    Raises:
        BadInputError: without the package that has them.
    """
    try:
        from HersheyFonts import HersheyFonts
    except ImportError as error:
        raise BadInputError(
            f"synthetic letters need Hershey-Fonts ({error}); usual cure: pip install 'pdenca[letters]'"
        ) from None
    package = HersheyFonts()
    for name in STROKES:
        package.load_default_font(name)
        yield name, {letter: _points(package.strokes_for_text(letter)) for letter in LETTERS}


def _points(strokes: Iterable[Iterable[tuple[float, float]]]) -> list[list[tuple[float, float]]]:
    lines = [[(float(x), float(y)) for x, y in stroke] for stroke in strokes]
    return [line for line in lines if len(line) > 1]  # one point draws nothing
