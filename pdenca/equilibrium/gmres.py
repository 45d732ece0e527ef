"""GMRES on many small independent systems at once, by products alone."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .rows import PerSample, Rows, sizes


@dataclass(frozen=True, eq=False)
class LinearSolution:
    """The solution of A x = b, one system per sample.

    Arguments:
        solution: x.
        residuals: ‖b - A x‖ / ‖b‖, computed from x; 0 for b = 0.
        products: with A.
        converged: whether the residual is below its tolerance.
        smallest: an upper bound of A's smallest singular value, seen in the Krylov space; where it is tiny
            against ``largest``, A is singular or nearly so along a direction that b has a part in.
        largest: a lower bound of A's largest one.
    """

    solution: Float[Tensor, "batch entry"]
    residuals: Float[Tensor, " batch"]
    products: Int[Tensor, " batch"]
    converged: Bool[Tensor, " batch"]
    smallest: Float[Tensor, " batch"]
    largest: Float[Tensor, " batch"]

    @property
    def near_singular(self) -> Bool[Tensor, " batch"]:
        """Whether A is singular to about the third root of the rounding error."""
        limit: float = torch.finfo(self.smallest.dtype).eps ** (1 / 3)
        return self.smallest <= limit * self.largest


def gmres(
    product: Callable[[Tensor], Tensor],
    right: Rows,
    tolerance: PerSample | float,
    *,
    max_products: int = 200,
    basis_size: int = 50,
) -> LinearSolution:
    """Solve A x = b for every sample, each in its own Krylov space, by restarted GMRES.

    One product serves all samples; those that are done are multiplied as zero rows. Of all x in the Krylov
    space that make the residual least, the shortest is taken, so that singular systems do no harm as long as
    they have a solution. A system whose residual falls by less than a tenth in one cycle is given up.

    Arguments:
        product: rows ↦ rows of A x, linear and separate for each sample.
        right: b.
        tolerance: of ‖b - A x‖ / ‖b‖.
        max_products: at most, without the one per cycle that verifies the residual.
        basis_size: products per cycle; this many states are stored.

    Source: Saad and Schultz, SIAM J. Sci. Stat. Comput. 7 (1986) 856; for singular systems Brown and Walker,
    SIAM J. Matrix Anal. Appl. 18 (1997) 37.
    """
    length = sizes(right)
    target = length * torch.as_tensor(tolerance).to(length)
    solution, residual, remaining = torch.zeros_like(right), right, length
    products = torch.zeros(len(right), dtype=torch.int64, device=right.device)
    smallest, largest = torch.full_like(length, torch.inf), torch.zeros_like(length)
    working = (length > target) & length.isfinite()
    used = 0
    while used < max_products and bool(working.any()):
        count = min(basis_size, max_products - used, right.shape[1] + 1)
        basis, hessenberg, steps = _arnoldi(product, residual, remaining, target, working, count)
        used += hessenberg.shape[2]
        products += torch.where(working, steps + 1, 0)
        weights, values = _least_squares(hessenberg, torch.where(working, remaining, 0))
        solution = solution + (basis[:, :-1].mT @ weights[:, :, None])[:, :, 0]
        residual = right - product(solution)
        left = sizes(residual)
        seen = working & (steps > 0)
        last = values.gather(1, (steps - 1).clamp(min=0)[:, None])[:, 0]
        smallest = torch.where(seen, torch.minimum(smallest, last), smallest)
        largest = torch.where(seen, torch.maximum(largest, values[:, 0]), largest)
        working = working & (left > target) & (left < 0.9 * remaining)
        remaining = left
    relative = torch.where(length > 0, remaining / length, 0)
    return LinearSolution(solution, relative, products, remaining <= target, smallest, largest)


def _arnoldi(
    product: Callable[[Tensor], Tensor],
    residual: Rows,
    size: PerSample,
    target: PerSample,
    working: Bool[Tensor, " batch"],
    count: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return basis ``"batch count+1 entry"``, Hessenberg ``"batch count+1 count"``, steps per sample."""
    batch, num_entries = residual.shape
    basis = residual.new_zeros(batch, count + 1, num_entries)
    hessenberg = residual.new_zeros(batch, count + 1, count)
    basis[:, 0] = torch.where(working[:, None], residual / size[:, None], 0)
    # q spans what the columns of the Hessenberg matrix leave out: qᵀH = 0. Its length tells the residual of
    # the least-squares problem, |b| / |q| for q_0 = 1, before that is solved
    left_out = residual.new_zeros(batch, count + 1)
    left_out[:, 0] = 1
    steps = torch.zeros(batch, dtype=torch.int64, device=residual.device)
    epsilon = torch.finfo(residual.dtype).eps
    going, number = working, 0
    while number < count and bool(going.any()):
        vector = product(basis[:, number])
        before = sizes(vector)
        known = basis[:, : number + 1]
        for _ in range(2):  # once more against rounding
            part = (known @ vector[:, :, None])[:, :, 0]
            vector = vector - (known.mT @ part[:, :, None])[:, :, 0]
            hessenberg[:, : number + 1, number] += part
        after = sizes(vector)
        new = going & (after > 10 * epsilon * before)
        hessenberg[:, number + 1, number] = torch.where(new, after, 0)
        steps += going
        basis[:, number + 1] = torch.where(new[:, None], vector / after[:, None], 0)
        overlap = (left_out[:, : number + 1] * hessenberg[:, : number + 1, number]).sum(1)
        left_out[:, number + 1] = torch.where(new, -overlap / after, 0)
        going = new & (size > target * sizes(left_out))
        # columns of samples that are done stay zero and get no weight
        basis[:, number + 1] = torch.where(going[:, None], basis[:, number + 1], 0)
        number += 1
    return basis[:, : number + 1], hessenberg[:, : number + 1, :number], steps


def _least_squares(hessenberg: Tensor, right: PerSample) -> tuple[Tensor, Tensor]:
    """Shortest minimiser of ‖H y - |b| e₁‖, and H's singular values; a NaN is left where it came from."""
    fine = hessenberg.isfinite().all(2).all(1)
    clean = torch.where(fine[:, None, None], hessenberg, 0)
    u, values, vh = torch.linalg.svd(clean, full_matrices=False)
    # what is more singular than this is taken for singular: a step along it would be rounding, magnified
    limit = values[:, :1] * torch.finfo(values.dtype).eps ** (2 / 3)
    inverse = torch.where(values > limit, 1 / values, 0)
    weights = (vh.mT @ (inverse * u[:, 0] * right[:, None])[:, :, None])[:, :, 0]
    return torch.where(fine[:, None], weights, torch.nan), values
