"""What every integrator offers: one step, and a march of many."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..equation import Equation
from ..grid import Grid


class Integrator(ABC):
    """A Step that advances an equation on a grid by a fixed time step.

    Attributes:
        equation: what is solved.
        grid: where.
        time_step: physical time of one step.
        order: of accuracy in the time step, checked by ``pdenca.solvers.verification``.
        deterministic: always True.
    """

    equation: Equation
    grid: Grid
    time_step: float
    order: int
    deterministic: bool = True

    def __call__(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return the state one ``time_step`` later; ``state`` is left as it is."""
        return self.march(state, 1)

    @abstractmethod
    def march(
        self, state: Float[Tensor, "batch channel *space"], num_steps: int
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the state ``num_steps`` steps later; ``state`` is left as it is."""

    def _check(self, state: Tensor, num_steps: int) -> None:
        expected = (len(self.equation.fields), *self.grid.shape)
        if tuple(state.shape[1:]) != expected:
            raise BadInputError(
                f"a state of equation {self.equation.name!r} on this grid has shape (batch, "
                f"{', '.join(map(str, expected))}), got {tuple(state.shape)}; usual cure: add the batch axis "
                "with state[None], or build the integrator for the state's grid"
            )
        if num_steps < 0:
            raise BadInputError(f"num_steps must be at least 0, got {num_steps}")
