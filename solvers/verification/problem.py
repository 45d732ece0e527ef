"""An equation made comparable: where its solutions live, how fast they change, how long they are."""

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..derivatives import SpectralDerivatives
from ..equation import Equation
from ..equations import preset_of
from ..grid import Grid
from ..waves import continuum_waves

_CELLS_OF_PRESET = 16  # of its first preset make one length: one or two wavelengths of its pattern


@dataclass(frozen=True, eq=False)
class Problem:
    """An equation with the scales on which the measurements look at it.

    Arguments:
        equation: constants are numbers.
        num_dims: axes of space.
        length: side of the domain.
        duration: time in which a wave on this domain changes by a fair part of itself.
        centre: one value per field around which the test states vary.
        amplitude: by how much, one value per field.
    """

    equation: Equation
    num_dims: int
    length: float
    duration: float
    centre: tuple[float, ...]
    amplitude: tuple[float, ...]

    def grid(self, num_cells: int, boundary: str = "periodic") -> Grid:
        """Return a grid on the domain; "dirichlet" holds every field at its centre."""
        if boundary == "dirichlet":
            boundary = f"dirichlet({', '.join(repr(value) for value in self.centre)})"
        return Grid.uniform(num_cells, self.length / num_cells, boundary, self.num_dims)


def problem_of(
    equation: Equation,
    *,
    num_dims: int = 1,
    length: float | None = None,
    centre: tuple[float, ...] | None = None,
    amplitude: tuple[float, ...] | None = None,
) -> Problem:
    """Find scales on which an equation is neither trivial nor unresolved.

    Arguments:
        equation: any, constants being numbers.
        num_dims: axes of space.
        length: side of the domain; None for 16 cells of the equation's first preset or, without presets, the
            wavelength at which transport is as fast as the reaction (1 if nothing reacts).
        centre: one value per field; None for a homogeneous steady state without zeros if there is one, else
            any, else zeros.
        amplitude: one value per field; None for 0.3 of the centre, of the largest one where a centre is 0.

    Returns:
        The problem; its duration is the inverse of the fastest rate among the waves of index 0, 1 and 2.

    Raises:
        BadInputError: if constants vary between trajectories or in space.
    """
    for name, value in equation.parameters().items():
        if isinstance(value, Tensor) and value.numel() > 1:
            raise BadInputError(
                f"verification needs one value for each constant, got {name} of shape {tuple(value.shape)}; "
                "usual cure: equation.with_parameters, one trajectory at a time"
            )
    centre = centre or _centre(equation)
    largest = max(map(abs, centre))
    amplitude = amplitude or tuple(0.3 * (abs(value) or largest or 1.0) for value in centre)
    if length is None:
        length = _length(equation, num_dims, centre, amplitude)
    duration = 1 / _fastest_rate(equation, num_dims, length, centre, amplitude)
    return Problem(equation, num_dims, length, duration, centre, amplitude)


def _centre(equation: Equation) -> tuple[float, ...]:
    states = [tuple(float(value) for value in state) for state in equation.homogeneous_states()]
    full = [state for state in states if all(state)]
    return (full or states or [(0.0,) * len(equation.fields)])[0]


def _length(
    equation: Equation, num_dims: int, centre: tuple[float, ...], amplitude: tuple[float, ...]
) -> float:
    if equation.presets:
        return _CELLS_OF_PRESET * preset_of(type(equation)).spacing
    reaction = _fastest_rate(equation, num_dims, 1.0, centre, amplitude, highest=0)
    if reaction <= 1e-6 * _fastest_rate(equation, num_dims, 1.0, centre, amplitude):
        return 1.0
    wavenumbers = torch.logspace(-6, 6, 1201, dtype=torch.float64)
    vectors = torch.zeros(len(wavenumbers), num_dims, dtype=torch.float64)
    vectors[:, 0] = wavenumbers
    symbol = equation.transport_symbol(continuum_waves(vectors)).abs().flatten(0, -2).amax(0)
    fast = (symbol >= reaction).nonzero()
    return 2 * math.pi / float(wavenumbers[fast[0]]) if len(fast) else 1.0


def _fastest_rate(
    equation: Equation,
    num_dims: int,
    length: float,
    centre: tuple[float, ...],
    amplitude: tuple[float, ...],
    highest: int = 2,
) -> float:
    """The largest |J w| / |w| among the waves w of index up to ``highest``, where the state varies."""
    cells = 12
    grid = Grid.uniform(cells, length / cells, num_dims=num_dims)
    x = grid.coordinates()[0] * 2 * math.pi / length
    shape = (1, len(centre), *(1,) * num_dims)
    middle, width = (
        torch.tensor(values, dtype=torch.float64).reshape(shape) for values in (centre, amplitude)
    )
    state = (middle + width * torch.cos(x).reshape(-1, *(1,) * (num_dims - 1))).expand(1, -1, *grid.shape)
    scale = width if float(width.min()) > 0 else torch.ones_like(width)
    derivatives = SpectralDerivatives(grid)
    rates = [0.0]
    for field, wave in itertools.product(range(len(centre)), range(highest + 1)):
        direction = torch.zeros_like(state)
        line = torch.cos(wave * x + 0.4).reshape(-1, *(1,) * (num_dims - 1)).expand(grid.shape)
        direction[:, field] = 1e-6 * scale[:, field] * line
        change = equation.rate(state + direction, derivatives) - equation.rate(state - direction, derivatives)
        rates.append(float((change / scale).abs().max() / (direction / scale).abs().max()) / 2)
    fastest = max(rates)
    if not math.isfinite(fastest) or (fastest == 0 and highest > 0):
        raise BadInputError(
            f"equation {equation.name!r} changes at a rate of {fastest:g} around {centre} on a domain of "
            f"{length:g}; usual cure: give centre, amplitude and length at which something happens"
        )
    return fastest
