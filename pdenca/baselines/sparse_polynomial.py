"""The sparse fit: a polynomial equation read off the data by linear least squares, then solved."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, Codec, Context, LastFrame
from pdenca.solvers.grid import Grid
from pdenca.solvers.stencils import as_stencil, laplacian

from .trivial import require_interval

THRESHOLDS: Final = (1e-3, 1e-2, 0.1, 0.3, 1.0)
"""A term is dropped while this adds less than such a share to the squared error of the fit."""

DIFFERENCE_ORDER: Final = 6  # of the time differences: seven frames


@dataclass(frozen=True)
class Term:
    """A column of the library: a monomial of the fields or a Laplacian, possibly times a parameter.

    Attributes:
        powers: of each field; all 0 for the constant.
        parameter: name of the parameter that multiplies it, or None.
        laplacian_of: the field whose Laplacian it is, by number; None for monomials.
    """

    powers: tuple[int, ...]
    parameter: str | None = None
    laplacian_of: int | None = None

    def name(self, fields: Sequence[str]) -> str:
        """Return the term as text."""
        parts = [self.parameter] if self.parameter else []
        if self.laplacian_of is not None:
            parts.append(f"∇²{fields[self.laplacian_of]}")
        for field, power in zip(fields, self.powers, strict=True):
            if power:
                parts.append(field if power == 1 else f"{field}^{power}")
        return " ".join(parts) or "1"


def polynomial_library(num_fields: int, parameters: Sequence[str], degree: int = 3) -> tuple[Term, ...]:
    """Return all monomials up to a degree, alone and times each parameter, and the Laplacians.

    Arguments:
        num_fields: fields of a frame.
        parameters: names of the equation's parameters.
        degree: highest total degree in the fields.
    """
    powers = [item for item in itertools.product(range(degree + 1), repeat=num_fields) if sum(item) <= degree]
    nothing = (0,) * num_fields
    monomials = [Term(item, name) for name in (None, *parameters) for item in sorted(powers, key=sum)]
    return (*monomials, *(Term(nothing, None, number) for number in range(num_fields)))


@final
@dataclass(frozen=True, eq=False)
class SparsePolynomial:
    """A polynomial equation ∂u/∂t = Σ_j c_j term_j(u, ∇²u, p), an Emulator that solves it by RK4.

    :meth:`fit` finds c by least squares between the terms and time differences of sixth order, then drops the
    term that is missed least and fits the rest again, and so on, as long as the error grows by less than a
    threshold each time.

    Arguments:
        terms: the library.
        coefficients: one row per term, one column per field; zeros where a term was dropped.
        frame_interval: physical time between frames.
        stencil: a key of ``STENCILS``.
        max_time_step: longest step; it is also kept below half the stability limit of diffusion.

    Limits: the data must resolve the dynamics in time; rates near sharp starts are left out. It is told that
    the rates are polynomials, which no network here is.

    References:
        S. L. Brunton, J. L. Proctor, J. N. Kutz, PNAS 113 (2016) 3932, eq. 6 (the library);
        S. H. Rudy et al., Science Advances 3 (2017) e1602614 (derivatives in it);
        L. Boninsegna, F. Nüske, C. Clementi, J. Chem. Phys. 148 (2018) 241723, section II C (dropping one
        term at a time).
    """

    terms: tuple[Term, ...]
    coefficients: Float[Tensor, "term field"]
    frame_interval: float
    stencil: str = "order-6"
    max_time_step: float = 1.0

    def __post_init__(self) -> None:
        require_interval(self.frame_interval)
        if not self.max_time_step > 0:
            raise BadInputError(f"max_time_step must be positive, got {self.max_time_step}")
        if len(self.terms) != len(self.coefficients):
            raise BadInputError(
                f"there are {len(self.terms)} terms and {len(self.coefficients)} rows of coefficients"
            )
        as_stencil(self.stencil)

    @classmethod
    def fit(
        cls,
        windows: Float[Tensor, "window time field *space"],
        context: Context,
        grid: Grid,
        frame_interval: float,
        *,
        degree: int = 3,
        stencil: str = "order-6",
        thresholds: Sequence[float] = THRESHOLDS,
        cells_per_window: int = 512,
        generator: torch.Generator | None = None,
    ) -> list["SparsePolynomial"]:
        """Fit one polynomial per threshold.

        Arguments:
            windows: seven consecutive frames each, float64.
            context: parameters of each window.
            grid: the domain.
            frame_interval: physical time between frames.
            degree: highest degree of the monomials.
            stencil: a key of ``STENCILS``.
            thresholds: each gives a candidate; rising ones give ever sparser ones.
            cells_per_window: random cells taken from each window.
            generator: chooses the cells; a fixed seed by default.

        Returns:
            The candidates, in the order of rising thresholds.

        Raises:
            BadInputError: for windows of another length.
        """
        if windows.shape[1] != DIFFERENCE_ORDER + 1:
            raise BadInputError(
                f"a window has {DIFFERENCE_ORDER + 1} frames for its time difference, got {windows.shape[1]}"
            )
        generator = generator or torch.Generator().manual_seed(0)
        windows = windows.double()
        told = {name: value.double() for name, value in context.items()}
        terms = polynomial_library(windows.shape[2], sorted(told), degree)
        middle = DIFFERENCE_ORDER // 2
        rates = torch.zeros_like(windows[:, 0])
        for reach, weight in enumerate(as_stencil(f"order-{DIFFERENCE_ORDER}").first_weights, start=1):
            rates += weight * (windows[:, middle + reach] - windows[:, middle - reach]) / frame_interval
        columns = evaluate_terms(terms, windows[:, middle], told, grid, stencil)
        table = torch.stack([column.expand_as(rates[:, 0]) for column in columns], -1)
        picks = torch.stack(
            [torch.randperm(grid.num_cells, generator=generator)[:cells_per_window] for _ in windows]
        )[..., None]
        x = table.flatten(1, -2).take_along_dim(picks, 1).flatten(0, 1)
        y = rates.movedim(1, -1).flatten(1, -2).take_along_dim(picks, 1).flatten(0, 1)
        size = x.square().mean(0).sqrt().clamp_min(1e-300)
        # all fits happen inside the triangle, which holds what the data say about the terms
        orthogonal, triangle = torch.linalg.qr(x / size)
        target = orthogonal.T @ y
        rest = (y.square().sum(0) - target.square().sum(0)).clamp_min(0)
        paths = [
            _threshold(triangle, target[:, number], float(rest[number]), thresholds)
            for number in range(y.shape[1])
        ]
        return [
            cls(terms, torch.stack(columns, 1) / size[:, None], frame_interval, stencil)
            for columns in zip(*paths, strict=True)
        ]

    @property
    def codec(self) -> Codec:
        """The state is the last given frame."""
        return LastFrame()

    @property
    def num_parameters(self) -> int:
        """Number of coefficients that are not 0."""
        return int((self.coefficients != 0).sum())

    @property
    def radius(self) -> int:
        """Reach of the stencil (cells)."""
        return as_stencil(self.stencil).radius

    @property
    def description(self) -> str:
        """What it does, for tables and reports."""
        return f"polynomial of {self.num_parameters} terms fitted to time differences, {self.stencil} stencil"

    def formula(self, fields: Sequence[str]) -> list[str]:
        """Return one equation per field as text."""
        lines = []
        for number, field in enumerate(fields):
            column = self.coefficients[:, number].tolist()
            parts = [
                f"{value:+.6g} {term.name(fields)}"
                for value, term in zip(column, self.terms, strict=True)
                if value
            ]
            lines.append(f"∂{field}/∂t = {' '.join(parts) or '0'}")
        return lines

    def coefficient(self, field: int, term: Term) -> float:
        """Return the coefficient of a term in the rate of a field.

        Raises:
            BadInputError: if the library has no such term.
        """
        if term not in self.terms:
            raise BadInputError(f"the library of {len(self.terms)} terms has no {term}")
        return float(self.coefficients[self.terms.index(term), field])

    def bind(
        self, lattice: Grid, context: Context, generator: torch.Generator | None = None
    ) -> "PolynomialFrame":
        """Return the Step that solves the fitted equation for one frame.

        Raises:
            BadInputError: if a parameter is missing.
        """
        for name in sorted({term.parameter for term in self.terms if term.parameter} - set(context)):
            raise BadInputError(
                f"the fit needs the parameter {name!r}, the context has {sorted(context) or 'none'}; usual "
                "cure: pass the parameters of the data's file"
            )
        transport = [
            row
            for term, row in zip(self.terms, self.coefficients, strict=True)
            if term.laplacian_of is not None
        ]
        strongest = float(torch.stack(transport).abs().sum(0).max()) if transport else 0.0
        stiffness = strongest * as_stencil(self.stencil).largest_eigenvalue(lattice)
        longest = min(self.max_time_step, 0.5 * 2.785 / stiffness if stiffness else math.inf)
        num_steps = math.ceil(self.frame_interval / longest * (1 - 1e-12))
        return PolynomialFrame(self, lattice, self._weights(lattice, context), num_steps)

    def _weights(self, lattice: Grid, context: Context) -> dict[Term, Tensor]:
        """Return the coefficients of the terms without parameters, under these parameters."""
        axes = (1,) * lattice.num_dims
        weights: dict[Term, Tensor] = {}
        for term, row in zip(self.terms, self.coefficients, strict=True):
            if not bool(row.any()):
                continue
            weight = row.view(1, -1, *axes)
            if term.parameter is not None:
                value = context[term.parameter].to(row)
                weight = weight * (value.view(-1, *axes) if value.ndim == 1 else value)[:, None]
            plain = Term(term.powers, None, term.laplacian_of)
            weights[plain] = weights[plain] + weight if plain in weights else weight
        return weights


@final
@dataclass(frozen=True, eq=False)
class PolynomialFrame:
    """A fitted polynomial that knows its grid and parameters: the RK4 steps of one stored frame.

    Attributes:
        model: the fit.
        lattice: the grid.
        weights: term without parameter -> its coefficient in every field, ``"batch field *space"`` or such
            that it broadcasts.
        steps_per_frame: RK4 steps.
    """

    model: SparsePolynomial
    lattice: Grid
    weights: dict[Term, Tensor]
    steps_per_frame: int

    @property
    def time_step(self) -> float:
        """Physical time between frames."""
        return self.model.frame_interval

    @property
    def deterministic(self) -> bool:
        """Always."""
        return True

    @property
    def evaluations_per_frame(self) -> int:
        """How often a frame looks at the neighbourhood: four times a step."""
        return 4 * self.steps_per_frame

    def rate(self, state: Float[Tensor, "batch field *space"]) -> Float[Tensor, "batch field *space"]:
        """Return Σ_j c_j term_j; terms that differ by their parameter alone are summed up beforehand."""
        total = torch.zeros_like(state)
        terms = list(self.weights)
        columns = evaluate_terms(terms, state, {}, self.lattice, self.model.stencil)
        for term, column in zip(terms, columns, strict=True):
            total += self.weights[term].to(state) * column[:, None]
        return total

    def __call__(self, state: Float[Tensor, "batch field *space"]) -> Float[Tensor, "batch field *space"]:
        """Return the state one frame later."""
        step = self.time_step / self.steps_per_frame
        for _ in range(self.steps_per_frame):
            first = self.rate(state)
            second = self.rate(state + step / 2 * first)
            third = self.rate(state + step / 2 * second)
            fourth = self.rate(state + step * third)
            state = state + step / 6 * (first + 2 * (second + third) + fourth)
        return state


def evaluate_terms(
    terms: Sequence[Term],
    state: Float[Tensor, "batch field *space"],
    context: Context,
    grid: Grid,
    stencil: str,
) -> list[Float[Tensor, "batch ..."]]:
    """Return the value of each term in every cell (constants as tensors that broadcast)."""
    batch, axes = state.shape[0], (1,) * grid.num_dims
    curved = (
        laplacian(state, grid, stencil) if any(term.laplacian_of is not None for term in terms) else state
    )
    monomials: dict[tuple[int, ...], Tensor] = {}
    columns = []
    for term in terms:
        if term.powers not in monomials:
            product = torch.ones_like(state[:, 0])
            for field, power in enumerate(term.powers):
                for _ in range(power):
                    product = product * state[:, field]
            monomials[term.powers] = product
        value = monomials[term.powers] if term.laplacian_of is None else curved[:, term.laplacian_of]
        if term.parameter is not None:
            given = context[term.parameter].to(state)
            value = value * (given.view(batch, *axes) if given.ndim == 1 else given)
        columns.append(value)
    return columns


def choose_fit(
    candidates: Sequence[SparsePolynomial], score: Callable[[SparsePolynomial], float]
) -> SparsePolynomial:
    """Return the candidate with the lowest score on validation data; of equal ones the sparsest.

    If none stays finite it is the sparsest, whose scores then show it.

    Raises:
        BadInputError: without candidates.
    """
    if not candidates:
        raise BadInputError("there is no fit to choose from; usual cure: at least one threshold")
    ordered = sorted(candidates, key=lambda item: item.num_parameters)
    best, least = ordered[0], math.inf
    seen: dict[tuple[float, ...], float] = {}
    for candidate in ordered:
        key = tuple(candidate.coefficients.flatten().tolist())
        if key not in seen:
            seen[key] = score(candidate)
        if seen[key] < least:
            best, least = candidate, seen[key]
    return best


def _threshold(triangle: Tensor, target: Tensor, rest: float, thresholds: Sequence[float]) -> list[Tensor]:
    """Drop the term that is missed least, fit the others again, and so on; coefficients per threshold.

    Leaving out term j raises the sum of squared errors by c_j² / (G⁻¹)_jj, with the normal matrix G. Size
    alone would not tell: terms that are nearly combinations of others have large coefficients that cancel.

    Arguments:
        triangle: R of the scaled library X = QR.
        target: Qᵀ y.
        rest: squared error that the whole library leaves, |y|² - |Qᵀ y|².
        thresholds: rising; a term goes while what it saves is less than this share of the error.
    """
    kept = torch.ones(len(target), dtype=torch.bool)
    found = []
    for threshold in sorted(thresholds):
        while bool(kept.any()):
            _, raised, error = _fit_terms(triangle[:, kept], target, rest)
            least = int(raised.argmin())
            if float(raised[least]) > threshold * error:
                break
            kept[kept.nonzero()[least]] = False
        column = torch.zeros_like(target)
        if bool(kept.any()):
            column[kept] = _fit_terms(triangle[:, kept], target, rest)[0]
        found.append(column)
    return found


def _fit_terms(part: Tensor, target: Tensor, rest: float) -> tuple[Tensor, Tensor, float]:
    """Return least-squares coefficients, what leaving out each adds to the squared error, and that error."""
    orthogonal, small = torch.linalg.qr(part)
    inverse = torch.linalg.pinv(small)  # terms may not be told apart where parameters take few values
    values = inverse @ (orthogonal.T @ target)
    raised = values.square() / inverse.square().sum(1).clamp_min(1e-300)
    error = rest + float((target - part @ values).square().sum())
    return values, raised, error
