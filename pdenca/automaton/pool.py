"""The pool of states an automaton is trained on: its own, with the truth put back now and then."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdenca.core import BadInputError

from .codec import HiddenChannels


class PropagationPool:
    """States for all consecutive pairs of frames, passed on from pair to pair.

    Entry (r, m) is the input of the pair (frame m, frame m + 1) of trajectory r. After a training step the
    model's output for pair m - 1 becomes the input of pair m, so that hidden channels carry information along
    the whole trajectory and the model is trained on its own errors. Pair 0 always starts from the truth, and
    in every step one whole trajectory is reset to the truth.

    Arguments:
        frames: training trajectories.
        codec: lifts a true frame into a state (hidden channels empty).

    Raises:
        BadInputError: if a trajectory has fewer than two frames.

    Source: Richardson et al., PLOS Comput. Biol. 20 (2024) e1011589, Fig. 2.
    """

    def __init__(
        self, frames: Float[Tensor, "trajectory time observed *space"], codec: HiddenChannels
    ) -> None:
        if frames.shape[1] < 2:
            raise BadInputError(f"a pair needs two frames, got trajectories of {frames.shape[1]}")
        self.frames = frames
        self.num_trajectories, self.num_pairs = frames.shape[0], frames.shape[1] - 1
        lifted = [codec.lift(frames[:, number : number + 1]) for number in range(self.num_pairs)]
        self.truth = torch.stack(lifted, dim=1)
        self.states = self.truth.clone()

    def __len__(self) -> int:
        return self.num_trajectories * self.num_pairs

    def draw(self, indices: Int[Tensor, " batch"]) -> tuple[Tensor, Tensor, Tensor]:
        """Return (inputs, target frames, trajectory numbers) of the pairs with these flat indices."""
        trajectory, pair = indices // self.num_pairs, indices % self.num_pairs
        return self.states[trajectory, pair], self.frames[trajectory, pair + 1], trajectory

    def put_back(self, indices: Int[Tensor, " batch"], outputs: Tensor, reset: int) -> None:
        """Hand outputs on to the following pairs and reset one trajectory to the truth.

        Arguments:
            indices: pairs the outputs belong to.
            outputs: the model's states at the ends of those pairs.
            reset: trajectory to reset.
        """
        trajectory, pair = indices // self.num_pairs, indices % self.num_pairs
        following = pair + 1 < self.num_pairs
        self.states[trajectory[following], pair[following] + 1] = outputs[following].detach()
        self.states[reset] = self.truth[reset]
