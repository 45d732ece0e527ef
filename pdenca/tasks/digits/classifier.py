"""A classifier whose thinking is an automaton that is iterated to its equilibrium."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from pdenca.automaton import Automaton, FullKernels, HiddenChannels, InjectedActivation, Replace
from pdenca.datasets.digits import CLASSES
from pdenca.equilibrium import (
    EquilibriumRecord,
    EquilibriumSettings,
    OperatorCap,
    capped_convolution,
    fixed_point,
)
from pdenca.solvers import Grid

from .settings import NetworkSettings

_GROUPS: Final = 4  # of the normalisations
_INJECTED: Final = "injected"
_WEIGHT: Final = "automaton.perception.weight"

State = Float[Tensor, "batch channel side side"]


class _Advance(nn.Module):
    """One step of an automaton as the forward of a module, so that it can be taken with other weights."""

    def __init__(self, automaton: Automaton, grid: Grid) -> None:
        super().__init__()
        self.automaton, self.grid = automaton, grid

    def forward(self, state: Tensor, injected: Tensor) -> Tensor:
        return self.automaton.advance(state, {_INJECTED: injected}, self.grid, 1)


@dataclass(frozen=True, eq=False)
class CellStep:
    """z -> relu(W * z + x) for given images: the automaton's step with its convolution capped."""

    advance: _Advance
    weight: Tensor
    injected: State
    time_step: float = 1.0
    deterministic: bool = True

    def __call__(self, state: State) -> State:
        """Return the next state."""
        result: Tensor = functional_call(self.advance, {_WEIGHT: self.weight}, (state, self.injected))
        return result

    def select(self, indices: Int[Tensor, " chosen"]) -> "CellStep":
        """Return the step of some of the images, in this order."""
        return replace(self, injected=self.injected[indices])


class Cell(nn.Module):
    """The cell that all iterations share, an automaton on the torus:

        z <- relu(W * z + x),   ‖W *‖ <= largest_norm < 1 as an operator on the domain,

    so it is a contraction: one equilibrium for every image, which plain iteration finds from anywhere. The
    bound holds for the convolution itself, not for its reshaped kernel, and follows W through training. In
    training the norm is followed from step to step, to a thousandth; in evaluation it is found afresh, more
    exactly, so that what a trained model says is a function of its parameters alone.

    Arguments:
        settings: of the network.
        generator: source of the random start.
    """

    def __init__(self, settings: NetworkSettings, generator: torch.Generator) -> None:
        super().__init__()
        channels, side = settings.num_channels, settings.side
        self.grid = Grid.uniform(side, 1.0 / side)
        self.largest_norm = settings.largest_norm
        self.perception = FullKernels(channels, settings.radius, generator=generator)
        automaton = Automaton(
            self.perception,
            InjectedActivation("relu"),
            Replace(),
            HiddenChannels(channels),
            context_names=(_INJECTED,),
        )
        self.advance = _Advance(automaton, self.grid)
        self.cap = OperatorCap(self.perception.weight.detach(), self.grid.shape, largest=self.largest_norm)

    def step(self, injected: State) -> CellStep:
        """Return the step with these images injected."""
        raw = self.perception.weight
        if self.training:
            weight = self.cap(raw)
        else:
            weight = capped_convolution(raw, self.grid.shape, largest=self.largest_norm, tolerance=1e-4)
        return CellStep(self.advance, weight, injected)


