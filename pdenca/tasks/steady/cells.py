"""An automaton on a grid that learns its own Jacobian, cell by cell, where waves do not help any more."""

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor

from pdenca.automaton import BoundAutomaton
from pdenca.equilibrium import Linearisation, RowMap
from pdenca.solvers import Grid

from .waves import WaveSolve, kernel_symbol

REACH: Final = 3
"""Cells to each side within which entries of the Jacobian are told apart."""
_DEAR: Final = 25  # products in one solve, beyond which a better preconditioner is made
_LARGEST: Final = 20_000  # unknowns; sparse factors of more take longer than what they save
_NEGLIGIBLE: Final = 1e-7

State = Float[Tensor, "batch channel *space"]
Matrix = Any
"""``scipy.sparse.csc_matrix``, which has no types."""


@dataclass
class _Known:
    """What is known of a trajectory: its Jacobian some steps ago, and whether solving has become dear."""

    matrix: Matrix | None = None
    dear: bool = False


@dataclass(frozen=True, eq=False)
class CellStep:
    """A bound automaton on a periodic or no-flux grid, with a preconditioner that grows with its task.

    It begins with the waves of the homogeneous state, which cost a product per channel and suffice while
    the pattern is slight. Once a solve has taken more than 25 products, the Jacobian of that trajectory is
    found cell by cell, see :func:`coloured_jacobians`; it serves until solving becomes dear again.

    Arguments:
        bound: the automaton; deterministic.
        numbers: which trajectories of the whole batch these are; None: all of it.
        memory: what is known of each of those; shared by all that are selected.
    """

    bound: BoundAutomaton
    numbers: Int[Tensor, " batch"] | None = None
    memory: dict[int, _Known] = field(default_factory=dict)

    @property
    def lattice(self) -> Grid:
        """The domain."""
        grid: Grid = self.bound.lattice
        return grid

    @property
    def time_step(self) -> float:
        """Physical time of one application."""
        return self.bound.time_step

    @property
    def deterministic(self) -> bool:
        """Whether every cell fires in every step."""
        return self.bound.deterministic

    def select(self, trajectories: Int[Tensor, " chosen"]) -> "CellStep":
        """Return the Step of some trajectories."""
        numbers = trajectories if self.numbers is None else self.numbers[trajectories]
        return replace(self, bound=self.bound.select(trajectories), numbers=numbers)

    def __call__(self, state: State) -> State:
        """Return the state ``time_step`` later."""
        return self.bound(state)

    def preconditioner(self, states: State) -> "CellSolve":
        """Return the preconditioner near these states."""
        numbers = range(len(states)) if self.numbers is None else self.numbers.tolist()
        known = [self.memory.setdefault(number, _Known()) for number in numbers]
        products = torch.zeros(len(states), dtype=torch.int64)
        due = torch.tensor([row for row, item in enumerate(known) if item.dear], dtype=torch.int64)
        if len(due) and states[0].numel() <= _LARGEST:
            matrices, cost = coloured_jacobians(self.bound.select(due), states[due])
            products[due] += cost
            for row, matrix in zip(due.tolist(), matrices, strict=True):
                known[row].matrix, known[row].dear = matrix, False
        by_waves = torch.tensor(
            [row for row, item in enumerate(known) if item.matrix is None], dtype=torch.int64
        )
        waves = None
        if len(by_waves):
            waves = WaveSolve(kernel_symbol(self.bound.select(by_waves), states[by_waves]), self.lattice)
            products[by_waves] += waves.products
        return CellSolve(known, by_waves, waves, products)


