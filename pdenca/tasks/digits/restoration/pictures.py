"""Restoration as a film strip."""

import numpy as np
import torch
from matplotlib.figure import Figure

from pdenca import plots
from pdenca.core import BadInputError
from pdenca.datasets.digits import Digits
from pdenca.training import step_generator

from ..judging import judging, pieces
from .damage import Damage
from .models import Restorer

MOST_FRAMES = 6


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
    # damaged together, as the evaluation does it, so that its first digits look the same here
    whole, _ = next(pieces(digits))
    damaged, known = damage(whole, step_generator(0, "test damage", 0))
    whole, damaged, known = whole[:num_digits], damaged[:num_digits], known[:num_digits]
    with judging(restorer):
        film = restorer.film(damaged, known)
    steps = torch.linspace(0, film.shape[1] - 1, min(MOST_FRAMES, film.shape[1])).round().long().tolist()
    columns = {"true": whole, "damaged": damaged, **{f"step {1 + step}": film[:, step] for step in steps}}
    panels: dict[str, np.ndarray] = {}
    for row in range(num_digits):
        for name, images in columns.items():
            # a picture's rows run downwards, the sheet's second axis upwards
            # the sheet wants every name once; zero-width spaces are not seen
            panels[name + "\u200b" * row] = images[row].clamp(0, 1).T.flip(1).numpy()
    return plots.contact_sheet(panels, num_columns=len(columns))