class Equilibrium(nn.Module):
    """Iterates the cell to z = f(z), and differentiates there: memory does not grow with the iterations.

    Attributes:
        record: how the last search and the last backward pass went.
    """

    def __init__(self, settings: NetworkSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.cell = Cell(settings, generator)
        self.learning = settings.equilibrium
        self.judging = settings.equilibrium.replace(tolerance=settings.tolerance, max_evaluations=500)
        self.record = EquilibriumRecord()

    @property
    def settings(self) -> EquilibriumSettings:
        """How the equilibrium is searched for now."""
        return self.learning if self.training else self.judging

    def forward(self, injected: State) -> State:
        """Return the equilibrium of every image."""
        step = self.cell.step(injected)
        return fixed_point(step, torch.zeros_like(injected), self.settings, record=self.record)


class Unrolled(nn.Module):
    """The same cell, a fixed number of times, with ordinary back-propagation through all of them."""

    def __init__(self, settings: NetworkSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.cell, self.num_iterations = Cell(settings, generator), settings.num_iterations

    def forward(self, injected: State) -> State:
        """Return the last iterate."""
        return iterate(self.cell.step(injected), injected, self.num_iterations)


class Explicit(nn.Sequential):
    """An ordinary stack of convolutions, each with weights of its own, to compare with."""

    def __init__(self, settings: NetworkSettings) -> None:
        channels, taps = settings.num_channels, 2 * settings.radius + 1
        layers: list[nn.Module] = [nn.ReLU()]
        for _ in range(settings.num_layers):
            layers += [
                nn.Conv2d(channels, channels, taps, padding=settings.radius, bias=False),
                _norm(channels),
                nn.ReLU(),
            ]
        super().__init__(*layers)


class DigitClassifier(nn.Module):
    """Encoder, body, read-out:

        x = norm(convolution with stride 2 of relu(norm(convolution with stride 2 of the image))),
        z = body(x),
        scores = linear(pool(relu(mix(norm(z))))),

    where ``mix`` is 1 x 1 and ``pool`` averages over ``num_places`` x ``num_places`` places.

    Arguments:
        settings: of the network.
        seed: of the initial weights.
        num_classes: scores that are read out.
    """

    def __init__(self, settings: NetworkSettings, seed: int = 0, num_classes: int = CLASSES) -> None:
        super().__init__()
        self.num_classes = num_classes
        channels = settings.num_channels
        with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator
            torch.manual_seed(seed)
            generator = torch.Generator().manual_seed(seed)
            edges = settings.num_edges
            self.encoder = nn.Sequential(
                *([_halving(1, edges, settings.edge_radius), _norm(edges), nn.ReLU()] if edges else []),
                _halving(edges or 1, channels, settings.encoder_radius),
                _norm(channels),
            )
            self.body: Equilibrium | Unrolled | Explicit
            if settings.kind == "explicit":
                self.body = Explicit(settings)
            else:
                self.body = (Equilibrium if settings.kind == "implicit" else Unrolled)(settings, generator)
            self.read_out = nn.Sequential(
                _norm(channels),
                nn.Conv2d(channels, channels, 1),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(settings.num_places),
                nn.Flatten(),
                nn.Linear(channels * settings.num_places**2, num_classes),
            )

    @property
    def num_parameters(self) -> int:
        """Number of learned numbers."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def encode(self, images: Float[Tensor, "batch 28 28"]) -> State:
        """Return what is injected, x.

        Arguments:
            images: grey values, 0 to 1.
        """
        injected: Tensor = self.encoder(images[:, None])
        return injected.contiguous(memory_format=torch.channels_last)

    def forward(self, images: Float[Tensor, "batch 28 28"]) -> Float[Tensor, "batch class"]:
        """Return the scores of the classes, before softmax."""
        return self.read(self.body(self.encode(images)))

    def read(self, state: State) -> Float[Tensor, "batch class"]:
        """Return the scores that the read-out sees in a state."""
        scores: Tensor = self.read_out(state)
        return scores


def iterate(step: Callable[[Tensor], Tensor], injected: State, num_iterations: int) -> State:
    """Return what so many iterations make of a state of zeros."""
    state = torch.zeros_like(injected)
    for _ in range(num_iterations):
        state = step(state)
    return state


def _halving(inputs: int, outputs: int, radius: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 2 * radius + 1, stride=2, padding=radius, bias=False)


def _norm(channels: int) -> nn.GroupNorm:
    groups = next(number for number in (_GROUPS, 3, 2, 1) if channels % number == 0)
    return nn.GroupNorm(groups, channels)
