"""Ordinary networks that restore digits, which automata are compared with."""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor, nn

from pdenca.baselines.networks.u_net import UNet
from pdenca.datasets.digits import SIDE
from pdenca.solvers import Grid

Images = Float[Tensor, "batch 28 28"]


class NetworkBody(nn.Module):
    """An ordinary network, at once.

    Arguments:
        network: (batch, inputs, 28, 28) -> (batch, 1, 28, 28).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def frames(self, seen: Float[Tensor, "batch input 28 28"]) -> Iterator[Images]:
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


class OnDigits(nn.Module):
    """A network of frames on the grid of a digit."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network, self.grid = network, Grid.uniform(SIDE, 1.0, "no-flux")

    def forward(self, seen: Float[Tensor, "batch input 28 28"]) -> Float[Tensor, "batch 1 28 28"]:
        """Return its answer."""
        found: Tensor = self.network(seen, self.grid)
        return found
