"""One network per parameter set, told apart by the context."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pdenca.automaton import HiddenChannels
from pdenca.baselines.networks import FrameHistory
from pdenca.core import BadInputError, Context, Step
from pdenca.core.field import Kind as FieldKind
from pdenca.solvers.grid import Grid

from .models import NeuralEmulator


@dataclass(frozen=True, eq=False)
class RegimeSwitch:
    """One network per parameter set, as in the founding paper: the context decides which one runs.

    A rule that is not told the parameters can serve one parameter set only. Bound to a context, the network
    trained at the nearest parameters (in units of their spread) takes over.

    Arguments:
        members: networks of the same kind, each trained on one regime.

    Raises:
        BadInputError: without members, for a member trained on several parameter sets, or for members that
            observe different fields.
    """

    members: Sequence[NeuralEmulator]

    def __post_init__(self) -> None:
        if not self.members:
            raise BadInputError("a switch needs at least one network")
        for member in self.members:
            if len(member.scales.parameter_pairs) != 1:
                raise BadInputError(
                    f"{member.name} was trained on {len(member.scales.parameter_pairs)} parameter sets; one "
                    "network per regime needs `--regimes` with one name"
                )
        if len({(member.codec, member.kinds) for member in self.members}) > 1:
            raise BadInputError("the networks of a switch must have the same channels")

    @property
    def codec(self) -> HiddenChannels | FrameHistory:
        """That of the members."""
        return self.members[0].codec

    @property
    def kinds(self) -> tuple[FieldKind, ...]:
        """Those of the members."""
        return self.members[0].kinds

    @property
    def num_parameters(self) -> int:
        """Learned numbers of all members together."""
        return sum(member.num_parameters for member in self.members)

    @property
    def evaluations_per_frame(self) -> int:
        """How often a frame looks at the neighbourhood, the most of any member."""
        return max(member.evaluations_per_frame for member in self.members)

    @property
    def radius(self) -> int | None:
        """Reach of the neighbourhood (cells), the furthest of any member; None: the whole domain."""
        reaches = [member.radius for member in self.members if member.radius is not None]
        return max(reaches) if len(reaches) == len(self.members) else None

    def bind(
        self,
        lattice: Grid,
        context: Context,
        generator: torch.Generator | None = None,
    ) -> Step:
        """Return the Step of the network trained nearest to the context's parameters.

        Raises:
            BadInputError: if the trajectories of the context need different networks.
        """
        names = self.members[0].scales.parameter_names
        missing = [name for name in names if name not in context]
        if missing:
            raise BadInputError(
                f"the context lacks {', '.join(missing)}, which decide the network; usual cure: pass the "
                "parameters of the data's file"
            )
        pairs = torch.tensor(
            [member.scales.parameter_pairs[0] for member in self.members], dtype=torch.float64
        )
        scale = (pairs.amax(0) - pairs.amin(0)).clamp_min(1e-12)
        wanted = (
            torch.stack(
                [
                    context[name].flatten(1).mean(1) if context[name].ndim > 1 else context[name]
                    for name in names
                ],
                dim=1,
            )
            .double()
            .cpu()
        )
        distance = ((wanted[:, None] - pairs) / scale).square().sum(-1)
        nearest = set(distance.argmin(1).tolist())
        if len(nearest) != 1:
            raise BadInputError(
                "the trajectories of one batch need different networks; usual cure: one regime per batch"
            )
        chosen: NeuralEmulator = self.members[nearest.pop()]
        return chosen.bind(lattice, context, generator)

    def at_interval(self, frame_interval: float) -> "RegimeSwitch":
        """Return the same networks for another time between frames.

        Raises:
            BadInputError: if that is not a whole number of their steps.
        """
        return RegimeSwitch([member.at_interval(frame_interval) for member in self.members])


def as_one(members: Sequence[NeuralEmulator]) -> NeuralEmulator | RegimeSwitch:
    """Return the emulator itself if there is one, else the switch between them."""
    return members[0] if len(members) == 1 else RegimeSwitch(members)
