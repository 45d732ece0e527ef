"""A network layer whose output is an equilibrium."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from .implicit import EquilibriumRecord, EquilibriumSettings, fixed_point
from .neutral import NullModes


@dataclass(frozen=True, eq=False)
class _Conditioned:
    """cell(·, context), with what the search wants to know of the cell."""

    cell: Callable[..., Tensor]
    context: tuple[Tensor, ...]

    @property
    def deterministic(self) -> bool:
        return bool(getattr(self.cell, "deterministic", True))

    @property
    def time_step(self) -> object:
        return getattr(self.cell, "time_step", None)

    def __call__(self, state: Tensor) -> Tensor:
        return self.cell(state, *self.context)


@final
class EquilibriumLayer(nn.Module):
    """z = cell(z, context), solved for z.

    Parameters of the cell and the context get gradients; see :func:`~pdenca.equilibrium.fixed_point`. In
    training and in evaluation the same is computed.

    Attributes:
        record: how the last search and the last backward pass went.

    Arguments:
        cell: module (state, *context) -> state.
        settings: of search and gradient.
        null_modes: state -> neutral directions, where there are any.
    """

    def __init__(
        self,
        cell: nn.Module,
        settings: EquilibriumSettings | None = None,
        null_modes: NullModes | None = None,
    ) -> None:
        super().__init__()
        self.cell = cell
        self.settings = EquilibriumSettings() if settings is None else settings
        self.null_modes = null_modes
        self.record = EquilibriumRecord()

    def forward(
        self, start: Float[Tensor, " batch *shape"], *context: Tensor
    ) -> Float[Tensor, " batch *shape"]:
        """Return the equilibrium that the search finds from ``start``."""
        return fixed_point(
            _Conditioned(self.cell, context),
            start,
            self.settings,
            null_modes=self.null_modes,
            record=self.record,
        )
