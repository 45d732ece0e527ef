"""The codec of networks that see several frames."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError


@dataclass(frozen=True)
class FrameHistory:
    """The state is the last given frames side by side, the newest first.

    Arguments:
        num_observed: fields of a frame.
        num_frames: frames remembered, at least 1.

    Raises:
        BadInputError: for a number below 1.
    """

    num_observed: int
    num_frames: int = 1

    def __post_init__(self) -> None:
        if self.num_observed < 1 or self.num_frames < 1:
            raise BadInputError(
                f"a history needs at least one field and one frame, got {self.num_observed} and "
                f"{self.num_frames}"
            )

    @property
    def num_given(self) -> int:
        """As many frames as are remembered."""
        return self.num_frames

    def lift(
        self, given: Float[Tensor, "batch time observed *space"]
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the last ``num_frames`` given frames, the newest first.

        Raises:
            BadInputError: for fewer frames, or another number of fields.
        """
        if given.shape[1] < self.num_frames or given.shape[2] != self.num_observed:
            raise BadInputError(
                f"the network needs {self.num_frames} given frames of {self.num_observed} fields, got "
                f"{given.shape[1]} of {given.shape[2]}; usual cure: give more frames, or a network with a "
                "smaller num_given_frames"
            )
        return given[:, given.shape[1] - self.num_frames :].flip(1).flatten(1, 2)

    def observe(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch observed *space"]:
        """Return the newest frame."""
        return state[:, : self.num_observed]
