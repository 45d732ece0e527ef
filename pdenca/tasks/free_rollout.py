"""Rolling a model out from a start that is made here: no dataset, only the equation it was trained on."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca import plots
from pdenca.core import BadInputError, atomic_path
from pdenca.datasets import TrajectorySet, write_trajectories
from pdenca.evaluation import EvaluationSettings, pooled_vrmse
from pdenca.solvers import Equation, Grid, Preset, equation_class, initial_state_of, preset_of, simulate

from .models import NeuralEmulator
from .prediction import SPLIT, predict

REFINE = 2
"""How much finer the grid of the reference is, as that of the training data."""
DEFAULT_FRAMES = 100


@dataclass(frozen=True, eq=False)
class FreeRollout:
    """A predicted trajectory, and the reference where it was asked for.

    Attributes:
        emulator: the model.
        equation: what the start and the reference were solved with.
        regime: name of the preset.
        grid: where.
        start: frames from the initial state to the last given one, which is the first here.
        seed: of the initial state.
        frames: the last given frame and the predicted ones.
        truth: the reference from the same frame on; None if it was not solved.
        warnings: where the model is used beyond what it was trained on.
    """

    emulator: NeuralEmulator
    equation: Equation
    regime: str
    grid: Grid
    start: int
    seed: int
    frames: Float[np.ndarray, "time channel *space"]
    truth: Float[np.ndarray, "time channel *space"] | None
    warnings: tuple[str, ...]

    @property
    def times(self) -> Float[np.ndarray, " time"]:
        """The time of every frame since the last given one."""
        return np.arange(len(self.frames)) * self.emulator.scales.frame_interval

    def scores(self) -> dict[str, tuple[float, float]]:
        """Return window -> pooled VRMSE of the model and of doing nothing; empty without a reference."""
        if self.truth is None:
            return {}
        std = torch.tensor(self.emulator.scales.field_std, dtype=torch.float64)
        truth = torch.from_numpy(self.truth)[None].double()
        predicted = torch.from_numpy(self.frames)[None].double()
        still = truth[:, :1].expand_as(truth)
        found = {}
        last_frame = len(self.frames) - 1
        windows = EvaluationSettings().windows
        for first, last in windows:
            if first <= last_frame:
                end = min(last, last_frame)
                part = slice(first, end + 1)
                name = str(first) if first == end else f"{first}:{end}"
                model, nothing = (
                    float(pooled_vrmse(rows[:, part], truth[:, part], std)) for rows in (predicted, still)
                )
                found[name] = (model, nothing)
        return found

    def describe(self) -> str:
        """Return what was predicted and how it compares, in a few lines."""
        cells = " x ".join(map(str, self.grid.shape))
        constants = ", ".join(
            f"{name} = {float(value):g}" for name, value in self.equation.parameters().items()
        )
        lost = np.flatnonzero(~np.isfinite(self.frames).reshape(len(self.frames), -1).all(1))
        end = f", not finite from frame {lost[0]} on" if len(lost) else ""
        lines = [
            f"{len(self.frames) - 1} frames of {self.emulator.scales.frame_interval:g} predicted by "
            f"{self.emulator.name}: {self.equation.name}, {self.regime} ({constants}), {cells} cells of "
            f"{self.grid.spacing[0]:g}, {', '.join(dict.fromkeys(self.grid.boundaries))}{end}",
            f"given the solver's frame {self.start} of seed {self.seed}"
            if self.start
            else f"given the initial state of seed {self.seed}",
        ]
        scores = self.scores()
        if scores:
            told = "; ".join(
                f"frames {window} {model:.3g} ({nothing:.3g})" for window, (model, nothing) in scores.items()
            )
            lines.append(f"pooled VRMSE against the reference (doing nothing in brackets): {told}")
        return "\n".join(lines)

    def draw(self, path: Path) -> None:
        """Save a picture: all fields at five times, the reference, `true`, below the prediction."""
        figure = plots.snapshots(self._rows(), self.times, self.grid.spacing[:2], units=self._units())
        plots.save(figure, path, 200)

    def film(self, path: Path) -> None:
        """Save a movie of all fields, with the reference if there is one."""
        plots.save_movie(self._rows(), self.times, path, units=self._units())

    def draw_kymograph(self, path: Path) -> None:
        """Save the fields along the middle line of the first axis over time."""
        middle = self.grid.shape[1] // 2
        lines = {name: values[:, :, middle] for name, values in self._rows().items()}
        figure = plots.kymograph(lines, self.times, self.grid.spacing[0], units=self._units())
        plots.save(figure, path, 200)

    def write_npz(self, path: Path) -> None:
        """Write the arrays ``prediction``, ``truth`` (empty without a reference), ``time`` and ``fields``."""
        truth = self.frames[:0] if self.truth is None else self.truth
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                prediction=self.frames,
                truth=truth,
                time=self.times,
                fields=np.array(self.emulator.scales.field_names),
            )

    def write_hdf5(self, path: Path) -> None:
        """Write the prediction as a file like those of a dataset.

        Raises:
            NonFiniteError: if the prediction holds a NaN or an infinity.
        """
        content = TrajectorySet(
            dataset_name=self.equation.name.replace("-", "_"),
            equation=f"emulated {self.equation.name}",
            regime=self.regime,
            split=SPLIT,
            fields=self.equation.fields,
            grid=self.grid,
            frame_interval=self.emulator.scales.frame_interval,
            parameters={name: float(value) for name, value in self.equation.parameters().items()},
            data=self.frames[None].astype(np.float32),
            seeds=(self.seed,),
            provenance={
                "solver": f"pretrained {self.emulator.name}",
                "source_frame": self.start,
                "num_parameters": self.emulator.num_parameters,
                "pdenca_version": version("pdenca"),
                "torch_version": str(torch.__version__),
            },
        )
        write_trajectories(path, content)

    def _rows(self) -> dict[str, np.ndarray]:
        fields = self.emulator.scales.field_names
        rows = {name: self.frames[:, number] for number, name in enumerate(fields)}
        if self.truth is not None:
            rows |= {f"{name} true": self.truth[:, number] for number, name in enumerate(fields)}
        return rows

    def _units(self) -> dict[str, str]:
        units = {field.name: field.unit for field in self.equation.fields}
        return units | {f"{name} true": unit for name, unit in units.items()}


def free_rollout(
    emulator: NeuralEmulator,
    regime: str | None = None,
    *,
    parameters: Mapping[str, float] | None = None,
    changes: Mapping[str, Any] | None = None,
    num_frames: int = DEFAULT_FRAMES,
    start: int = 3,
    seed: int = 0,
    truth: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> FreeRollout:
    """Predict a trajectory from an initial state of the equation.

    The first frames are given, as in an evaluation: the reference solver makes them on a grid twice as fine.

    Arguments:
        emulator: the model, in float32 for speed or float64.
        regime: a preset of its equation; None for the first whose parameters it was trained on, or the first.
        parameters: values to change, name -> number; only those the model is told.
        changes: other values of the preset: num_cells, spacing, boundary, initial_condition, initial_options.
        num_frames: frames to predict.
        start: the last given frame; 0 gives the initial state alone.
        seed: of the initial state.
        truth: whether to solve the reference for all frames.
        progress: called with (frames done, frames in all).

    Returns:
        The prediction, not necessarily finite.

    Raises:
        BadInputError: for an unknown regime, a parameter that the model is not told, or a value out of range.
        NonFiniteError: if the reference blows up.
    """
    scales = emulator.scales
    kind = equation_class(scales.equation)
    known = [name for name in parameters or {} if name not in scales.parameter_names]
    if known:
        raise BadInputError(
            f"{emulator.name} is not told {', '.join(known)}: what else the equation has is fixed by its "
            f"training; expected some of {', '.join(scales.parameter_names)}"
        )
    name = regime or _first_known(emulator, kind.presets)
    preset = dataclasses.replace(
        preset_of(kind, name),
        **{"spacing": scales.spacing, "num_dims": scales.num_dims, **(changes or {})},
    )
    equation = kind.from_parameters({**preset.parameters, **(parameters or {})})
    grid = Grid.uniform(preset.num_cells, preset.spacing, preset.boundary, preset.num_dims)
    warnings = _beyond(emulator, equation, grid)
    solved = (start + num_frames if truth else start) + 1
    total = solved + num_frames

    def solving(done: int) -> None:
        if progress:
            progress(done, total)

    def rolling(done: int) -> None:
        if progress:
            progress(solved + done, total)

    reference = _reference(equation, grid, preset, solved, scales.frame_interval, seed, solving)
    dtype = next(emulator.automaton.parameters()).dtype
    context = {
        key: torch.full((1,), float(value), dtype=dtype) for key, value in equation.parameters().items()
    }
    given = reference[:, : start + 1].to(dtype)
    predicted = predict(emulator, given, grid, context, num_frames, each=rolling)
    return FreeRollout(
        emulator=emulator,
        equation=equation,
        regime=name,
        grid=grid,
        start=start,
        seed=seed,
        frames=torch.cat([given[0, -1:], predicted[0]]).numpy(),
        truth=reference[0, start:].to(dtype).numpy() if truth else None,
        warnings=warnings,
    )


def _reference(
    equation: Equation,
    grid: Grid,
    preset: Preset,
    num_frames: int,
    frame_interval: float,
    seed: int,
    each: Callable[[int], None],
) -> Float[Tensor, "1 time channel *space"]:
    generator = torch.Generator().manual_seed(seed)
    state = initial_state_of(preset, grid.refined(REFINE), generator, 1)
    return simulate(
        equation,
        grid,
        state,
        num_frames=num_frames,
        frame_interval=frame_interval,
        method="auto",
        refine=REFINE,
        progress=each,
    )


def _first_known(emulator: NeuralEmulator, presets: Mapping[str, Preset]) -> str:
    names = emulator.scales.parameter_names
    for name, preset in presets.items():
        own = [preset.parameters.get(key) for key in names]
        values = [value for value in own if isinstance(value, float | int)]
        if any(
            len(values) == len(pair) and np.allclose(values, pair, rtol=1e-6)
            for pair in emulator.scales.parameter_pairs
        ):
            return name
    return next(iter(presets), "")


def _beyond(emulator: NeuralEmulator, equation: Equation, grid: Grid) -> tuple[str, ...]:
    scales = emulator.scales
    found = []
    columns = list(zip(*scales.parameter_pairs, strict=True))
    outside = [
        f"{name} = {float(value):g} (trained on {min(seen):g} to {max(seen):g})"
        for name, value in equation.parameters().items()
        for seen in [columns[scales.parameter_names.index(name)]]
        if not min(seen) * (1 - 1e-6) <= float(value) <= max(seen) * (1 + 1e-6)
    ]
    if outside:
        found.append(
            f"outside what {emulator.name} was trained on: {', '.join(outside)}; expect a wrong pattern"
        )
    if not np.isclose(grid.spacing[0], scales.spacing, rtol=1e-6):
        found.append(
            f"{emulator.name} was trained on cells of {scales.spacing:g}, here they are {grid.spacing[0]:g}; "
            "what it learnt to correct belongs to that size"
        )
    return tuple(found)
