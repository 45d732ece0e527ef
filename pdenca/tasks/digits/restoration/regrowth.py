"""Restoration as a movie: digits grow out of their damage, lose part of their cells, and grow back."""

from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca import plots
from pdenca.core import BadInputError
from pdenca.datasets.digits import Digits
from pdenca.training import step_generator

from ..judging import judging
from .damage import Damage
from .models import Restorer
from .pictures import cells_of, damaged_as_judged, upright

FRAMES_PER_SECOND: Final = 5
HELD: Final = 6
"""Frames for which the start, the wound and the end are shown."""
MOST_STEPS: Final = 300
_WIDTH: Final = 300  # of a panel, about (pixels)


@dataclass(frozen=True, eq=False)
class Regrowth:
    """Digits step by step, wounded on the way.

    Arguments:
        whole: the true digits.
        film: grey values, the damaged input and what was read off after every step.
        wounded: the step with whose end cells lose their state.
        lost: the pixels over those cells.
        share: of the cells, that are lost.
    """

    whole: Float[Tensor, "digit 28 28"]
    film: Float[Tensor, "digit frame 28 28"]
    wounded: int
    lost: Bool[Tensor, "digit 28 28"]
    share: float

    def marked(self) -> Float[Tensor, "digit frame 28 28"]:
        """Return the film with NaN where cells have just lost their state, in that frame alone."""
        film = self.film.clone()
        film[:, self.wounded][self.lost] = torch.nan
        return film


def regrow(
    restorer: Restorer,
    digits: Digits,
    damage: Damage,
    num_digits: int = 4,
    *,
    share: float = 0.3,
    num_steps: int | None = None,
    seed: int = 0,
) -> Regrowth:
    """Let digits be restored, and wound them after half of the steps.

    A random share of the cells loses its state, all channels of it, and no longer sees the damaged image: the
    wound of the evaluation. Known pixels are put back if the restorer keeps them, but not under the wound.

    Arguments:
        restorer: a trained one, with cells.
        digits: the first of them are shown.
        damage: what is done to them, as in the evaluation.
        num_digits: how many.
        share: of the cells, above 0 and up to 1.
        num_steps: as many as in training by default.
        seed: of damage and wound; 0 is that of the evaluation.

    Raises:
        BadInputError: for a restorer without cells, without digits or steps to show, or another share.
    """
    body = cells_of(restorer)
    num_steps = restorer.num_steps if num_steps is None else num_steps
    if not 1 <= num_digits <= len(digits):
        raise BadInputError(
            f"got {num_digits} digits to show; expected 1 to {len(digits)}, as many as there are"
        )
    if not 0 < share <= 1 or num_steps < 1:
        raise BadInputError(
            f"got a wound of {share} of the cells in {num_steps} steps; expected more than 0 and up to 1, in "
            "at least 1 step"
        )
    whole, damaged, known = damaged_as_judged(digits, damage, range(num_digits), seed)
    after = max(1, num_steps // 2)
    wound = body.wound(num_digits, share, after, step_generator(seed, "test wound", 0))
    with judging(restorer):
        film = restorer.film(damaged, known, num_steps=num_steps, wound=wound)
        lost = body.on_image(wound.alive) == 0
    return Regrowth(whole, torch.cat((damaged[:, None], film), 1), after, lost, share)


def save_regrowth(found: Regrowth, path: Path | str) -> Path:
    """Write a movie: the true digits, the damaged ones, and what is read off step by step.

    Pixels over cells that have just lost their state are grey. The start, the wound and the end are held for
    a while. Of more than 300 steps some are left out, but none of those three.

    Arguments:
        found: what to show.
        path: ends in .mp4, .gif or .webp.

    Returns:
        The path.

    Raises:
        BadInputError: for another suffix, or MP4 without the extra ``movie``.
    """
    last = found.film.shape[1] - 1
    steps = np.linspace(0, last, min(last, MOST_STEPS) + 1).round().astype(int).tolist()
    ends = {0, found.wounded, last}
    shown = [step for step in sorted({*steps, *ends}) for _ in range(HELD if step in ends else 1)]
    restored = _sheet(found.marked()[:, shown].clamp(0, 1))
    still = {
        name: _sheet(images[:, None]).expand_as(restored)
        for name, images in (("true", found.whole), ("damaged", found.film[:, 0]))
    }
    name = f"restored; grey: {100 * found.share:.3g} % lost at t = {found.wounded}"
    return plots.save_movie(
        {**still, name: restored},
        shown,
        path,
        time_unit="steps",
        scale=max(2, round(_WIDTH / max(restored.shape[1:]))),
        frames_per_second=FRAMES_PER_SECOND,
        max_frames=len(shown),
    )


def _sheet(films: Float[Tensor, "digit frame 28 28"]) -> Float[Tensor, "frame wide high"]:
    """Lay digits out in rows of equal length, the first at the upper left, upright as movies want it."""
    count = len(films)
    rows = next(rows for rows in range(isqrt(count), 0, -1) if count % rows == 0)
    lines = films.unflatten(0, (rows, -1)).permute(2, 0, 3, 1, 4)  # frame, row, down, column, right
    sheet = lines.flatten(3).flatten(1, 2)
    return torch.stack([upright(frame) for frame in sheet])
