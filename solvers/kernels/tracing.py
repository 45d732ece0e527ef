"""From an equation's rate of change, written with tensors, to a program for one point."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ..derivatives import Derivatives, StencilDerivatives
from ..equation import Equation
from .program import Program, Workspace
from .recorder import Recorder, UntraceableError


def trace_rate(
    equation: Equation, derivatives: StencilDerivatives, state: Float[Tensor, "batch channel *space"]
) -> Program:
    """Watch ``equation.rate`` work on a state and write down what it does in each point.

    Arguments:
        equation: whose rate; evaluated three times.
        derivatives: of the grid of ``state``.
        state: any state of the equation.

    Returns:
        The program. It holds for every state of as many trajectories.

    Raises:
        UntraceableError: if the rate uses other derivatives than those of the fields themselves, constants
            that vary in space, or operations beyond pointwise arithmetic; or if the program does not
            reproduce the rate on another state.
    """
    with torch.no_grad():
        recorder = Recorder(state)
        watched = _WatchedDerivatives(derivatives, recorder)
        program = recorder.record(lambda state: equation.rate(state, watched))
        # a rate that leaves torch, or branches on values, can only be caught in the act
        other = 0.8 * state + 0.15
        expected = equation.rate(other, derivatives)
        rates = Workspace(program, state[:, 0]).run(read_inputs(program, derivatives, other))
        found = torch.stack([rate.expand_as(state[:, 0]) for rate in rates], 1)
        scale = float(torch.nan_to_num(expected, 0.0, 0.0, 0.0).abs().max())
        tolerance = 1e4 * torch.finfo(state.dtype).eps * scale
        if not torch.allclose(found, expected, rtol=0, atol=tolerance, equal_nan=True):
            raise UntraceableError("its rate does not always do the same arithmetic")
    return program


def read_inputs(program: Program, derivatives: StencilDerivatives, state: Tensor) -> dict[str, Tensor]:
    """Return what a program reads of a state, register -> ``"batch *space"``."""
    return {
        item.name: _evaluate(derivatives, item.kind, item.axis, state)[:, item.field]
        for item in program.inputs
    }


def _evaluate(derivatives: Derivatives, kind: str, axis: int, state: Tensor) -> Tensor:
    if kind == "value":
        return state
    if kind == "laplacian":
        return derivatives.laplacian(state)
    return derivatives.first(state, axis) if kind == "first" else derivatives.second(state, axis)


class _WatchedDerivatives(Derivatives):
    """Derivatives of the watched state alone, whose values are new inputs of the program."""

    def __init__(self, exact: StencilDerivatives, recorder: "Recorder") -> None:
        self.grid = exact.grid
        self._exact = exact
        self._recorder = recorder

    def _input(self, kind: str, axis: int, state: Tensor) -> Tensor:
        if state is not self._recorder.state:
            raise UntraceableError("it takes derivatives of something else than the fields")
        return self._recorder.add_input(kind, axis, lambda: _evaluate(self._exact, kind, axis, state))

    def laplacian(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∇²u as an input."""
        return self._input("laplacian", 0, state)

    def first(
        self, state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂u/∂x as an input."""
        return self._input("first", axis, state)

    def second(
        self, state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return ∂²u/∂x² as an input."""
        return self._input("second", axis, state)

    def laplacian_of(
        self, function: Callable[[Tensor], Tensor], state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Refuse: it needs the function beyond the walls."""
        raise UntraceableError("it takes the Laplacian of a function of the fields")

    def biharmonic(
        self, state: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Refuse: it reaches further than one stencil."""
        raise UntraceableError("it takes fourth derivatives")

    def divergence_of_flux(
        self, diffusivity: Float[Tensor, "..."], state: Float[Tensor, "batch channel *space"], axis: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Refuse: the diffusivity varies in space."""
        raise UntraceableError("its diffusivities vary in space")
