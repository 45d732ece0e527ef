"""What a dataset is made of: one frozen set of numbers, and the list of files that follows from it."""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import pydantic
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, Settings
from pdenca.solvers.boundary import require_of_equations
from pdenca.solvers.equation import Equation
from pdenca.solvers.grid import Grid
from pdenca.solvers.integrators import INTEGRATORS, options_of
from pdenca.solvers.stencils import STENCILS

from .shard import SPLITS, Shard, Split

_CHOICES = ("stencil", "dealiasing", "tolerance")
"""Settings that not every method has."""

_ADDED_LATER = (
    "num_dims",
    "boundary",
    "method",
    "stencil",
    "dealiasing",
    "tolerance",
    "num_grid_trajectories",
)
"""Settings that the first datasets did not store; their defaults are what was done then."""


def known_name(name: str, known: Iterable[str]) -> str:
    """Return ``name`` if it is known.

    Raises:
        ValueError: if not, with the nearest known one: what a validator of settings raises.
    """
    names = list(known)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        raise ValueError(f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(names)}")
    return name


class Recipe(Settings, ABC):
    """The settings every dataset shares; a subclass adds its own and says what to solve.

    Arguments:
        dataset_name: first part of every file name.
        splits: which folders to make, some of ``available_splits``; or "all".
        num_cells: cells along each side of the stored grid; twice and four times as many in ``ood_domain``
            and ``ood_domain_4x``, twice and half as many in ``ood_resolution_fine`` and ``..._coarse``.
        spacing: cell size (length).
        num_trajectories: training trajectories per regime.
        num_valid_trajectories: likewise for ``valid``; by default half of the training ones, at least 2.
        num_test_trajectories: likewise for ``test`` and ``ood_ic``; by default half of the training ones, at
            least 2.
        num_horizon_trajectories: likewise for ``ood_horizon``; by default as many as for ``test``.
        num_params_trajectories: likewise for each file of ``ood_params``, ``ood_params_interp`` and
            ``ood_params_extrap``; by default as many as for ``test``.
        num_domain_trajectories: likewise for ``ood_domain``, whose frames are 4 times as large.
        num_domain_4x_trajectories: likewise for ``ood_domain_4x``, whose frames are 16 times as large.
        num_grid_trajectories: likewise for ``ood_resolution_fine``, ``ood_resolution_coarse`` and ``ood_bc``,
            whose grids are not those of training; by default as many as for ``test``.
        num_frames: stored frames per trajectory, the initial one included.
        num_domain_frames: likewise in the two larger domains; by default ``num_frames``.
        num_horizon_frames: likewise in ``ood_horizon``; by default, and at least, ``horizon_factor`` times
            ``num_frames``.
        frame_interval: time between stored frames.
        time_step: time step of the solver; divides ``frame_interval``.
        start_time_step: likewise in the first ``num_start_frames`` intervals between frames, where sharp
            initial states change fastest; at most ``time_step``. ``pdenca.solvers.simulate`` tells how
            accurate the default steps were measured to be.
        num_start_frames: how many intervals between frames ``start_time_step`` is for; 0 switches it off.
        refine: the truth is solved on a grid this many times finer and restricted spectrally to the stored
            one; where the stored cells are larger or smaller, on the same grid as the others, if it can be.
        dtype: the floating point type the solver works in; files are float32 in any case.
        num_dims: axes of space.
        boundary: name of the boundary on every axis; in ``ood_bc`` the axes are no-flux if this is periodic,
            and periodic otherwise.
        method: the integrator, a key of ``INTEGRATORS`` or "auto".
        stencil: a key of ``STENCILS``, for methods that use stencils.
        dealiasing: fraction of waves kept in the nonlinear term, for spectral methods.
        tolerance: the error per step that an adaptive method allows; None for the solver's default.
        seed: the seed from which all trajectories' seeds follow.
        batch: trajectories solved together; part of the settings because rounding may depend on it.
    """

    available_splits: ClassVar[tuple[Split, ...]] = SPLITS
    """The splits that this recipe can make."""

    horizon_factor: ClassVar[int] = 4
    """How many times longer than in training a long horizon is, at least."""

    name: ClassVar[str]
    """Key in ``RECIPES``."""

    card: ClassVar[str]
    """Name of the dataset card's template in ``cards/``."""

    dataset_name: str
    splits: tuple[Split, ...] = ("train", "valid", "test")
    num_cells: int = pydantic.Field(64, ge=4)
    spacing: float = pydantic.Field(1 / 64, gt=0)
    num_trajectories: pydantic.PositiveInt = 16
    num_valid_trajectories: pydantic.PositiveInt | None = None
    num_test_trajectories: pydantic.PositiveInt | None = None
    num_horizon_trajectories: pydantic.PositiveInt | None = None
    num_params_trajectories: pydantic.PositiveInt | None = None
    num_domain_trajectories: pydantic.PositiveInt = 2
    num_domain_4x_trajectories: pydantic.PositiveInt = 1
    num_grid_trajectories: pydantic.PositiveInt | None = None
    num_frames: int = pydantic.Field(121, ge=2)
    num_domain_frames: int | None = pydantic.Field(None, ge=2)
    num_horizon_frames: int | None = None
    frame_interval: float = pydantic.Field(10.0, gt=0)
    time_step: float = pydantic.Field(1.0, gt=0)
    start_time_step: float = pydantic.Field(0.5, gt=0)
    num_start_frames: int = pydantic.Field(4, ge=0)
    refine: pydantic.PositiveInt = 2
    dtype: Literal["float32", "float64"] = "float64"
    num_dims: int = pydantic.Field(2, ge=1, le=3)
    boundary: str = "periodic"
    method: str = "etdrk4"
    stencil: str = "order-4"
    dealiasing: float = pydantic.Field(1.0, gt=0, le=1)
    tolerance: float | None = pydantic.Field(None, gt=0)
    seed: int = pydantic.Field(0, ge=0)
    batch: pydantic.PositiveInt = 4

    @pydantic.field_validator("splits", mode="before")
    @classmethod
    def _all_splits(cls, splits: object) -> object:
        return cls.available_splits if splits in ("all", ("all",), ["all"]) else splits

    @pydantic.field_validator("splits")
    @classmethod
    def _sort_splits(cls, splits: tuple[Split, ...]) -> tuple[Split, ...]:
        if len(set(splits)) < len(splits) or not splits:
            raise ValueError("name at least one split, each once")
        for name in splits:
            if name not in cls.available_splits:
                raise ValueError(
                    f"{name!r} is not made by this recipe, only {', '.join(cls.available_splits)}"
                )
        return tuple(sorted(splits, key=SPLITS.index))

    @pydantic.field_validator("boundary")
    @classmethod
    def _known_boundary(cls, name: str) -> str:
        try:
            require_of_equations(name)
        except BadInputError as error:
            raise ValueError(str(error)) from None
        return name

    @pydantic.field_validator("method")
    @classmethod
    def _known_method(cls, name: str) -> str:
        return known_name(name, (*INTEGRATORS, "auto"))

    @pydantic.field_validator("stencil")
    @classmethod
    def _known_stencil(cls, name: str) -> str:
        return known_name(name, STENCILS)

    @pydantic.model_validator(mode="after")
    def _check_times(self) -> "Recipe":
        self._require_divides("time_step", self.time_step)
        if self.num_start_frames:
            self._require_divides("start_time_step", self.start_time_step)
            if self.start_time_step > self.time_step:
                raise ValueError(
                    f"start_time_step {self.start_time_step:g} is longer than time_step {self.time_step:g}, "
                    "but the start needs the smaller steps; usual cure: a start_time_step of at most "
                    "time_step, or num_start_frames=0"
                )
        least = self.horizon_factor * self.num_frames
        if self.num_horizon_frames is not None and self.num_horizon_frames < least:
            raise ValueError(
                f"num_horizon_frames is {self.num_horizon_frames}, but a long horizon means at least "
                f"{self.horizon_factor} times num_frames, here {least}"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _check_choices(self) -> "Recipe":
        for name in _CHOICES:
            value = getattr(self, name)
            if value != type(self).model_fields[name].default and name not in options_of(self.method):
                raise ValueError(
                    f"method {self.method!r} has no {name}, got {name}={value!r}; usual cure: leave it out, "
                    "or another method"
                )
        return self

    def _require_divides(self, name: str, step: float) -> None:
        steps = round(self.frame_interval / step)
        if steps < 1 or abs(steps * step - self.frame_interval) > 1e-9 * self.frame_interval:
            raise ValueError(
                f"{name} {step:g} does not divide frame_interval {self.frame_interval:g}; "
                f"the nearest that does is {self.frame_interval / max(1, steps):g}"
            )

    def size(self, split: Split) -> tuple[int, int, int]:
        """Return (cells per side, trajectories per file, frames) of a split."""
        half = max(2, self.num_trajectories // 2)
        test = self.num_test_trajectories or half
        params = self.num_params_trajectories or test
        other_grid = self.num_grid_trajectories or test
        domain_frames = self.num_domain_frames or self.num_frames
        sizes: dict[Split, tuple[int, int, int]] = {
            "train": (self.num_cells, self.num_trajectories, self.num_frames),
            "valid": (self.num_cells, self.num_valid_trajectories or half, self.num_frames),
            "ood_domain": (2 * self.num_cells, self.num_domain_trajectories, domain_frames),
            "ood_domain_4x": (4 * self.num_cells, self.num_domain_4x_trajectories, domain_frames),
            "ood_horizon": (
                self.num_cells,
                self.num_horizon_trajectories or test,
                self.num_horizon_frames or self.horizon_factor * self.num_frames,
            ),
            "ood_params": (self.num_cells, params, self.num_frames),
            "ood_params_interp": (self.num_cells, params, self.num_frames),
            "ood_params_extrap": (self.num_cells, params, self.num_frames),
            "ood_resolution_fine": (2 * self.num_cells, other_grid, self.num_frames),
            "ood_resolution_coarse": (self.num_cells // 2, other_grid, self.num_frames),
            "ood_bc": (self.num_cells, other_grid, self.num_frames),
        }
        return sizes.get(split, (self.num_cells, test, self.num_frames))

    def grid(self, split: Split) -> Grid:
        """Return the cells that are stored in a split."""
        scale = {"ood_resolution_fine": 0.5, "ood_resolution_coarse": 2.0}.get(split, 1.0)
        boundary = self.boundary
        if split == "ood_bc":
            boundary = "no-flux" if boundary == "periodic" else "periodic"
        return Grid.uniform(self.size(split)[0], self.spacing * scale, boundary, self.num_dims)

    def files_settings(self) -> dict[str, Any]:
        """Return the settings that shape the files: all but ``splits``, which only say which files."""
        return self.model_dump(mode="json", exclude={"splits"})

    @classmethod
    def complete_settings(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings stored with older files, with the default of each that did not exist then.

        Arguments:
            stored: what :meth:`files_settings` or :meth:`to_json` gave at the time.
        """
        since = {name: Recipe.model_fields[name].default for name in _ADDED_LATER}
        return {**since, **stored}

    def solver_options(self, shard: Shard) -> dict[str, Any]:
        """Return the keyword arguments with which ``pdenca.solvers.simulate`` solves one file.

        The initial state belongs on ``shard.grid.refined(options["refine"])``.
        """
        options: dict[str, Any] = {
            "num_frames": shard.num_frames,
            "frame_interval": self.frame_interval,
            "time_step": self.time_step,
            "start_time_step": self.start_time_step if self.num_start_frames else None,
            "num_start_frames": self.num_start_frames,
            "method": self.method,
            "refine": self._refine(shard.split),
            "dtype": getattr(torch, self.dtype),
        }
        choices = {name: getattr(self, name) for name in _CHOICES if name in options_of(self.method)}
        return {**options, **{name: value for name, value in choices.items() if value is not None}}

    def _refine(self, split: Split) -> int:
        """How much finer than the stored grid the solver's is: the solver's own grid stays the same."""
        if split == "ood_resolution_coarse":
            return 2 * self.refine
        if split == "ood_resolution_fine" and self.refine % 2 == 0:
            return self.refine // 2
        return self.refine

    @abstractmethod
    def shards(self) -> list[Shard]:
        """Return the files to make, in order."""

    @abstractmethod
    def equation(self, shard: Shard) -> Equation:
        """Return the equation of one file, its parameters as numbers."""

    def stored_equation(self, shard: Shard) -> str:
        """Return the name by which the file knows its equation: what ``equation_class`` finds it by."""
        return self.equation(shard).name

    @abstractmethod
    def initial_state(
        self, shard: Shard, grid: Grid, generator: torch.Generator
    ) -> Float[Tensor, "1 channel *space"]:
        """Draw one initial state, float64, on the refined grid, from the trajectory's own generator."""

    def draw_parameters(self, shard: Shard, grid: Grid, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw the parameters of one trajectory that vary in space, on the refined grid.

        They come before the initial state out of the trajectory's own generator.

        Returns:
            Constant of the equation -> (1, \\*space); none by default.
        """
        return {}

    def finish(
        self, shard: Shard, equation: Equation, frames: Float[Tensor, "batch time channel *space"]
    ) -> tuple[Float[Tensor, "batch time channel *space"], dict[str, list[float]]]:
        """Have the last word on the frames of a batch.

        Arguments:
            shard: the file they belong to.
            equation: with the parameters of these trajectories.
            frames: as solved, on the stored grid.

        Returns:
            The frames to store, and notes: name -> one number per trajectory, which the file keeps as a root
            attribute of that name. By default the frames as they are, and no notes.

        Raises:
            BadInputError: if something is asked of them that the grid does not allow.
        """
        return frames, {}

    @abstractmethod
    def card_values(self) -> dict[str, str]:
        """Return what the dataset card says about this recipe: placeholder -> text."""
