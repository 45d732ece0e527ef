"""Predictions that know no dynamics: the least that any model must beat."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, Codec, Context, LastFrame, Step


@dataclass(frozen=True)
class Unchanged:
    """The Step that returns its state: u(t + time_step) = u(t).

    Arguments:
        time_step: physical time that is said to pass.
    """

    time_step: float

    @property
    def deterministic(self) -> bool:
        """Always."""
        return True

    @property
    def evaluations_per_frame(self) -> int:
        """None."""
        return 0

    def __call__(self, state: Tensor) -> Tensor:
        """Return the state itself."""
        return state


@dataclass(frozen=True)
class Persistence:
    """Nothing changes any more: every predicted frame equals the last given one.

    The error of this baseline is how much the system itself moves, so one-step scores mean nothing without
    it.

    Arguments:
        frame_interval: physical time between frames.
    """

    frame_interval: float

    def __post_init__(self) -> None:
        require_interval(self.frame_interval)

    @property
    def num_parameters(self) -> int:
        """Nothing is learned."""
        return 0

    @property
    def radius(self) -> int:
        """It looks at no neighbour."""
        return 0

    @property
    def codec(self) -> Codec:
        """The state is the last given frame."""
        return LastFrame()

    @property
    def description(self) -> str:
        """What it does, for tables and reports."""
        return "the last given frame, unchanged"

    # a grid, graph or whatever else the frames live on: nothing here depends on it
    def bind(self, lattice: Any, context: Context, generator: torch.Generator | None = None) -> Step:  # noqa: ANN401
        """Return the Step that changes nothing; grid and parameters do not matter to it."""
        return Unchanged(self.frame_interval)


class _MeanOfLastFrame:
    """The codec that forgets everything about the last given frame but the mean of each field."""

    def lift(
        self, given: Float[Tensor, "batch time channel *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the last given frame with every field replaced by its spatial mean."""
        last = given[:, -1]
        return last.mean(dim=tuple(range(2, last.ndim)), keepdim=True).expand_as(last)

    def observe(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return the state itself."""
        return state


@dataclass(frozen=True)
class SpatialMean:
    """The pattern is gone: every predicted frame is the spatial mean of the last given one, field by field.

    It scores a pooled VRMSE of about 1 while the mean stays what it was: what a model reaches that has
    learnt to blur. A model above 1 does worse than knowing one number per field.

    Arguments:
        frame_interval: physical time between frames.
    """

    frame_interval: float

    def __post_init__(self) -> None:
        require_interval(self.frame_interval)

    @property
    def num_parameters(self) -> int:
        """Nothing is learned."""
        return 0

    @property
    def radius(self) -> None:
        """The whole domain: a mean."""
        return

    @property
    def codec(self) -> Codec:
        """The state is the spatial mean of the last given frame, in every cell."""
        return _MeanOfLastFrame()

    @property
    def description(self) -> str:
        """What it does, for tables and reports."""
        return "the spatial mean of the last given frame"

    def bind(self, lattice: Any, context: Context, generator: torch.Generator | None = None) -> Step:  # noqa: ANN401
        """Return the Step that changes nothing; grid and parameters do not matter to it."""
        return Unchanged(self.frame_interval)


def require_interval(frame_interval: float) -> None:
    """Refuse a frame interval that is not a positive number.

    Raises:
        BadInputError: if it is zero, negative or NaN.
    """
    if not frame_interval > 0:
        raise BadInputError(f"frame_interval must be positive, got {frame_interval}")
