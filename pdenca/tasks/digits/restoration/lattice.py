"""Digits restored on a lattice of cells: by an automaton, a gate, or both in turn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.automaton import (
    Automaton,
    DepthwiseKernels,
    FullKernels,
    HiddenChannels,
    Increment,
    NormalisedMixing,
    PointwiseMLP,
    Replace,
    Saturate,
)
from pdenca.core import InTurn, Step
from pdenca.datasets.digits import SIDE
from pdenca.solvers import Grid

from .gate import GateStep, GlobalGate
from .settings import RestorerSettings

Images = Float[Tensor, "batch 28 28"]
Seen = Float[Tensor, "batch input 28 28"]
State = Float[Tensor, "batch channel side side"]

_SEEN = "seen"


@dataclass(frozen=True, eq=False)
class Wound:
    """Cells that lose their state, all channels of it, and from then on no longer see the damaged image.

    A cell that still saw it would be told its known pixels again, and the wound would be half a wound.

    Arguments:
        after: the step after which it happens, counted from 1.
        alive: 1 where a cell keeps its state, else 0.
    """

    after: int
    alive: Float[Tensor, "batch 1 side side"]


class LatticeBody(nn.Module):
    """Encoder, steps on a lattice of cells, read-out.

        z_0 = E x,   z_{t+1} = s_t(z_t),   y = D z_T,

    with E and D acting on the patch of image that a cell covers, and s_t an automaton's step, a gate's, or
    one after the other. The image lies in the middle of the lattice, with zeros around it.

    Arguments:
        settings: of the restorer.
        generator: source of the random start.
    """

    def __init__(self, settings: RestorerSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        pixels, inputs = settings.patch**2, 2 if settings.told_mask else 1
        self.grid = Grid.uniform(settings.num_cells, 1.0, "no-flux")
        self.encoder = nn.Conv2d(inputs * pixels, settings.num_channels, 1)
        self.read_out = nn.Conv2d(settings.num_channels, pixels, 1)
        self.automaton = None if settings.kind == "gate" else _automaton(settings, inputs * pixels, generator)
        self.gate = None if settings.kind == "ca" else GlobalGate(settings.num_channels, settings.gate)

    @property
    def round_length(self) -> int:
        """Steps from one correction by the gate to the next; without a gate 1."""
        return 1 if self.gate is None else self.settings.gate.every

    def lift(self, seen: Seen) -> Float[Tensor, "batch patch side side"]:
        """Return what each cell of the lattice sees of the damaged image."""
        wide = nn.functional.pad(seen, (self._margin,) * 4)
        return nn.functional.pixel_unshuffle(wide, self.settings.patch)

    def observe(self, state: State) -> Images:
        """Return the image that the read-out sees in a state."""
        return self._cut(nn.functional.pixel_shuffle(self.read_out(state), self.settings.patch)[:, 0])

    def on_image(self, cells: Float[Tensor, "batch 1 side side"]) -> Images:
        """Return the pixels that these cells cover."""
        size = self.settings.patch
        return self._cut(cells[:, 0].repeat_interleave(size, 1).repeat_interleave(size, 2))

    def step(self, number: int, told: Float[Tensor, "batch patch side side"]) -> Step:
        """Return the step of this number, counted from 1.

        Arguments:
            number: may exceed the number of steps in training; the gate goes on as it did.
            told: what the cells see, see :meth:`lift`.
        """
        steps: list[Step] = []
        if self.automaton is not None:
            context = {_SEEN: told} if self.settings.injected else {}
            steps.append(self.automaton.bind(self.grid, context, num_steps=1))
        first, every = self.settings.gate.first_step, self.settings.gate.every
        if self.gate is not None and number >= first and (number - first) % every == 0:
            steps.append(GateStep(self.gate))
        if not steps:
            steps.append(_Still())
        return steps[0] if len(steps) == 1 else InTurn(tuple(steps))

    def round(self, told: Float[Tensor, "batch patch side side"]) -> Step:
        """Return the map that a long run repeats: all steps from one correction by the gate to the next.

        Its fixed points are the equilibria of the restorer.
        """
        first = self.settings.gate.first_step + 1
        steps = tuple(self.step(first + number, told) for number in range(self.round_length))
        return steps[0] if len(steps) == 1 else InTurn(steps)

    def frames(
        self,
        seen: Seen,
        num_steps: int,
        last: int,
        wound: Wound | None = None,
        num_before: int = 0,
        watch: Callable[[Tensor, Tensor], None] | None = None,
    ) -> Iterator[Images]:
        """Yield what is read off after each of the last of so many steps; see :meth:`states`.

        ``watch`` is called with the states before and after each of them, but the very first.
        """
        before: Tensor | None = None
        for number, state in self.states(seen, num_steps, wound, num_before):
            if number > num_steps - last:
                if watch is not None and before is not None:
                    watch(before, state)
                yield self.observe(state)
            before = state

    def states(
        self, seen: Seen, num_steps: int, wound: Wound | None = None, num_before: int = 0
    ) -> Iterator[tuple[int, State]]:
        """Yield (number, state) after every step; the wound's own step with the wound.

        ``num_before`` steps are taken first, without a gradient and without being counted.
        """
        told = self.lift(seen)
        state = self.encoder(told)
        with torch.no_grad():
            for number in range(1, num_before + 1):
                state = self.step(number, told)(state)
        for number in range(1, num_steps + 1):
            state = self.step(number, told)(state)
            if wound is not None and number == wound.after:
                state, told = state * wound.alive, told * wound.alive
            yield number, state

    def wound(self, batch: int, share: float, after: int, generator: torch.Generator | None = None) -> Wound:
        """Draw a wound: other cells of every image, the same number of them.

        Arguments:
            batch: images.
            share: of the cells.
            after: the step after which they are zeroed, counted from 1.
            generator: source of randomness; by default the global one.
        """
        side = self.settings.num_cells
        ranks = torch.rand(batch, side**2, generator=generator).argsort(1).argsort(1)
        alive = ranks >= round(share * side**2)
        return Wound(after, alive.to(self.read_out.weight).view(batch, 1, side, side))

    def random_wound(self, batch: int) -> Wound:
        """Draw share and step of a wound too, from the global source: what training inflicts."""
        share = self.settings.largest_wound * float(torch.rand(()))
        return self.wound(batch, share, int(torch.randint(1, self.settings.num_steps, ())))

    def random_delay(self) -> int:
        """Draw from the global source how many steps training takes before it looks: whole rounds or none."""
        rounds = self.settings.largest_delay // self.round_length
        if not rounds or float(torch.rand(())) < 0.5:
            return 0
        return self.round_length * int(torch.randint(1, rounds + 1, ()))

    @property
    def _margin(self) -> int:
        return (self.settings.side - SIDE) // 2

    def _cut(self, wide: Float[Tensor, "batch rows columns"]) -> Images:
        inside = slice(self._margin, self._margin + SIDE)
        return wide[:, inside, inside]


class _Still:
    """The step that changes nothing."""

    time_step, deterministic = 1.0, True

    def __call__(self, state: Tensor) -> Tensor:
        return state


def _automaton(settings: RestorerSettings, num_seen: int, generator: torch.Generator) -> Automaton:
    channels = settings.num_channels
    told = num_seen if settings.injected else 0
    names = (_SEEN,) if settings.injected else ()
    perception: DepthwiseKernels | FullKernels
    if settings.kernels == "depthwise":
        perception = DepthwiseKernels(channels, 1, settings.multiplier, generator=generator)
    else:
        perception = FullKernels(channels, 1, settings.multiplier * channels, generator=generator)
    if settings.cell == "normalised":
        rule: NormalisedMixing | PointwiseMLP = NormalisedMixing(
            perception.num_features, told, channels, generator=generator
        )
        update: Replace | Increment | Saturate = Replace()
    else:
        rule = PointwiseMLP(
            perception.num_features,
            told,
            channels,
            settings.num_hidden,
            activation="relu",
            skip=False,
            spread=(perception.num_features + told) ** -0.5,
            generator=generator,
        )
        update = Saturate() if settings.cell == "saturating" else Increment()
    return Automaton(perception, rule, update, HiddenChannels(channels), context_names=names)
