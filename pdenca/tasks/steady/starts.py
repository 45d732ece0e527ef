"""The starts of a dataset, and the steady states that they end in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.core import BadInputError, Context
from pdenca.datasets import load_split, splits_of
from pdenca.evaluation import DERIVED
from pdenca.evaluation.turned import moved
from pdenca.solvers import Equation, Grid
from pdenca.symmetry import D4

from ..splits import equation_of

TURNED: Final = "ood_rotation_90"
"""The derived split that is known here: everything turned by a quarter."""


@dataclass(frozen=True, eq=False)
class Starts:
    """The trajectories of a file, as the search for steady patterns sees them.

    Arguments:
        name: of the file: its regime.
        grid: the domain.
        context: parameters of each trajectory, float64.
        first: first frames.
        last: last frames; of what settled, the steady state.
        settled: which trajectories end in a steady state.
        equation: behind the data, with these parameters; None if it is unknown.
    """

    name: str
    grid: Grid
    context: Context
    first: Float[Tensor, "batch channel *space"]
    last: Float[Tensor, "batch channel *space"]
    settled: Bool[Tensor, " batch"]
    equation: Equation | None


def load_starts(
    data: Path, split: str, regimes: Sequence[str] | None = None, num_trajectories: int | None = None
) -> Iterator[Starts]:
    """Yield the starts of a split, file by file, in float64.

    Arguments:
        data: the dataset's folder; made by a ``steady-*`` recipe, its last frames are steady states.
        split: of the dataset, or ``ood_rotation_90``: ``test``, starts, ends and fields turned by a quarter.
        regimes: which files; all by default.
        num_trajectories: the first so many of each file; all by default.

    Raises:
        BadInputError: for an unknown split, or a derived one that asks for another truth than a turned one.
        FormatError: if a file is damaged.
    """
    derived = split not in splits_of(data) and split in DERIVED
    if derived and split != TURNED:
        raise BadInputError(
            f"split {split!r} changes where things come to rest, which nobody has solved for; expected a "
            f"stored split or {TURNED!r}"
        )
    for header, stored in load_split(data, DERIVED[split].base if derived else split, regimes):
        frames = stored[:num_trajectories].double()
        context: Context = {name: value.double() for name, value in header.context(len(frames)).items()}
        equation = equation_of(header, len(frames))
        if derived:
            kinds = [item.kind for item in header.fields]
            frames, context, equation = moved(
                D4["rotate 90"], frames, context, equation, grid=header.grid, kinds=kinds
            )
        settled = torch.tensor(header.settled)[: len(frames)]
        yield Starts(header.regime, header.grid, context, frames[:, 0], frames[:, -1], settled, equation)
