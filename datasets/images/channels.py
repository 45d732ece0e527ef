"""What becomes of the channels: greys of a palette, an alpha channel that says nothing, other names."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pdenca.core import BadInputError

from .series import ALPHA, COLOURS, INTENSITY, ImageSeries


def settle_channels(
    series: Sequence[ImageSeries], names: Sequence[str] | None = None, alpha: bool | None = None
) -> list[ImageSeries]:
    """Keep the channels that say something, and name them.

    A palette whose colours are all greys becomes one channel. An alpha channel is kept if it is not the same
    everywhere, in all frames of all series, or if it is asked for.

    Arguments:
        series: with the same channels.
        names: what to call the channels; None: as they are called.
        alpha: keep the alpha channel (True) or not (False); None: if it says something.

    Raises:
        BadInputError: if an alpha channel is asked for and there is none, or there are more or fewer names
            than channels.
    """
    kept = list(series)
    if alpha and any(ALPHA not in item.channels for item in kept):
        raise BadInputError(
            f"an alpha channel is asked for, {kept[0].name} has only {', '.join(kept[0].channels)}; usual "
            "cure: leave out --alpha"
        )
    dropped = ""
    if ALPHA in kept[0].channels and not alpha and (alpha is False or _is_constant(kept, ALPHA)):
        kept = [_keep(item, [name for name in item.channels if name != ALPHA]) for item in kept]
        dropped = " (alpha was left out; --alpha keeps it)"
    if all(item.indexed and _is_grey(item) for item in kept):
        kept = [
            _keep(item, [name for name in item.channels if name not in COLOURS[1:]], red=INTENSITY)
            for item in kept
        ]
    if names is None:
        return kept
    found = kept[0].channels
    if len(names) != len(found):
        raise BadInputError(
            f"{len(names)} names of channels ({', '.join(names)}) do not fit the {len(found)} channels "
            f"{', '.join(found)}{dropped}; usual cure: a name for each"
        )
    return [replace(item, channels=tuple(names)) for item in kept]


def _is_constant(series: Sequence[ImageSeries], name: str) -> bool:
    values = [item.frames[:, item.channels.index(name)] for item in series]
    first = values[0].flat[0]
    return all(bool((channel == first).all()) for channel in values)


def _is_grey(series: ImageSeries) -> bool:
    red, green, blue = (series.frames[:, series.channels.index(name)] for name in COLOURS)
    return np.array_equal(red, green) and np.array_equal(red, blue)


def _keep(series: ImageSeries, names: Sequence[str], red: str = COLOURS[0]) -> ImageSeries:
    """Return some of the channels, red perhaps by another name."""
    indices = [series.channels.index(name) for name in names]
    renamed = tuple(red if name == COLOURS[0] else name for name in names)
    return replace(series, frames=series.frames[:, indices], channels=renamed)
