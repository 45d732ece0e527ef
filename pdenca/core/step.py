"""Everything that advances a state in time is a Step; whatever repeats a step lives here.

A reference solver, a baseline, an automaton bound to a grid and a wrapped model are all Steps, so rolling
out, measuring and drawing know nothing about where the next state comes from.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from .errors import BadInputError

Context = Mapping[str, Tensor]
"""Parameter name -> values of shape (batch,) or (batch, *space): what acts on a cell, not being its state."""


@runtime_checkable
class Step(Protocol):
    """A map ``state -> state`` on ``"batch channel *space"``.

    Attributes:
        time_step: physical time that one application advances.
        deterministic: whether equal states give equal results.
    """

    @property
    def time_step(self) -> float:
        """Physical time that one application advances."""
        ...

    @property
    def deterministic(self) -> bool:
        """Whether equal states give equal results."""
        ...

    def __call__(self, state: Tensor) -> Tensor:
        """Return the state one ``time_step`` later."""
        ...


@dataclass(frozen=True)
class Repeated:
    """``num_steps`` applications of ``step`` seen as one step: x -> step(step(... x)).

    Arguments:
        step: any Step.
        num_steps: how many applications, at least 1.
    """

    step: Step
    num_steps: int

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise BadInputError(f"num_steps must be at least 1, got {self.num_steps}")

    @property
    def time_step(self) -> float:
        """Physical time of all applications together."""
        return self.step.time_step * self.num_steps

    @property
    def deterministic(self) -> bool:
        """Deterministic exactly if the repeated step is."""
        return self.step.deterministic

    def __call__(self, state: Tensor) -> Tensor:
        """Apply the step ``num_steps`` times."""
        for _ in range(self.num_steps):
            state = self.step(state)
        return state


@dataclass(frozen=True)
class InTurn:
    """Several steps, one after the other, seen as one step: x -> s_n(... s_2(s_1(x))).

    A local rule followed by a global correction is one of these.

    Arguments:
        steps: in their order, at least one.
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise BadInputError("there is no step to take; expected at least one")

    @property
    def time_step(self) -> float:
        """Physical time of all of them together."""
        return sum(step.time_step for step in self.steps)

    @property
    def deterministic(self) -> bool:
        """Deterministic if all of them are."""
        return all(step.deterministic for step in self.steps)

    def select(self, trajectories: Tensor) -> "InTurn":
        """Return the same steps for some trajectories of the batch, where they depend on them."""
        chosen = (step.select(trajectories) if hasattr(step, "select") else step for step in self.steps)
        return InTurn(tuple(chosen))

    def __call__(self, state: Tensor) -> Tensor:
        """Take every step once."""
        for step in self.steps:
            state = step(state)
        return state


def rollout(
    step: Step,
    state: Float[Tensor, "batch channel *space"],
    num_steps: int,
    observe: Callable[[Tensor], Tensor] | None = None,
    each: Callable[[int], None] | None = None,
) -> Float[Tensor, "batch time observed *space"]:
    """Apply ``step`` again and again and stack what is seen on the way.

    The initial state is not part of the result. Non-finite values are kept as they are: the caller sees where
    a prediction broke down.

    Arguments:
        step: any Step.
        state: where to begin.
        num_steps: number of applications, at least 1.
        observe: what to keep of each state, e.g. a codec's ``observe``; the whole state by default.
        each: called with the number of steps done, for progress bars.

    Returns:
        The observed states after 1, 2, ... ``num_steps`` steps, time on axis 1.

    Raises:
        BadInputError: if ``num_steps`` is below 1.
    """
    if num_steps < 1:
        raise BadInputError(f"num_steps must be at least 1, got {num_steps}")
    seen = []
    for number in range(1, num_steps + 1):
        state = step(state)
        seen.append(observe(state) if observe else state)
        if each:
            each(number)
    return torch.stack(seen, dim=1)


@runtime_checkable
class Codec(Protocol):
    """Between what is observed (the fields of a file) and what a model carries (its state)."""

    def lift(self, given: Tensor) -> Tensor:
        """Turn the given frames ``"batch time channel *space"`` into a state."""
        ...

    def observe(self, state: Tensor) -> Tensor:
        """Read the observed fields ``"batch channel *space"`` off a state."""
        ...


class LastFrame:
    """The codec of models without memory or hidden channels: the state is the last given frame."""

    def lift(
        self, given: Float[Tensor, "batch time channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the last given frame."""
        return given[:, -1]

    def observe(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return the state itself."""
        return state


@runtime_checkable
class Emulator(Protocol):
    """A model, solver or baseline before it is told the domain and the parameters.

    Attributes:
        codec: how given frames become its state and how its state is observed.
    """

    @property
    def codec(self) -> Codec:
        """How given frames become a state, and how a state is observed."""
        ...

    # lattice: a Grid, Graph or FeedForward, types that live on higher floors than core
    def bind(self, lattice: Any, context: Context, generator: torch.Generator | None = None) -> Step:  # noqa: ANN401
        """Return the Step that advances one stored frame on this lattice under this context."""
        ...
