"""Reading kernels off an automaton from outside: whatever it is made of, its derivatives are its taps."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import Automaton, FixedKernels, Perception, TransportReaction
from pdenca.solvers import Grid

CELLS_AT_ONCE = 1024
LINEAR = 1e-9
"""A feature that deviates from its own taps by less than this share is linear."""


@dataclass(frozen=True, eq=False)
class Taps:
    """One linear kernel: what a cell gets from its neighbours.

    Attributes:
        kind: ``sample``, ``transport``, ``emission``, or the name of a feature.
        field: what is made.
        source: of which channel.
        weights: one per offset, the middle one for the cell itself; ``transport`` per unit of time, the
            others without unit.
    """

    kind: str
    field: str
    source: str
    weights: Float[Tensor, "*taps"]

    @property
    def name(self) -> str:
        """Kind and field, and the source where it is another one."""
        return f"{self.kind} {self.field}" + ("" if self.source == self.field else f" from {self.source}")


def small_grid(automaton: Automaton, num_dims: int, spacing: float) -> Grid:
    """Return the smallest periodic grid on which a cell sees every neighbour once."""
    reach = max(automaton.radius, 1)
    return Grid.uniform((2 * reach + 1,) * num_dims, spacing)


def kernel_taps(
    automaton: Automaton,
    channels: tuple[str, ...],
    num_dims: int,
    spacing: float,
    parameters: Float[Tensor, " parameter"] | None = None,
) -> tuple[list[Taps], list[str]]:
    """Return the kernels of an automaton's perception and emission on a lattice of this spacing.

    Arguments:
        automaton: any; its perception is read by differentiation, so it need not offer its taps.
        channels: names of its channels.
        num_dims: axes of space.
        spacing: cell size (length).
        parameters: of the equation, for kernels that depend on them; None: where their weights are centred.

    Returns:
        The kernels that are not zero, and the names of features that are no linear function of the
        neighbourhood and so have no kernel.
    """
    grid = small_grid(automaton, num_dims, spacing)
    perception = automaton.perception
    labels = _feature_labels(automaton, channels, num_dims)
    found, nonlinear = [], []

    def features(state: Tensor) -> Tensor:
        return perception.combine(perception.gather(state, grid), spacing, told)

    like = _like(automaton)
    told = None if parameters is None else parameters.to(like).view(*(1,) * (1 + num_dims), -1)
    zero = torch.zeros(1, *grid.shape, len(channels), dtype=like.dtype, device=like.device)
    weights = _gradients(features, zero, grid)[0]
    # a smooth, small state: features that are not linear show it
    probe = torch.rand(zero.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(zero)
    middle = (0, *(size // 2 for size in grid.shape))
    with torch.no_grad():
        seen = (features(probe) - features(zero))[middle]
        expected = (weights * probe[0].movedim(-1, 0)).flatten(1).sum(1)
    for number, (kind, field) in enumerate(labels):
        if float((seen[number] - expected[number]).abs()) > LINEAR * float(seen.abs().max().clamp_min(1e-30)):
            nonlinear.append(f"{kind} {field}")
            continue
        found += _kernels(kind, field, weights[number], channels)
    if automaton.emission is not None:
        emission = automaton.emission
        emitted = _gradients(lambda state: emission(state, grid, told), zero, grid)[0]
        for number, channel in enumerate(channels):
            found += _kernels("emission", channel, emitted[number], channels)
    return found, nonlinear


def step_taps(
    automaton: Automaton,
    states: Float[Tensor, "cell channel"],
    context: dict[str, Tensor],
    num_dims: int,
    spacing: float,
) -> Float[Tensor, "cell channel channel *taps"]:
    """Return the derivative of one step at homogeneous states: how a small disturbance spreads and grows.

    Arguments:
        automaton: any; every cell fires.
        states: the homogeneous states, one per entry.
        context: parameter name -> one value per entry.
        num_dims: axes of space.
        spacing: cell size (length).

    Returns:
        Tap [n, i, j, o]: how channel i of a cell changes with channel j of the cell at offset o.
    """
    grid = small_grid(automaton, num_dims, spacing)
    base = states.view(*states.shape, *(1,) * num_dims).expand(*states.shape, *grid.shape)

    def step(state: Tensor) -> Tensor:
        return automaton.advance(state.movedim(-1, 1), context, grid, 1).movedim(1, -1)

    return _gradients(step, base.movedim(1, -1).contiguous(), grid)


def homogeneous_rate(
    automaton: Automaton,
    states: Float[Tensor, "cell channel"],
    context: dict[str, Tensor],
    num_dims: int,
    spacing: float,
) -> Float[Tensor, "cell channel"]:
    """Return the change per unit time of homogeneous states in one step: the reaction that was learned."""
    # all cells are alike, so a neighbour may be seen twice
    grid = Grid.uniform((max(automaton.radius, 2),) * num_dims, spacing)
    parts = []
    with torch.no_grad():
        for start in range(0, len(states), CELLS_AT_ONCE):
            piece = states[start : start + CELLS_AT_ONCE]
            told = {name: value[start : start + CELLS_AT_ONCE] for name, value in context.items()}
            spread = piece.view(*piece.shape, *(1,) * num_dims).expand(*piece.shape, *grid.shape)
            rate = automaton.rate(spread.contiguous(), told, grid)
            parts.append(rate.flatten(2)[:, :, 0])
    return torch.cat(parts)


def _like(automaton: Automaton) -> Tensor:
    found = next(itertools.chain(automaton.parameters(), automaton.buffers()), None)
    return torch.zeros(1, dtype=torch.float64) if found is None else found


def _gradients(
    function: Callable[[Tensor], Tensor], base: Float[Tensor, "batch *space channel"], grid: Grid
) -> Float[Tensor, "batch feature channel *taps"]:
    """Differentiate what the middle cell gets by everything around it; channels last in, taps out."""
    with torch.enable_grad():
        state = base.detach().clone().requires_grad_(True)
        made = function(state)
        for size in grid.shape:
            made = made[:, size // 2]
        rows = [
            torch.autograd.grad(made[:, number].sum(), state, retain_graph=True, allow_unused=True)[0]
            for number in range(made.shape[-1])
        ]
    full = [torch.zeros_like(base) if row is None else row for row in rows]
    return torch.stack([row.movedim(-1, 1) for row in full], dim=1)


def _kernels(
    kind: str, field: str, weights: Float[Tensor, " source *taps"], channels: tuple[str, ...]
) -> list[Taps]:
    largest = float(weights.abs().max())
    return [
        Taps(kind, field, source, own)
        for source, own in zip(channels, weights, strict=True)
        if source == field or float(own.abs().max()) > 1e-12 * largest
    ]


def _feature_labels(automaton: Automaton, channels: tuple[str, ...], num_dims: int) -> list[tuple[str, str]]:
    perception: Perception = automaton.perception
    between = perception.num_features - 2 * len(channels)
    if isinstance(automaton.rule, TransportReaction) and between >= 0:
        # what is sampled comes first, transport last; between them may stand invariants of gradients
        invariants = [("invariant", str(number + 1)) for number in range(between)]
        sampled, transported = ([(kind, name) for name in channels] for kind in ("sample", "transport"))
        return [*sampled, *invariants, *transported]
    if isinstance(perception, FixedKernels):
        return [
            (f"{name} {'xyz'[axis]}" if name == "gradient" else name, channel)
            for name in perception.kernels
            for axis in range(num_dims if name == "gradient" else 1)
            for channel in channels
        ]
    return [("feature", str(number + 1)) for number in range(perception.num_features)]
