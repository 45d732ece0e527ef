"""What is scored, and what a case to be scored consists of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import pydantic
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, Context, NonFiniteError, Settings
from pdenca.core.field import Kind
from pdenca.solvers.equation import Equation
from pdenca.solvers.grid import Grid

ALL_REGIMES = "all"
"""The regime name of rows that pool every trajectory of a split."""


class EvaluationSettings(Settings):
    """The protocol: how rollouts start and which predicted frames are scored.

    Arguments:
        num_given: frames a model is shown; they are never scored.
        start: index of the first given frame.
        windows: (first, last) predicted frames, 1-based and inclusive, so (1, 1) is the first frame after
            the given ones. A window that reaches past the truth gets no row.
        num_bootstrap: resamples behind each interval.
        confidence: of the intervals.
        seed: of the resampling and of models that draw random numbers.
        correlation_threshold: below it the pattern counts as lost.
        std_floor: a frame has a pattern if its spatial std is at least this fraction of the training std.
        dtype: precision of the rollouts. Scores are always computed in float64. Against float64 rollouts,
            float32 (the precision of the files and of most models) moved the pooled VRMSE of stencil solvers
            on 106 predicted Gray-Scott frames by at most 0.13 % of its value.
        device: where rollouts run and frames are scored.
        example_frames: predicted frames (from 1) of the example trajectories that are kept for pictures;
            None for the first and last frame of every window and the last one of all, () for none.
        pattern_window: predicted frames over which patterns are compared as statistics, for long and chaotic
            runs; None for none. Costs a sort of every frame looked at.
        pattern_stride: every how many frames of that window are looked at.
        lyapunov_frames: over how many frames the largest Lyapunov exponent is measured, from the last given
            frame on; 0 for none. Costs two roll-outs more, and needs dtype float64.
        lyapunov_discarded: frames before those.
        symmetry_frames: after how many frames the equivariance residual is measured; 0 for none. Costs a
            roll-out of so many frames for every symmetry of the grid.
    """

    num_given: int = pydantic.Field(default=4, ge=1)
    start: int = pydantic.Field(default=0, ge=0)
    windows: tuple[tuple[int, int], ...] = ((1, 1), (6, 12), (13, 30), (31, 100))
    num_bootstrap: int = pydantic.Field(default=1000, ge=1)
    confidence: float = pydantic.Field(default=0.95, gt=0, lt=1)
    seed: int = pydantic.Field(default=0, ge=0)
    correlation_threshold: float = pydantic.Field(default=0.8, gt=-1, lt=1)
    std_floor: float = pydantic.Field(default=1e-3, gt=0)
    dtype: Literal["float32", "float64"] = "float32"
    device: str = "cpu"
    example_frames: tuple[int, ...] | None = None
    pattern_window: tuple[int, int] | None = None
    pattern_stride: int = pydantic.Field(default=10, ge=1)
    lyapunov_frames: int = pydantic.Field(default=0, ge=0)
    lyapunov_discarded: int = pydantic.Field(default=10, ge=0)
    symmetry_frames: int = pydantic.Field(default=0, ge=0)

    @pydantic.field_validator("windows")
    @classmethod
    def _check_windows(cls, windows: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        for first, last in windows:
            if not 1 <= first <= last:
                raise ValueError(
                    f"window ({first}, {last}) must satisfy 1 <= first <= last; "
                    "usual cure: predicted frames are counted from 1"
                )
        if len(set(windows)) != len(windows):
            raise ValueError("a window is listed twice; usual cure: list each window once")
        return windows

    @pydantic.field_validator("pattern_window")
    @classmethod
    def _check_pattern_window(cls, window: tuple[int, int] | None) -> tuple[int, int] | None:
        return None if window is None else cls._check_windows((window,))[0]

    @pydantic.model_validator(mode="after")
    def _check_lyapunov(self) -> Self:
        if 0 < self.lyapunov_frames < 10:
            raise ValueError("a Lyapunov exponent needs at least 10 frames; usual cure: lyapunov_frames=100")
        if self.lyapunov_frames and self.dtype != "float64":
            raise ValueError(
                "a Lyapunov exponent needs float64: the twin starts 1e-7 away; usual cure: dtype float64"
            )
        return self

    @pydantic.field_validator("example_frames")
    @classmethod
    def _check_example_frames(cls, frames: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if frames is not None and any(frame < 1 for frame in frames):
            raise ValueError("predicted frames are counted from 1")
        return frames

    def pattern_frames(self, num_frames: int) -> tuple[int, ...]:
        """Return the predicted frames that are compared as patterns; () if the window exceeds them."""
        if self.pattern_window is None or self.pattern_window[1] > num_frames:
            return ()
        return tuple(range(self.pattern_window[0], self.pattern_window[1] + 1, self.pattern_stride))

    def kept_frames(self, num_frames: int) -> tuple[int, ...]:
        """Return which of the predicted frames 1..num_frames an example keeps, in order."""
        frames = self.example_frames
        if frames is None:
            frames = (*(frame for window in self.windows for frame in window), num_frames)
        return tuple(sorted({frame for frame in frames if frame <= num_frames}))

    @property
    def torch_dtype(self) -> torch.dtype:
        """The rollout precision as torch names it."""
        return {"float32": torch.float32, "float64": torch.float64}[self.dtype]


def window_label(first: int, last: int) -> str:
    """Return the name of a window in result rows: ``"1"`` or ``"6:12"``."""
    return str(first) if first == last else f"{first}:{last}"


@dataclass(frozen=True, eq=False)
class Case:
    """Some true trajectories of one regime on one grid: all that is needed to score a model on them.

    Arguments:
        split: e.g. ``"test"``, ``"ood_params"``.
        regime: e.g. ``"spots"``; several cases may share split and regime, their trajectories are pooled.
        truth: the trajectories, frames from t = 0, in the unit of each field.
        grid: where they live.
        context: parameter name -> values of shape (batch,) or (batch, *space), handed to the models.
        frame_interval: physical time between frames.
        field_names: one name per channel.
        field_std: standard deviation of each field over the *training* data.
        field_low: smallest training value of each field; without it there are no range violations to report.
        field_high: largest training value of each field.
        families: family of starts of each trajectory, for rows by family; None if there is one only.
        equation: what the truth solves, with the parameters of the context; without it there is no budget.
        kinds: how the fields transform, as in :func:`pdenca.symmetry.act`; None: all scalars.
        note: what is to be known about this truth, e.g. that it was derived from another case.
        same_trajectories: these are the trajectories of the case before, moved: no new evidence, so each is
            resampled together with what it was made from.

    Raises:
        BadInputError: if names and numbers do not fit the channels, or a name cannot be used.
        NonFiniteError: if the truth holds a NaN or an infinity.
    """

    split: str
    regime: str
    truth: Float[Tensor, "batch time channel *space"]
    grid: Grid
    context: Context
    frame_interval: float
    field_names: Sequence[str]
    field_std: Sequence[float] | Float[Tensor, " channel"]
    field_low: Sequence[float] | Float[Tensor, " channel"] | None = None
    field_high: Sequence[float] | Float[Tensor, " channel"] | None = None
    families: Sequence[str] | None = None
    equation: Equation | None = None
    kinds: Sequence[Kind] | None = None
    note: str = ""
    same_trajectories: bool = False

    def __post_init__(self) -> None:
        batch, _, channels = self.truth.shape[:3]
        if self.regime == ALL_REGIMES:
            raise BadInputError(
                f"a regime cannot be called {ALL_REGIMES!r}, the name of the rows that pool all regimes; "
                "usual cure: name it after its pattern"
            )
        for name in (self.split, self.regime):
            require_plain_name(name)
        lengths = {"field_names": self.field_names, "field_std": self.field_std}
        lengths |= {"field_low": self.field_low} if self.field_low is not None else {}
        lengths |= {"field_high": self.field_high} if self.field_high is not None else {}
        for name, values in lengths.items():
            if len(values) != channels:
                raise BadInputError(f"{name} has {len(values)} entries but the truth has {channels} channels")
        if (self.field_low is None) != (self.field_high is None):
            raise BadInputError("field_low and field_high come together; got only one of them")
        if tuple(self.truth.shape[3:]) != tuple(self.grid.shape):
            raise BadInputError(
                f"truth has {tuple(self.truth.shape[3:])} cells but the grid {tuple(self.grid.shape)}"
            )
        if self.families is not None and len(self.families) != batch:
            raise BadInputError(f"families has {len(self.families)} entries for {batch} trajectories")
        for name, value in self.context.items():
            if value.ndim == 0 or value.shape[0] != batch:
                raise BadInputError(
                    f"context {name!r} has shape {tuple(value.shape)}; expected ({batch},) or "
                    f"({batch}, *space), one entry per trajectory"
                )
        if not bool(torch.isfinite(self.truth).all()):
            bad = (~torch.isfinite(self.truth)).nonzero()[0].tolist()
            raise NonFiniteError(
                f"the truth of {self.split}/{self.regime} is not finite, first in trajectory {bad[0]}, frame "
                f"{bad[1]}, field {self.field_names[bad[2]]}; usual cure: check the file, generate it again"
            )


def require_plain_name(name: str) -> None:
    """Refuse names that cannot be part of a key in a saved file.

    Raises:
        BadInputError: for an empty name or one with a slash.
    """
    if not name or "/" in name:
        raise BadInputError(f"{name!r} cannot name a split, regime or model; expected some text without '/'")
