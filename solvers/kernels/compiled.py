"""Steps of a program by ``torch.compile``."""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.compiling import compiled_or_eager

from ..boundary import pad_axis
from ..grid import Grid
from ..stencils import Stencil
from .program import OPERATIONS, Program


class CompiledMarch:
    """Runge-Kutta steps of a program, compiled as a whole; on CPU and GPU.

    The step is written anew from the program, so that nothing of Python's classes is left in it: periodic
    axes are shifted by ``torch.roll``, which compiles best, others padded. Where no compiler works, that is
    said once and the same step runs as it is.

    Arguments:
        program: the rate of change in one point.
        grid: the domain.
        stencil: of the derivatives.
        stages: the scheme's rows.
        weights: the scheme's weights.
        time_step: Δt.
        example: a state ``"batch channel *space"``: gives dtype and device.
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
        shape = (-1, *(1,) * grid.num_dims)
        constants = {
            name: float(value) if len(value) == 1 else value.to(example).reshape(shape)
            for name, value in program.constants.items()
        }
        kinds = sorted({(item.kind, item.axis) for item in program.inputs})

        def rate(state: Tensor) -> Tensor:
            derivatives = {key: _derivative(state, *key, grid, stencil) for key in kinds}
            registers = dict(constants)
            registers |= {
                item.name: derivatives[item.kind, item.axis][:, item.field] for item in program.inputs
            }
            for line in program.instructions:
                operands = [registers[name] for name in line.operands]
                if line.operation in {"maximum", "minimum"} or not isinstance(operands[0], Tensor):
                    operands = [torch.as_tensor(x, dtype=state.dtype, device=state.device) for x in operands]
                registers[line.result] = OPERATIONS[line.operation].function(*operands)
            rates = [torch.as_tensor(registers[name], dtype=state.dtype) for name in program.outputs]
            return torch.stack([value.expand_as(state[:, 0]) for value in rates], 1)

        def combine(state: Tensor, row: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
            for weight, slope in zip(row, slopes, strict=True):
                if weight != 0:
                    state = torch.add(state, slope, alpha=time_step * weight)
            return state

        def step(state: Tensor) -> Tensor:
            slopes = [rate(state)]
            for row in stages:
                slopes.append(rate(combine(state, row, slopes)))
            return combine(state, weights, slopes)

        self._step = compiled_or_eager(step)

    def march(
        self, state: Float[Tensor, "batch channel *space"], num_steps: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the state ``num_steps`` steps later."""
        with torch.no_grad():
            for _ in range(num_steps):
                state = self._step(state)
        return state


def _derivative(state: Tensor, kind: str, axis: int, grid: Grid, stencil: Stencil) -> Tensor:
    if kind == "value":
        return state
    if kind == "first":
        pairs = [
            (weight, _moved(state, axis, reach, grid) - _moved(state, axis, -reach, grid))
            for reach, weight in enumerate(stencil.first_weights, start=1)
        ]
        return sum(weight / grid.spacing[axis] * pair for weight, pair in pairs)  # type: ignore[return-value]
    if kind == "second":
        return _second(state, axis, grid, stencil) / grid.spacing[axis] ** 2
    parts = [_second(state, other, grid, stencil) for other in range(grid.num_dims)]
    total = parts[0] / grid.spacing[0] ** 2
    for other in range(1, grid.num_dims):
        total = total + parts[other] / grid.spacing[other] ** 2
    if stencil.mixed:
        walls = grid.with_zero_walls()
        for first, other in itertools.combinations(range(grid.num_dims), 2):
            total = total + _second(parts[first], other, walls, stencil) / (
                stencil.mixed * grid.spacing[0] ** 2
            )
    return total


def _second(state: Tensor, axis: int, grid: Grid, stencil: Stencil) -> Tensor:
    result = stencil.weights[0] * state
    for reach, weight in enumerate(stencil.weights[1:], start=1):
        result = result + weight * (_moved(state, axis, reach, grid) + _moved(state, axis, -reach, grid))
    return result


def _moved(state: Tensor, axis: int, cells: int, grid: Grid) -> Tensor:
    """The state as seen some cells further along an axis."""
    if grid.boundaries[axis] == "periodic":
        return state.roll(-cells, axis + 2)
    radius = abs(cells)
    padded = pad_axis(state, axis + 2, grid.boundaries[axis], radius)
    return padded.narrow(axis + 2, radius + cells, grid.shape[axis])
