"""Where a rule is read: at the cells it was trained on, or in the box that these fill."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.datasets import Header, data_files, read_header
from pdenca.solvers import Grid
from pdenca.solvers.power_spectrum import radial_spectrum

from ..settings import NUM_GIVEN
from ..training_data import DataScales, TrainingWindows

NUM_PLACES, CELLS_PER_PLACE = 64, 64
QUANTILES = (0.5, 0.9, 0.99)
WITHOUT_DATA = (16, 8, 4)
"""Wavelengths in cells at which kernels are compared where no pattern was seen."""


@dataclass(frozen=True, eq=False)
class CellSample:
    """States and parameters at which a rule is read.

    Attributes:
        fields: the states.
        parameters: name -> one value per cell.
        num_places: how many frames or places the cells are from; those of one frame resemble each other.
        source: where they are from, in words.
        wavenumbers: which waves matter (rad/length), smallest first.
        wavenumbers_source: why these, in words.
        constants: other constants of the equation that the data's file tells.
    """

    fields: Float[Tensor, "cell field"]
    parameters: dict[str, Float[Tensor, " cell"]]
    num_places: int
    source: str
    wavenumbers: tuple[float, ...]
    wavenumbers_source: str
    constants: Mapping[str, object]

    @property
    def varying(self) -> tuple[str, ...]:
        """Parameters whose influence these cells tell apart: none that is constant or follows from others."""
        columns = [torch.ones(len(self.fields), dtype=torch.float64)]
        kept = []
        for name, values in self.parameters.items():
            base = torch.stack([column / column.norm() for column in columns], dim=1)
            left = values - base @ torch.linalg.lstsq(base, values[:, None]).solution[:, 0]
            if float(left.norm()) > 1e-6 * float(values.norm().clamp_min(1e-300)):
                kept.append(name)
                columns.append(values)
        return tuple(kept)

    def thinned(self, count: int) -> "CellSample":
        """Return about ``count`` of the cells, spread over all places."""
        stride = max(1, len(self.fields) // count)
        return CellSample(
            self.fields[::stride],
            {name: values[::stride] for name, values in self.parameters.items()},
            self.num_places,
            self.source,
            self.wavenumbers,
            self.wavenumbers_source,
            self.constants,
        )


def sample_data(data: Path, scales: DataScales, seed: int = 0) -> CellSample:
    """Draw cells of the training split, half of them from the first predicted frames, as in training.

    Arguments:
        data: the dataset's folder.
        scales: of the run, which name its fields and parameter sets.
        seed: of the choice.

    Raises:
        BadInputError: for data of other fields or parameters than the run was trained on.
        FormatError: if it is no dataset or a file is damaged.
    """
    headers = [read_header(path) for path in data_files(data, "train")]
    if headers[0].channel_names != scales.field_names:
        raise BadInputError(
            f"the run knows the fields {', '.join(scales.field_names)}, {data} has "
            f"{', '.join(headers[0].channel_names)}; usual cure: the dataset the run was trained on"
        )
    regimes = [header.regime for header in headers if _was_seen(header, scales)]
    if not regimes:
        raise BadInputError(
            f"no training file of {data} has a parameter set that the run was trained on; usual cure: the "
            "dataset the run was trained on"
        )
    generator = torch.Generator().manual_seed(seed)
    windows = TrainingWindows(data, dict.fromkeys(regimes), torch.float64)
    frames, context, _ = windows.draw(
        NUM_PLACES, 1, generator, first=NUM_GIVEN - 1, early_share=0.5, early_frames=6
    )
    shape = frames.shape[3:]
    places = torch.randint(math.prod(shape), (NUM_PLACES, CELLS_PER_PLACE), generator=generator)
    flat = frames[:, 0].flatten(2)
    index = places[:, None].expand(-1, flat.shape[1], -1)
    fields = flat.gather(2, index).movedim(1, 2).reshape(-1, flat.shape[1])
    parameters = {}
    for name in scales.parameter_names:
        value = context[name].double()
        spread = value.flatten(1).gather(1, places) if value.ndim > 1 else value[:, None].expand(places.shape)
        parameters[name] = spread.reshape(-1).clone()
    shares = ", ".join(f"{100 * share:g}" for share in QUANTILES)
    return CellSample(
        fields=fields,
        parameters=parameters,
        num_places=NUM_PLACES,
        source=f"{len(fields)} cells of {NUM_PLACES} training frames",
        wavenumbers=_pattern_wavenumbers(frames, windows.grid),
        wavenumbers_source=f"below them lie {shares} % of the variance in space of those frames",
        constants=headers[0].constants,
    )


def sample_box(scales: DataScales, seed: int = 0) -> CellSample:
    """Draw states evenly from the box between the smallest and largest training values.

    Most of such a box is empty of data: a rule that was fitted to data is a guess there.

    Arguments:
        scales: of the run.
        seed: of the choice.
    """
    generator = torch.Generator().manual_seed(seed)
    count = NUM_PLACES * CELLS_PER_PLACE
    low, high = (
        torch.tensor(values, dtype=torch.float64) for values in (scales.field_low, scales.field_high)
    )
    fields = low + (high - low) * torch.rand(count, len(low), generator=generator, dtype=torch.float64)
    pairs = torch.tensor(scales.parameter_pairs, dtype=torch.float64)
    rows = pairs[torch.arange(count) % len(pairs)]
    cells = ", ".join(str(size) for size in WITHOUT_DATA)
    return CellSample(
        fields=fields,
        parameters={name: rows[:, number].clone() for number, name in enumerate(scales.parameter_names)},
        num_places=NUM_PLACES,
        source=(
            f"{count} states drawn evenly from the box of the training range, most of which no data fill "
            "(--data takes cells of the data instead)"
        ),
        wavenumbers=tuple(2 * math.pi / (size * scales.spacing) for size in WITHOUT_DATA),
        wavenumbers_source=f"wavelengths of {cells} cells",
        constants={},
    )


def _was_seen(header: Header, scales: DataScales) -> bool:
    if header.varying_parameters:
        return True
    own = [header.parameters.get(name, math.nan) for name in scales.parameter_names]
    return any(
        all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(own, pair, strict=True))
        for pair in scales.parameter_pairs
    )


def _pattern_wavenumbers(
    frames: Float[Tensor, "window time channel *space"], grid: Grid
) -> tuple[float, ...]:
    spectrum = radial_spectrum(frames, grid)
    scale = spectrum.energy[..., 1:].sum(-1).mean((0, 1)).clamp_min(1e-300)
    energy = (spectrum.energy.mean((0, 1)) / scale[:, None]).sum(0)
    energy[0] = 0
    share = energy.cumsum(0) / energy.sum()
    shells = [int((share < quantile).sum()) for quantile in QUANTILES]
    return tuple(2 * math.pi * float(spectrum.wavenumber[number]) for number in dict.fromkeys(shells))
