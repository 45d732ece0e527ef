"""Anderson's acceleration: the best combination of the last few iterates."""

from typing import final

import torch
from pydantic import Field
from torch import Tensor

from .method import Method
from .rows import Rows, sizes
from .search import Caution, Search


@final
class Anderson(Method):
    """Mix the last iterates so that their residuals F = f(z) - z cancel best.

        z ← z + β F - Σ_j γ_j (Δz_j + β ΔF_j),   γ = argmin ‖F - Σ_j γ_j ΔF_j‖² + ε tr(G)/m |γ|²,

    with Δ the differences of the last m + 1 iterates, each scaled to |ΔF_j| = 1, and G their Gram matrix. The
    regularisation is thereby relative: the same for all units, grids and distances from the solution. On
    linear maps it does what GMRES does. A step whose γ is not finite, and one after which the residual has
    grown ten-fold over the best, is replaced by plain steps from the best iterate, with the memory cleared.

    Arguments:
        memory: m, differences that are kept.
        regularisation: ε; never less than 20 times the rounding error.
        mixing: β, above 0 and at most 1.

    Source: Anderson, J. ACM 12 (1965) 547; Walker and Ni, SIAM J. Numer. Anal. 49 (2011) 1715, eq. 2.2.
    """

    memory: int = Field(default=5, ge=1)
    regularisation: float = Field(default=1e-12, ge=0)
    mixing: float = Field(default=1.0, gt=0, le=1)

    def run(self, search: Search) -> None:
        """Iterate."""
        points = search.fed
        shape = (len(points), self.memory, points.shape[1])
        moves, changes = points.new_zeros(shape), points.new_zeros(shape)
        last, last_residual = points, torch.zeros_like(points)
        caution = Caution(search)
        number = 0
        while bool(search.active.any()):
            values = search.evaluate(points, forgiven=caution.bold)
            residual = values - points
            keep = search.active & ~caution.grew(residual)
            slot = number % self.memory
            paired = (keep & (number > 0))[:, None]
            moves[:, slot] = torch.where(paired, points - last, 0)
            change = residual - last_residual
            # a difference that is rounding only would, scaled to 1, point anywhere
            told = sizes(change) > 2 * torch.finfo(points.dtype).eps * sizes(points)
            changes[:, slot] = torch.where(paired & told[:, None], change, 0)
            moves[~keep], changes[~keep] = 0, 0
            points = torch.where(keep[:, None], points, search.fed)
            residual = torch.where(keep[:, None], residual, search.best_value - search.fed)
            last, last_residual = points, residual
            bold = self._step(residual, moves, changes)
            points = points + torch.where(caution.bold[:, None], bold, self.mixing * residual)
            number += 1

    def _step(self, residual: Rows, moves: Tensor, changes: Tensor) -> Rows:
        plain = self.mixing * residual
        lengths = torch.linalg.vector_norm(changes, dim=2)
        used = (lengths > 0) & lengths.isfinite()
        factors = torch.where(used, 1 / lengths, 0)[:, :, None]
        scaled_changes, scaled_moves = changes * factors, moves * factors
        gram = scaled_changes @ scaled_changes.mT
        # of unit vectors, so trace / m = 1; an unused slot gets a 1 of its own and a coefficient of 0
        epsilon = max(self.regularisation, 20 * torch.finfo(residual.dtype).eps)
        gram = gram + torch.diag_embed(torch.where(used, epsilon, 1.0).to(gram))
        right = scaled_changes @ residual[:, :, None]
        weights, _ = torch.linalg.solve_ex(gram, right)
        step = plain - ((scaled_moves + self.mixing * scaled_changes).mT @ weights)[:, :, 0]
        return torch.where(step.isfinite().all(1)[:, None], step, plain)
