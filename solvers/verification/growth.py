"""How fast a small wave grows in the solver, beside linear theory."""

import cmath
import math
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..equation import Equation
from ..grid import Grid
from ..linear_stability import jacobians, most_unstable
from ..parameters import Parameter
from .in_time import Method, build, fewest_stable_steps, name_of
from .measurement import Measurement
from .problem import Problem

_SMALL = 1e-5  # of the amplitude: what is not linear is smaller by its square


def growth_rate_of_wave(
    problem: Problem,
    homogeneous_state: Sequence[Parameter],
    wavenumber: float,
    method: Method = "etdrk4",
    *,
    num_cells: int = 16,
    label: str = "",
) -> Measurement:
    """Measure the growth rate of a wave on one wavelength, started in the direction of fastest growth.

    Arguments:
        problem: what is solved; its amplitude says what is small.
        homogeneous_state: the state that carries the wave.
        wavenumber: k (1/length), positive.
        method: which integrator; of those with a stencil only in the limit of many cells.
        num_cells: cells along the wave.
        label: what tables call the case.

    Returns:
        The growth rate (1/time), which passes within 1e-5 of the theory (1e-4 for methods below fourth order)
        in units of the fastest rate of the linearised equation, oscillation included: a wrong frequency makes
        it NaN.

    Raises:
        BadInputError: for a wavenumber that is not positive.
    """
    began = time.perf_counter()
    if not 0 < wavenumber < math.inf:
        raise BadInputError(f"a wave needs a positive wavenumber, got {wavenumber}")
    equation = problem.equation
    matrix = jacobians(equation, homogeneous_state, torch.tensor([wavenumber], dtype=torch.float64))[0]
    eigenvalues, vectors = torch.linalg.eig(matrix)
    first = int(eigenvalues.real.argmax())
    expected, direction = complex(eigenvalues[first]), vectors[:, first]
    fastest = float(torch.linalg.matrix_norm(matrix, 2))
    length, total = 2 * math.pi / wavenumber, 1 / fastest
    grid = Grid.uniform(num_cells, length / num_cells, num_dims=1)
    size = _SMALL * min(problem.amplitude)
    wave = torch.exp(1j * wavenumber * grid.coordinates()[0])
    flat = torch.tensor([float(value) for value in homogeneous_state], dtype=torch.float64)[:, None]
    state = (flat + size * (direction[:, None] * wave).real)[None]
    order = build(method, equation, grid, total * 1e-9).order
    steps = fewest_stable_steps(equation, method, grid, total, 32 if order >= 4 else 512)
    last = build(method, equation, grid, total / steps).march(state, steps)
    grown = _along(last[0] - flat, wave, direction, vectors, first) / size
    measured = cmath.log(grown) / total if grown != 0 else complex(math.nan)
    allowed = (1e-5 if order >= 4 else 1e-4) * fastest
    value = measured.real if abs(measured.imag - expected.imag) <= allowed else math.nan
    setting = f"{name_of(method)}, periodic{', ' if label else ''}{label}"
    interval = (expected.real - allowed, expected.real + allowed)
    seconds = time.perf_counter() - began
    return Measurement("growth rate", equation.name, setting, value, *interval, seconds)


def fastest_wavenumber(equation: Equation, homogeneous_state: Sequence[Parameter], problem: Problem) -> float:
    """Return the wavenumber of fastest growth among those that are not zero (1/length)."""
    longest = 2 * math.pi / problem.length
    found = most_unstable(equation, homogeneous_state, 6 * longest).wavenumber
    return found if found > 0.05 * longest else longest


def _along(change: Tensor, wave: Tensor, direction: Tensor, vectors: Tensor, first: int) -> complex:
    """The coefficient of one eigenvector in the wave exp(i k x) of a real state."""
    amplitudes = 2 * (change * wave.conj()).mean(1)
    return complex(torch.linalg.solve(vectors, amplitudes)[first])