class CellSolve:
    """b ↦ about (σ + I - J)⁻¹ b: by waves where nothing else is known, else by sparse factors of σ + I - J.

    Arguments:
        known: of each sample.
        by_waves: which samples have no matrix.
        waves: of these.
        products: what each sample's cost.
    """

    def __init__(
        self,
        known: list[_Known],
        by_waves: Int[Tensor, " some"],
        waves: WaveSolve | None,
        products: Int[Tensor, " batch"],
    ) -> None:
        self.known, self.by_waves, self.waves, self.products = known, by_waves, waves, products
        self._made: tuple[Tensor, Tensor, dict[int, Any]] | None = None

    def __call__(self, right: State, shift: Float[Tensor, " batch"]) -> State:
        """Return the solution for one σ of each sample."""
        if self._made is None or self._made[0] is not shift:  # one solve has many products and one σ
            self._made = shift, shift[self.by_waves], self._factors(shift)
        _, of_waves, factors = self._made
        solved = torch.empty_like(right)
        if self.waves is not None:
            solved[self.by_waves] = self.waves(right[self.by_waves], of_waves)
        for row, factor in factors.items():
            found = factor.solve(right[row].detach().cpu().double().numpy().reshape(-1))
            solved[row] = torch.from_numpy(found).to(right).view_as(right[row])
        return solved

    def told(self, products: Int[Tensor, " batch"]) -> None:
        """Hear how many products the solve took."""
        for item, number in zip(self.known, products.tolist(), strict=True):
            item.dear = number > _DEAR

    def _factors(self, shift: Tensor) -> dict[int, Any]:
        found = {}
        for row, item in enumerate(self.known):
            if item.matrix is not None:
                identity = sparse.identity(item.matrix.shape[0], format="csc")
                found[row] = splu((1 + float(shift[row])) * identity - item.matrix)
        return found


def coloured_jacobians(bound: BoundAutomaton, states: State, reach: int = REACH) -> tuple[list[Matrix], int]:
    """Return the Jacobian of one application for each sample, as sparse matrices, and what it cost.

    A product with ones in every (2 ``reach`` + 1)-th cell along each axis gives as many columns as there are
    ones, if none of their responses meet: each cell counts the response to the one next to it. A rule that
    reaches further puts the rest into the wrong columns, and walls put in what they reflect; for a
    preconditioner that is near enough.

    Arguments:
        bound: the automaton.
        states: where.
        reach: cells to each side that are told apart.

    Returns:
        A matrix for each sample, unknowns in the order channel, space; and the number of products.

    Source: Curtis, Powell and Reid, J. Inst. Maths Applics 13 (1974) 117.
    """
    map = RowMap(bound, states)
    linear = Linearisation(map, map.rows(states))
    channels, shape = states.shape[1], tuple(states.shape[2:])
    boundaries = bound.lattice.boundaries
    width = 2 * reach + 1
    cells = np.arange(np.prod(shape)).reshape(shape)
    parts: list[list[tuple[Any, Any, Any]]] = [[] for _ in states]
    cost = 0
    for colour in product(*(range(min(width, size)) for size in shape)):
        nearest = [
            _nearest(size, first, width, reach, boundary == "periodic")
            for size, first, boundary in zip(shape, colour, boundaries, strict=True)
        ]
        near = np.ix_(*(close for _, close in nearest))
        columns = cells[np.ix_(*(place[close] for place, close in nearest))]
        rows = cells[near]
        pulses = torch.zeros_like(states[:1, :1])
        pulses[(slice(None), slice(None), *(slice(first, None, width) for first in colour))] = 1
        for source in range(channels):
            pulse = torch.zeros_like(states)
            pulse[:, source : source + 1] = pulses
            response = map.states(linear.times(map.rows(pulse))).cpu().double().numpy()
            cost += 1
            for sample, target in product(range(len(states)), range(channels)):
                values = response[sample, target][near]
                parts[sample].append(
                    (
                        values.ravel(),
                        (rows + target * cells.size).ravel(),
                        (columns + source * cells.size).ravel(),
                    )
                )
    return [_matrix(part, channels * cells.size) for part in parts], cost


def _nearest(
    size: int, first: int, width: int, reach: int, periodic: bool
) -> tuple[Int[np.ndarray, " cell"], Int[np.ndarray, " close"]]:
    """Return the one that is nearest to each cell of an axis, and which cells have it within reach."""
    ones = np.arange(first, size, width)
    apart = np.abs(np.arange(size)[:, None] - ones)
    if periodic:
        apart = np.minimum(apart, size - apart)
    return ones[apart.argmin(1)], np.flatnonzero(apart.min(1) <= reach)


def _matrix(parts: list[tuple[Any, Any, Any]], size: int) -> Matrix:
    values, rows, columns = (np.concatenate(items) for items in zip(*parts, strict=True))
    kept = np.abs(values) > _NEGLIGIBLE
    return sparse.csc_matrix((values[kept], (rows[kept], columns[kept])), shape=(size, size))
