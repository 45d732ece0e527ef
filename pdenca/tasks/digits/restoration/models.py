"""Restorers: automata with and without a gate, and the ordinary networks they are compared with."""

from collections.abc import Iterator

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
)
from pdenca.baselines.networks.u_net import UNet
from pdenca.core import InTurn, Step
from pdenca.datasets.digits import SIDE
from pdenca.solvers import Grid

from .gate import GateStep, GlobalGate
from .settings import LATTICES, RestorerSettings

Images = Float[Tensor, "batch 28 28"]
State = Float[Tensor, "batch channel side side"]

_SEEN = "seen"


class Restorer(nn.Module):
    """Damaged digits -> whole ones.

    Arguments:
        settings: of the restorer.
        body: what does the work.
    """

    def __init__(self, settings: RestorerSettings, body: "LatticeBody | NetworkBody") -> None:
        super().__init__()
        self.settings, self.body = settings, body

    @property
    def num_parameters(self) -> int:
        """Number of learned numbers."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    @property
    def num_steps(self) -> int:
        """Steps on the way; of an ordinary network 1."""
        return self.settings.num_steps if self.settings.kind in LATTICES else 1

    def forward(self, damaged: Images, known: Images) -> Images:
        """Return the restored digits."""
        return self.film(damaged, known, 1)[:, -1]

    def film(
        self, damaged: Images, known: Images, last: int | None = None
    ) -> Float[Tensor, "batch step 28 28"]:
        """Return what could be read off after each of the ``last`` steps; all of them by default.

        Arguments:
            damaged: grey values, 0 to 1.
            known: 1 where a pixel is known, else 0.
            last: how many.
        """
        seen = torch.stack((damaged, known), 1) if self.settings.told_mask else damaged[:, None]
        restored = torch.stack(list(self.body.frames(seen, self.num_steps if last is None else last)), 1)
        if self.settings.keep_known:
            restored = torch.where(known[:, None] > 0, damaged[:, None], restored)
        return restored


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

    def lift(self, seen: Float[Tensor, "batch input 28 28"]) -> Float[Tensor, "batch patch side side"]:
        """Return what each cell of the lattice sees of the damaged image."""
        margin = (self.settings.side - SIDE) // 2
        wide = nn.functional.pad(seen, (margin,) * 4)
        return nn.functional.pixel_unshuffle(wide, self.settings.patch)

    def observe(self, state: State) -> Images:
        """Return the image that the read-out sees in a state."""
        margin = (self.settings.side - SIDE) // 2
        wide = nn.functional.pixel_shuffle(self.read_out(state), self.settings.patch)
        return wide[:, 0, margin : margin + SIDE, margin : margin + SIDE]

    def start(self, seen: Float[Tensor, "batch input 28 28"]) -> State:
        """Return the state before the first step."""
        state: Tensor = self.encoder(self.lift(seen))
        return state

    def step(self, number: int, seen: Float[Tensor, "batch input 28 28"]) -> Step:
        """Return the step of this number, counted from 1, for these damaged images."""
        steps: list[Step] = []
        if self.automaton is not None:
            told = {_SEEN: self.lift(seen)} if self.settings.injected else {}
            steps.append(self.automaton.bind(self.grid, told, num_steps=1))
        first, every = self.settings.gate.first_step, self.settings.gate.every
        if self.gate is not None and number >= first and (number - first) % every == 0:
            steps.append(GateStep(self.gate))
        if not steps:
            steps.append(_Still())
        return steps[0] if len(steps) == 1 else InTurn(tuple(steps))

    def frames(self, seen: Float[Tensor, "batch input 28 28"], last: int) -> Iterator[Images]:
        """Yield what is read off after each of the last steps."""
        state, num_steps = self.start(seen), self.settings.num_steps
        for number in range(1, num_steps + 1):
            state = self.step(number, seen)(state)
            if number > num_steps - last:
                yield self.observe(state)


class _Still:
    """The step that changes nothing."""

    time_step, deterministic = 1.0, True

    def __call__(self, state: Tensor) -> Tensor:
        return state


class NetworkBody(nn.Module):
    """An ordinary network, at once.

    Arguments:
        network: (batch, inputs, 28, 28) -> (batch, 1, 28, 28).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def frames(self, seen: Float[Tensor, "batch input 28 28"], last: int) -> Iterator[Images]:
        """Yield its answer."""
        yield self.network(seen)[:, 0]


class AutoEncoder(nn.Sequential):
    """Convolutions of 32, 64 and 128 channels, two of which halve the image, a dense middle, and back.

    Arguments:
        num_inputs: channels of the image.
        num_code: numbers in the middle.
    """

    def __init__(self, num_inputs: int, num_code: int) -> None:
        side, deep = SIDE // 4, 128
        super().__init__(
            nn.Conv2d(num_inputs, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, deep, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(deep * side**2, num_code),
            nn.ReLU(),
            nn.Linear(num_code, deep * side**2),
            nn.ReLU(),
            nn.Unflatten(1, (deep, side, side)),
            nn.ConvTranspose2d(deep, 64, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 1, 3, padding=1),
        )


class _OnDigits(nn.Module):
    """A network of frames on the grid of a digit."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network, self.grid = network, Grid.uniform(SIDE, 1.0, "no-flux")

    def forward(self, seen: Tensor) -> Tensor:
        found: Tensor = self.network(seen, self.grid)
        return found


def build_restorer(settings: RestorerSettings, seed: int = 0) -> Restorer:
    """Build a restorer with random weights.

    Arguments:
        settings: of the restorer.
        seed: of the weights.
    """
    inputs = 2 if settings.told_mask else 1
    body: LatticeBody | NetworkBody
    with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator
        torch.manual_seed(seed)
        if settings.kind == "auto-encoder":
            body = NetworkBody(AutoEncoder(inputs, settings.num_code))
        elif settings.kind == "u-net":
            body = NetworkBody(_OnDigits(UNet(inputs, 1, 2, width=settings.width, num_levels=2)))
        else:
            body = LatticeBody(settings, torch.Generator().manual_seed(seed))
    return Restorer(settings, body)


def _automaton(settings: RestorerSettings, num_seen: int, generator: torch.Generator) -> Automaton:
    channels = settings.num_channels
    told = num_seen if settings.injected else 0
    names = (_SEEN,) if settings.injected else ()
    if settings.cell == "depthwise":
        perception: DepthwiseKernels | FullKernels = DepthwiseKernels(
            channels, 1, settings.multiplier, generator=generator
        )
        rule: NormalisedMixing | PointwiseMLP = NormalisedMixing(
            perception.num_features, told, channels, generator=generator
        )
        update: Replace | Increment = Replace()
    else:
        perception = FullKernels(channels, 1, generator=generator)
        rule = PointwiseMLP(
            channels,
            told,
            channels,
            settings.num_hidden,
            activation="relu",
            skip=False,
            spread=(channels + told) ** -0.5,
            generator=generator,
        )
        update = Increment()
    return Automaton(perception, rule, update, HiddenChannels(channels), context_names=names)
