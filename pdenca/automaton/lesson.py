"""What the weights of networks can learn from while they are updated: examples, shown to all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pdenca.core import BadInputError

from .feed_forward import FeedForward, WeightLayer
from .lattice import Lattice
from .perception import Gathered, Perception

NUM_SIGNALS: Final = 4
"""Numbers that a lesson tells every weight."""
_SMALLEST: Final = 1e-12


@final
@dataclass(frozen=True, eq=False)
class Lesson:
    """Examples that networks are tried on, and what every weight learns from that.

    Arguments:
        inputs: one row per example.
        labels: their classes.
        activation: of the networks, between layers.
    """

    inputs: Float[Tensor, "example input"]
    labels: Int[Tensor, " example"]
    activation: Callable[[Tensor], Tensor]

    @property
    def num_classes(self) -> int:
        """Classes that occur, the numbers in between included."""
        return int(self.labels.max()) + 1

    def signals(
        self, lattice: FeedForward, weights: Float[Tensor, "batch cell"]
    ) -> Float[Tensor, "batch cell signal"]:
        """Return what the lesson tells the weight w_ij of layer l:

            [g_ij / rms g_l,  log10(rms g_l) / 2,  rms a_i,  d_j / rms d_l],

        with the gradient g of the mean cross-entropy, the activations a that come in and the mean gradient d
        at what goes out. A layer's own size is taken out of g and d, since it changes by orders of magnitude
        from layer to layer and in the course of learning; an activation is told as it is.

        No gradient flows through the signals: a rule is trained to use them, not to bend them.

        Arguments:
            lattice: the networks.
            weights: of all of them, as they are used.
        """
        told = weights.new_zeros(*weights.shape, NUM_SIGNALS)
        seen: list[tuple[WeightLayer, Tensor, Tensor]] = []
        with torch.enable_grad():
            varied = weights.detach().requires_grad_()
            total = varied.new_zeros(())
            for network in range(len(lattice.networks)):
                scores = lattice.outputs(
                    varied,
                    self.inputs.to(varied),
                    network,
                    self.activation,
                    watch=lambda *passed: seen.append(passed),
                )
                labels = self.labels.to(scores.device).expand(len(scores), -1)
                losses = nn.functional.cross_entropy(scores.movedim(-1, 1), labels, reduction="none")
                total = total + losses.mean(1).sum()
            outputs = [after for _, _, after in seen]
            slopes, *deltas = torch.autograd.grad(total, (varied, *outputs))
        for (layer, before, _), delta in zip(seen, deltas, strict=True):
            own = slopes[:, layer.cells]
            size = own.square().mean(1, keepdim=True).sqrt() + _SMALLEST
            told[:, layer.cells, 0] = own / size
            told[:, layer.cells, 1] = size.log10() / 2
            sources = before.detach().square().mean(1).sqrt()
            if lattice.biases:
                sources = nn.functional.pad(sources, (0, 1), value=1.0)
            told[:, layer.cells, 2] = sources.repeat_interleave(layer.num_targets, dim=1)
            mean = delta.sum(1)  # of a mean over examples: their sum
            mean = mean / (mean.square().mean(1, keepdim=True).sqrt() + _SMALLEST)
            told[:, layer.cells, 3] = mean.repeat(1, layer.num_sources)
        return told


@final
class LessonPerception(Perception):
    """What another perception sees, and what the lattice's lesson tells every weight:

        features = [seen, signals],   signals of the weights z_1 / √sources.

    Binding the same rule to networks with another lesson makes it learn something else.

    Arguments:
        seen: the other perception.

    Raises:
        BadInputError: if that is no perception of weights.
    """

    lattice_kind: ClassVar[type[Lattice]] = FeedForward

    def __init__(self, seen: Perception) -> None:
        super().__init__()
        if seen.lattice_kind is not FeedForward:
            raise BadInputError(f"a lesson is for weights, got {type(seen).__name__} of other cells")
        self.seen, self.radius = seen, seen.radius
        self.num_features = seen.num_features + NUM_SIGNALS

    def gather(self, state: Float[Tensor, "batch cell channel"], grid: FeedForward) -> Gathered:
        """Return what the other perception gathers, and the signals."""
        return *self.seen.gather(state, grid), self._signals(state, grid)

    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Put both side by side."""
        return torch.cat((self.seen.combine(gathered[:-1], spacing, parameters), gathered[-1]), dim=-1)

    def forward(
        self,
        state: Float[Tensor, "batch cell channel"],
        grid: FeedForward,
        parameters: Tensor | None = None,
    ) -> Tensor:
        """Return the features of every weight."""
        return torch.cat((self.seen(state, grid, parameters), self._signals(state, grid)), dim=-1)

    def heard(
        self,
        state: Float[Tensor, "batch cell channel"],
        grid: FeedForward,
        weight: Float[Tensor, "heard feature"],
        parameters: Tensor | None = None,
    ) -> Float[Tensor, "batch cell heard"]:
        """Return a linear map of the features, in the way of the other perception."""
        count = self.seen.num_features
        seen = self.seen.heard(state, grid, weight[:, :count], parameters)
        return seen + nn.functional.linear(self._signals(state, grid), weight[:, count:])

    def _signals(self, state: Tensor, grid: FeedForward) -> Tensor:
        if not isinstance(grid.lesson, Lesson):
            raise BadInputError(
                "this rule is shown examples while it writes networks, got networks without a lesson; usual "
                "cure: FeedForward(..., lesson=Lesson(inputs, labels, activation))"
            )
        return grid.lesson.signals(grid, state[..., 0] * grid.weight_scale.to(state))
