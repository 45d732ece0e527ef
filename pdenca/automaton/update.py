"""Updates: how a proposal becomes the next state, and which cells fire."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError

from .lattice import Lattice


class Update(ABC, nn.Module):
    """(state, proposal, mask) -> next state. Masks are sampled outside and passed in.

    Arguments:
        fire_rate: chance of a cell to act in a step, in (0, 1]; 1 means every cell, always.

    Raises:
        BadInputError: if the fire rate is outside (0, 1].
    """

    def __init__(self, fire_rate: float = 1.0) -> None:
        super().__init__()
        if not 0 < fire_rate <= 1:
            raise BadInputError(f"the fire rate must be above 0 and at most 1, got {fire_rate}")
        self.fire_rate = fire_rate

    @property
    def deterministic(self) -> bool:
        """Whether every cell fires in every step."""
        return self.fire_rate == 1

    def sample_mask(
        self, batch: int, lattice: Lattice, generator: torch.Generator, like: Tensor
    ) -> Float[Tensor, "batch *space 1"]:
        """Draw which cells fire: one decision per cell, shared by all its channels."""
        shape = (batch, *lattice.shape, 1)
        chance = torch.rand(shape, generator=generator, dtype=torch.float32, device=generator.device)
        return (chance < self.fire_rate).to(like)

    @abstractmethod
    def forward(self, state: Tensor, proposal: Tensor, mask: Tensor | None, time_step: float) -> Tensor:
        """Return the next state; ``mask`` None means that all cells fire."""


class Increment(Update):
    """next = state + mask · time_step · proposal: the proposal is a rate of change (explicit Euler)."""

    def forward(self, state: Tensor, proposal: Tensor, mask: Tensor | None, time_step: float) -> Tensor:
        """Return the next state."""
        change = _over(time_step, proposal)
        return state + change if mask is None else torch.addcmul(state, change, mask)


class Leaky(Update):
    """next = (1 - leak) · state + time_step · proposal where the cell fires, the old state elsewhere.

    What no proposal renews decays. With bounded proposals a state that begins within ``time_step / leak``
    times their bound stays there, and one beyond decays towards it; it rests where
    ``leak · state = time_step · proposal``.

    Arguments:
        leak: share of the state that a step forgets, in (0, 1]; 1 with a time step of 1 is :class:`Replace`.
        fire_rate: as everywhere.

    Raises:
        BadInputError: if one of them is out of range.

    Source: Jaeger et al., Neural Networks 20 (2007) 335, eq. 4, where the units are called leaky integrators.
    """

    def __init__(self, leak: float, fire_rate: float = 1.0) -> None:
        super().__init__(fire_rate)
        if not 0 < leak <= 1:
            raise BadInputError(f"the leak must be above 0 and at most 1, got {leak}")
        self.leak = leak

    def forward(self, state: Tensor, proposal: Tensor, mask: Tensor | None, time_step: float) -> Tensor:
        """Return the next state."""
        change = torch.sub(_over(time_step, proposal), state, alpha=self.leak)
        return state + change if mask is None else torch.addcmul(state, change, mask)


def _over(time_step: float, proposal: Tensor) -> Tensor:
    # a product with 1 takes as long as any other
    return proposal if time_step == 1 else proposal * time_step


class Replace(Update):
    """next = proposal where the cell fires, the old state elsewhere; the time step plays no role."""

    def forward(self, state: Tensor, proposal: Tensor, mask: Tensor | None, time_step: float) -> Tensor:
        """Return the next state."""
        return proposal if mask is None else torch.where(mask > 0, proposal, state)


class Saturate(Update):
    """next = tanh(state + time_step · proposal) where the cell fires, the old state elsewhere.

    The state stays within -1 and 1, and a channel that drives itself is held at one end or the other: cells
    that remember, as the units of a Hopfield network do.

    Source: Hopfield, Proc. Natl. Acad. Sci. USA 81 (1984) 3088, where the response is graded.
    """

    def forward(self, state: Tensor, proposal: Tensor, mask: Tensor | None, time_step: float) -> Tensor:
        """Return the next state."""
        following = torch.tanh(state + proposal * time_step)
        return following if mask is None else torch.where(mask > 0, following, state)
