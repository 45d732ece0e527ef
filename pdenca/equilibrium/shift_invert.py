"""Eigenvalues near 1 of a Jacobian whose systems can be solved."""

from typing import Final, cast

import numpy as np
import scipy.sparse.linalg
import torch
from numpy.typing import NDArray
from torch import Tensor

from .gmres import gmres
from .linearisation import Linearisation
from .preconditioning import Learning, Preconditioned
from .rows import RowMap

SHIFT: Final = 0.01
"""How far beyond 1 the point lies that the eigenvalues are nearest to."""
_BASIS: Final = 100  # products of one cycle of a solve


class _UnsolvedError(Exception):
    """A linear solve went wrong, and with it all that would follow."""


class NearOne:
    """The eigenvalues λ of J that are nearest to 1 + σ, by Arnoldi on (σ + I - J)⁻¹.

    Where patterns settle slowly, many λ lie within 10⁻³ of 1, and Arnoldi on J itself needs thousands of
    products to tell them apart; the inverse spreads them, and a step that has a preconditioner makes its
    products cheap. All eigenvalues within the largest distance d found are known, so that a growing
    oscillation exp(iω) is seen if ω² < d² - σ²; of faster ones this says nothing.

    Arguments:
        map: f on one state, its step with a preconditioner.
        row: the state.

    Attributes:
        products: of J with vectors so far.

    Source: Ericsson and Ruhe, Math. Comp. 35 (1980) 1251.
    """

    def __init__(self, map: RowMap, row: Tensor) -> None:
        step = cast(Preconditioned, map.step)
        self._map, self._row = map, row
        self._linear = Linearisation(map, row)
        self._shift = row.new_full((1,), SHIFT)
        self._tolerance = 1e-10 if row.dtype == torch.float64 else 1e-5
        self._made = step.preconditioner(map.states(row))
        if isinstance(self._made, Learning):  # many solves at one place: its best is worth its price
            self._made.told(torch.full((1,), 2 * _BASIS, device=row.device))
            self._made = step.preconditioner(map.states(row))
        self.products = int(torch.as_tensor(self._made.products).sum())

    def find(self, count: int) -> tuple[NDArray[np.complex128], NDArray[np.complex128], str]:
        """Return so many eigenvalues, their vectors as columns, and why some are missing, or ""."""
        size = self._row.shape[1]
        start = np.random.default_rng(0).standard_normal(size)
        operator = scipy.sparse.linalg.LinearOperator(
            (size, size), lambda v: self(np.asarray(v).reshape(-1)), dtype=np.float64
        )
        failure = ""
        inverse: NDArray[np.complex128] = np.zeros(0, dtype=complex)
        vectors: NDArray[np.complex128] = np.zeros((size, 0), dtype=complex)
        try:
            inverse, vectors = scipy.sparse.linalg.eigs(
                operator,
                k=min(count, size - 2),
                v0=start,
                ncv=min(size, max(3 * count, 20)),
                maxiter=50,
                tol=10 * self._tolerance,
            )
        except scipy.sparse.linalg.ArpackNoConvergence as error:
            inverse, vectors = error.eigenvalues, error.eigenvectors
            failure = f"only {len(inverse)} of {count} eigenvalues near 1 were found"
        except (scipy.sparse.linalg.ArpackError, _UnsolvedError) as error:
            failure = f"no eigenvalues near 1 were found: {error}"
        values: NDArray[np.complex128] = 1 + SHIFT - 1 / inverse
        return values, vectors, failure

    def __call__(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (σ + I - J)⁻¹ of a vector."""
        right = torch.from_numpy(np.ascontiguousarray(vector)).to(self._row)[None]
        solved = gmres(
            lambda rows: self._shifted(self._inverse(rows)),
            right,
            self._tolerance,
            max_products=2 * _BASIS,
            basis_size=_BASIS,
        )
        self.products += int(solved.products)
        if not float(solved.residuals) <= 10 * self._tolerance:
            raise _UnsolvedError(f"a system with σ + I - J was solved to {float(solved.residuals):.1e} only")
        found: NDArray[np.float64] = self._inverse(solved.solution)[0].double().cpu().numpy()
        return found

    def _shifted(self, rows: Tensor) -> Tensor:
        shifted: Tensor = (1 + SHIFT) * rows - self._linear.times(rows)
        return shifted

    def _inverse(self, rows: Tensor) -> Tensor:
        found: Tensor = self._map.rows(self._made(self._map.states(rows), self._shift))
        return found
