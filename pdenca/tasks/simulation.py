"""A quick look at an equation: one run from a preset, as arrays, figures, a movie or a file."""

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from pdenca import plots
from pdenca.core import BadInputError
from pdenca.datasets import TrajectorySet, write_trajectories
from pdenca.solvers import (
    Equation,
    Grid,
    Preset,
    classify_end,
    equation_class,
    initial_state_of,
    preset_of,
    simulate,
)

CHOOSES_STEPS = ("auto", "adaptive")
"""Methods that find their own time steps, for a tolerance."""
FEWEST_TO_JUDGE = 16
"""Frames from which on ``classify_end`` says how a trajectory ends."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """One trajectory and how it was made.

    Arguments:
        equation: what was solved.
        preset: the values it was solved with.
        preset_name: of the preset that these began as.
        grid: where.
        frames: (time, channel, *space), float64.
        method: the method and its time steps.
        reason: why "auto" picked it; empty for a method given by name.
        seconds: wall time of the solver.
        seed: of the initial state.
    """

    equation: Equation
    preset: Preset
    preset_name: str
    grid: Grid
    frames: Float[np.ndarray, "time channel *space"]
    method: str
    reason: str
    seconds: float
    seed: int

    @property
    def times(self) -> Float[np.ndarray, " time"]:
        """The time of every frame."""
        return np.arange(len(self.frames)) * self.preset.frame_interval

    def describe(self) -> str:
        """Return what was solved, how, and what came out, in a few lines."""
        grid, last = self.grid, self.frames[-1]
        cells = " x ".join(map(str, grid.shape))
        lines = [
            f"{self.equation.name}, {self.preset_name}: {self.preset.description}",
            f"{cells} cells of {grid.spacing[0]:g}, {', '.join(dict.fromkeys(grid.boundaries))}, "
            f"t = 0 to {self.times[-1]:g} in {len(self.frames)} frames",
            f"{self.method}, {self.seconds:.1f} s" + (f" ({self.reason})" if self.reason else ""),
        ]
        for field, values in zip(self.equation.fields, last, strict=True):
            lines.append(
                f"{field.name} at the end: {values.min():.4g} to {values.max():.4g}, "
                f"mean {values.mean():.4g}, standard deviation {values.std():.3g}"
            )
        if len(self.frames) >= FEWEST_TO_JUDGE:
            (end,) = classify_end(torch.from_numpy(self.frames[None]), grid, self.preset.frame_interval)
            lines.append(f"how it ends: {end.verdict}, {end.reason}")
        return "\n".join(lines)

    def draw(self, path: Path) -> None:
        """Save a picture: all fields at five times, in one dimension the kymograph.

        Of a box the middle plane is shown.
        """
        if self.grid.num_dims == 1:
            self.draw_kymograph(path)
            return
        figure = plots.snapshots(
            self._fields(self._planes()), self.times, self.grid.spacing[:2], units=self._units()
        )
        plots.save(figure, path, 200)

    def draw_kymograph(self, path: Path) -> None:
        """Save the fields along the middle line of the first axis over time."""
        lines = self.frames
        for cells in reversed(self.grid.shape[1:]):
            lines = lines[..., cells // 2]
        figure = plots.kymograph(self._fields(lines), self.times, self.grid.spacing[0], units=self._units())
        plots.save(figure, path, 200)

    def film(self, path: Path) -> None:
        """Save a movie of all fields; of a box, of its middle plane.

        Raises:
            BadInputError: in one dimension.
        """
        plots.save_movie(self._fields(self._planes()), self.times, path, units=self._units())

    def write(self, path: Path) -> None:
        """Write the trajectory as a file like those of a dataset."""
        trajectories = TrajectorySet(
            dataset_name=self.equation.name.replace("-", "_"),
            equation=self.equation.name,
            regime=self.preset_name,
            split="simulate",
            fields=self.equation.fields,
            grid=self.grid,
            frame_interval=self.preset.frame_interval,
            parameters=dict(self.equation.parameters()),  # type: ignore[arg-type]  # plain numbers here
            data=self.frames[None].astype(np.float32),
            seeds=(self.seed,),
            provenance={
                "initial_condition": self.preset.initial_condition,
                "solver": self.method,
                "time_step": self.preset.time_step,
                "refine": 1,
                "dtype": "float64",
                "seed": self.seed,
                "equation_constants": json.dumps(vars(self.equation)),
                "pdenca_version": version("pdenca"),
                "torch_version": str(torch.__version__),
                "solver_seconds": self.seconds,
            },
        )
        write_trajectories(path, trajectories)

    def _planes(self) -> np.ndarray:
        if self.grid.num_dims == 1:
            raise BadInputError(
                "a movie needs two axes of space, got one; usual cure: --kymograph, or --dims 2"
            )
        return self.frames if self.grid.num_dims == 2 else self.frames[..., self.grid.shape[2] // 2]

    def _fields(self, values: np.ndarray) -> dict[str, np.ndarray]:
        return {field.name: values[:, number] for number, field in enumerate(self.equation.fields)}

    def _units(self) -> dict[str, str]:
        return {field.name: field.unit for field in self.equation.fields}


def starting_values(
    equation: str, preset: str | None = None, changes: Mapping[str, Any] | None = None
) -> Preset:
    """Return the values that a simulation will begin from; see :func:`run_simulation`.

    Raises:
        BadInputError: for an unknown equation or preset.
    """
    return dataclasses.replace(preset_of(equation_class(equation), preset), **(changes or {}))


def run_simulation(
    equation: str,
    preset: str | None = None,
    *,
    parameters: Mapping[str, float] | None = None,
    changes: Mapping[str, Any] | None = None,
    method: str = "auto",
    tolerance: float | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Simulation:
    """Solve an equation from one of its presets.

    Arguments:
        equation: a key of ``EQUATIONS``, or "module:Class".
        preset: a name of the equation's presets; its first one if None.
        parameters: constants of the equation to change, name -> number.
        changes: other values of the preset to change: num_cells, spacing, num_frames, frame_interval,
            time_step, boundary, num_dims, initial_condition, initial_options.
        method: "auto", which picks method and step for ``tolerance``, or a key of ``INTEGRATORS``.
        tolerance: wanted accuracy, for "auto" and "adaptive" (see ``pdenca.solvers.simulate``).
        seed: of the initial state.
        progress: called with (frames done, frames in all).

    Returns:
        The trajectory.

    Raises:
        BadInputError: for an unknown name or a value out of range.
        NonFiniteError: if the solution blows up.
    """
    chosen = equation_class(equation)
    name = preset or next(iter(chosen.presets), "")
    start = starting_values(equation, preset, changes)
    solved = chosen.from_parameters({**start.parameters, **(parameters or {})})
    grid = Grid.uniform(start.num_cells, start.spacing, start.boundary, start.num_dims)
    state = initial_state_of(start, grid, torch.Generator().manual_seed(seed), 1)
    said: list[str] = []
    began = time.monotonic()
    frames = simulate(
        solved,
        grid,
        state,
        num_frames=start.num_frames,
        frame_interval=start.frame_interval,
        time_step=None if method in CHOOSES_STEPS else start.time_step,
        method=method,
        tolerance=tolerance if method in CHOOSES_STEPS else None,
        progress=(lambda done: progress(done, start.num_frames)) if progress else None,
        report=said.append,
    )
    return Simulation(
        equation=solved,
        preset=start,
        preset_name=name,
        grid=grid,
        frames=frames[0].numpy(),
        method=said[-1],
        reason="; ".join(said[:-1]),
        seconds=time.monotonic() - began,
        seed=seed,
    )
