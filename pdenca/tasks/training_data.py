"""From a dataset's folder to what training needs: scales, windows, whole trajectories."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.core import BadInputError, Settings
from pdenca.datasets import Header, Windows, data_files, load_split, read_header, read_stats
from pdenca.solvers.grid import Grid


class DataScales(Settings):
    """What a model must know of the data it was trained on; saved beside it.

    Arguments:
        equation: name of the equation behind the data.
        field_names: one per channel.
        field_mean, field_std: of each field over the training data.
        field_low, field_high: smallest and largest training value of each field.
        rate_scale: standard deviation of the change per unit time of each field.
        parameter_names: parameters of the equation, in the order in which a rule is told.
        parameter_centre, parameter_scale: their means and spreads over the training files, over their
            trajectories where parameters vary among these, and over space where they vary there.
        parameter_pairs: the parameter values that occur in the training files, of what varies in space the
            means.
        spacing: cell size (length).
        num_dims: space axes.
        frame_interval: time between frames.
        constants: of the equation, the same in all files and not told to a rule.
    """

    equation: str
    field_names: tuple[str, ...]
    field_mean: tuple[float, ...]
    field_std: tuple[float, ...]
    field_low: tuple[float, ...]
    field_high: tuple[float, ...]
    rate_scale: tuple[float, ...]
    parameter_names: tuple[str, ...]
    parameter_centre: tuple[float, ...]
    parameter_scale: tuple[float, ...]
    parameter_pairs: tuple[tuple[float, ...], ...]
    spacing: float
    num_dims: int
    frame_interval: float
    constants: Mapping[str, float | tuple[float, ...]] = {}


def measure_scales(data: Path, regimes: Iterable[str] | None = None) -> DataScales:
    """Read the scales of a dataset off its statistics and its training files.

    Raises:
        BadInputError: if the grid's cells are not square or there is no such regime.
        FormatError: if it is no dataset or a file is damaged.
    """
    chosen = None if regimes is None else list(regimes)
    headers = [read_header(path) for path in data_files(data, "train", chosen)]
    first, statistics = headers[0], read_stats(data)
    names = [item.name for item in first.fields]
    if len(set(first.grid.spacing)) > 1:
        raise BadInputError(f"the rules need square cells, the data have spacing {first.grid.spacing}")
    lows, highs = [], []
    for _, frames in load_split(data, "train", chosen):
        flat = frames.movedim(2, 0).flatten(1)
        lows.append(flat.min(1).values)
        highs.append(flat.max(1).values)
    parameters = first.parameter_names
    values = torch.cat([_parameter_rows(header, parameters) for header in headers])
    centre = values.mean(0)
    within = torch.stack([_variance_in_space(header, parameters) for header in headers]).mean(0)
    # a parameter that does not vary still gets a scale, so that an unseen value stays of order one
    spread = (values.var(0, correction=0) + within).sqrt().maximum(0.1 * centre.abs()).clamp_min(1e-12)
    rate = statistics.channel("std_delta", names) / first.frame_interval
    return DataScales(
        equation=first.equation,
        field_names=first.channel_names,
        field_mean=_numbers(statistics.channel("mean", names)),
        field_std=_numbers(statistics.channel("std", names)),
        field_low=_numbers(torch.stack(lows).amin(0)),
        field_high=_numbers(torch.stack(highs).amax(0)),
        rate_scale=_numbers(rate),
        parameter_names=parameters,
        parameter_centre=_numbers(centre),
        parameter_scale=_numbers(spread),
        parameter_pairs=tuple(_numbers(row) for row in values),
        spacing=first.grid.spacing[0],
        num_dims=first.grid.num_dims,
        frame_interval=first.frame_interval,
        constants=first.constants,
    )


def _parameter_rows(header: Header, names: tuple[str, ...]) -> Float[Tensor, "row parameter"]:
    """Return the parameters of a file: one row, or one per trajectory if they vary; in space their means."""
    rows = header.num_trajectories if header.varying_parameters else 1
    columns = []
    for name in names:
        if name in header.parameters:
            columns.append(torch.full((rows,), header.parameters[name], dtype=torch.float64))
        else:
            stored = torch.from_numpy(header.varying_parameters[name][:].astype("float64"))
            columns.append(stored.flatten(1).mean(1).expand(rows) if stored.ndim > 1 else stored)
    return torch.stack(columns, 1) if columns else torch.zeros(rows, 0, dtype=torch.float64)


def _variance_in_space(header: Header, names: tuple[str, ...]) -> Float[Tensor, " parameter"]:
    """Return the variance in space of each parameter, the mean over trajectories; 0 of plain numbers."""
    variances = []
    for name in names:
        variance = 0.0
        if name in header.parameters_in_space:
            stored = header.varying_parameters[name][:].astype("float64")
            variance = float(stored.reshape(len(stored), -1).var(1).mean())
        variances.append(variance)
    return torch.tensor(variances, dtype=torch.float64)


def _numbers(values: Tensor) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _pick(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (1,), generator=generator))


class TrainingWindows:
    """Windows drawn evenly from the training files of a dataset.

    Arguments:
        data: the dataset's folder.
        regimes: which of its regimes; all by default.
        dtype: floating point type of the tensors handed out.
        num_trajectories: use only the first so many of every file; None: all.

    Raises:
        BadInputError: if a file has fewer.
    """

    def __init__(
        self,
        data: Path,
        regimes: Iterable[str] | None,
        dtype: torch.dtype,
        num_trajectories: int | None = None,
    ) -> None:
        self.paths = data_files(data, "train", None if regimes is None else list(regimes))
        self.dtype = dtype
        headers = [read_header(path) for path in self.paths]
        self.grid: Grid = headers[0].grid
        fewest = min(header.num_trajectories for header in headers)
        if num_trajectories is not None and num_trajectories > fewest:
            raise BadInputError(
                f"train_trajectories is {num_trajectories}, but a training file has only {fewest}; usual "
                "cure: fewer, or more data"
            )
        self.num_trajectories = num_trajectories
        self._num_transient = [header.num_transient_frames for header in headers]
        self.num_frames = min(self._num_transient)

    def draw(
        self,
        count: int,
        num_frames: int,
        generator: torch.Generator,
        *,
        first: int = 0,
        early_share: float = 0.0,
        early_frames: int = 1,
    ) -> tuple[Float[Tensor, "window time channel *space"], dict[str, Tensor], list[int]]:
        """Draw windows, the files in turn; of each file a share starts at its early frames, in their order.

        Arguments:
            count: number of windows.
            num_frames: frames per window.
            generator: the choice.
            first: earliest frame a window may start at.
            early_share: share of the windows that start at ``first``, ``first`` + 1, ... (``early_frames`` of
                them, then again from ``first``), where patterns form fastest; the others start anywhere.
            early_frames: see there.

        Returns:
            The windows, their parameters, and the frame at which each starts.

        Raises:
            BadInputError: if the trajectories are shorter than a window.
        """
        windows = Windows(self.paths, num_frames)
        # per file: start frame -> windows (one per trajectory)
        starts: list[dict[int, list[int]]] = [{} for _ in self.paths]
        for index in range(len(windows)):
            number, trajectory, start = windows.locate(index)
            last = self._num_transient[number] - num_frames
            if first <= start <= last and self._uses(trajectory):
                starts[number].setdefault(start, []).append(index)
        if not all(starts):
            raise BadInputError(
                f"no window of {num_frames} frames starts at frame {first} or later; "
                "usual cure: longer trajectories (--frames)"
            )
        chosen, begins = [], []
        for number in range(count):
            file, turn = number % len(starts), number // len(starts)
            frames_of_file = sorted(starts[file])
            # files take turns too, so that a single round over many files has its early windows
            num_early = math.floor((turn + file) * early_share)
            if math.floor((turn + file + 1) * early_share) > num_early:
                # the early frames in turn, so that none is missed by chance
                start = frames_of_file[num_early % min(early_frames, len(frames_of_file))]
            else:
                start = frames_of_file[_pick(len(frames_of_file), generator)]
            candidates = starts[file][start]
            begins.append(start)
            chosen.append(candidates[_pick(len(candidates), generator)])
        items = [windows[index] for index in chosen]
        windows.close()
        frames = torch.stack([item[0] for item in items]).to(self.dtype)
        context = {
            name: torch.stack([item[1][name] for item in items]).to(self.dtype) for name in items[0][1]
        }
        return frames, context, begins

    def settled(self) -> Bool[Tensor, " trajectory"]:
        """Return which of :meth:`trajectories` end in a steady state, as far as the files tell."""
        flags = [read_header(path).settled[: self.num_trajectories] for path in self.paths]
        return torch.tensor([flag for file in flags for flag in file])

    def spread(self) -> Float[Tensor, "time channel"]:
        """Return how far fields deviate from their mean over space at each frame, over all trajectories.

        It is the root mean square of what every trajectory's deviation at that time is, as in a pooled VRMSE.
        """
        frames, _ = self.trajectories()
        return frames.flatten(3).var(-1, correction=0).mean(0).sqrt()

    def _uses(self, trajectory: int) -> bool:
        return self.num_trajectories is None or trajectory < self.num_trajectories

    def trajectories(self) -> tuple[Float[Tensor, "trajectory time channel *space"], dict[str, Tensor]]:
        """Return all training trajectories whole, for training on propagated states."""
        windows = Windows(self.paths, min(read_header(path).num_frames for path in self.paths))
        places = [(index, *windows.locate(index)) for index in range(len(windows))]
        items = [
            windows[index] for index, _, trajectory, start in places if start == 0 and self._uses(trajectory)
        ]
        windows.close()
        frames = torch.stack([item[0] for item in items]).to(self.dtype)
        names = items[0][1]
        return frames, {name: torch.stack([item[1][name] for item in items]).to(self.dtype) for name in names}
