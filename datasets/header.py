"""What a file of trajectories holds: its header, and the same with the numbers in memory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64
from torch import Tensor

from pdenca.core import BadInputError, Field
from pdenca.solvers.grid import Grid

SPACE_NAMES: Final = ("x", "y", "z")
SYMBOLS: Final[dict[str, str]] = {"feed_rate": "F", "kill_rate": "k"}
"""Short parameter names, used in file names and, as in The Well's own files, inside the HDF5."""

IRREGULAR: Final = 1e-3
"""Coordinates count as equally spaced if no step is off by more than this fraction."""


@runtime_checkable
class Array(Protocol):
    """What a varying parameter must do: tell its shape and hand out rows. NumPy arrays do."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(trajectory,)``, ``(1, *space)`` or ``(trajectory, *space)``."""
        ...

    @property
    def ndim(self) -> int:
        """Number of axes."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> np.ndarray: ...


@dataclass(frozen=True)
class Header:
    """All of a file but its numbers.

    Arguments:
        dataset_name: name of the dataset, the same in every file of a folder.
        equation: name of the equation, a key of ``pdenca.solvers``' EQUATIONS for simulated data.
        regime: name of the parameter regime, e.g. ``"maze"``.
        split: the folder the file belongs to, e.g. ``"train"`` or ``"ood_domain"``.
        fields: what the channels mean; a vector takes one channel per space axis.
        grid: the cells.
        frame_interval: time between stored frames; frame 0 is at time 0.
        parameters: equation parameter name -> value, the same for all trajectories of the file.
        varying_parameters: the other parameters, name -> ``(trajectory,)``, ``(1, *space)`` for a field that
            all trajectories share, or ``(trajectory, *space)``. In a header read from a file they know their
            shapes and read the rows that are asked for. Ignored when headers are compared.
        num_trajectories: how many trajectories.
        num_frames: how many frames each has.
        seeds: one seed per trajectory; empty if the data were not made from seeds.
        provenance: whatever else tells how the file was made, plain values; see
            :data:`pdenca.datasets.format.PROVENANCE`.
        path: where it was read from; None for a header that was never written.
        times: of the frames, where they are not equally spaced: 0, then increasing. The frame interval is
            then the step that windows for training are cut at. Empty: frame i is at i times the interval.
    """

    dataset_name: str
    equation: str
    regime: str
    split: str
    fields: tuple[Field, ...]
    grid: Grid
    frame_interval: float
    parameters: Mapping[str, float]
    num_trajectories: int
    num_frames: int
    seeds: tuple[int, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    varying_parameters: Mapping[str, Array] = field(default_factory=dict, compare=False)
    times: tuple[float, ...] = ()

    @property
    def num_channels(self) -> int:
        """Number of channels of the data array."""
        return sum(self.grid.num_dims if item.kind == "vector" else 1 for item in self.fields)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """One name per channel; the components of a vector ``v`` are ``v_x``, ``v_y``, ..."""
        names: list[str] = []
        for item in self.fields:
            axes = SPACE_NAMES[: self.grid.num_dims]
            names += [f"{item.name}_{axis}" for axis in axes] if item.kind == "vector" else [item.name]
        return tuple(names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data, ``(trajectory, time, channel, *space)``."""
        return (self.num_trajectories, self.num_frames, self.num_channels, *self.grid.shape)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """All parameters, those that vary last."""
        return (*self.parameters, *self.varying_parameters)

    @property
    def constants(self) -> dict[str, float | tuple[float, ...]]:
        """The constants of the equation that are no parameters of the file, as far as it tells."""
        told = json.loads(str(self.provenance.get("equation_constants", "{}")))
        return {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in told.items()
            if name not in self.parameter_names
        }

    @property
    def parameters_in_space(self) -> tuple[str, ...]:
        """The parameters that vary in space."""
        return tuple(name for name, values in self.varying_parameters.items() if values.ndim > 1)

    @property
    def settled(self) -> tuple[bool, ...]:
        """Whether the last frame of each trajectory is a steady state; yes, unless the file says otherwise.

        Files of ``steady-*`` recipes say so in the root attribute ``steady_converged``.
        """
        told = json.loads(str(self.provenance.get("steady_converged", "null")))
        return (True,) * self.num_trajectories if told is None else tuple(bool(value) for value in told)

    @property
    def num_transient_frames(self) -> int:
        """How many frames follow each other at the frame interval; the last one of a steady file does not."""
        return self.num_frames - ("steady_converged" in self.provenance)

    @property
    def frame_times(self) -> Float64[np.ndarray, " time"]:
        """When each frame was taken; 0 for the first."""
        return np.array(self.times) if self.times else np.arange(self.num_frames) * float(self.frame_interval)

    @property
    def regular_steps(self) -> Bool[np.ndarray, " step"]:
        """Which frames are followed by the next after one frame interval; the last frame has no say."""
        steps = np.diff(self.frame_times)
        return np.asarray(np.abs(steps - self.frame_interval) <= IRREGULAR * self.frame_interval)

    def require_regular_times(self, purpose: str) -> None:
        """Refuse frames at irregular times, which nearly all that predicts or compares frames would misread.

        Arguments:
            purpose: what needs equally spaced frames, as the subject of a sentence in the singular.

        Raises:
            BadInputError: if the times are irregular.
        """
        if self.times:
            steps = self.regular_steps
            raise BadInputError(
                f"{self.path or self.dataset_name} has frames at irregular times ({int(steps.sum())} of "
                f"{len(steps)} steps take {self.frame_interval:g}), but {purpose} needs them equally spaced; "
                "usual cure: a file of its own for each stretch without gaps"
            )

    def varying_parameters_of(self, trajectory: int) -> dict[str, np.ndarray]:
        """Return the parameters that vary, of one trajectory: (1,) or (1, *space)."""
        return {
            name: values[:] if len(values) == 1 else values[trajectory : trajectory + 1]
            for name, values in self.varying_parameters.items()
        }

    def context(self, batch: int, device: torch.device | str = "cpu", first: int = 0) -> dict[str, Tensor]:
        """Return the parameters of consecutive trajectories as float32 tensors, as emulators take them.

        Arguments:
            batch: how many trajectories.
            device: where to.
            first: the first of them.

        Returns:
            Parameter name -> (batch,), or (batch, *space) for a parameter that varies in space.

        Raises:
            BadInputError: if parameters vary from trajectory to trajectory and there are not so many.
        """
        told = {name: torch.full((batch,), value, device=device) for name, value in self.parameters.items()}
        if self.varying_parameters and not 0 <= first <= first + batch <= self.num_trajectories:
            raise BadInputError(
                f"parameters of trajectories {first} to {first + batch - 1} are asked for, the file holds "
                f"{self.num_trajectories}"
            )
        for name, values in self.varying_parameters.items():
            rows = values[first : first + batch] if len(values) == self.num_trajectories else values[:]
            rows = np.broadcast_to(rows, (batch, *values.shape[1:])).astype(np.float32)
            told[name] = torch.from_numpy(rows).to(device)
        return told


