"""Codecs: between the fields of a file and the channels of an automaton."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError


@dataclass(frozen=True)
class HiddenChannels:
    """The observed fields come first, hidden channels after them, starting at zero.

    Arguments:
        num_observed: observed fields.
        num_hidden: hidden channels.
    """

    num_given: ClassVar[int] = 1  # an automaton remembers in its hidden channels, which start empty

    num_observed: int
    num_hidden: int = 0

    def lift(
        self, given: Float[Tensor, "batch time observed *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the last given frame with empty hidden channels.

        Raises:
            BadInputError: if the frames do not have the observed number of fields.
        """
        last = given[:, -1]
        if last.shape[1] != self.num_observed:
            raise BadInputError(
                f"the given frames have {last.shape[1]} fields, the automaton observes {self.num_observed}"
            )
        if not self.num_hidden:
            return last
        hidden = last.new_zeros(last.shape[0], self.num_hidden, *last.shape[2:])
        return torch.cat((last, hidden), dim=1)

    def observe(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch observed *space"]:
        """Return the observed channels."""
        return state[:, : self.num_observed]
