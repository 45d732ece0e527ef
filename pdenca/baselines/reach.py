"""How far the right-hand side of an equation looks on a grid."""

from functools import cache

import torch

from pdenca.solvers.derivatives import StencilDerivatives
from pdenca.solvers.equation import Equation
from pdenca.solvers.equations import equation_class
from pdenca.solvers.grid import Grid
from pdenca.solvers.stencils import as_stencil

from .family import AnyEquation, as_family


def reach_of(equation: AnyEquation, stencil: str) -> int:
    """Return how many cells away one evaluation of an equation's rate looks along an axis.

    An equation with ∇²u looks as far as the stencil, one with ∇⁴u = ∇²(∇²u) twice as far. It is measured: by
    how far a change in one cell is felt, in one dimension, with the equation's default constants.

    Arguments:
        equation: a key of ``EQUATIONS``, an Equation class, or a family.
        stencil: a key of ``STENCILS``.

    Returns:
        Cells; the stencil's own radius for an equation that has no defaults or no meaning in one dimension.
    """
    chosen = as_family(equation).equation
    return _measured(equation_class(chosen) if isinstance(chosen, str) else chosen, stencil)


@cache
def _measured(equation: type[Equation], stencil: str) -> int:
    radius = as_stencil(stencil).radius
    grid = Grid.uniform(8 * radius + 2, 1.0, num_dims=1)
    middle = grid.num_cells // 2
    generator = torch.Generator().manual_seed(0)
    try:
        rule = equation()
        base = 0.5 + 0.1 * torch.rand(
            1, len(equation.fields), grid.num_cells, generator=generator, dtype=torch.float64
        )
        moved = base.clone()
        moved[..., middle] += 0.1
        derivatives = StencilDerivatives(grid, stencil)
        change = (rule.rate(moved, derivatives) - rule.rate(base, derivatives)).abs()
    except (TypeError, RuntimeError, IndexError, ValueError):
        return radius
    felt = (change[0].amax(0) > 1e-12 * change.max()).nonzero().flatten()
    return int((felt - middle).abs().max()) if len(felt) else 0
