"""Smooth functions of space and time that obey the boundaries: the solutions of manufactured problems."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from pdenca.core.errors import BadInputError

from .problem import Problem

ANALYTIC_DECAY: Final = 1.2
"""Of the Fourier coefficients of "analytic": each is exp(-1.2) of the one before."""


def _periodic(x: Tensor, length: float, shift: float) -> Tensor:
    return torch.cos(2 * math.pi * x / length + shift)


def _analytic(x: Tensor, length: float, shift: float) -> Tensor:
    peak = math.cosh(ANALYTIC_DECAY) - 1
    return 2 * peak / (math.cosh(ANALYTIC_DECAY) - torch.cos(2 * math.pi * x / length + shift)) - 1


def _even(x: Tensor, length: float, shift: float) -> Tensor:
    angle = math.pi * x / length
    return 0.7 * torch.cos(angle) + 0.3 * math.cos(shift) * torch.cos(2 * angle)


def _odd(x: Tensor, length: float, shift: float) -> Tensor:
    angle = math.pi * x / length
    return 0.7 * torch.sin(angle) + 0.3 * math.cos(shift) * torch.sin(2 * angle)


def _bent(x: Tensor, length: float, shift: float) -> Tensor:
    sine = torch.sin(math.pi * x / length)
    return 0.7 * sine + 0.3 * math.cos(shift) * sine**2


@dataclass(frozen=True)
class Shape:
    """A kind of function along one axis.

    Arguments:
        boundary: the boundary that it obeys.
        line: (x, length of the domain, shift that differs between fields and axes) -> values in [-1, 1].
        description: what it is for.
    """

    boundary: str
    line: Callable[[Tensor, float, float], Tensor]
    description: str


SHAPES: Final[dict[str, Shape]] = {
    "periodic": Shape("periodic", _periodic, "one wave"),
    "no-flux": Shape("no-flux", _even, "cosines, flat at both walls"),
    "dirichlet": Shape("dirichlet", _odd, "sines, odd about the walls"),
    "dirichlet, bent": Shape("dirichlet", _bent, "held at the walls but bent there: second order at best"),
    "analytic": Shape("periodic", _analytic, "all waves, for the exponential decay of spectral errors"),
}
"""Name -> shape."""


@dataclass(frozen=True, eq=False)
class Formula:
    """A solution that we choose.

        u_i(x, t) = centre_i + amplitude_i · (1 + ½ sin(t / duration + i)) / 1.5 · Π_d line(x_d)

    Arguments:
        problem: gives the scales.
        shape: a key of :data:`SHAPES`.

    Raises:
        BadInputError: for another shape.
    """

    problem: Problem
    shape: str

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise BadInputError(f"shape {self.shape!r} is unknown; expected one of {', '.join(SHAPES)}")

    @property
    def boundary(self) -> str:
        """The boundary of every axis."""
        return SHAPES[self.shape].boundary

    def __call__(self, points: Sequence[Tensor], time: Tensor | float) -> Tensor:
        """Return the fields ``"batch channel *space"``.

        Arguments:
            points: one coordinate per axis, each (1, *space).
            time: t, a number or a tensor that broadcasts against the points.
        """
        problem = self.problem
        phase = torch.as_tensor(time, dtype=torch.float64) / problem.duration
        fields = []
        for number, (centre, amplitude) in enumerate(zip(problem.centre, problem.amplitude, strict=True)):
            field = amplitude * (1 + torch.sin(phase + number) / 2) / 1.5
            for axis, x in enumerate(points):
                field = field * SHAPES[self.shape].line(x, problem.length, 0.4 + number + 0.7 * axis)
            fields.append(centre + field)
        return torch.stack(fields, 1)
