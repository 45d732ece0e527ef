"""Solutions in closed form, of the equations that have some."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ..equation import Equation
from ..equations import AdvectionDiffusion, AllenCahn, ComplexGinzburgLandau, FisherKPP, Heat
from ..grid import Grid
from .convergence import KnownSolution

_ELSEWHERE = 0.3  # a point of no symmetry, in fractions of a wavelength


@dataclass(frozen=True, eq=False)
class ExactSolution(KnownSolution):
    """A solution in closed form.

    Arguments:
        label: what it is.
        equation: what it solves.
        boundary: name of the boundary of every axis.
        extent: sides of the domain (length).
        duration: time span of a run.
        amplitude: size of its variations, one value per field.
        num_cells: cells along the first axis of the grids to refine over, the finest last; cells are squares.
        formula: (one coordinate per axis, time) -> fields ``"channel *space"``.
        is_steady: whether it does not move.
    """

    label: str
    equation: Equation
    boundary: str
    extent: tuple[float, ...]
    duration: float
    amplitude: tuple[float, ...]
    num_cells: tuple[int, ...]
    formula: Callable[[Sequence[Tensor], float], Tensor]
    is_steady: bool = False

    def grid(self, num_cells: int) -> Grid:
        """Return a grid of square cells on its domain."""
        h = self.extent[0] / num_cells
        return Grid.uniform([round(side / h) for side in self.extent], h, self.boundary)

    def equation_on(self, grid: Grid) -> Equation:
        """Return the equation, the same on every grid."""
        return self.equation

    def state(self, grid: Grid, time: float) -> Tensor:
        """Return the formula at the cell centres."""
        return self.formula(torch.meshgrid(*grid.coordinates(), indexing="ij"), time)[None]


def heat_wave() -> ExactSolution:
    """Return T = cos(k x + φ) cos(k y) exp(-2 D k² t), k = 2π / L."""
    k, diffusivity = 2 * math.pi, 0.1

    def formula(x: Sequence[Tensor], t: float) -> Tensor:
        wave = torch.cos(k * (x[0] + _ELSEWHERE)) * torch.cos(k * x[1])
        return (math.exp(-2 * diffusivity * k**2 * t) * wave)[None]

    return ExactSolution(
        "decaying wave, periodic",
        Heat(diffusivity),
        "periodic",
        (1.0, 1.0),
        0.1,
        (1.0,),
        (12, 16, 20),
        formula,
    )


def heat_between_insulating_walls() -> ExactSolution:
    """Return T = cos(k x) cos(2 k y) exp(-5 D k² t), k = π / L."""
    k, diffusivity = math.pi, 0.1

    def formula(x: Sequence[Tensor], t: float) -> Tensor:
        wave = torch.cos(k * x[0]) * torch.cos(2 * k * x[1])
        return (math.exp(-5 * diffusivity * k**2 * t) * wave)[None]

    return ExactSolution(
        "decaying cosine, no-flux",
        Heat(diffusivity),
        "no-flux",
        (1.0, 1.0),
        0.2,
        (1.0,),
        (12, 16, 20),
        formula,
    )


def heat_between_held_walls() -> ExactSolution:
    """Return T = ½ + sin(k x) sin(2 k y) exp(-5 D k² t), k = π / L, walls held at ½."""
    k, diffusivity = math.pi, 0.1

    def formula(x: Sequence[Tensor], t: float) -> Tensor:
        wave = torch.sin(k * x[0]) * torch.sin(2 * k * x[1])
        return (0.5 + math.exp(-5 * diffusivity * k**2 * t) * wave)[None]

    label = "decaying sine, held walls"
    return ExactSolution(
        label, Heat(diffusivity), "dirichlet(0.5)", (1.0, 1.0), 0.2, (1.0,), (12, 16, 20), formula
    )


def carried_wave() -> ExactSolution:
    """Return c = exp(-D |k|² t) cos(k·(x - v t)), a wave of index (1, 2) in a slanted stream."""
    velocity, diffusivity = (0.5, 0.25), 0.01
    k = (2 * math.pi, 4 * math.pi)

    def formula(x: Sequence[Tensor], t: float) -> Tensor:
        phase = sum(wave * (place - speed * t) for wave, place, speed in zip(k, x, velocity, strict=True))
        decay = math.exp(-diffusivity * (k[0] ** 2 + k[1] ** 2) * t)
        return (decay * torch.cos(torch.as_tensor(phase) + _ELSEWHERE))[None]

    equation = AdvectionDiffusion(velocity_x=0.5, velocity_y=0.25, diffusivity=diffusivity)
    return ExactSolution(
        "carried wave, periodic", equation, "periodic", (1.0, 1.0), 0.2, (1.0,), (16, 24, 32), formula
    )


def invading_front() -> ExactSolution:
    """Return u = (1 + exp((x - x₀ - c t) √(r / 6D)))⁻², c = 5 √(r D / 6), walls far away.

    M. J. Ablowitz, A. Zeppetella, Bull. Math. Biol. 41 (1979) 835.
    """
    rate, diffusivity = 1.2, 0.8
    steepness, speed = math.sqrt(rate / 6 / diffusivity), 5 * math.sqrt(rate * diffusivity / 6)

    def formula(x: Sequence[Tensor], t: float) -> Tensor:
        return (1 + torch.exp((x[0] - 60 - speed * t) * steepness)).pow(-2)[None]

    equation = FisherKPP(growth_rate=rate, diffusivity=diffusivity)
    return ExactSolution(
        "invading front, no-flux", equation, "no-flux", (100.0,), 1.0, (1.0,), (96, 128, 160), formula
    )


def moving_wall() -> ExactSolution:
    """Return the wall between two phases that a bias sets in motion.

        u = (a + b) / 2 - (b - a) / 2 · tanh((b - a) (x - x₀ - c t) / √(8D)),   c = √(D/2) (a + b - 2 m)

    a < m < b being the roots of u - u³ + h = 0. Without bias the wall tanh(x / √(2D)) stands still.
    """
    bias, diffusivity = 0.2, 1.0
    a, m, b = sorted(float(root.real) for root in np.roots([-1.0, 0.0, 1.0, bias]))
    speed = math.sqrt(diffusivity / 2) * (a + b - 2 * m)
    steepness = (b - a) / math.sqrt(8 * diffusivity)

    def formula(x: Sequence[Tensor], t: float) -> Tensor:
        return ((a + b) / 2 - (b - a) / 2 * torch.tanh(steepness * (x[0] - 22 - speed * t)))[None]

    equation = AllenCahn(diffusivity=diffusivity, bias=bias)
    return ExactSolution(
        "moving wall, no-flux", equation, "no-flux", (44.0,), 1.0, (1.0,), (96, 128, 160), formula
    )


def standing_wall() -> ExactSolution:
    """Return u = tanh((x - x₀) / √(2D)), the wall between two equal phases, which stands still."""
    diffusivity = 1.0

    def formula(x: Sequence[Tensor], t: float) -> Tensor:
        return torch.tanh((x[0] - 20) / math.sqrt(2 * diffusivity))[None]

    return ExactSolution(
        "standing wall, no-flux", AllenCahn(), "no-flux", (40.0,), 1.0, (1.0,), (96, 128, 160), formula, True
    )


def plane_wave() -> ExactSolution:
    """Return A = √(1 - Q²) exp(i (Q x - ω t)), ω = c + (b - c) Q², Q = 2π / L."""
    b, c, extent = 0.7, -0.5, 16.0
    q = 2 * math.pi / extent
    omega = c + (b - c) * q**2

    def formula(x: Sequence[Tensor], t: float) -> Tensor:
        phase = q * x[0] - omega * t + _ELSEWHERE
        return math.sqrt(1 - q**2) * torch.stack((torch.cos(phase), torch.sin(phase)))

    equation = ComplexGinzburgLandau(linear_dispersion=b, nonlinear_dispersion=c)
    return ExactSolution(
        "plane wave, periodic", equation, "periodic", (extent,), 2.0, (1.0, 1.0), (12, 16, 24), formula
    )


EXACT_SOLUTIONS: Final[dict[str, Callable[[], ExactSolution]]] = {
    "heat, wave": heat_wave,
    "heat, insulating walls": heat_between_insulating_walls,
    "heat, held walls": heat_between_held_walls,
    "advection-diffusion, carried wave": carried_wave,
    "fisher-kpp, invading front": invading_front,
    "allen-cahn, moving wall": moving_wall,
    "allen-cahn, standing wall": standing_wall,
    "complex-ginzburg-landau, plane wave": plane_wave,
}
"""Name -> function that returns the solution."""
