"""Networks that a rule has written: how badly they tell classes apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pdenca.automaton import Automaton, FeedForward, Lesson
from pdenca.core import BadInputError, Context

from .base import step_generator
from .epochs import Epochs

Batch = tuple[Int[Tensor, " example"], int, int]
"""Examples, local steps to take, number of the training step."""
States = Float[Tensor, "sample channel cell"]
Begin = Callable[[int, torch.Generator], States]
"""(samples, source of randomness) -> states before the first local step."""


@dataclass(frozen=True)
class LocalSteps:
    """How many local steps a training step takes: between half of a number and that number, which grows.

    Arguments:
        most: the number in the end.
        grow_every: training steps until it grows by one, from 1 on; 0: it is ``most`` from the start.

    Raises:
        BadInputError: for numbers that are too small.
    """

    most: int
    grow_every: int = 0

    def __post_init__(self) -> None:
        if self.most < 1 or self.grow_every < 0:
            raise BadInputError(
                f"expected one local step or more, and growth every 0 steps or more, got {self.most} and "
                f"{self.grow_every}"
            )

    def draw(self, step: int, generator: torch.Generator) -> int:
        """Return the local steps of a training step."""
        now = min(self.most, 1 + step // self.grow_every) if self.grow_every else self.most
        return int(torch.randint((now + 1) // 2, now + 1, (1,), generator=generator))


def zero_out(
    states: States, lattice: FeedForward, share: float, generator: torch.Generator, hidden: bool = True
) -> States:
    """Zero one whole layer of every network, drawn for every sample, and a share of all other weights.

    Arguments:
        states: what to damage; not changed.
        lattice: whose weights they are.
        share: chance of each of the other weights.
        generator: of layers and weights.
        hidden: whether what a weight hides is lost with it, or its value alone.

    Source: Barot, Meta-neural cellular automata, ALIFE companion (2025), "Robustness".
    """
    alive = torch.rand(len(states), 1, lattice.num_cells, generator=generator) >= share
    for network in range(len(lattice.networks)):
        layers = lattice.layers_of(network)
        lost = torch.randint(len(layers), (len(states),), generator=generator)
        for number, layer in enumerate(layers):
            alive[lost == number, :, layer.cells] = False
    kept = states * alive.to(states)
    return kept if hidden else torch.cat((kept[:, :1], states[:, 1:]), dim=1)


class TaskNetworks:
    """Cross-entropy of the networks whose weights an automaton has written, through its local steps:

        loss = mean over networks, samples, examples of -log softmax(network(x; w_T))_label.

    The state's first channel is a weight in units of 1 / √(number of its layer's sources), so that weights of
    layers of any width are of one size. Only the rule is trained; the networks never see a gradient step.

    With a pool, samples begin where earlier ones ended, a share of them anew, and some are damaged: what is
    reached is to last, and to come back.

    With a lesson, the weights are shown some examples, drawn anew in every training step, while they are
    updated, and judged by others: a rule that can use them is a rule of learning. If the task is permuted as
    well, its inputs and its classes change places in every training step, so that nothing else helps.

    Arguments:
        automaton: of a perception of weights.
        lattice: the networks, all updated at once.
        context: what the rule is told of every weight.
        begin: makes fresh states.
        inputs, labels: the examples.
        activation: of the networks.
        local_steps: how many.
        batch_size: examples per step.
        num_samples: of every network, per step.
        pool_size: states that are kept; 0: every sample begins anew.
        fresh_share: of the samples; at least one begins anew.
        num_damaged: how many of the others are damaged.
        damage: chance of a weight outside the layer that is zeroed.
        networks_per_step: how many of the networks, drawn anew in every training step, are written and
            judged; None: all of them.
        lesson_size: examples that are shown; 0: none.
        permuted: whether inputs and classes change places.
        seed: of all that is random.

    Raises:
        BadInputError: for counts that do not fit.
    """

    note: str = ""

    def __init__(
        self,
        automaton: Automaton,
        lattice: FeedForward,
        context: Context,
        begin: Begin,
        inputs: Float[Tensor, "example input"],
        labels: Int[Tensor, " example"],
        *,
        activation: Callable[[Tensor], Tensor],
        local_steps: LocalSteps,
        batch_size: int,
        num_samples: int = 1,
        pool_size: int = 0,
        fresh_share: float = 0.2,
        num_damaged: int = 0,
        damage: float = 0.3,
        networks_per_step: int | None = None,
        lesson_size: int = 0,
        permuted: bool = False,
        seed: int = 0,
    ) -> None:
        if lesson_size < 0 or (lesson_size and lesson_size + batch_size > len(inputs)):
            raise BadInputError(
                f"there are {len(inputs)} examples, got a lesson of {lesson_size} beside {batch_size} to "
                "judge by; usual cure: a smaller one"
            )
        if permuted and (pool_size or not lesson_size):
            raise BadInputError(
                "a task whose inputs change places can only be learned from a lesson, and from the start: "
                f"got a lesson of {lesson_size} and a pool of {pool_size}; usual cure: a lesson and no pool"
            )
        self.num_fresh = max(1, round(fresh_share * num_samples)) if pool_size else num_samples
        if num_samples < 1 or (pool_size and pool_size < num_samples):
            raise BadInputError(
                f"expected one sample or more and a pool that holds them, got {num_samples} and {pool_size}"
            )
        if not 0 <= num_damaged <= num_samples - self.num_fresh:
            raise BadInputError(
                f"{num_samples - self.num_fresh} of {num_samples} samples come from the pool and could be "
                f"damaged, got {num_damaged}; usual cure: a pool, more samples, or fewer damaged"
            )
        count = len(lattice.networks)
        self.networks_per_step = count if networks_per_step is None else networks_per_step
        if not 1 <= self.networks_per_step <= count:
            raise BadInputError(
                f"there are {count} networks, got {self.networks_per_step} per step; usual cure: fewer"
            )
        self.automaton, self.lattice, self.context, self.begin = automaton, lattice, context, begin
        self.inputs, self.labels, self.activation = inputs, labels, activation
        self.local_steps, self.epochs = local_steps, Epochs(len(inputs), batch_size, seed)
        self.lesson_size, self.permuted = lesson_size, permuted
        self.num_samples, self.num_damaged, self.damage, self.seed = num_samples, num_damaged, damage, seed
        self.pool = begin(pool_size, step_generator(seed, "pool")) if pool_size else None
        self._parts: dict[tuple[int, ...], tuple[FeedForward, Tensor]] = {}
        self._ends: tuple[Tensor, Tensor, Tensor] | None = None

    def batch(self, step: int) -> Batch:
        """Return examples, local steps and the number of the step."""
        generator = step_generator(self.seed, "local steps", step)
        return self.epochs.chosen(step), self.local_steps.draw(step, generator), step

    def start(self, step: int) -> tuple[States, Int[Tensor, " place"]]:
        """Return where the samples begin, and their places in the pool if there is one."""
        generator = step_generator(self.seed, "start", step)
        fresh = self.begin(self.num_fresh, generator)
        if self.pool is None:
            return fresh, torch.zeros(0, dtype=torch.int64)
        places = torch.randperm(len(self.pool), generator=generator)[: self.num_samples]
        old = self.pool[places[self.num_fresh :]]
        if self.num_damaged:
            hurt = zero_out(old[: self.num_damaged], self.lattice, self.damage, generator)
            old = torch.cat((hurt, old[self.num_damaged :]))
        return torch.cat((fresh, old)), places

    def drawn(self, step: int) -> tuple[FeedForward, Int[Tensor, " cell"]]:
        """Return the networks of a training step, and which cells are theirs."""
        generator = step_generator(self.seed, "networks", step)
        order = torch.randperm(len(self.lattice.networks), generator=generator)[: self.networks_per_step]
        chosen = tuple(sorted(order.tolist()))
        if chosen not in self._parts:  # a lattice counts neighbours once
            self._parts[chosen] = self.lattice.part(chosen)
        return self._parts[chosen]

    def task(self, rows: Int[Tensor, " example"], step: int) -> tuple[Tensor, Tensor, FeedForward]:
        """Return the inputs and labels to judge by, and the networks with their lesson if there is one."""
        lattice = self.drawn(step)[0]
        if not self.lesson_size:
            return self.inputs[rows], self.labels[rows], lattice
        generator = step_generator(self.seed, "lesson", step)
        order = torch.randperm(len(self.inputs), generator=generator)
        shown = order[~torch.isin(order, rows)][: self.lesson_size]  # none of what is judged by
        width, num_classes = self.inputs.shape[1], self.lattice.networks[0][-1]
        places, names = torch.arange(width), torch.arange(num_classes)
        if self.permuted:
            places = torch.randperm(width, generator=generator)
            names = torch.randperm(num_classes, generator=generator)
        names = names.to(self.labels.device)
        lesson = Lesson(self.inputs[shown][:, places], names[self.labels[shown]], self.activation)
        return self.inputs[rows][:, places], names[self.labels[rows]], replace(lattice, lesson=lesson)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean cross-entropy after the local steps."""
        rows, num_steps, step = batch
        states, places = self.start(step)
        cells = self.drawn(step)[1]
        inputs, right, lattice = self.task(rows, step)
        masks = self.automaton.sample_masks(
            num_steps, len(states), lattice, step_generator(self.seed, "masks", step), states
        )
        told = {name: _taken(value, cells) for name, value in self.context.items()}  # of all samples the same
        ends = self.automaton.advance(_taken(states, cells), told, lattice, num_steps, masks)
        self._ends = places, cells, ends.detach()
        labels = right.expand(len(states), -1)
        weights = ends[:, 0] * lattice.weight_scale.to(ends)
        losses = []
        for network in range(len(lattice.networks)):
            scores = lattice.outputs(weights, inputs, network, self.activation)
            losses.append(nn.functional.cross_entropy(scores.flatten(0, 1), labels.flatten()))
        return torch.stack(losses).mean()

    def accept(self, batch: Batch) -> None:
        """Put the ends into the pool."""
        if self.pool is not None:
            assert self._ends is not None, "accept() follows loss()"
            places, cells, ends = self._ends
            self.pool[places[:, None], :, cells] = ends.movedim(-1, 1)

    def state(self) -> dict[str, Tensor]:
        """Return the pool."""
        return {} if self.pool is None else {"pool": self.pool}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put the pool back."""
        if self.pool is not None:
            self.pool = state["pool"].to(self.pool.device, copy=True)


def _taken(values: Float[Tensor, "... cell"], cells: Int[Tensor, " chosen"]) -> Float[Tensor, "... chosen"]:
    """Return the values of cells in rising order; without a copy where they follow each other."""
    first, last = int(cells[0]), int(cells[-1])
    if last - first == len(cells) - 1:
        return values[..., first : last + 1]
    return values[..., cells]
