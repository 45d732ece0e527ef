"""The gate: a small network that sees the whole lattice and corrects every cell a little."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from .settings import GateSettings

State = Float[Tensor, "batch channel side side"]


class GlobalGate(nn.Module):
    """Reads the lattice as a coarse picture, thinks, and writes a coarse correction:

        r = pool(R z),   w = M2 dropout(relu(M1 r + b1)) + b2,   delta = W enlarge(w),

    with R and W acting on the channels of a cell, ``pool`` averaging to ``read_side`` x ``read_side`` places
    and ``enlarge`` interpolating from ``write_side`` x ``write_side`` places back to the cells. This is what
    a local rule cannot do: every cell hears of every other within one step. W starts at zero, so an untrained
    gate corrects nothing.

    Arguments:
        num_channels: of the state.
        settings: of the gate.
    """

    def __init__(self, num_channels: int, settings: GateSettings) -> None:
        super().__init__()
        self.settings = settings
        read, write = settings.read_channels, settings.write_channels
        self.read = nn.Conv2d(num_channels, read, 1, bias=False)
        self.think = nn.Sequential(
            nn.Linear(read * settings.read_side**2, settings.num_hidden),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.num_hidden, write * settings.write_side**2),
        )
        self.write = nn.Conv2d(write, num_channels, 1, bias=False)
        nn.init.zeros_(self.write.weight)

    def forward(self, state: State) -> State:
        """Return the correction."""
        seen = nn.functional.adaptive_avg_pool2d(self.read(state), self.settings.read_side)
        side = self.settings.write_side
        written = self.think(seen.flatten(1)).view(len(state), self.settings.write_channels, side, side)
        if side != state.shape[-1]:
            written = nn.functional.interpolate(
                written, size=state.shape[-2:], mode="bilinear", align_corners=False
            )
        delta: Tensor = self.write(written)
        return delta


@dataclass(frozen=True, eq=False)
class GateStep:
    """z -> z + gate(z): a Step that is not local."""

    gate: GlobalGate
    time_step: float = 0.0  # it happens between two steps of the automaton

    @property
    def deterministic(self) -> bool:
        """Whether nothing is dropped out."""
        return not (self.gate.training and self.gate.settings.dropout)

    def __call__(self, state: State) -> State:
        """Return the corrected state."""
        corrected: Tensor = state + self.gate(state)
        return corrected
