"""What a model predicts from given frames, in memory and as a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, Context, Emulator, atomic_path, rollout
from pdenca.datasets import Header, TrajectoryFile, TrajectorySet, data_files, write_trajectories
from pdenca.solvers import Grid

from .emulation import load_run
from .models import NeuralEmulator
from .regime_switch import RegimeSwitch, as_one

SPLIT = "rollout"
"""The split that a predicted file says it belongs to."""


def load_model(runs: Sequence[Path], dtype: torch.dtype = torch.float64) -> NeuralEmulator | RegimeSwitch:
    """Load a model that is one run, or one run per regime.

    Arguments:
        runs: the folders, at least one.
        dtype: floating point type to work in.
    """
    loaded = [load_run(run, dtype) for run in runs]
    return as_one(loaded)


def predict(
    emulator: Emulator,
    given: Float[Tensor, "batch time channel *space"],
    grid: Grid,
    context: Context,
    num_frames: int,
    seed: int = 0,
    each: Callable[[int], None] | None = None,
) -> Float[Tensor, "batch predicted channel *space"]:
    """Roll an emulator out from given frames.

    Arguments:
        emulator: any model; one that carries weights works in the dtype of ``given``.
        given: the frames it is shown.
        grid: where they live.
        context: parameter name -> values, one entry per trajectory.
        num_frames: how many frames to predict.
        seed: of models that draw random numbers.
        each: called with the number of frames done.

    Returns:
        The predicted frames; they may hold NaN.
    """
    generator = torch.Generator(given.device).manual_seed(seed)
    told = {name: value.to(given.dtype) for name, value in context.items()}
    with torch.no_grad():
        step = emulator.bind(grid, told, generator)
        return rollout(step, emulator.codec.lift(given), num_frames, emulator.codec.observe, each)


@dataclass(frozen=True, eq=False)
class Prediction:
    """A predicted trajectory beside the stored one it continues.

    Attributes:
        model: name of the run.
        source: header of the file that the given frames are from.
        trajectory: which of its trajectories.
        start: the last given frame, which is the first here.
        frames: the last given frame and the predicted ones.
        truth: the stored frames from the same one on, as many as there are.
        num_parameters: of the model.
    """

    model: str
    source: Header
    trajectory: int
    start: int
    frames: Float[Tensor, "time channel *space"]
    truth: Float[Tensor, "stored channel *space"]
    num_parameters: int

    @property
    def description(self) -> str:
        """What was predicted, in one sentence."""
        lost = (~self.frames.isfinite().flatten(1).all(1)).nonzero()
        end = f", not finite from frame {int(lost[0])} on" if len(lost) else ""
        return (
            f"{len(self.frames) - 1} frames predicted by {self.model} from frame {self.start} of trajectory "
            f"{self.trajectory}, {self.source.split}/{self.source.regime}{end}"
        )

    def write_npz(self, path: Path | str) -> None:
        """Write the arrays ``prediction``, ``truth``, ``time`` and ``fields``, atomically."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                prediction=self.frames.numpy(),
                truth=self.truth.numpy(),
                time=np.arange(len(self.frames)) * self.source.frame_interval,
                fields=np.array(self.source.channel_names),
            )

    def write_hdf5(self, path: Path | str) -> None:
        """Write a file like those of a dataset; its equation is told apart, it does not solve it exactly.

        Raises:
            NonFiniteError: if the prediction holds a NaN or an infinity.
        """
        source = self.source
        provenance: Mapping[str, str | int] = {
            "solver": f"run {self.model}",
            "source_split": source.split,
            "source_trajectory": self.trajectory,
            "source_frame": self.start,
            "num_parameters": self.num_parameters,
            "pdenca_version": version("pdenca"),
            "torch_version": str(torch.__version__),
        }
        content = TrajectorySet(
            dataset_name=source.dataset_name,
            equation=f"emulated {source.equation}",
            regime=source.regime,
            split=SPLIT,
            fields=source.fields,
            grid=source.grid,
            frame_interval=source.frame_interval,
            parameters=source.parameters,
            varying_parameters=source.varying_parameters_of(self.trajectory % source.num_trajectories),
            data=self.frames[None].numpy(),
            provenance=provenance,
        )
        write_trajectories(path, content)


def predict_trajectory(
    runs: Sequence[Path],
    data: Path,
    split: str,
    *,
    regime: str | None = None,
    trajectory: int = 0,
    start: int = 3,
    num_frames: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Predict from a stored trajectory, in float32 as the evaluation does.

    Arguments:
        runs: one run, or one per regime.
        data: the dataset's folder.
        split: which of its splits.
        regime: which regime; None for the first file of the split.
        trajectory: which trajectory of the file.
        start: the last given frame; the frames before it are given too.
        num_frames: how many frames to predict; None: to the end of what is stored.
        progress: called with (frames done, frames in all).

    Returns:
        The prediction, not necessarily finite.

    Raises:
        BadInputError: for a split, regime, trajectory or frame that is not there, or data the model does not
            fit.
        FormatError: for a damaged file or run.
    """
    model = load_model(runs, torch.float32)
    first = model if isinstance(model, NeuralEmulator) else model.members[0]
    with TrajectoryFile(data_files(data, split, None if regime is None else [regime])[0]) as file:
        header = file.header
        header.require_regular_times("a prediction of frame after frame")
        if start >= header.num_frames:
            raise BadInputError(
                f"start is frame {start}, the trajectory has frames 0 to {header.num_frames - 1}"
            )
        stored = torch.from_numpy(file.read(trajectory))
    if header.channel_names != first.scales.field_names:
        raise BadInputError(
            f"{runs[0]} knows the fields {', '.join(first.scales.field_names)}, the data have "
            f"{', '.join(header.channel_names)}; usual cure: data of the kind the run was trained on"
        )
    count = header.num_frames - 1 - start if num_frames is None else num_frames
    if count < 1:
        raise BadInputError(
            f"start {start} is the last stored frame; usual cure: an earlier one, or --frames"
        )
    given = stored[:, : start + 1]

    def each(done: int) -> None:
        if progress:
            progress(done, count)

    predicted = predict(
        model,
        given,
        header.grid,
        header.context(1, first=trajectory % header.num_trajectories),
        count,
        each=each,
    )
    name = runs[0].resolve()
    return Prediction(
        model=name.name if len(runs) == 1 else name.parent.name,
        source=header,
        trajectory=trajectory,
        start=start,
        frames=torch.cat([given[0, -1:], predicted[0]]),
        truth=stored[0, start : start + 1 + count],
        num_parameters=first.num_parameters,
    )
