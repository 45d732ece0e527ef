"""What every objective offers, and what fitters of squares ask for beside."""

import zlib
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Objective(Protocol):
    """Something a Fitter can lower."""

    def batch(self, step: int) -> Any:  # noqa: ANN401  # each objective has its own kind of batch
        """Return the data of this step; a function of the seed and the step number only."""
        ...

    def loss(self, batch: Any) -> Tensor:  # noqa: ANN401
        """Return the differentiable loss."""
        ...

    def accept(self, batch: Any) -> None:  # noqa: ANN401
        """Hear that the step on this batch went well (a pool takes its new states now)."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Return what must be saved to resume."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore :meth:`state`."""
        ...


@runtime_checkable
class LeastSquares(Objective, Protocol):
    """An objective whose loss is the mean of squared residuals, one small vector per sample."""

    def sample_residuals(
        self, parameters: Mapping[str, Tensor], *sample: Tensor
    ) -> Float[Tensor, " residual"]:
        """Return the residuals of one sample under these parameters."""
        ...


@runtime_checkable
class Residuals(Objective, Protocol):
    """An objective whose loss is the mean of squared residuals, differentiable in the parameters."""

    def residuals(self, parameters: Mapping[str, Tensor], batch: Any) -> Float[Tensor, " residual"]:  # noqa: ANN401
        """Return the residuals of the batch under these parameters."""
        ...


def step_generator(seed: int, *where: int | str) -> torch.Generator:
    """Return a generator that depends on the seed and a place (stage, step) only."""

    return torch.Generator().manual_seed(zlib.crc32("/".join(map(str, (seed, *where))).encode()))


class Stateless:
    """Objectives without memory between steps.

    Attributes:
        note: what there was to say of the last loss, for the log of the run; mostly nothing.
    """

    note: str = ""

    def accept(self, batch: Any) -> None:  # noqa: ANN401
        """Nothing to remember."""

    def state(self) -> dict[str, Tensor]:
        """Nothing to save."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to restore."""
