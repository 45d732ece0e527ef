"""Fields painted cell by cell onto small pictures with letters, for animations."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from .arrays import FloatArray
from .style import FIELD_MAP, NOT_FINITE_COLOUR, amount, format_number

# one palette for all frames: steps of the field's colour, then greys from white to ink for smooth letters
_NUM_LEVELS = 160
_NUM_GREYS = 16
_WHITE = _NUM_LEVELS
_LOST = _NUM_LEVELS + _NUM_GREYS
_INK_GREY = 38
_MARGIN, _GAP, _TOP, _BOTTOM = 8, 12, 26, 40


@dataclass(frozen=True, eq=False)
class Panel:
    """One field of one frame.

    Arguments:
        values: shape (x, y); x is drawn to the right, y upwards. Cells that are not finite are grey.
        limits: values of the first and the last colour.
        label: over the panel.
        bar: name and unit of the colour bar under the panel; None for no bar.
    """

    values: FloatArray
    limits: tuple[float, float]
    label: str
    bar: tuple[str, str] | None = None


def paint(panels: Sequence[Panel], caption: str, scale: int) -> Image.Image:
    """Paint fields of equal shape side by side, without smoothing.

    Arguments:
        panels: at least one. Of two or more, the first may leave the place under it to the caption by having
            no bar; else the caption gets a line of its own.
        caption: such as the time.
        scale: pixels per cell.

    Returns:
        A picture with a palette of its own.
    """
    wide, high = (size * scale for size in panels[0].values.shape)
    own_line = 0 if panels[0].bar is None else 20
    width = 2 * _MARGIN + len(panels) * wide + (len(panels) - 1) * _GAP
    canvas = np.full((_TOP + high + _BOTTOM + own_line, width), _WHITE, dtype=np.uint8)
    letters = Image.new("L", (canvas.shape[1], canvas.shape[0]))
    draw = ImageDraw.Draw(letters)
    ramp_top = _TOP + high + 7
    for number, panel in enumerate(panels):
        left = _MARGIN + number * (wide + _GAP)
        cells = _levels(panel.values.T[::-1], *panel.limits)
        canvas[_TOP : _TOP + high, left : left + wide] = np.kron(
            cells, np.ones((scale, scale), dtype=np.uint8)
        )
        draw.text((left, _TOP - 7), panel.label, fill=255, font=_font(13), anchor="ls")
        if panel.bar is not None:
            canvas[ramp_top : ramp_top + 8, left : left + wide] = (
                np.linspace(0, _NUM_LEVELS - 1, wide).round().astype(np.uint8)
            )
            name, unit = panel.bar
            texts = (format_number(panel.limits[0]), name, amount(panel.limits[1], unit))
            for place, text, anchor in zip((0, wide // 2, wide), texts, ("lm", "mm", "rm"), strict=True):
                draw.text((left + place, ramp_top + 20), text, fill=255, font=_font(11), anchor=anchor)
        if not np.isfinite(panel.values).any():
            draw.text((left + wide // 2, _TOP + high // 2), "diverged", fill=255, font=_font(14), anchor="mm")
    under = ramp_top + (32 if own_line else 12)
    draw.text((_MARGIN, under), caption, fill=255, font=_font(14), anchor="lm")
    ink = np.rint(np.asarray(letters) / 255 * (_NUM_GREYS - 1)).astype(np.uint8)
    visible = ink > np.where(canvas == _LOST, 2, 0)  # the palest greys are paler than a diverged panel
    picture = Image.fromarray(np.where(visible, _WHITE + ink, canvas).astype(np.uint8))
    picture.putpalette(_palette())
    return picture


def colour_limits(values: FloatArray) -> tuple[float, float]:
    """Return the range of the finite values, opened by 0.5 on either side if they are all equal."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return -0.5, 0.5
    low, high = float(finite.min()), float(finite.max())
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _palette() -> list[int]:
    colours = matplotlib.colormaps[FIELD_MAP](np.linspace(0, 1, _NUM_LEVELS), bytes=True)[:, :3]
    lost = tuple(int(NOT_FINITE_COLOUR[place : place + 2], 16) for place in (1, 3, 5))
    greys = [(round(grey),) * 3 for grey in np.linspace(255, _INK_GREY, _NUM_GREYS)]
    flat = [int(channel) for colour in (*colours, *greys, lost) for channel in colour]
    return flat + [0] * (768 - len(flat))


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size
    )


def _levels(values: FloatArray, low: float, high: float) -> npt.NDArray[np.uint8]:
    finite = np.isfinite(values)
    part = np.clip((np.where(finite, values, low) - low) / (high - low), 0, 1)
    return np.where(finite, np.rint(part * (_NUM_LEVELS - 1)), _LOST).astype(np.uint8)
