"""Neighbourhoods: the only place that knows which cells are neighbours.

On a :class:`~pdenca.solvers.grid.Grid` the neighbours of a cell within reach r are the cells at offsets o
with |o_1| + ... + |o_d| <= r. Offsets that the symmetries of the square (reflections and exchanges of axes)
map onto each other form one *shell*; whatever is built from the sums over whole shells commutes with all of
them.
"""

import itertools
import math
from collections.abc import Sequence
from functools import cache
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid
from pdenca.solvers.padding import pad

from .sobel import sobel_and_mean

Offset = tuple[int, ...]


@runtime_checkable
class Lattice(Protocol):
    """What an automaton asks of any domain: how its cells are laid out. A perception knows the rest.

    A :class:`~pdenca.solvers.grid.Grid` is one and a :class:`~pdenca.automaton.Graph` is another.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis of a state after batch and channel."""
        ...

    @property
    def num_dims(self) -> int:
        """Number of those axes."""
        ...

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        ...


@cache
def shells(radius: int, num_dims: int) -> tuple[Offset, ...]:
    """Return one representative offset (sorted, non-negative) per shell, nearest first; the first is 0.

    In two dimensions and for radius 1, 2, 3 there are 2, 4 and 6 shells.
    """
    found = [
        offset
        for offset in itertools.product(range(radius, -1, -1), repeat=num_dims)
        if sum(offset) <= radius and list(offset) == sorted(offset, reverse=True)
    ]
    return tuple(sorted(found, key=lambda offset: (sum(offset), [-part for part in offset])))


@cache
def _members(shell: Offset) -> tuple[Offset, ...]:
    signs = itertools.product(*[(part, -part) if part else (0,) for part in shell])
    return tuple(sorted({member for sign in signs for member in itertools.permutations(sign)}))


def shell_sums(
    state: Float[Tensor, "batch *space channel"], grid: Grid, radius: int
) -> tuple[Float[Tensor, "batch *space channel"], ...]:
    """Sum each shell of neighbours of every cell.

    Arguments:
        state: channels last, on the grid.
        grid: the domain; its boundaries say what lies beyond the walls.
        radius: reach r >= 0 of the neighbourhood (cells).

    Returns:
        One tensor per shell of :func:`shells`, nearest first; the first is the state itself.

    Raises:
        BadInputError: if the state is not on the grid or the reach exceeds the cells of an axis.
    """
    members = tuple(_members(shell) for shell in shells(radius, grid.num_dims)[1:])
    return (state, *offset_sums(state, grid, radius, members))


def offset_sums(
    state: Float[Tensor, "batch *space channel"], grid: Grid, radius: int, sets: Sequence[Sequence[Offset]]
) -> tuple[Float[Tensor, "batch *space channel"], ...]:
    """Sum sets of neighbours of every cell.

    Arguments:
        state: channels last, on the grid.
        grid: the domain; its boundaries say what lies beyond the walls.
        radius: largest part of any offset (cells).
        sets: offsets to sum, at least one each.

    Returns:
        One tensor per set.

    Raises:
        BadInputError: if the state is not on the grid or the reach exceeds the cells of an axis.
    """
    padded = pad(state, grid, radius, channels_last=True)

    def shifted(offset: Offset) -> Tensor:
        view = padded
        for axis, (cells, part) in enumerate(zip(grid.shape, offset, strict=True), start=1):
            view = view.narrow(axis, radius + part, cells)
        return view

    sums = []
    for members in sets:
        total = shifted(members[0])
        for member in members[1:]:
            total = total + shifted(member)
        sums.append(total)
    return tuple(sums)


@cache
def moment_weights(radius: int, num_dims: int) -> tuple[tuple[float, ...], ...]:
    """Write central differences as combinations of shell sums.

    Moment m belongs to the shell (m_1 >= m_2 >= ...) and is the sum over the distinct orders of its parts of
    the products of second differences, Σ δ_1^(2 m_1) δ_2^(2 m_2) ..., which approximates
    Σ h^(2 |m|) ∂_1^(2 m_1) ∂_2^(2 m_2) .... The moment of shell 0 is the cell itself.

    Returns:
        Row m: the weight of every shell in moment m.
    """
    names = shells(radius, num_dims)

    def weight(order: int, offset: int) -> int:
        return (-1) ** (order + offset) * math.comb(2 * order, order + offset) if abs(offset) <= order else 0

    return tuple(
        tuple(
            float(
                sum(
                    math.prod(weight(part, step) for part, step in zip(parts, shell, strict=True))
                    for parts in set(itertools.permutations(moment))
                )
            )
            for shell in names
        )
        for moment in names
    )


def first_differences(
    state: Float[Tensor, "batch *space channel"], grid: Grid
) -> tuple[Float[Tensor, "batch *space channel"], ...]:
    """Return the Sobel-smoothed central difference along each axis, in units of one cell.

    Along its own axis the kernel is [-1, 0, 1] / 2, across every other axis [1, 2, 1] / 4; it approximates
    h ∂/∂x to second order. Not invariant under rotations: the components form a vector.
    """
    return differences_and_mean(state, grid)[0]


def differences_and_mean(
    state: Float[Tensor, "batch *space channel"], grid: Grid, spacing: int = 1
) -> tuple[tuple[Float[Tensor, "batch *space channel"], ...], Float[Tensor, "batch *space channel"]]:
    """Return :func:`first_differences`, and the mean with the weights [1, 2, 1] / 4 along all axes.

    Both in one sweep, axis by axis: what is smoothed along one serves all others. With a ``spacing`` (cells)
    the taps are so far apart, and differences in units of that.
    """
    *components, mean = sobel_and_mean(pad(state, grid, spacing, channels_last=True), spacing)
    return tuple(components), mean


def average(
    state: Float[Tensor, "batch *space channel"], grid: Grid
) -> Float[Tensor, "batch *space channel"]:
    """Return the mean over every cell and all cells that touch it, corners included, all of one weight."""
    total = pad(state, grid, 1, channels_last=True)
    for axis, cells in enumerate(grid.shape, start=1):
        total = total.narrow(axis, 0, cells) + total.narrow(axis, 1, cells) + total.narrow(axis, 2, cells)
    mean: Tensor = total / 3**grid.num_dims
    return mean


def common_spacing(grid: Grid) -> float:
    """Return the spacing shared by all axes.

    Raises:
        BadInputError: if the axes differ, since isotropic kernels then do not exist on the lattice.
    """
    if not all(math.isclose(h, grid.spacing[0], rel_tol=1e-9) for h in grid.spacing):
        raise BadInputError(
            f"isotropic kernels need the same spacing on every axis, got {grid.spacing}; "
            "usual cure: resample the data to square cells"
        )
    return grid.spacing[0]


def as_tensor(rows: tuple[tuple[float, ...], ...], like: Tensor) -> Tensor:
    """Return nested numbers as a tensor with the dtype and device of ``like``."""
    return torch.tensor(rows, dtype=like.dtype, device=like.device)
