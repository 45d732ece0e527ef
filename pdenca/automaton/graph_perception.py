"""Perception on graphs."""

from typing import ClassVar, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError

from .graph import Graph
from .lattice import Lattice
from .perception import Gathered, Perception


@final
class GraphPerception(Perception):
    """What a node sees of itself and of the mean over its neighbours; nothing is learned here.

    ``identity``: the node itself, z. ``mean``: the mean over its neighbours, M z. ``difference``: M z - z,
    the random-walk Laplacian with its sign turned, which vanishes where all neighbours are alike: in the
    place of the transport of :class:`~pdenca.automaton.TransportReaction` it is diffusion.

    The features do not depend on how the nodes are numbered, nor on how many neighbours a node has.

    Arguments:
        num_channels: channels of the state.
        kernels: names from the list above, in the order of the features.

    Raises:
        BadInputError: for an unknown or missing name.
    """

    KERNELS: Final = ("identity", "mean", "difference")
    lattice_kind: ClassVar[type[Lattice]] = Graph

    def __init__(self, num_channels: int, kernels: tuple[str, ...] = ("identity", "mean")) -> None:
        super().__init__()
        unknown = [name for name in kernels if name not in self.KERNELS]
        if unknown or not kernels:
            got = f"kernel {unknown[0]!r} is unknown" if unknown else "there is no kernel"
            raise BadInputError(f"{got}; expected some of {', '.join(self.KERNELS)}")
        self.kernels = tuple(kernels)
        self.radius = 0 if set(kernels) == {"identity"} else 1
        self.num_features = num_channels * len(kernels)

    def gather(self, state: Float[Tensor, "batch node channel"], grid: Graph) -> Gathered:
        """Return one tensor per kernel."""
        mean = grid.mean(state) if self.radius else state
        parts = {"identity": state, "mean": mean, "difference": mean - state}
        return tuple(parts[name] for name in self.kernels)

    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Put the features side by side; a graph has no spacing."""
        return torch.cat(gathered, dim=-1)
