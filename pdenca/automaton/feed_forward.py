"""The weights of feed-forward networks as a lattice: cells are weights, neurons are where they meet."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdenca.core import BadInputError

Cells = Float[Tensor, "batch cell channel"]


@dataclass(frozen=True)
class WeightLayer:
    """Where the weights of one layer lie among the cells.

    Arguments:
        network: which of the networks.
        number: of the layer in its network, from 0.
        start: its first cell; the others follow, source by source.
        num_sources: neurons that feed it, the constant 1 of biases included.
        num_targets: neurons that it feeds.
    """

    network: int
    number: int
    start: int
    num_sources: int
    num_targets: int

    @property
    def num_weights(self) -> int:
        """How many it has."""
        return self.num_sources * self.num_targets

    @property
    def cells(self) -> slice:
        """Of this layer."""
        return slice(self.start, self.start + self.num_weights)


@final
@dataclass(frozen=True)
class FeedForward:
    """The weights of one or several fully connected networks; each weight w_ij leads from neuron i to j.

    A neuron's weights are all that lead to it or from it. Of a weight w_ij, the *forward* neighbours are the
    other weights of neuron j, the *backward* neighbours those of neuron i:

        forward mean = (Σ of j's weights - w_ij) / (n_j - 1),   backward mean likewise with i,

    which takes two sums per layer however many weights there are. An input neuron has only weights that lead
    from it, an output neuron only such that lead to it. A neuron of a single weight has no neighbours to
    offer: their mean is 0. With biases every layer has one more source, the constant 1, which nothing leads
    to. Networks are side by side on the one axis of cells and do not see each other, so that many
    architectures are updated at once; samples are the batch.

    Arguments:
        networks: widths of each, inputs first, e.g. (784, 30, 10).
        biases: whether there are any.
        lesson: what the weights are shown while they are updated, a :class:`~pdenca.automaton.lesson.Lesson`,
            which says what it tells them; None: nothing.

    Raises:
        BadInputError: without networks, or for widths that are not two or more positive numbers.

    Source: Barot, Meta-neural cellular automata, ALIFE companion (2025), fig. 1, where the neighbours are
    "those weights connected to the forward and backward neurons".
    """

    networks: tuple[tuple[int, ...], ...]
    biases: bool = False
    # object: what is shown is told by the lesson, which knows the weights it is shown to
    lesson: object = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.networks:
            raise BadInputError("expected one network or more, got none")
        for widths in self.networks:
            if len(widths) < 2 or min(widths) < 1:
                raise BadInputError(
                    f"a network has two widths or more, each at least 1, got {'-'.join(map(str, widths))}; "
                    "usual cure: e.g. 784-30-10"
                )

    @cached_property
    def layers(self) -> tuple[WeightLayer, ...]:
        """All layers of all networks, in the order of their cells."""
        found, start = [], 0
        for network, widths in enumerate(self.networks):
            for number, (sources, targets) in enumerate(itertools.pairwise(widths)):
                layer = WeightLayer(network, number, start, sources + self.biases, targets)
                found.append(layer)
                start += layer.num_weights
        return tuple(found)

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along the one axis that they have."""
        return (self.num_cells,)

    @property
    def num_dims(self) -> int:
        """Axes of a state besides batch and channel: one."""
        return 1

    @property
    def num_cells(self) -> int:
        """Number of weights, of all networks."""
        last = self.layers[-1]
        return last.start + last.num_weights

    def layers_of(self, network: int) -> tuple[WeightLayer, ...]:
        """Return the layers of one network, inputs first."""
        return tuple(layer for layer in self.layers if layer.network == network)

    def cells_of(self, network: int) -> slice:
        """Return the cells of one network."""
        own = self.layers_of(network)
        return slice(own[0].start, own[-1].cells.stop)

    def part(self, networks: Sequence[int]) -> tuple["FeedForward", Int[Tensor, " cell"]]:
        """Return some of the networks alone, and which cells are theirs.

        Arguments:
            networks: which ones, in this order.
        """
        cells = torch.arange(self.num_cells)
        chosen = replace(self, networks=tuple(self.networks[number] for number in networks))
        return chosen, torch.cat([cells[self.cells_of(number)] for number in networks])

    def neuron_sums(self, state: Cells) -> tuple[Cells, Cells]:
        """Return what adds up in the forward and in the backward neuron of every weight, the weight included.

        Arguments:
            state: anything per weight, channels last.

        Raises:
            BadInputError: if there are other than ``num_cells`` of them.
        """
        forward, backward = [], []
        for layer, (ahead, behind) in zip(self.layers, self.neuron_totals(state), strict=True):
            sizes = (-1, layer.num_sources, layer.num_targets, -1)
            forward.append(ahead[:, None].expand(sizes).flatten(1, 2))
            backward.append(behind[:, :, None].expand(sizes).flatten(1, 2))
        return torch.cat(forward, dim=1), torch.cat(backward, dim=1)

    def neuron_totals(self, state: Cells) -> list[tuple[Tensor, Tensor]]:
        """Return what adds up in every neuron, layer by layer: in the targets, and in the sources.

        Arguments:
            state: anything per weight, channels last.

        Returns:
            Per layer, ("batch target channel", "batch source channel").

        Raises:
            BadInputError: if there are other than ``num_cells`` of them.
        """
        self._require_cells(state)
        totals = []
        before: Tensor | None = None  # what leads to the neurons that feed this layer
        parts = [self.matrix(state, layer) for layer in self.layers]
        for number, (layer, own) in enumerate(zip(self.layers, parts, strict=True)):
            into, out_of = own.sum(1), own.sum(2)
            if layer.number == 0:
                before = None
            following = number + 1 < len(parts) and self.layers[number + 1].network == layer.network
            ahead = into
            if following:
                ahead = into + parts[number + 1].sum(2)[:, : layer.num_targets]
            behind = out_of
            if before is not None:
                constant = out_of[:, layer.num_sources - int(self.biases) :]
                behind = torch.cat((out_of[:, : before.shape[1]] + before, constant), dim=1)
            totals.append((ahead, behind))
            before = into
        return totals

    def means(self, state: Cells) -> tuple[Cells, Cells]:
        """Return the mean over the forward and over the backward neighbours of every weight."""
        forward, backward = self.neuron_sums(state)
        ahead, behind = (share.to(state)[:, None] for share in self._shares)
        return (forward - state) * ahead, (backward - state) * behind

    def outputs(
        self,
        weights: Float[Tensor, "batch cell"],
        inputs: Float[Tensor, "example input"],
        network: int,
        activation: Callable[[Tensor], Tensor],
        watch: Callable[[WeightLayer, Tensor, Tensor], object] | None = None,
    ) -> Float[Tensor, "batch example output"]:
        """Return what one of the networks makes of some inputs, for every sample of its weights.

        Arguments:
            weights: of all networks.
            inputs: one row per example.
            network: which one.
            activation: between layers; none after the last.
            watch: called with every layer, what comes into it and what goes out, before its activation.
        """
        current = inputs.expand(len(weights), *inputs.shape)
        own = self.layers_of(network)
        for layer in own:
            matrix = self.matrix(weights[..., None], layer)[..., 0]
            if self.biases:
                following = torch.baddbmm(matrix[:, -1:], current, matrix[:, :-1])
            else:
                following = current @ matrix
            if watch is not None:
                watch(layer, current, following)
            current = following if layer is own[-1] else activation(following)
        return current

    def permuted(self, network: int, layer: int, order: Sequence[int]) -> Int[Tensor, " cell"]:
        """Return which cell comes to each place when the neurons of a layer are put into another order.

        Arguments:
            network: which one.
            layer: of neurons, 0: the inputs.
            order: number of the neuron that comes to each place.
        """
        cells = torch.arange(self.num_cells)
        chosen = torch.as_tensor(order)
        for own in self.layers_of(network):
            matrix = cells[own.cells].view(own.num_sources, own.num_targets).clone()
            if own.number == layer:
                matrix[: len(chosen)] = matrix[chosen]
            if own.number == layer - 1:
                matrix = matrix[:, chosen]
            cells[own.cells] = matrix.flatten()
        return cells

    def matrix(self, state: Cells, layer: WeightLayer) -> Float[Tensor, "batch source target channel"]:
        """Return what the weights of a layer have, by source and target."""
        matrix: Tensor = state[:, layer.cells].unflatten(1, (layer.num_sources, layer.num_targets))
        return matrix

    @cached_property
    def weight_scale(self) -> Float[Tensor, " cell"]:
        """1 / √(number of sources) of every weight: with values of one size, every neuron hears as much."""
        parts = [torch.full((layer.num_weights,), layer.num_sources**-0.5) for layer in self.layers]
        return torch.cat(parts)

    @cached_property
    def num_neighbours(self) -> tuple[Tensor, Tensor]:
        """How many forward and backward neighbours every weight has."""
        counts = self.neuron_sums(torch.ones(1, self.num_cells, 1, dtype=torch.float64))
        ahead, behind = (count[0, :, 0] - 1 for count in counts)
        return ahead, behind

    @cached_property
    def _shares(self) -> tuple[Tensor, Tensor]:
        """One over the number of forward and backward neighbours; 0 where there are none."""
        ahead, behind = (torch.where(count > 0, 1 / count, 0) for count in self.num_neighbours)
        return ahead, behind

    @cached_property
    def rows(self) -> tuple[tuple[WeightLayer, slice, float, float], ...]:
        """Sources of a layer whose weights all have as many neighbours: (layer, sources, shares).

        The shares are one over the number of forward, and of backward neighbours, or 0. All sources of a
        layer are alike but the constant of biases, which nothing leads to.
        """
        found = []
        for layer in self.layers:
            ordinary = layer.num_sources - int(self.biases)
            for sources in (slice(0, ordinary), slice(ordinary, layer.num_sources)):
                first = layer.start + sources.start * layer.num_targets
                if sources.start < sources.stop:
                    ahead, behind = (float(share[first]) for share in self._shares)
                    found.append((layer, sources, ahead, behind))
        return tuple(found)

    def _require_cells(self, state: Tensor) -> None:
        if state.shape[1] != self.num_cells:
            raise BadInputError(
                f"the state has {state.shape[1]} weights, the networks {self.num_cells}; usual cure: states "
                "'batch channel weight' of these networks"
            )


def widths_from_name(name: str) -> tuple[int, ...]:
    """Return (784, 30, 10) for ``784-30-10``.

    Raises:
        BadInputError: if it is no such name.
    """
    parts = name.strip().split("-")
    if len(parts) < 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise BadInputError(f"got the network {name!r}; expected widths, inputs first, e.g. 784-30-10")
    return tuple(int(part) for part in parts)
