"""How an automaton on a grid solves with its own Jacobian, nearly: wave by wave."""

from dataclasses import replace
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import BoundAutomaton
from pdenca.equilibrium import Linearisation, RowMap
from pdenca.solvers import Grid
from pdenca.solvers.spectral import wavenumbers
from pdenca.solvers.transform import SpectralTransform

_FLOOR: Final = 0.05

State = Float[Tensor, "batch channel *space"]


class WaveSolve:
    """b ↦ A(k)⁺ b̂(k),   A(k) = σ + I - Ĵ(k),   for each wave k.

    Ĵ is the symbol of the Jacobian at the homogeneous mean state, a matrix per wave. A pattern grows there,
    so some A are nearly singular which the true operator, at the grown pattern, is not:
    A⁺ = V (S² + ε²)^(-½) Uᵀ from A = U S Vᵀ is A⁻¹ for the stiff waves and bounded by 1/ε for all,
    ε = ``_FLOOR`` ‖I - Ĵ(0)‖. Without a reaction it is exact.

    Arguments:
        symbol: Ĵ.
        grid: periodic and no-flux axes.
    """

    def __init__(self, symbol: Float[Tensor, "batch out in *modes"], grid: Grid) -> None:
        self.transform = SpectralTransform(grid, symbol.dtype, symbol.device)
        self.products = symbol.shape[1]
        self._identity = torch.eye(self.products, dtype=symbol.dtype, device=symbol.device)
        self._matrices = self._identity - symbol.movedim((1, 2), (-2, -1))
        reaction = self._matrices.flatten(1, -3)[:, 0]  # of the constant wave, which comes first
        self._floor = _FLOOR * torch.linalg.matrix_norm(reaction, 2)
        self._made: tuple[Tensor, Tensor] | None = None

    def __call__(self, right: State, shift: Float[Tensor, " batch"]) -> State:
        """Return the solution for one σ of each sample."""
        spectrum = self.transform.forward(right).movedim(1, -1)[..., None]
        solved = (self._inverse(shift).to(spectrum.dtype) @ spectrum)[..., 0].movedim(-1, 1)
        return self.transform.inverse(solved.contiguous())

    def _inverse(self, shift: Tensor) -> Tensor:
        """A⁺; made once for the many products of a solve, which all have the same σ."""
        if self._made is None or self._made[0] is not shift:
            axes = (1,) * (self._matrices.ndim - 1)
            u, values, vh = torch.linalg.svd(self._matrices + shift.view(-1, *axes) * self._identity)
            lengths = (values.square() + self._floor.view(-1, *axes[1:]).square()).sqrt()
            # of a wave that is exactly singular nothing is known
            inverse = torch.where(lengths > 0, 1 / lengths, 1.0)
            self._made = shift, vh.mT @ (inverse[..., None] * u.mT)
        return self._made[1]


def kernel_symbol(bound: BoundAutomaton, states: State) -> Float[Tensor, "batch out in *modes"]:
    """Return the even symbol Ĵ(k) of one application, at the states' means and the parameters' means.

        Ĵ(k) = Σ_x K(x) Π_d cos(k_d x_d),

    K being the response to one cell, found by a product per channel; what of a kernel is odd is left out.
    Modes are laid out as by ``SpectralTransform``.
    """
    grid: Grid = bound.lattice
    uniform = replace(bound, context={name: _mean(value, 1) for name, value in bound.context.items()})
    mean = _mean(states, 2)
    map = RowMap(uniform, mean)
    linear = Linearisation(map, map.rows(mean))
    centre = tuple(cells // 2 for cells in grid.shape)
    one_cell = states.new_zeros(grid.shape)
    one_cell[centre] = 1
    kernels = []
    for channel in range(states.shape[1]):
        pulse = torch.zeros_like(states)
        pulse[:, channel] = one_cell
        kernels.append(map.states(linear.times(map.rows(pulse))))
    symbol = torch.stack(kernels, 2)
    for axis, waves in enumerate(wavenumbers(grid, states.device)):
        places = (torch.arange(grid.shape[axis], device=states.device) - centre[axis]) * grid.spacing[axis]
        cosines = torch.cos(waves.flatten()[:, None] * places).to(symbol)
        symbol = torch.tensordot(symbol, cosines, ([3], [1]))  # its axis goes to the end, the next is third
    return symbol


def _mean(values: Tensor, first_axis: int) -> Tensor:
    """The mean over space, still as a field."""
    if values.ndim <= first_axis:
        return values
    axes = tuple(range(first_axis, values.ndim))
    return values.mean(axes, keepdim=True).expand_as(values).contiguous()
