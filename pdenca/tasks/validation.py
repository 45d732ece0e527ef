"""The score by which a model is chosen: error of roll-outs or of equilibria on the validation split."""

import math
from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, Emulator, Repeated, rollout
from pdenca.datasets import load_split
from pdenca.evaluation import pooled_vrmse
from pdenca.training import step_generator

from .training_data import DataScales

NUM_GIVEN = 4  # frames given before the first prediction, in validation as in evaluation


class Validation:
    """Roll-out error on the validation split: lower is better.

    The geometric mean over the windows 1, 6:12 and 13:30 (as far as ``num_frames`` reaches) of the pooled
    VRMSE after four given frames. NaN if the roll-out diverges.

    Arguments:
        data: the dataset's folder.
        regimes: which regimes; all by default.
        scales: of the training data.
        num_frames: frames to predict.
        dtype: floating point type of the model.
        max_trajectories: at most so many of each file; all by default.
    """

    WINDOWS = ((1, 1), (6, 12), (13, 30))

    def __init__(
        self,
        data: Path,
        regimes: Iterable[str] | None,
        scales: DataScales,
        num_frames: int,
        dtype: torch.dtype,
        max_trajectories: int | None = None,
    ) -> None:
        self.scales = scales
        self.parts = []
        for header, stored in load_split(data, "valid", regimes):
            frames = stored[:max_trajectories]
            wanted = min(num_frames, header.num_frames - NUM_GIVEN)
            if wanted < 1:
                raise BadInputError(
                    f"validation trajectories have {header.num_frames} frames; {NUM_GIVEN} are given and at "
                    "least one is predicted; usual cure: longer trajectories"
                )
            context = {name: value.to(dtype) for name, value in header.context(len(frames)).items()}
            self.parts.append((header.grid, context, frames[:, : NUM_GIVEN + wanted].to(dtype)))

    def __call__(self, model: Emulator) -> float:
        """Return the error of a model as it is now."""
        std = torch.tensor(self.scales.field_std, dtype=torch.float64)
        predictions: list[Tensor] = []
        truths: list[Tensor] = []
        generator = step_generator(0, "validation")
        with torch.no_grad():
            for grid, context, frames in self.parts:
                step = model.bind(grid, context, generator)
                state = model.codec.lift(frames[:, :NUM_GIVEN])
                wanted = frames.shape[1] - NUM_GIVEN
                predictions.append(rollout(step, state, wanted, model.codec.observe))
                truths.append(frames[:, NUM_GIVEN:])
        shortest = min(truth.shape[1] for truth in truths)
        prediction = torch.cat([part[:, :shortest] for part in predictions]).double()
        truth = torch.cat([part[:, :shortest] for part in truths]).double()
        scores = [
            pooled_vrmse(prediction[:, first - 1 : last], truth[:, first - 1 : last], std)
            for first, last in self.WINDOWS
            if last <= shortest
        ] or [pooled_vrmse(prediction, truth, std)]
        return float(torch.stack(scores).log().mean().exp())


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
