"""Explicit steps on whole tensors that are allocated once."""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

from ..boundary import Dirichlet, Periodic, boundary_from_name
from ..grid import Grid
from ..stencils import Stencil
from .program import Program, Workspace


class InPlaceMarch:
    """Runge-Kutta steps of a program by torch, on any device, without allocation after construction.

    Each operation is that of ``equation.rate``, in the same order, so the results are the same.

    Arguments:
        program: the rate of change in one point.
        grid: the domain.
        stencil: of the derivatives.
        stages: the scheme's rows.
        weights: the scheme's weights.
        time_step: Δt.
        example: a state ``"batch channel *space"``: gives batch, dtype and device.
    """

    def __init__(
        self,
        program: Program,
        grid: Grid,
        stencil: Stencil,
        stages: tuple[tuple[float, ...], ...],
        weights: tuple[float, ...],
        time_step: float,
        example: Tensor,
    ) -> None:
        self._grid = grid
        self._stencil = stencil
        self._stages = stages
        self._weights = weights
        self._time_step = time_step
        self._program = program
        batch, channels, *space = example.shape
        # channels first: every field is then one contiguous tensor over the whole batch
        self._state = example.new_empty((channels, batch, *space))
        self._stage = torch.empty_like(self._state)
        self._slopes = [torch.empty_like(self._state) for _ in weights]
        radius = stencil.radius
        self._padded = example.new_empty((channels, batch, *(cells + 2 * radius for cells in space)))
        self._workspace = Workspace(program, self._state[0])
        self._scratch = torch.empty_like(self._state)
        kinds = {(item.kind, item.axis) for item in program.inputs if item.kind != "value"}
        self._derivatives = {key: torch.empty_like(self._state) for key in sorted(kinds)}
        if any(kind == "laplacian" for kind, _ in kinds):
            self._partial = torch.empty_like(self._state)
        self._mixes = bool(stencil.mixed) and ("laplacian", 0) in kinds
        self._walls = [self._twice_the_wall(name) for name in grid.boundaries]

    def march(
        self, state: Float[Tensor, "batch channel *space"], num_steps: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the state ``num_steps`` steps later."""
        self._state.copy_(state.transpose(0, 1))
        for _ in range(num_steps):
            self._advance()
        return self._state.transpose(0, 1).contiguous()

    def _advance(self) -> None:
        self._rate(self._state, self._slopes[0])
        for number, row in enumerate(self._stages, start=1):
            self._combine(row, self._stage)
            self._rate(self._stage, self._slopes[number])
        self._combine(self._weights, self._state)

    def _combine(self, weights: tuple[float, ...], result: Tensor) -> None:
        source = self._state
        for weight, slope in zip(weights, self._slopes, strict=False):
            if weight != 0:
                torch.add(source, slope, alpha=self._time_step * weight, out=result)
                source = result

    def _rate(self, state: Tensor, slope: Tensor) -> None:
        if self._derivatives:
            self._fill(state)
        for (kind, axis), result in self._derivatives.items():
            if kind == "laplacian":
                self._laplacian(state, result)
            elif kind == "second":
                self._second(state, axis, result)
                result.div_(self._grid.spacing[axis] ** 2)
            else:
                self._first(axis, result)
        inputs = {
            item.name: (state if item.kind == "value" else self._derivatives[item.kind, item.axis])[
                item.field
            ]
            for item in self._program.inputs
        }
        for field, rate in enumerate(self._workspace.run(inputs)):
            slope[field].copy_(rate)

    def _laplacian(self, state: Tensor, result: Tensor) -> None:
        h = self._grid.spacing
        for axis in range(self._grid.num_dims):
            partial = result if axis == 0 else self._partial
            self._second(state, axis, partial)
            if not self._mixes:
                partial.div_(h[axis] ** 2)
            if axis > 0:
                result.add_(partial)
        if self._mixes:
            self._add_mixed(state, result)
            result.div_(h[0] ** 2)

    def _add_mixed(self, state: Tensor, result: Tensor) -> None:
        """Add δ_a² δ_b² u / n for every pair of axes, n as the stencil has it."""
        if self._grid.num_dims == 1:
            return
        mixed = self._partial.zero_()
        for a, b in itertools.combinations(range(self._grid.num_dims), 2):
            reaches = range(-self._stencil.radius, self._stencil.radius + 1)
            for m, n in itertools.product(reaches, reaches):
                weight = self._stencil.weights[abs(m)] * self._stencil.weights[abs(n)]
                mixed.add_(self._moved({a: m, b: n}), alpha=weight)
        result.add_(mixed.div_(self._stencil.mixed))

    def _second(self, state: Tensor, axis: int, result: Tensor) -> None:
        torch.mul(state, self._stencil.weights[0], out=result)
        for reach, weight in enumerate(self._stencil.weights[1:], start=1):
            torch.add(self._moved({axis: -reach}), self._moved({axis: reach}), out=self._scratch)
            result.add_(self._scratch, alpha=weight)

    def _first(self, axis: int, result: Tensor) -> None:
        result.zero_()
        for reach, weight in enumerate(self._stencil.first_weights, start=1):
            torch.sub(self._moved({axis: reach}), self._moved({axis: -reach}), out=self._scratch)
            result.add_(self._scratch, alpha=weight / self._grid.spacing[axis])

    def _moved(self, offsets: dict[int, int]) -> Tensor:
        """The padded state as seen some cells further along some axes."""
        view = self._padded
        for axis, cells in enumerate(self._grid.shape):
            view = view.narrow(axis + 2, self._stencil.radius + offsets.get(axis, 0), cells)
        return view

    def _fill(self, state: Tensor) -> None:
        """Put the state and what lies beyond its edges into the padded tensor, axis after axis as ``pad``."""
        radius = self._stencil.radius
        self._moved({}).copy_(state)
        for axis, name in enumerate(self._grid.boundaries):
            cells, dim = self._grid.shape[axis], axis + 2
            region = self._padded
            for later in range(axis + 1, self._grid.num_dims):
                region = region.narrow(later + 2, radius, self._grid.shape[later])
            if isinstance(boundary_from_name(name), Periodic):
                region.narrow(dim, 0, radius).copy_(region.narrow(dim, cells, radius))
                region.narrow(dim, radius + cells, radius).copy_(region.narrow(dim, radius, radius))
                continue
            wall = self._walls[axis]
            for layer in range(radius):
                for to, source in (
                    (radius - 1 - layer, radius + layer),
                    (radius + cells + layer, radius + cells - 1 - layer),
                ):
                    if wall is None:
                        region.select(dim, to).copy_(region.select(dim, source))
                    else:
                        torch.sub(wall, region.select(dim, source), out=region.select(dim, to))

    def _twice_the_wall(self, name: str) -> Tensor | None:
        boundary = boundary_from_name(name)
        if not isinstance(boundary, Dirichlet):
            return None
        shape = (len(self._state), *(1,) * self._grid.num_dims)  # one axis of space is selected away
        return 2 * boundary.wall(self._state, 0).reshape(shape)
