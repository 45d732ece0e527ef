"""Sparse polynomials: what a reaction is, written down."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
EXACT = 1e-7
"""Shares of the target smaller than this are rounding: they decide nothing."""
MOST_ADDED, MOST_EXCHANGES = 8, 20


@dataclass(frozen=True)
class Term:
    """A product of powers of fields, times a parameter or not.

    Attributes:
        powers: of each field.
        parameter: name of the factor, or None.
    """

    powers: tuple[int, ...]
    parameter: str | None

    def name(self, fields: Sequence[str]) -> str:
        """Return the term as text, such as ``feed_rate A B²``."""
        parts = [self.parameter] if self.parameter else []
        for field, power in zip(fields, self.powers, strict=True):
            if power:
                parts.append(field if power == 1 else field + str(power).translate(SUPERSCRIPTS))
        return " ".join(parts) or "1"


def polynomial_terms(num_fields: int, parameters: Sequence[str], degree: int = 3) -> tuple[Term, ...]:
    """Return all monomials of the fields up to a total degree, times 1 and times each parameter."""
    powers = [
        power for power in itertools.product(range(degree + 1), repeat=num_fields) if sum(power) <= degree
    ]
    powers.sort(key=lambda power: (sum(power), [-part for part in power]))
    return tuple(Term(power, parameter) for parameter in (None, *parameters) for power in powers)


def columns_of(
    terms: Sequence[Term],
    fields: Float[np.ndarray, "cell field"],
    parameters: Mapping[str, Float[np.ndarray, " cell"]],
) -> Float[np.ndarray, "cell term"]:
    """Evaluate terms at cells."""
    products = {power: np.prod(fields ** np.array(power), axis=1) for power in {t.powers for t in terms}}
    made = [
        products[term.powers]
        if term.parameter is None
        else products[term.powers] * parameters[term.parameter]
        for term in terms
    ]
    return np.stack(made, axis=1)


@dataclass(frozen=True, eq=False)
class Fit:
    """A target as a combination of columns.

    Attributes:
        coefficients: one per column.
        unexplained: root mean square of what is left, in standard deviations of the target.
        shares: root mean square of each column times its coefficient, in the same unit.
    """

    coefficients: Float[np.ndarray, " term"]
    unexplained: float
    shares: Float[np.ndarray, " term"]

    @property
    def r_squared(self) -> float:
        """Explained share of the variance."""
        return 1 - self.unexplained**2


def fit(columns: Float[np.ndarray, "cell term"], target: Float[np.ndarray, " cell"]) -> Fit:
    """Fit a target by least squares, with columns standardised to root mean square 1."""
    size = np.sqrt((columns**2).mean(0)) if columns.shape[1] else np.zeros(0)
    unit = np.where(size > 0, size, 1.0)
    solution = np.linalg.lstsq(columns / unit, target, rcond=1e-13)[0]
    left = target - columns / unit @ solution
    deviation = float(target.std()) or 1.0
    return Fit(
        coefficients=solution / unit,
        unexplained=float(np.sqrt((left**2).mean())) / deviation,
        shares=np.abs(solution) * (size > 0) / deviation,
    )


def select_terms(
    columns: Float[np.ndarray, "cell term"],
    target: Float[np.ndarray, " cell"],
    num_places: int,
    tolerance: float = EXACT,
) -> Bool[np.ndarray, " term"]:
    """Choose the columns that a target needs.

    Candidates come from two sides. From the full library, sequentially thresholded least squares: the term
    without which the fit worsens least is dropped and the others are fitted again. From the empty one: the
    term that helps most is added, and exchanged for others as long as that helps. Columns such as A and F A
    resemble each other, so what a term is worth is always measured beyond all others. The Bayesian
    information criterion decides,

        N log(residual variance + tolerance²) + (number of terms) log N,

    with N the number of places rather than of cells, because the cells of one frame are no independent
    witnesses, and what a learned function deviates from a polynomial is no noise.

    Arguments:
        columns: the library, evaluated.
        target: what to explain.
        num_places: N.
        tolerance: what is left below this share of the target's standard deviation is not worth a term.

    Returns:
        Which columns stay.
    """
    size = np.sqrt((columns**2).mean(0))
    kept = np.flatnonzero(size > 0)
    problem = _Reduced(columns[:, kept] / size[kept], target)

    def criterion(terms: Sequence[int]) -> float:
        left = problem.residual(terms) / problem.total
        return num_places * math.log(left + tolerance**2) + len(terms) * math.log(num_places)

    candidates = [*problem.dropped(), *problem.added(MOST_ADDED)]
    mask = np.zeros(columns.shape[1], dtype=bool)
    mask[kept[min(candidates, key=criterion)]] = True
    return mask


class _Reduced:
    """Least squares on every subset of some columns, from one QR decomposition of all of them."""

    def __init__(self, columns: np.ndarray, target: np.ndarray) -> None:
        factor, self.upper = np.linalg.qr(columns)
        self.projected = factor.T @ target
        self.rest = float(((target - factor @ self.projected) ** 2).sum())
        self.total = float(((target - target.mean()) ** 2).sum()) or 1.0
        self.ridge = 1e-12 * len(target)

    def residual(self, terms: Sequence[int]) -> float:
        """Return the sum of squares that these columns leave."""
        own = self.upper[:, list(terms)]
        solution = np.linalg.lstsq(own, self.projected, rcond=1e-13)[0]
        return self.rest + float(((self.projected - own @ solution) ** 2).sum())

    def dropped(self) -> list[list[int]]:
        """Drop the least needed column, one after the other."""
        alive = list(range(self.upper.shape[1]))
        path = [list(alive)]
        while alive:
            own = self.upper[:, alive]
            solution = np.linalg.lstsq(own, self.projected, rcond=1e-13)[0]
            # the tiny ridge makes columns that follow from others the first to go
            inverse = np.linalg.inv(own.T @ own + self.ridge * np.eye(len(alive)))
            alive.pop(int((solution**2 / np.diag(inverse)).argmin()))
            path.append(list(alive))
        return path

    def added(self, most: int) -> list[list[int]]:
        """Add the column that helps most, one after the other; exchange earlier ones while that helps."""
        alive: list[int] = []
        path = []
        for _ in range(min(most, self.upper.shape[1])):
            others = [number for number in range(self.upper.shape[1]) if number not in alive]
            alive = self._best([[*alive, number] for number in others])
            for _ in range(MOST_EXCHANGES):
                swaps = [
                    [*alive[:place], number, *alive[place + 1 :]]
                    for place in range(len(alive))
                    for number in range(self.upper.shape[1])
                    if number not in alive
                ]
                swap = self._best([alive, *swaps])
                if self.residual(swap) >= self.residual(alive) * (1 - 1e-9):
                    break
                alive = swap
            path.append(list(alive))
        return path

    def _best(self, subsets: list[list[int]]) -> list[int]:
        """Return the subset that leaves least; many small normal equations at once."""
        index = np.array(subsets)
        gram = (self.upper.T @ self.upper)[index[:, :, None], index[:, None, :]]
        right = (self.upper.T @ self.projected)[index]
        solved = np.linalg.solve(gram + self.ridge * np.eye(index.shape[1]), right[:, :, None])[:, :, 0]
        return subsets[int((solved * right).sum(1).argmax())]
