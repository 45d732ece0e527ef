"""The law behind the data, as a perfect rule would have learnt it: with the time step absorbed."""

from collections.abc import Mapping
from functools import cached_property
from typing import cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.solvers import (
    Equation,
    Factored,
    Parameter,
    ReactionDiffusion,
    Waves,
    continuum_waves,
    equation_class,
)

NUM_STEPS = 8
"""Runge-Kutta steps in one step of the automaton, doubled until nothing changes."""
MOST_STEPS = 1024
TIGHT = 1e-9


class TrueLaw:
    """An equation with one set of constants per cell.

    Arguments:
        equation: with constants that are numbers or tensors (cell,).
    """

    def __init__(self, equation: Equation) -> None:
        self.equation = equation

    @property
    def num_fields(self) -> int:
        """Fields of the equation."""
        return len(self.equation.fields)

    def reaction(self, states: Float[Tensor, "cell field"]) -> Float[Tensor, "cell field"]:
        """Return ∂u/∂t of homogeneous states: all terms that need no neighbour."""
        source, weights, linear = self._still
        made = self._factored.product(states[:, :, None].double())[:, :, 0]
        return source + weights * made + (linear @ states.double()[:, :, None])[:, :, 0]

    def flow_rate(self, states: Float[Tensor, "cell field"], time_step: float) -> Float[Tensor, "cell field"]:
        """Return (Φ(z) - z) / dt, Φ the exact flow of homogeneous states over dt: what one step should learn.

        Raises:
            BadInputError: if the flow is too fast to be followed.
        """
        num_steps = NUM_STEPS
        end = self._march(states, time_step, num_steps)
        while num_steps < MOST_STEPS:
            num_steps *= 2
            previous, end = end, self._march(states, time_step, num_steps)
            if float((end - previous).abs().max()) <= TIGHT * float(end.abs().max()):
                return (end - states) / time_step
        raise BadInputError(
            f"the reaction of {self.equation.name!r} is too fast for steps of {time_step:g}; usual "
            "cure: more steps per frame"
        )

    def propagators(
        self, states: Float[Tensor, "cell field"], wavevectors: Float[Tensor, "wave axis"], time_step: float
    ) -> Complex[Tensor, "cell wave field field"]:
        """Return the derivative of the exact flow at homogeneous states, wave by wave, over one time step.

        dP/dt = J(k; z(t)) P with z(t) the flow of the state; J(k) = L(k) + c(k) ∂N/∂u.
        """
        waves = continuum_waves(wavevectors)
        linear, weights = self._linear(waves), self._weights(waves)
        state = states.double()
        eye = torch.eye(self.num_fields, dtype=torch.complex128)
        growth = eye.expand(len(states), len(wavevectors), -1, -1)
        dt = time_step / NUM_STEPS

        def slope(z: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
            jacobian = linear + weights.movedim(1, 2)[..., None] * self._slopes(z)[:, None]
            return self.reaction(z), jacobian @ p

        for _ in range(NUM_STEPS):
            a, b = slope(state, growth)
            c, d = slope(state + dt / 2 * a, growth + dt / 2 * b)
            e, f = slope(state + dt / 2 * c, growth + dt / 2 * d)
            g, h = slope(state + dt * e, growth + dt * f)
            state = state + dt / 6 * (a + 2 * c + 2 * e + g)
            growth = growth + dt / 6 * (b + 2 * d + 2 * f + h)
        return growth

    def transport(self, wavevectors: Float[Tensor, "wave axis"]) -> Complex[Tensor, "wave field field"]:
        """Return the symbol of what moves fields between cells, -D |k|² for one, at the first cell's values.

        Entry [n, i, j] is what wave n of field j adds to the rate of field i.
        """
        made = self.equation.transport_symbol(continuum_waves(wavevectors)).to(torch.complex128)[0]
        matrix = made.movedim(-1, 0) if made.ndim == 3 else torch.diag_embed(made.movedim(-1, 0))
        return matrix.expand(len(wavevectors), -1, -1)

    @cached_property
    def _factored(self) -> Factored:
        return self.equation.factored_nonlinear()

    @cached_property
    def _still(self) -> tuple[Tensor, Tensor, Tensor]:
        """Source, weights of the product and linear part of the wave of length infinity."""
        waves = continuum_waves(torch.zeros(1, 1, dtype=torch.float64))
        source = [torch.as_tensor(value, dtype=torch.float64).reshape(-1) for value in self._factored.source]
        most = max(len(value) for value in source)
        return (
            torch.stack([value.expand(most) for value in source], dim=1),
            self._weights(waves)[:, :, 0].real,
            self._linear(waves)[:, 0].real,
        )

    @cached_property
    def diffusivities(self) -> tuple[float, ...] | None:
        """D of every field, if all diffuse, each alike in all directions; those of the first cell."""
        if not isinstance(self.equation, ReactionDiffusion):
            return None
        values = self.equation.diffusivities()
        if any(isinstance(value, tuple) for value in values):
            return None
        return tuple(
            float(torch.as_tensor(value).flatten()[0]) for value in cast(tuple[Parameter, ...], values)
        )

    def _march(self, states: Tensor, time_step: float, num_steps: int) -> Tensor:
        z, dt = states.double(), time_step / num_steps
        for _ in range(num_steps):
            a = self.reaction(z)
            b = self.reaction(z + dt / 2 * a)
            c = self.reaction(z + dt / 2 * b)
            d = self.reaction(z + dt * c)
            z = z + dt / 6 * (a + 2 * b + 2 * c + d)
        return z

    def _linear(self, waves: Waves) -> Complex[Tensor, "cell_or_1 wave field field"]:
        symbol = self.equation.linear_symbol(waves).to(torch.complex128)
        if symbol.ndim == 3:
            symbol = torch.diag_embed(symbol.movedim(1, -1))
            return symbol.expand(-1, len(waves.laplacian), -1, -1)
        return symbol.movedim(3, 1).expand(-1, len(waves.laplacian), -1, -1)

    def _weights(self, waves: Waves) -> Complex[Tensor, "cell_or_1 field wave"]:
        rows = []
        for value in self._factored.coefficients:
            weight = value(waves)[None] if callable(value) else torch.as_tensor(value).reshape(-1, 1)
            rows.append(weight.to(torch.complex128).expand(-1, len(waves.laplacian)))
        most = max(len(row) for row in rows)
        return torch.stack([row.expand(most, -1) for row in rows], dim=1)

    def _slopes(self, states: Tensor) -> Float[Tensor, "cell field field"]:
        with torch.enable_grad():
            base = states.detach()[:, :, None].requires_grad_(True)
            made = self._factored.product(base)
            rows = [
                torch.autograd.grad(made[:, number].sum(), base, retain_graph=True, allow_unused=True)[0]
                for number in range(made.shape[1])
            ]
        full = [torch.zeros_like(base) if row is None else row for row in rows]
        jacobian = torch.stack([row[:, :, 0] for row in full], dim=1)
        return jacobian.expand(len(states), self.num_fields, self.num_fields)


def law_of(
    name: str, parameters: Mapping[str, Float[Tensor, " cell"]], constants: Mapping[str, object] | None = None
) -> TrueLaw:
    """Return the law of an equation with one value of each parameter per cell.

    Arguments:
        name: a key of ``EQUATIONS``.
        parameters: name -> one value per cell.
        constants: other constants, as the data's files tell them; the equation's defaults if None.

    Raises:
        BadInputError: for an unknown equation or constant.
    """
    given = {key: value for key, value in (constants or {}).items() if key not in parameters}
    return TrueLaw(equation_class(name).from_parameters({**given, **parameters}))  # type: ignore[dict-item]
