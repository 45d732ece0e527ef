"""What the recipes of steady patterns share: trajectories that end in a steady state, solved to rounding."""

from collections.abc import Mapping
from typing import ClassVar

import pydantic
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.solvers import Equation, Grid, equation_class
from pdenca.solvers.parameter_fields import PARAMETER_FIELDS
from pdenca.solvers.steady import find_steady_state

from ..recipe import known_name
from ..shard import Shard, Split
from .pattern import PatternRecipe, Point


class SteadyRecipe(PatternRecipe):
    """Trajectories whose last frame is the steady state that they tend to.

    The frames but the last are the transient as any recipe has it. The last is where the solution ends:
    marched on and finished by Newton-Krylov under the reference operator on the *stored* grid, see
    :func:`pdenca.solvers.steady.find_steady_state`. Each file tells of every trajectory, as root attributes:
    ``steady_converged`` (1 or 0), ``steady_rate``, the relative rate of change that is left (1/time),
    ``steady_time``, until when it was marched, and ``steady_moved``, how far Newton's method then moved it
    relative to the size of the fields. Where the search failed, the last frame is the last state marched to.
    The last two frames are thus no pair one frame interval apart; ``Header.num_transient_frames`` counts
    those that are.

    Where :attr:`varied` is not empty, each trajectory has parameters of its own that vary in space, drawn
    from :attr:`field_family` between the two numbers of each. ``ood_params`` then means other families of
    such fields: one file for each of :attr:`other_families`.

    Arguments:
        max_settle_time: when to give up the search (time).
        settle_tolerance: relative rate of change that counts as steady (1/time).
        newton_below: relative rate, in units of that of the local dynamics, at which Newton's method takes
            over: the smaller, the surer that it ends in the state that the march would have reached.

    See :class:`pdenca.datasets.recipes.PatternRecipe` for the splits and other settings.
    """

    card: ClassVar[str] = "steady.md"
    varied: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """Constant of the equation -> its smallest and largest value in space."""

    field_family: ClassVar[str] = "cosines"
    other_families: ClassVar[tuple[str, ...]] = ()
    """Families of the fields of ``ood_params``."""

    available_splits: ClassVar[tuple[Split, ...]] = (
        "train",
        "valid",
        "test",
        "ood_ic",
        "ood_domain",
        "ood_params",
        "ood_bc",
    )

    num_cells: int = pydantic.Field(32, ge=4)
    num_trajectories: pydantic.PositiveInt = 32
    num_valid_trajectories: pydantic.PositiveInt | None = 8
    num_test_trajectories: pydantic.PositiveInt | None = 16
    num_params_trajectories: pydantic.PositiveInt | None = 8
    num_domain_trajectories: pydantic.PositiveInt = 4
    max_settle_time: float = pydantic.Field(gt=0)
    settle_tolerance: float = pydantic.Field(1e-10, gt=0)
    newton_below: float = pydantic.Field(1e-4, gt=0)

    def points(self, split: Split) -> dict[str, Point]:
        """Return the parameters of a split that are the same all over space, regime -> parameters."""
        points = super().points(split)
        if split != "ood_params":
            return points
        return {family: point for point in points.values() for family in self.other_families}

    def equation(self, shard: Shard) -> Equation:
        """Return the equation of one file; parameters that vary in space are halfway of their range."""
        middle = {name: (low + high) / 2 for name, (low, high) in self.varied.items()}
        values = {**self.constants, **middle, **shard.parameters}
        return equation_class(self.equation_name).from_parameters(values)

    def draw_parameters(self, shard: Shard, grid: Grid, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw the parameters that vary in space, rounded to what the file keeps of them."""
        family = shard.regime if shard.split == "ood_params" else self.field_family
        return {
            name: (low + (high - low) * PARAMETER_FIELDS[family](grid, generator)).float().double()
            for name, (low, high) in self.varied.items()
        }

    def finish(
        self, shard: Shard, equation: Equation, frames: Float[Tensor, "batch time channel *space"]
    ) -> tuple[Float[Tensor, "batch time channel *space"], dict[str, list[float]]]:
        """Put the steady state in the place of the last frame."""
        before = (shard.num_frames - 1) * self.frame_interval
        found = find_steady_state(
            equation,
            shard.grid,
            frames[:, -1].double(),
            time_step=self.time_step,
            max_time=self.max_settle_time,
            tolerance=self.settle_tolerance,
            newton_below=self.newton_below,
        )
        settled = torch.cat((frames[:, :-1], found.state[:, None].to(frames)), dim=1)
        return settled, {
            "steady_converged": [float(done) for done in found.converged],
            "steady_rate": found.relative_rate.tolist(),
            "steady_time": (before + found.time).tolist(),
            "steady_moved": found.moved.tolist(),
        }

    def card_values(self) -> dict[str, str]:
        """Return what the card says of the fields of parameters, beside the usual."""
        rows = [f"{name} from {low:g} to {high:g}" for name, (low, high) in self.varied.items()]
        fields = f"Varying in space, drawn for each trajectory (`{self.field_family}`): {', '.join(rows)}."
        return {
            **super().card_values(),
            "fields": fields if rows else "No parameter varies in space.",
            "newton_below": f"{self.newton_below:g}",
            "settle_tolerance": f"{self.settle_tolerance:g}",
            "max_settle_time": f"{self.max_settle_time:g}",
        }

    @pydantic.model_validator(mode="after")
    def _on_the_stored_grid(self) -> "SteadyRecipe":
        if self.refine != 1:
            raise ValueError(
                f"a steady state is one of the stored grid, got refine={self.refine}; usual cure: refine=1 "
                "and smaller cells"
            )
        for family in (self.field_family, *self.other_families):
            known_name(family, PARAMETER_FIELDS)
        return self
