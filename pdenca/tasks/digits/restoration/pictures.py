"""Restoration as a film strip, and what all pictures of it share."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from pdenca import plots
from pdenca.core import BadInputError
from pdenca.datasets.digits import Digits
from pdenca.training import step_generator

from ..judging import judging, pieces
from .damage import Damage
from .lattice import LatticeBody
from .models import Restorer
from .settings import LATTICES

MOST_FRAMES = 6

Images = Float[Tensor, "batch 28 28"]


def film_strip(restorer: Restorer, digits: Digits, damage: Damage, num_digits: int = 4) -> Figure:
    """Draw digits as they are, damaged, and as they could be read off on the way; a row each.

    Arguments:
        restorer: a trained one.
        digits: the first of them are shown.
        damage: what is done to them, as in the evaluation.
        num_digits: how many.

    Raises:
        BadInputError: without digits to show.
    """
    if not 1 <= num_digits <= len(digits):
        raise BadInputError(
            f"got {num_digits} digits to show; expected 1 to {len(digits)}, as many as there are"
        )
    whole, damaged, known = damaged_as_judged(digits, damage, range(num_digits))
    with judging(restorer):
        film = restorer.film(damaged, known)
    steps = torch.linspace(0, film.shape[1] - 1, min(MOST_FRAMES, film.shape[1])).round().long().tolist()
    columns = {"true": whole, "damaged": damaged, **{f"step {1 + step}": film[:, step] for step in steps}}
    panels: dict[str, np.ndarray] = {}
    for row in range(num_digits):
        for name, images in columns.items():
            # the sheet wants every name once; zero-width spaces are not seen
            panels[name + "\u200b" * row] = upright(images[row].clamp(0, 1)).numpy()
    return plots.contact_sheet(panels, num_columns=len(columns))


def damaged_as_judged(
    digits: Digits, damage: Damage, chosen: Sequence[int], seed: int = 0
) -> tuple[Images, Images, Images]:
    """Damage some digits the way the evaluation damages them among all the others.

    Arguments:
        digits: whole ones.
        damage: what is done to them.
        chosen: which, counted from 0.
        seed: of the damage; 0 is that of the evaluation.

    Returns:
        (whole digits, damaged ones, 1 where a pixel is known), in the order asked for.

    Raises:
        BadInputError: for a number that no digit has.
    """
    for number in chosen:
        if not 0 <= number < len(digits):
            raise BadInputError(
                f"got the digit number {number}; expected 0 to {len(digits) - 1}, counted from the first; "
                "usual cure: a smaller number, or more data"
            )
    found: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
    done = 0
    for whole, _ in pieces(digits):
        own = [number for number in chosen if done <= number < done + len(whole)]
        if own:
            damaged, known = damage(whole, step_generator(seed, "test damage", done))
            found |= {at: (whole[at - done], damaged[at - done], known[at - done]) for at in own}
        done += len(whole)
    whole, damaged, known = (torch.stack(part) for part in zip(*(found[at] for at in chosen), strict=True))
    return whole, damaged, known


def cells_of(restorer: Restorer) -> LatticeBody:
    """Return the lattice of a restorer.

    Raises:
        BadInputError: if it has none.
    """
    if not isinstance(restorer.body, LatticeBody):
        raise BadInputError(
            f"the kind {restorer.settings.kind!r} answers at once and has no cells to look at; usual cure: "
            f"one of {', '.join(LATTICES)}"
        )
    return restorer.body


def upright(image: Float[Tensor, "rows columns"]) -> Float[Tensor, "columns rows"]:
    """Return an image as pictures of fields want it: a row runs downwards, their second axis upwards."""
    return image.T.flip(1)
