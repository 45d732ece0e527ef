"""Letters drawn at random: turned, sheared, scaled, warped, with pens of any width, many at a time."""

from collections.abc import Sequence
from math import pi
from typing import Final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from pdenca.datasets.digits import SIDE

from .glyphs import EXTENT, Glyph

BOX: Final = 20.0
"""Cells along each side of the box that a letter stays in, but for the warp."""
ROTATION: Final = 15.0  # degrees, either way
SHEAR: Final = 0.2  # either way
SCALE: Final = (0.8, 1.1)
SHIFT: Final = 2.0  # cells, along each axis, either way
PEN: Final = (0.8, 1.6)  # half the width of lines (cells)
_WARP: Final = 0.6  # cells: standard deviation at the knots
_KNOTS: Final = 5  # of the warp, along each axis
_THINNED: Final = 0.15  # cells that the edges of an outline may be taken back: hairlines must stay
_PAPER: Final = 1  # cells along the edge of the image that are left blank
_FINER: Final = 2  # points along each side of a cell that are averaged

Transformation = Float[Tensor, "letter 2 2"]


def draw(glyphs: Sequence[Glyph], generator: torch.Generator) -> UInt8[Tensor, "letter 28 28"]:
    """Draw letters, each in a way of its own.

    A letter is turned by up to 15 degrees, sheared by up to 0.2, scaled by 0.8 to 1.1 (less, if it would not
    stay within 20 x 20 cells), and warped smoothly; its centre of mass is put at the centre of the image, and
    it is moved by up to 2 cells along each axis, as far as it then stays on the paper.

    Arguments:
        glyphs: what is drawn.
        generator: source of all that is random.

    Returns:
        Grey values, 0 (paper) to 255 (ink).
    """
    number = len(glyphs)
    distance = torch.stack([glyph.distance for glyph in glyphs])
    half_width = torch.tensor([glyph.half_width for glyph in glyphs])
    corners = torch.stack([glyph.corners for glyph in glyphs])

    turn, shear, size, pen, across, down = torch.rand(6, number, generator=generator)
    warp = _WARP * torch.randn(number, 2, _KNOTS, _KNOTS, generator=generator)
    matrix = _matrix(_within(turn, -ROTATION, ROTATION) * pi / 180, _within(shear, -SHEAR, SHEAR))
    matrix = matrix * _within(size, *SCALE)[:, None, None]
    pen = _within(pen, *PEN)
    shift = torch.stack([_within(across, -SHIFT, SHIFT), _within(down, -SHIFT, SHIFT)], 1)

    wider = (pen - half_width).clamp(min=-_THINNED)  # by which the ink reaches over its edge
    box = corners @ matrix.mT
    size = (box.amax(1) - box.amin(1)).amax(1)
    matrix = matrix * ((BOX - 2 * wider) / size).clamp(max=1)[:, None, None]
    box = corners @ matrix.mT
    middle = (box.amax(1) + box.amin(1)) / 2

    # where its mass comes to lie shows only when it is drawn; the second time it is drawn in its place
    image = _render(distance, matrix, warp, -middle, wider, 1)
    place = -middle + _to_place(image, shift)
    return (255 * _render(distance, matrix, warp, place, wider, _FINER)).round().to(torch.uint8)


def _within(share: Float[Tensor, " letter"], low: float, high: float) -> Float[Tensor, " letter"]:
    return low + (high - low) * share


def _matrix(turn: Float[Tensor, " letter"], shear: Float[Tensor, " letter"]) -> Transformation:
    """Return what shears along the lines and then turns."""
    cosine, sine, zero = turn.cos(), turn.sin(), torch.zeros_like(turn)
    turned = torch.stack([cosine, -sine, sine, cosine], 1).view(-1, 2, 2)
    sheared = torch.stack([zero + 1, shear, zero, zero + 1], 1).view(-1, 2, 2)
    return turned @ sheared


def _render(
    distance: Float[Tensor, "letter row column"],
    matrix: Transformation,
    warp: Float[Tensor, "letter 2 knot knot"],
    place: Float[Tensor, "letter 2"],
    wider: Float[Tensor, " letter"],
    finer: int,
) -> Float[Tensor, "letter 28 28"]:
    """Return the ink, 0 to 1, with so many points along each side of a cell."""
    axis = (torch.arange(SIDE * finer) + 0.5) / finer - SIDE / 2
    cells = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    points = cells - place[:, None, None]
    # the warp lies on the letter, not on the paper: it moves with it
    moved = nn.functional.grid_sample(
        warp, points / (SIDE / 2), mode="bicubic", padding_mode="border", align_corners=True
    ).permute(0, 2, 3, 1)
    origin = torch.einsum("nij,nxyj->nxyi", torch.linalg.inv(matrix), points + moved)
    found = nn.functional.grid_sample(
        distance[:, None], origin / (EXTENT / 2), padding_mode="border", align_corners=False
    )[:, 0]
    scale = torch.linalg.det(matrix).sqrt()
    ink = (found * scale[:, None, None] + wider[:, None, None] + 0.5).clamp(0, 1)
    return nn.functional.avg_pool2d(ink, finer) if finer > 1 else ink


def _to_place(
    image: Float[Tensor, "letter 28 28"], shift: Float[Tensor, "letter 2"]
) -> Float[Tensor, "letter 2"]:
    """Return how letters are moved: the centre of mass to the middle, the shift, and back onto the paper."""
    number = torch.arange(SIDE, dtype=image.dtype)
    moves = []
    for axis, along in ((1, shift[:, 0]), (2, shift[:, 1])):  # columns: the sum over rows
        profile = image.sum(axis)
        centre = (profile * number).sum(1) / profile.sum(1)
        inked = profile > 0
        first = inked.to(torch.uint8).argmax(1)
        last = SIDE - 1 - inked.flip(1).to(torch.uint8).argmax(1)
        wanted = (SIDE - 1) / 2 - centre + along
        lowest, highest = _PAPER - first.to(wanted), SIDE - 1 - _PAPER - last.to(wanted)
        moves.append(torch.maximum(torch.minimum(wanted, highest), lowest))
    return torch.stack(moves, 1)
