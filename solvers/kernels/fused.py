"""Whole steps in one pass over the cells, compiled by numba: the fastest explicit solver on a CPU."""

import functools
import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..boundary import Dirichlet, boundary_from_name
from ..grid import Grid
from ..stencils import Stencil
from .denormals import flushed_denormals
from .program import Program
from .recorder import UntraceableError
from .source import write_source

_LINE_BYTES = 64  # of a cache line, and of the longest vector registers
_WORTH_A_THREAD = 1_000_000  # cell updates


def has_numba() -> bool:
    """Tell whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


class FusedMarch:
    """Runge-Kutta steps by a kernel made for one program: derivatives, arithmetic and update in one pass.

    Trajectories are taken one after another, each with all its steps, so that one stays in the processor's
    cache; where torch may use several threads, each thread takes its own trajectories. The first march
    compiles the kernel (1 to 5 s); later ones with the same form of equation, stencil, walls and scheme use
    it again, whatever the numbers.

    Arguments:
        program: the rate of change in one point.
        grid: the domain.
        stencil: of the derivatives.
        stages: the scheme's rows, each of which uses the stage before it alone.
        weights: the scheme's weights.
        time_step: Δt.
        example: a state: gives dtype (float32 or float64) and device (the CPU).

    Raises:
        UntraceableError: for another dtype, device or scheme, or if numba is not installed.
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
        dtype = example.dtype
        if example.device.type != "cpu":
            raise UntraceableError(f"the state is on {example.device}")
        if not has_numba():
            raise UntraceableError("numba is not installed (pip install 'pdenca[fast]')")
        if dtype not in (torch.float32, torch.float64):
            raise UntraceableError(f"numba has no kernels for {dtype}")
        self._grid = grid
        self._dtype = dtype
        self._radius = stencil.radius
        self._line = _LINE_BYTES // dtype.itemsize
        self._fields = len(program.outputs)
        source = write_source(program, grid, stencil, stages, weights, time_step, self._line)
        self._kernel = _compiled(source.text)
        self._num_buffers = source.num_buffers
        values = [
            torch.tensor([item], dtype=torch.float64) if isinstance(item, float) else program.constants[item]
            for item in source.numbers
        ]
        batch = max(map(len, values))
        self._numbers = torch.stack([value.expand(batch) for value in values], 1).to(dtype).contiguous()
        self._walls = self._twice_the_walls()

    def march(
        self, state: Float[Tensor, "batch channel *space"], num_steps: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the state ``num_steps`` steps later."""
        result = torch.empty_like(state, memory_format=torch.contiguous_format)

        def advance(trajectory: int) -> None:
            with flushed_denormals():
                self._advance(state[trajectory], result[trajectory], trajectory, num_steps)

        threads = min(torch.get_num_threads(), len(state))
        if threads > 1 and state.numel() * num_steps > _WORTH_A_THREAD:
            advance(0)  # compiles
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(advance, range(1, len(state))))
        else:
            for trajectory in range(len(state)):
                advance(trajectory)
        return result

    def _advance(self, state: Tensor, result: Tensor, trajectory: int, num_steps: int) -> None:
        *leading, last = self._grid.shape
        row = -(-(self._line + last + self._radius) // self._line) * self._line
        padded = (self._fields, *(cells + 2 * self._radius for cells in leading), row)
        inside = (
            slice(None),
            *(slice(self._radius, self._radius + cells) for cells in leading),
            slice(self._line, self._line + last),
        )
        buffers = torch.empty((self._num_buffers, *padded), dtype=self._dtype)
        buffers[0][inside] = state
        final = self._kernel(
            buffers.flatten(2).numpy(),
            self._numbers[trajectory % len(self._numbers)].numpy(),
            self._walls.numpy(),
            self._grid.shape,
            buffers.stride()[2:],
            num_steps,
        )
        result.copy_(torch.from_numpy(final).view(padded)[inside])

    def _twice_the_walls(self) -> Tensor:
        """2g for every axis and field; 0 where the boundary holds no value."""
        like = torch.empty(1, self._fields, dtype=self._dtype)
        rows = []
        for name in self._grid.boundaries:
            boundary = boundary_from_name(name)
            if isinstance(boundary, Dirichlet):
                rows.append(2 * boundary.wall(like, 1)[0])
            else:
                rows.append(torch.zeros_like(like[0]))
        return torch.stack(rows)


@functools.lru_cache(maxsize=64)
def _compiled(text: str) -> Callable[..., Any]:
    """The kernel of a source text; numba compiles it at the first call, for the dtype it meets."""
    names: dict[str, Any] = {}
    exec(compile(text, "<kernel>", "exec"), names)
    march: Callable[..., Any] = names["march"]
    return march
