"""What a census of attractors begins with: random states, damaged images, and what lies between."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdenca.datasets.digits import Digits
from pdenca.training import step_generator

from .damage import Damage
from .lattice import LatticeBody
from .models import Restorer, build_restorer
from .settings import RestorerSettings

FAMILIES: Final = ("noise", "damaged", "between")
"""Kinds of starts:

- noise: every channel of every cell normal, with mean and standard deviation of that channel in the states
  that damaged images begin with; the cells see nothing;
- damaged: the states that damaged test images begin with;
- between: (1 - a) z + a z' for two of those and a uniform from 0 to 1, what the cells see likewise.
"""


@dataclass(frozen=True, eq=False)
class Starts:
    """What roll-outs begin with.

    Arguments:
        states: to begin with.
        told: what their cells see.
        families: where they are from, of :data:`FAMILIES`.
        classes: of the image; -1 unless "damaged".
        damaged: the image; empty unless "damaged".
        known: 1 where a pixel of it is known.
    """

    states: Float[Tensor, "start channel side side"]
    told: Float[Tensor, "start patch side side"]
    families: np.ndarray
    classes: Int[Tensor, " start"]
    damaged: Float[Tensor, "start 28 28"]
    known: Float[Tensor, "start 28 28"]

    def chosen(self, rows: Int[Tensor, " chosen"]) -> "Starts":
        """Return some of them."""
        names = self.families[rows.numpy()]
        tensors = (self.states, self.told, self.classes, self.damaged, self.known)
        states, told, classes, damaged, known = (item[rows] for item in tensors)
        return Starts(states, told, names, classes, damaged, known)


def draw_starts(
    restorer: Restorer, body: LatticeBody, digits: Digits, damage: Damage, num_starts: int, seed: int
) -> Starts:
    """Return a third of the starts of each family, in turn, so that the first few are of all of them.

    Arguments:
        restorer: whose encoder makes states of images.
        body: its cells.
        digits: test images, at least a third as many as starts.
        damage: done to them.
        num_starts: of all families together.
        seed: of all that is random; masks and numbers drawn do not depend on the restorer.
    """
    generator = step_generator(seed, "census starts")
    each = -(-num_starts // len(FAMILIES))
    whole = digits.images[:each].float() / 255
    damaged, known = damage(whole, generator)
    told = body.lift(restorer.seen(damaged, known))
    states = body.encoder(told)
    mean, std = states.mean((0, 2, 3), keepdim=True), states.std((0, 2, 3), keepdim=True)
    noise = mean + std * torch.randn(states.shape, generator=generator)
    # everyone is paired with another one
    other = (torch.arange(each) + torch.randint(1, each, (), generator=generator)) % each
    part = torch.rand(each, 1, 1, 1, generator=generator)
    between = [(1 - part) * item + part * item[other] for item in (states, told)]
    unknown, empty = torch.full((each,), -1), torch.zeros_like(whole)
    found = {
        "noise": (noise, torch.zeros_like(told), unknown, empty, empty),
        "damaged": (states, told, digits.labels[:each], damaged, known),
        "between": (*between, unknown, empty, empty),
    }
    parts = [found[name] for name in FAMILIES]
    mixed = [torch.stack(list(kind), 1).flatten(0, 1)[:num_starts] for kind in zip(*parts, strict=True)]
    names = np.array([FAMILIES[number % len(FAMILIES)] for number in range(num_starts)])
    return Starts(mixed[0], mixed[1], names, mixed[2], mixed[3], mixed[4])


def untrained(settings: RestorerSettings, seed: int) -> Restorer:
    """Return a restorer of this shape with random parameters, the null model of a census.

    Where training begins with weights of zero, a rule or a gate does nothing at all, every start is its own
    end, and a comparison would say nothing. Such weights are drawn at random instead, normal with standard
    deviation 1 / √(fan-in), which keeps the size of what goes through; the other parameters are those that
    training begins with.

    Arguments:
        settings: of the restorer.
        seed: of all its parameters.
    """
    model = build_restorer(settings, seed)
    generator = step_generator(seed, "untrained weights")
    with torch.no_grad():
        for parameter in model.parameters():
            # offsets stay at zero, as they are in any fresh network
            if parameter.ndim > 1 and not bool(parameter.any()):
                fan_in = parameter[0].numel()
                parameter.normal_(0.0, fan_in**-0.5, generator=generator)
    return model.eval()
