"""Newton's method without a matrix."""

from typing import Final, final

import torch
from pydantic import Field

from .gmres import gmres
from .linearisation import Linearisation
from .method import Method
from .rows import sizes
from .search import Search

# Eisenstat and Walker's second choice: forcing = γ (ratio of residuals)^α with these
_GAMMA: Final = 0.9
_ALPHA: Final = 2.0
_LARGEST_FORCING: Final = 0.5


@final
class NewtonKrylov(Method):
    """(I - J) δ = f(z) - z,   z ← z + t δ,   by GMRES on products J v.

    Each sample has its own Krylov space. The systems are solved only as well as the progress of Newton's
    method is worth (Eisenstat and Walker's forcing), and t = 1, 1/2, 1/4, ... until the residual falls; where
    none does, a plain step z ← f(z) is taken. Finds stable and unstable fixed points alike. Along neutral
    directions, such as translations on a torus, the least step is taken.

    Arguments:
        max_products: products J v per Newton step.
        basis_size: products per cycle of GMRES; this many states are stored.
        forcing: relative residual of the first linear system.

    Source: Knoll and Keyes, J. Comput. Phys. 193 (2004) 357; Eisenstat and Walker, SIAM J. Sci. Comput. 17
    (1996) 16, choice 2.
    """

    max_products: int = Field(default=200, ge=1)
    basis_size: int = Field(default=50, ge=1)
    forcing: float = Field(default=0.1, gt=0, lt=1)

    def run(self, search: Search) -> None:
        """Iterate."""
        points = search.fed
        values = search.evaluate(points)
        residual = torch.zeros_like(points)
        forcing = torch.full_like(search.best_residual, self.forcing)
        while bool(search.active.any()):
            active = search.active
            points = torch.where(active[:, None], points, search.fed)
            residual = torch.where(active[:, None], values - points, 0)
            linear = Linearisation(search.map, points)
            solved = gmres(
                lambda v, linear=linear: v - linear.times(v),  # type: ignore[misc]
                residual,
                forcing,
                max_products=self.max_products,
                basis_size=self.basis_size,
            )
            search.products += solved.products
            before = sizes(residual)
            moves = active & (solved.solution != 0).any(1)
            points, values, stuck = search.backtrack(points, values, solved.solution, moves)
            plain = (stuck | (active & ~moves)) & search.active
            if bool(plain.any()):
                points = torch.where(plain[:, None], values, points)
                values = torch.where(plain[:, None], search.evaluate(points, plain), values)
            ratio = sizes(values - points) / before
            wanted = _GAMMA * ratio**_ALPHA
            # no sudden demands: as strict as before while the last one was loose
            slow = _GAMMA * forcing**_ALPHA
            wanted = torch.where(slow > 0.1, torch.maximum(wanted, slow), wanted)
            least = max(1e-8, 10 * torch.finfo(points.dtype).eps)
            forcing = wanted.nan_to_num(self.forcing).clamp(least, _LARGEST_FORCING)
