"""Trajectories turned or mirrored: where nothing has a direction of its own, they are solutions as well."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, Context
from pdenca.core.field import Kind
from pdenca.solvers.derivatives import StencilDerivatives
from pdenca.solvers.equation import Equation
from pdenca.solvers.grid import Grid
from pdenca.symmetry import CUBE, D2, D4, LINE, Element, Group, act

from .settings import Case

SAME_RATE: Final = 1e-6
"""Rates that differ by less than this share of the largest are the same but for rounding."""


def rotated(case: Case, element: Element) -> Case:
    """Turn or mirror everything about the centre of the domain: start, truth, parameters that vary in space.

    For an equation without a direction of its own the moved truth is the truth of the moved start. Where the
    equation is known, that is checked on the first frame.

    Arguments:
        case: the stored one.
        element: of a group that fits the grid, see :mod:`pdenca.symmetry`.

    Raises:
        BadInputError: if the element does not fit the grid, would exchange axes of different spacing or
            boundary, or is no symmetry of the equation.
    """
    truth, context, equation = moved(
        element, case.truth, case.context, case.equation, grid=case.grid, kinds=case.kinds
    )
    note = f"{case.split}, {element.name}"
    return replace(case, truth=truth, context=context, equation=equation, note=note)


def moved(
    element: Element,
    frames: Float[Tensor, "trajectory time channel *space"],
    context: Context,
    equation: Equation | None,
    *,
    grid: Grid,
    kinds: Sequence[Kind] | None,
) -> tuple[Float[Tensor, "trajectory time channel *space"], Context, Equation | None]:
    """Turn or mirror trajectories, their parameters and the equation behind them; see :func:`rotated`."""
    require_symmetric(grid, element)
    turned = act(element, frames.flatten(0, 1), kinds).unflatten(0, frames.shape[:2]).contiguous()
    told: Context = {
        name: act(element, value[:, None])[:, 0] if value.ndim > 1 else value
        for name, value in context.items()
    }
    if equation is None:
        return turned, told, None
    of_turned = equation
    if any(value.ndim > 1 for value in told.values()):
        of_turned = equation.with_parameters({name: value.double() for name, value in told.items()})
    derivatives, start = StencilDerivatives(grid, "order-4"), frames[:, 0].double()
    expected = act(element, equation.rate(start, derivatives), kinds)
    found = of_turned.rate(act(element, start, kinds), derivatives)
    if float((found - expected).abs().max()) > SAME_RATE * float(expected.abs().max()):
        raise BadInputError(
            f"{element.name!r} is no symmetry of {equation.name!r} with these constants, so what "
            "was moved is no solution; usual cure: leave this split out"
        )
    return turned, told, of_turned


def require_symmetric(grid: Grid, element: Element) -> None:
    """Refuse elements that a grid's numbers of cells might allow, but its spacing or walls do not.

    Raises:
        BadInputError: if the element would exchange axes of different spacing or boundary.
    """
    axes = element.source_axes if element.num_dims == grid.num_dims else range(grid.num_dims)
    if any((grid.spacing[a], grid.boundaries[a]) != (grid.spacing[b], grid.boundaries[b])
           for a, b in enumerate(axes)):  # fmt: skip
        raise BadInputError(
            f"{element.name!r} would exchange axes of different spacing or boundary on {grid}; usual cure: "
            "an element of D2"
        )


def symmetries_of(grid: Grid) -> Group:
    """Return the largest group that carries a grid onto itself, as far as it has a name."""
    alike = len(set(zip(grid.shape, grid.spacing, grid.boundaries, strict=True))) == 1
    if grid.num_dims == 1:
        return LINE
    if grid.num_dims == 2:
        return D4 if alike else D2
    if not alike:
        raise BadInputError(f"only cubes have a group in three dimensions, got the grid {grid}")
    return CUBE
