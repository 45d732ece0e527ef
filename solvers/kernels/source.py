"""The text of a kernel that takes whole Runge-Kutta steps, written for one program, stencil and scheme."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from ..boundary import Dirichlet, NoFlux, Periodic, boundary_from_name
from ..grid import Grid
from ..stencils import Stencil
from .program import OPERATIONS, Input, Program
from .recorder import UntraceableError

Offset = tuple[int, ...]


@dataclass(frozen=True)
class KernelSource:
    """A kernel as Python text, and the numbers it takes.

    Arguments:
        text: defines ``march(buffers, numbers, walls, cells, strides, steps)``, which steps the first of the
            padded arrays (buffer, field, cell) and returns the one that holds the result; walls are twice
            their values, strides those of the padded axes of space.
        numbers: what stands in ``numbers``, in order: weights of derivatives and of the scheme, which are
            numbers, then names of the program's constants.
        num_buffers: how many padded arrays the scheme needs.
    """

    text: str
    numbers: tuple[float | str, ...]
    num_buffers: int


def write_source(
    program: Program,
    grid: Grid,
    stencil: Stencil,
    stages: Sequence[Sequence[float]],
    weights: Sequence[float],
    time_step: float,
    first_column: int,
) -> KernelSource:
    """Write the kernel.

    The text depends on the number of axes and the kinds of their walls, the radius and shape of the stencil,
    the scheme and the form of the rate; numbers are arguments, so a compiled kernel serves other grids, steps
    and constants.

    Arguments:
        program: the rate of change in one point.
        grid: the domain.
        stencil: of the derivatives.
        stages: the scheme's rows, each of which uses the stage before it alone.
        weights: the scheme's weights.
        time_step: Δt.
        first_column: index of the first cell on the last axis of the padded arrays, at least the radius.

    Raises:
        UntraceableError: for a scheme whose stages use more than the one before.
    """
    for row in stages:
        if any(weight != 0 for weight in row[:-1]):
            raise UntraceableError("the scheme's stages use more than the one before")
    writer = _Writer(program, grid, stencil, first_column)
    last = len(stages)
    parts = [_HEAD, writer.halo(), writer.stage([])]
    steps = [writer.number(time_step * row[-1]) for row in stages]
    # the slopes before the last are known from the states that they led to
    shares = [weight / row[-1] for weight, row in zip(weights, stages, strict=False)]
    if stages:
        kept = [(number, share) for number, share in enumerate(shares, start=1) if share != 0]
        parts.append(writer.stage([(number, writer.number(share)) for number, share in kept], "final"))
    lines = [f"u{number} = buffers[{number}]" for number in range(max(2, last + 1))]
    step = writer.number(time_step * weights[-1])
    lines += [f"h{number} = numbers[{name[1:]}]" for number, name in enumerate([*steps, step])]
    lines.append("for _ in range(steps):")
    for number in range(last):
        lines.append(f"    halo(u{number}, walls, cells, strides)")
        lines.append(f"    stage(u{number}, u0, u{number + 1}, buffers, h{number}, numbers, cells, strides)")
    lines.append(f"    halo(u{last}, walls, cells, strides)")
    if last:
        lines.append(f"    final(u{last}, u0, u0, buffers, h{last}, numbers, cells, strides)")
    else:
        lines += ["    stage(u0, u0, u1, buffers, h0, numbers, cells, strides)", "    u0, u1 = u1, u0"]
    lines.append("return u0")
    parts.append(f"{_JIT}\ndef march(buffers, numbers, walls, cells, strides, steps):\n" + _indented(lines))
    return KernelSource("\n\n".join(parts), tuple(writer.numbers), max(2, last + 1))


_HEAD = "import math\n\nfrom numba import njit, uint64"
_JIT = "@njit(nogil=True, error_model='numpy')"


def _indented(lines: list[str], depth: int = 1) -> str:
    return "".join("    " * depth + line + "\n" for line in lines)


class _Writer:
    """Collects the numbers while it writes the parts."""

    def __init__(self, program: Program, grid: Grid, stencil: Stencil, first_column: int) -> None:
        self.numbers: list[float | str] = []
        self._program = program
        self._grid = grid
        self._stencil = stencil
        self._first_column = first_column
        self._dims = grid.num_dims
        self._fields = range(len(program.outputs))

    def number(self, value: float | str) -> str:
        """The name of a number in the kernel; equal places get places of their own."""
        self.numbers.append(value)
        return f"n{len(self.numbers) - 1}"

    def stage(self, earlier: list[tuple[int, str]], name: str = "stage") -> str:
        """One stage, target = base + h · rate(source), in one pass over the cells.

        Arguments:
            earlier: for the last of several stages, which buffers count with which share: the target, which
                is also the base, then moves towards them as well.
            name: of the function.
        """
        names = {constant: self.number(constant) for constant in self._program.constants}
        derivatives = [
            f"{item.name} = {self._derivative(item)}" for item in self._program.inputs if item.kind != "value"
        ]
        names |= {item.name: f"src{item.field}[q]" for item in self._program.inputs if item.kind == "value"}
        arithmetic = [
            f"{instruction.result} = "
            + OPERATIONS[instruction.operation].source.format(
                *(names.get(operand, operand) for operand in instruction.operands)
            )
            for instruction in self._program.instructions
        ]
        rates = [names.get(output, output) for output in self._program.outputs]
        arrays = {"src": "source", "dst": "target"}
        writes = []
        base = "dst" if name == "final" else "base"
        if base == "base":
            arrays["base"] = "base"
        for field, rate in enumerate(rates):
            moved = "".join(
                f"{share} * (e{number}_{field}[q] - {base}{field}[q]) + " for number, share in earlier
            )
            writes.append(f"dst{field}[q] = {base}{field}[q] + ({moved}h * {rate})")
        head = [f"n{place} = numbers[{place}]" for place in range(len(self.numbers))]
        head += [
            f"{short}{field} = {long}[{field}]" for short, long in arrays.items() for field in self._fields
        ]
        head += [
            f"e{number}_{field} = buffers[{number}, {field}]"
            for number, _ in earlier
            for field in self._fields
        ]
        loops = self._strides()
        for axis in range(self._dims - 1):
            loops.append("    " * axis + f"for i{axis} in range(uint64(cells[{axis}])):")
        depth = "    " * (self._dims - 1)
        steps = "".join(f" + i{axis} * s{axis}" for axis in range(self._dims - 1))
        loops.append(f"{depth}row = origin{steps}")
        loops.append(f"{depth}for j in range(uint64(cells[{self._dims - 1}])):")
        loops += [f"{depth}    {line}" for line in ("q = row + j", *derivatives, *arithmetic, *writes)]
        arguments = "source, base, target, buffers, h, numbers, cells, strides"
        return f"{_JIT}\ndef {name}({arguments}):\n" + _indented(head + loops)

    def _strides(self) -> list[str]:
        """Unsigned distances between neighbours: numba then checks no signs, and the loop is vectorised."""
        last = self._dims - 1
        lines = [f"s{axis} = uint64(strides[{axis}])" for axis in range(self._dims)]
        radius = self._stencil.radius
        for axis in range(self._dims):
            lines += [f"s{axis}_{reach} = s{axis} * uint64({reach})" for reach in range(1, radius + 1)]
        origin = [f"s{axis}_{radius}" for axis in range(last)] + [f"uint64({self._first_column})"]
        return [*lines, f"origin = {' + '.join(origin)}"]

    def _at(self, field: int, offset: Offset) -> str:
        place = "q"
        for axis, cells in enumerate(offset):
            if cells:
                place += f" {'+' if cells > 0 else '-'} s{axis}_{abs(cells)}"
        return f"src{field}[{place}]"

    def _derivative(self, item: Input) -> str:
        h = self._grid.spacing
        if item.kind == "first":
            terms = []
            for reach, weight in enumerate(self._stencil.first_weights, start=1):
                there, here = (self._at(item.field, self._along(item.axis, s * reach)) for s in (1, -1))
                terms.append(f"{self.number(weight / h[item.axis])} * ({there} - {here})")
            return " + ".join(terms)
        groups: dict[Offset, float] = {}
        axes = range(self._dims) if item.kind == "laplacian" else [item.axis]
        for axis in axes:
            for reach, weight in enumerate(self._stencil.weights):
                key = self._along(axis, reach)
                groups[key] = groups.get(key, 0.0) + weight / h[axis] ** 2
        if item.kind == "laplacian" and self._stencil.mixed:
            for a, b in itertools.combinations(range(self._dims), 2):
                for (m, wm), (n, wn) in itertools.product(enumerate(self._stencil.weights), repeat=2):
                    key = tuple(x + y for x, y in zip(self._along(a, m), self._along(b, n), strict=True))
                    groups[key] = groups.get(key, 0.0) + wm * wn / (self._stencil.mixed * h[0] ** 2)
        terms = []
        for key, weight in groups.items():
            sum_of_mirrored = " + ".join(self._at(item.field, offset) for offset in _mirrored(key))
            terms.append(f"{self.number(weight)} * ({sum_of_mirrored})")
        return " + ".join(terms)

    def _along(self, axis: int, cells: int) -> Offset:
        return tuple(cells if other == axis else 0 for other in range(self._dims))

    def halo(self) -> str:
        """Fills the layers beyond the walls, axis after axis as ``pad`` does, corners included."""
        radius = self._stencil.radius
        starts = [radius] * (self._dims - 1) + [self._first_column]
        lines = [f"s{axis} = strides[{axis}]" for axis in range(self._dims)]
        lines.append("for field in range(u.shape[0]):")
        for axis, name in enumerate(self._grid.boundaries):
            boundary = boundary_from_name(name)
            if not isinstance(boundary, (Periodic, NoFlux, Dirichlet)):
                raise UntraceableError(f"it has no kernel for the boundary {name!r}")
            depth, place = 1, []
            for other in range(self._dims):
                if other == axis:
                    continue
                reach = radius if other < axis else 0
                start, stop = starts[other] - reach, starts[other] + reach
                lines.append("    " * depth + f"for i{other} in range({start}, {stop} + cells[{other}]):")
                place.append(f" + i{other} * s{other}")
                depth += 1
            lines.append("    " * depth + f"for layer in range({radius}):")
            first, end = f"({starts[axis]}", f"({starts[axis]} + cells[{axis}]"
            below, above = f"{first} - 1 - layer)", f"{end} + layer)"
            lowest, highest = f"{first} + layer)", f"{end} - 1 - layer)"
            if isinstance(boundary, Periodic):
                lowest, highest = highest, lowest
            for beyond, inside in ((below, lowest), (above, highest)):
                there, here = (f"u[field, {cell} * s{axis}{''.join(place)}]" for cell in (beyond, inside))
                value = f"walls[{axis}, field] - {here}" if isinstance(boundary, Dirichlet) else here
                lines.append("    " * (depth + 1) + f"{there} = {value}")
        return f"{_JIT}\ndef halo(u, walls, cells, strides):\n" + _indented(lines)


def _mirrored(offset: Offset) -> list[Offset]:
    """An offset and its mirror images, each once."""
    return list(itertools.product(*((cells,) if cells == 0 else (-cells, cells) for cells in offset)))
