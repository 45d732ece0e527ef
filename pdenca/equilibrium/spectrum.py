"""Leading eigenvalues of the Jacobian of a map, for each sample."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import scipy.sparse.linalg
import torch
from numpy.typing import NDArray
from torch import Tensor

from .linearisation import Linearisation
from .preconditioning import Preconditioned
from .rows import RowMap, Selectable
from .shift_invert import NearOne

Vector = NDArray[np.float64]
Method = Literal["dense", "arnoldi", "shift-invert"]

LARGEST_DENSE: Final = 300
_CYCLES: Final = 100  # restarts of Arnoldi
_OUTER: Final = 5  # the same where only what stands apart is looked for
_NEAR: Final = 3  # so many times as many near 1
_SAME: Final = 1e-5  # eigenvalues this near to each other are one


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues of largest modulus first.

    Arguments:
        values: λ.
        vectors: one column each, of length 1.
        residuals: ‖J v - λ v‖.
        times: v ↦ J v on flat real vectors.
        complete: whether these are all eigenvalues.
        failure: why not as many as asked for were found; "" if they were.
    """

    values: NDArray[np.complex128]
    vectors: NDArray[np.complex128]
    residuals: Vector
    times: Callable[[Vector], Vector]
    complete: bool
    failure: str


def spectra(map: RowMap, state: Tensor, num_eigenvalues: int, method: Method) -> list[Spectrum]:
    """Return the leading eigenvalues of J at every state of a batch."""
    rows = map.rows(state)
    if method == "arnoldi":
        return [_by_arnoldi(_product_of_sample(map, rows, b), rows.shape[1], num_eigenvalues, rows.dtype)
                for b in range(len(rows))]  # fmt: skip
    if method == "shift-invert":
        return [_by_shift_invert(map, rows, b, num_eigenvalues) for b in range(len(rows))]
    linear = Linearisation(map, rows)
    columns = []
    for number in range(rows.shape[1]):  # one product serves all samples
        unit = torch.zeros_like(rows)
        unit[:, number] = 1
        columns.append(linear.times(unit).double().cpu())
    found = []
    for matrix in torch.stack(columns, 2).numpy():
        if not np.isfinite(matrix).all():
            found.append(_nothing(lambda v, matrix=matrix: matrix @ v, len(matrix), "J is not finite"))  # type: ignore[misc]
            continue
        values, vectors = np.linalg.eig(matrix)
        found.append(
            _ordered(lambda v, matrix=matrix: matrix @ v, values, vectors, num_eigenvalues, True, "")  # type: ignore[misc]
        )
    return found


def _by_shift_invert(map: RowMap, rows: Tensor, sample: int, count: int) -> Spectrum:
    """Those near 1, and the largest of all, as far as a short run of Arnoldi tells them."""
    own = map.part(torch.tensor([sample], device=rows.device))
    row = rows[sample : sample + 1]
    times = _product_of_sample(map, rows, sample)
    if not isinstance(own.step, Preconditioned):
        return _by_arnoldi(times, row.shape[1], count, row.dtype)
    outer = _by_arnoldi(times, row.shape[1], count, row.dtype, _OUTER)
    if not np.isfinite(times(np.ones(row.shape[1]))).all():
        return outer
    values, vectors, failure = NearOne(own, row).find(_NEAR * count)
    new = np.abs(outer.values[:, None] - values).min(1, initial=np.inf) > _SAME
    values = np.concatenate((values, outer.values[new]))
    vectors = np.concatenate((vectors, outer.vectors[:, new]), axis=1)
    return _ordered(times, values, vectors, len(values), False, failure)


def _product_of_sample(map: RowMap, rows: Tensor, sample: int) -> Callable[[Vector], Vector]:
    """v ↦ J v of one sample; a map that cannot be cut down gets zeros for the others."""
    if isinstance(map.step, Selectable):
        own = map.states(rows)[sample : sample + 1]
        index = torch.tensor([sample], device=rows.device)
        map, rows, sample = RowMap(map.step.select(index), own), rows[sample : sample + 1], 0
    linear = Linearisation(map, rows)

    def times(vector: Vector) -> Vector:
        tangent = torch.zeros_like(rows)
        tangent[sample] = torch.from_numpy(np.ascontiguousarray(vector)).to(rows)
        image: Vector = linear.times(tangent)[sample].double().cpu().numpy()
        return image

    return times


def _by_arnoldi(
    times: Callable[[Vector], Vector], size: int, count: int, dtype: torch.dtype, cycles: int = _CYCLES
) -> Spectrum:
    # one more than wanted, as ARPACK may tear the last pair of conjugates apart
    wanted, count = count, min(count + 1, size - 2)
    start = np.random.default_rng(0).standard_normal(size)
    image = times(start)
    if not np.isfinite(image).all():
        return _nothing(times, size, "J is not finite")
    if not image.any():  # ARPACK cannot begin with a zero map, which is as stable as can be
        return _ordered(times, np.zeros(1), start[:, None] / np.linalg.norm(start), 1, False, "")
    operator = scipy.sparse.linalg.LinearOperator(
        (size, size), lambda v: times(np.asarray(v).reshape(-1)), dtype=np.float64
    )
    failure = ""
    try:
        values, vectors = scipy.sparse.linalg.eigs(
            operator,
            k=count,
            which="LM",
            v0=start,
            ncv=min(size, max(4 * count, 40)),
            maxiter=cycles,
            tol=1e-9 if dtype == torch.float64 else 1e-6,
        )
    except scipy.sparse.linalg.ArpackNoConvergence as error:
        values, vectors = error.eigenvalues, error.eigenvectors
        failure = f"only {len(values)} of {count} eigenvalues were found"
    except scipy.sparse.linalg.ArpackError as error:
        return _nothing(times, size, f"no eigenvalues were found: {error}")
    return _ordered(times, values, vectors, wanted, False, failure)


def _ordered(
    times: Callable[[Vector], Vector],
    values: NDArray[np.complex128] | Vector,
    vectors: NDArray[np.complex128] | Vector,
    count: int,
    whole: bool,
    failure: str,
) -> Spectrum:
    total = len(values)
    order = np.argsort(-np.abs(values), kind="stable")
    if total > count and not np.isclose(
        values[order[count]], values[order[count - 1]].conj(), rtol=1e-9, atol=0
    ):
        order = order[:count]
    else:
        order = order[: count + 1]  # pairs of conjugates stay together
    values = values[order].astype(np.complex128)
    vectors = vectors[:, order].astype(np.complex128)
    lengths = np.linalg.norm(vectors, axis=0)
    vectors = vectors / np.where(lengths > 0, lengths, 1)
    residuals = np.array(
        [
            np.linalg.norm(times(v.real.copy()) + 1j * times(v.imag.copy()) - value * v)
            for value, v in zip(values, vectors.T, strict=True)
        ]
    )
    return Spectrum(values, vectors, residuals, times, whole and len(order) == total, failure)


def _nothing(times: Callable[[Vector], Vector], size: int, failure: str) -> Spectrum:
    empty = np.zeros((size, 0), dtype=np.complex128)
    return Spectrum(np.zeros(0, dtype=np.complex128), empty, np.zeros(0), times, False, failure)
