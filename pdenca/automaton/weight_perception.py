"""Perception among the weights of networks."""

from typing import ClassVar, Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError

from .feed_forward import FeedForward
from .lattice import Lattice
from .perception import Gathered, Perception

_SMALLEST: Final = 1e-6


@final
class WeightPerception(Perception):
    """What a weight sees of itself and of the means over its forward and backward neighbours:

        features = [z, mean_forward z, mean_backward z],

    as :class:`~pdenca.automaton.feed_forward.FeedForward` defines them. Nothing is learned here. The features
    do not depend on how hidden neurons are numbered, nor, in their size, on how many there are.

    Arguments:
        num_channels: channels of the state: the weight's value, and what it hides.
        neighbours: whether the means are seen; without them they are 0, and every weight is alone.

    Source: Barot, Meta-neural cellular automata, ALIFE companion (2025), "Local rule network inputs".
    """

    lattice_kind: ClassVar[type[Lattice]] = FeedForward
    radius = 1

    def __init__(self, num_channels: int, neighbours: bool = True) -> None:
        super().__init__()
        self.num_features = 3 * num_channels
        self.neighbours = neighbours

    def gather(self, state: Float[Tensor, "batch cell channel"], grid: FeedForward) -> Gathered:
        """Return the weight itself and the two means."""
        if not self.neighbours:
            nothing = torch.zeros_like(state)
            return state, nothing, nothing
        return state, *grid.means(state)

    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Put the features side by side; weights have no spacing."""
        return torch.cat(gathered, dim=-1)

    def heard(
        self,
        state: Float[Tensor, "batch cell channel"],
        grid: FeedForward,
        weight: Float[Tensor, "heard feature"],
        parameters: Tensor | None = None,
    ) -> Float[Tensor, "batch cell heard"]:
        """Return a linear map W = [W_0, W_1, W_2] of the features, most of it neuron by neuron.

        With S the sums of the forward and backward neuron and a, b one over the numbers of neighbours,

            W [z, a (S_f - z), b (S_b - z)] = (W_0 - a W_1 - b W_2) z + a W_1 S_f + b W_2 S_b.
        """
        itself, forward, backward = weight.chunk(3, dim=1)
        if not self.neighbours:
            return nn.functional.linear(state, itself)
        totals = dict(zip(grid.layers, grid.neuron_totals(state), strict=True))
        parts = []
        for layer, sources, ahead, behind in grid.rows:
            of_targets, of_sources = totals[layer]
            own = grid.matrix(state, layer)[:, sources]
            mixed = nn.functional.linear(own, itself - ahead * forward - behind * backward)
            mixed += nn.functional.linear(of_targets, ahead * forward)[:, None]
            mixed += nn.functional.linear(of_sources[:, sources], behind * backward)[:, :, None]
            parts.append(mixed.flatten(1, 2))
        return torch.cat(parts, dim=1)


@final
class WeightAttention(Perception):
    """Means over the neighbours that a weight chooses to listen to, by linear attention:

        a_i = Σ_k φ(q_i)·φ(k_k) v_k / Σ_k φ(q_i)·φ(k_k),   q, k, v = Q z, K z, V z,   φ = elu + 1,

    over the forward and over the backward neighbours k of weight i, with projections of their own, beside the
    weight itself. As φ(k) v adds up neuron by neuron, it takes two sums per layer and head, like a mean. A
    weight without neighbours hears 0.

    Arguments:
        num_channels: channels of the state.
        num_heads: attentions side by side, in each direction.
        head_size: size of q and k, and of v, in each.
        generator: source of the random start.

    Raises:
        BadInputError: for sizes below 1.

    Source: Katharopoulos et al., Transformers are RNNs, arXiv 2006.16236, eq. 4 to 7.
    """

    lattice_kind: ClassVar[type[Lattice]] = FeedForward
    radius = 1

    def __init__(
        self,
        num_channels: int,
        num_heads: int = 2,
        head_size: int = 4,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if num_heads < 1 or head_size < 1:
            raise BadInputError(f"expected heads and their size of at least 1, got {num_heads}, {head_size}")
        self.num_heads, self.head_size = num_heads, head_size
        self.num_features = num_channels + 2 * num_heads * head_size
        start = torch.randn(2, 3 * num_heads * head_size, num_channels, generator=generator)
        self.projection = nn.Parameter(start / num_channels**0.5)

    def gather(self, state: Float[Tensor, "batch cell channel"], grid: FeedForward) -> Gathered:
        """Refuse: whom a weight listens to is learned, so that nothing can be gathered beforehand."""
        raise BadInputError(
            "attention has no part without parameters that could be gathered; usual cure: call the "
            "perception, or WeightPerception"
        )

    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Refuse, see :meth:`gather`."""
        raise BadInputError("attention cannot be combined weight by weight; usual cure: call the perception")

    def forward(
        self,
        state: Float[Tensor, "batch cell channel"],
        grid: FeedForward,
        parameters: Tensor | None = None,
    ) -> Tensor:
        """Return the weight itself and what it hears from both sides."""
        heard = [state]
        for side, projection in enumerate(self.projection):
            projected = nn.functional.linear(state, projection)
            query, key, value = projected.unflatten(-1, (3, self.num_heads, self.head_size)).unbind(2)
            query, key = nn.functional.elu(query) + 1, nn.functional.elu(key) + 1
            products = key[..., :, None] * value[..., None, :]  # batch cell head key value
            own = torch.cat((products.flatten(2), key.flatten(2)), dim=-1)
            others = grid.neuron_sums(own)[side] - own
            size = products.flatten(2).shape[-1]
            total = others[..., :size].view_as(products)
            weighed = torch.einsum("bchk,bchkv->bchv", query, total)
            weight = (query * others[..., size:].view_as(key)).sum(-1, keepdim=True)
            # rounding may leave a little where nothing is left over
            alone = (weight <= _SMALLEST) | (grid.num_neighbours[side].to(state)[:, None, None] == 0)
            heard.append(torch.where(alone, 0, weighed / torch.where(alone, 1, weight)).flatten(2))
        return torch.cat(heard, dim=-1)
