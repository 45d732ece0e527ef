"""A chosen function made the solution of any equation, for any integrator: manufactured solutions."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdenca.core.errors import BadInputError
from pdenca.core.field import Field

from ..derivatives import Derivatives
from ..equation import Equation, Factored
from ..grid import Grid
from ..parameters import Parameter, scale_fields
from ..waves import Waves
from .exact_derivatives import ExactDerivatives, derivative
from .formulas import Formula


@dataclass(frozen=True, eq=False)
class Forced(Equation):
    """An equation with a source that makes a formula u*(x, t) its exact solution.

        ∂u/∂t = F(u) + S(x, θ),   ∂θ/∂t = 1,   S = ∂u*/∂t - F(u*)

    Equations are autonomous here, so the time of the source is a field more, the clock θ: the same
    everywhere, it never diffuses, and every integrator advances it exactly or to its own order. No
    integrator needs to know of sources. S is differentiated automatically, without grid or boundary.

    Arguments:
        formula: u*, which holds the equation.
        grid: where the states live; its centres are the points of the source.
    """

    name = "forced"

    formula: Formula
    grid: Grid

    @property
    def inner(self) -> Equation:
        """The equation without source."""
        return self.formula.problem.equation

    @property
    def fields(self) -> tuple[Field, ...]:  # type: ignore[override]
        """The fields of the equation and the clock."""
        return (*self.inner.fields, Field("clock"))

    @cached_property
    def _exact(self) -> ExactDerivatives:
        return ExactDerivatives(self.grid)

    def solution(self, time: float) -> Tensor:
        """Return u* and the clock at a time, ``"1 channel *space"``."""
        clock = torch.full((1, 1, *self.grid.shape), time, dtype=torch.float64)
        return torch.cat((self.formula(self._exact.points, clock[:, 0]), clock), 1).detach()

    def source(self, clock: Float[Tensor, " batch *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return S at every point, at the time that the clock shows there."""
        with torch.enable_grad():
            time = clock.detach().double().requires_grad_()
            exact = self.formula(self._exact.points, time)
            change = torch.stack([derivative(field, time) for field in exact.unbind(1)], 1)
            source = change - self.inner.rate(exact, self._exact)
        return source.detach().to(clock)

    def parameters(self) -> dict[str, Parameter]:
        """Return those of the equation."""
        return self.inner.parameters()

    def rate(
        self, state: Float[Tensor, "batch channel *space"], derivatives: Derivatives
    ) -> Float[Tensor, "batch channel *space"]:
        """Return (F(u) + S, 1)."""
        own, clock = state[:, :-1], state[:, -1]
        change = self.inner.rate(own, derivatives) + self.source(clock)
        return torch.cat((change, torch.ones_like(state[:, -1:])), 1)

    def linear_symbol(self, waves: Waves) -> Float[Tensor, "..."] | Complex[Tensor, "..."]:
        """Return the equation's eigenvalues, and 0 for the clock."""
        return self._beside_clock(self.inner.linear_symbol(waves), waves)

    def transport_symbol(self, waves: Waves) -> Float[Tensor, "..."] | Complex[Tensor, "..."]:
        """Return the equation's, and 0 for the clock."""
        return self._beside_clock(self.inner.transport_symbol(waves), waves)

    def factored_nonlinear(self) -> Factored:
        """Return N + S and 1, one product per field.

        Raises:
            BadInputError: for an equation whose nonlinear term stands under derivatives: the source does not.
        """
        inner = self.inner.factored_nonlinear()
        if any(callable(value) for value in inner.coefficients):
            raise BadInputError(
                f"the nonlinear term of {self.inner.name!r} stands under derivatives, which leaves no place "
                "for a source in spectral methods; usual cure: a stencil method ('rk4')"
            )
        coefficients = tuple(value for value in inner.coefficients if not callable(value))

        def product(state: Tensor) -> Tensor:
            own = inner.product(state[:, :-1].contiguous()).expand_as(state[:, :-1])
            nonlinear = scale_fields(coefficients, own) + self.source(state[:, -1])
            return torch.cat((nonlinear, torch.ones_like(state[:, -1:])), 1)

        return Factored(product, (1.0,) * len(self.fields), (*inner.source, 0.0))

    def _beside_clock(self, symbol: Tensor, waves: Waves) -> Tensor:
        coupled = symbol.ndim == waves.laplacian.ndim + 3
        for axis in (1, 2) if coupled else (1,):
            shape = list(symbol.shape)
            shape[axis] = 1
            symbol = torch.cat((symbol, symbol.new_zeros(shape)), axis)
        return symbol
