"""The score by which a model is chosen: error of roll-outs or of equilibria on the validation split."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, Emulator, Repeated, rollout
from pdenca.datasets import load_split
from pdenca.evaluation import pooled_vrmse
from pdenca.training import step_generator

from .settings import NUM_GIVEN, WINDOWS
from .training_data import DataScales


class Validation:
    """Roll-out error on the validation split: lower is better.

    The geometric mean over windows of predicted frames, as far as ``num_frames`` reaches, of the pooled VRMSE
    after some given frames. NaN if the roll-out diverges.

    Arguments:
        data: the dataset's folder.
        regimes: which regimes; all by default.
        scales: of the training data.
        num_frames: frames to predict.
        dtype: floating point type of the model.
        max_trajectories: at most so many of each file; all by default.
        num_given: frames before the first predicted one.
        interval: time between all these frames; None: that of the data.
        windows: (first, last) predicted frames.

    Raises:
        BadInputError: for too short trajectories, or an interval that is no multiple of that of the data.
    """

    def __init__(
        self,
        data: Path,
        regimes: Iterable[str] | None,
        scales: DataScales,
        num_frames: int,
        dtype: torch.dtype,
        max_trajectories: int | None = None,
        *,
        num_given: int = NUM_GIVEN,
        interval: float | None = None,
        windows: Sequence[tuple[int, int]] = WINDOWS,
    ) -> None:
        self.scales, self.windows = scales, tuple(windows)
        self.stride = _stride(interval, scales.frame_interval)
        # the frames up to the last given one, at the data's own times: a model may look at several
        self.num_before = (num_given - 1) * self.stride + 1
        self.parts = []
        for header, stored in load_split(data, "valid", regimes):
            frames = stored[:max_trajectories]
            wanted = min(num_frames, (header.num_frames - self.num_before) // self.stride)
            if wanted < 1:
                raise BadInputError(
                    f"validation trajectories have {header.num_frames} frames; {self.num_before} are given "
                    f"and at least one is predicted, {self.stride} later; usual cure: longer trajectories"
                )
            context = {name: value.to(dtype) for name, value in header.context(len(frames)).items()}
            last = self.num_before + wanted * self.stride
            self.parts.append((header.grid, context, frames[:, :last].to(dtype)))

    def __call__(self, model: Emulator) -> float:
        """Return the error of a model as it is now."""
        std = torch.tensor(self.scales.field_std, dtype=torch.float64)
        predictions: list[Tensor] = []
        truths: list[Tensor] = []
        generator = step_generator(0, "validation")
        with torch.no_grad():
            for grid, context, frames in self.parts:
                step = Repeated(model.bind(grid, context, generator), self.stride)
                state = model.codec.lift(frames[:, : self.num_before])
                truth = frames[:, self.num_before - 1 + self.stride :: self.stride]
                predictions.append(rollout(step, state, truth.shape[1], model.codec.observe))
                truths.append(truth)
        shortest = min(truth.shape[1] for truth in truths)
        prediction = torch.cat([part[:, :shortest] for part in predictions]).double()
        truth = torch.cat([part[:, :shortest] for part in truths]).double()
        scores = [
            pooled_vrmse(prediction[:, first - 1 : last], truth[:, first - 1 : last], std)
            for first, last in self.windows
            if last <= shortest
        ] or [pooled_vrmse(prediction, truth, std)]
        return float(torch.stack(scores).log().mean().exp())


def _stride(interval: float | None, of_data: float) -> int:
    """Return how many stored frames make up an interval."""
    if interval is None:
        return 1
    stride = round(interval / of_data)
    if stride < 1 or not math.isclose(interval, stride * of_data, rel_tol=1e-6):
        raise BadInputError(
            f"validation_interval is {interval:g}, but the data have a frame every {of_data:g}; usual cure: "
            "a multiple of that"
        )
    return stride


class EquilibriumValidation:
    """Where a model takes the steady states of the validation split: lower is better.

    The root of the mean over trajectories of :func:`pooled_squares` after rolling out from the last frames. A
    model whose equilibria lie elsewhere ends there, one whose equilibria are unstable leaves them: both
    count. Infinite if a roll-out diverges.

    Arguments:
        data: the dataset's folder.
        regimes: which regimes; all by default.
        scales: of the training data.
        num_frames: how long to roll out (frames).
        dtype: floating point type of the model.

    Raises:
        BadInputError: if no trajectory ends in a steady state.
    """

    def __init__(
        self,
        data: Path,
        regimes: Iterable[str] | None,
        scales: DataScales,
        num_frames: int,
        dtype: torch.dtype,
    ) -> None:
        self.scales, self.num_frames = scales, num_frames
        self.parts = []
        for header, stored in load_split(data, "valid", regimes):
            kept = torch.tensor(header.settled)
            if kept.any():
                context = {name: value[kept].to(dtype) for name, value in header.context(len(stored)).items()}
                self.parts.append((header.grid, context, stored[kept, -1].to(dtype)))
        if not self.parts:
            raise BadInputError(
                f"no validation trajectory of {data} ends in a steady state; usual cure: a steady-* recipe "
                "whose patterns rest"
            )

    def __call__(self, model: Emulator) -> float:
        """Return the error of a model as it is now."""
        std = torch.tensor(self.scales.field_std, dtype=torch.float64)
        squares: list[Tensor] = []
        with torch.no_grad():
            for grid, context, target in self.parts:
                step = Repeated(model.bind(grid, context, step_generator(0, "validation")), self.num_frames)
                wrong = model.codec.observe(step(model.codec.lift(target[:, None]))) - target
                squares.append(pooled_squares(wrong.double(), target.double(), std))
        error = float(torch.cat(squares).mean().sqrt())
        return error if math.isfinite(error) else math.inf


def pooled_squares(
    error: Float[Tensor, "batch channel *space"],
    truth: Float[Tensor, "batch channel *space"],
    std: Float[Tensor, " channel"],
) -> Float[Tensor, " batch"]:
    """Return each sample's mean square error over its variance in space, fields in units of ``std``."""
    unit = std.view(-1, *(1,) * (truth.ndim - 2))
    spread = (truth - truth.flatten(2).mean(2).view(*truth.shape[:2], *(1,) * (truth.ndim - 2))) / unit
    return (error / unit).square().flatten(1).mean(1) / spread.square().flatten(1).mean(1)