@dataclass(frozen=True)
class TrajectorySet:
    """Trajectories in memory together with what they are; see :class:`Header` for the shared arguments.

    Arguments:
        data: ``(trajectory, time, channel, *space)`` float32.
    """

    dataset_name: str
    equation: str
    regime: str
    split: str
    fields: tuple[Field, ...]
    grid: Grid
    frame_interval: float
    parameters: Mapping[str, float]
    data: Float32[np.ndarray, "batch time channel *space"]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    varying_parameters: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def header(self) -> Header:
        """Everything but the data."""
        return Header(
            dataset_name=self.dataset_name,
            equation=self.equation,
            regime=self.regime,
            split=self.split,
            fields=self.fields,
            grid=self.grid,
            frame_interval=self.frame_interval,
            parameters=self.parameters,
            num_trajectories=self.data.shape[0],
            num_frames=self.data.shape[1],
            seeds=self.seeds,
            provenance=self.provenance,
            varying_parameters=self.varying_parameters,
        )


def describe_time_steps(provenance: Mapping[str, Any]) -> str:
    """Return the solver's time steps in words, e.g. ``time step 1 (0.5 until frame 4)``.

    Arguments:
        provenance: of a simulated file; one without ``num_start_frames`` has a single step throughout.
    """
    text = f"time step {float(provenance['time_step']):g}"
    num_start_frames = int(provenance.get("num_start_frames", 0))
    if num_start_frames:
        text += f" ({float(provenance['start_time_step']):g} until frame {num_start_frames})"
    return text


def file_name(dataset_name: str, regime: str, parameters: Mapping[str, float]) -> str:
    """Return The Well's kind of file name, e.g. ``gray_scott_maze_F_0.029_k_0.057.hdf5``."""
    values = [f"{SYMBOLS.get(name, name)}_{value:g}" for name, value in parameters.items()]
    return "_".join([dataset_name, regime, *values]) + ".hdf5"
