"""The rows that stand beside every model: what it must beat, and what that costs."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from pdenca.automaton import Automaton
from pdenca.baselines import (
    EquationFamily,
    EquationsOnGrid,
    Persistence,
    SparsePolynomial,
    SpatialMean,
    SpectralOnGrid,
    choose_fit,
    largest_usable_step,
)
from pdenca.baselines.reach import reach_of
from pdenca.baselines.sparse_polynomial import DIFFERENCE_ORDER
from pdenca.core import BadInputError, Emulator
from pdenca.datasets import data_files, read_header, splits_of
from pdenca.evaluation import Case, milliseconds_per_frame

from .models import NeuralEmulator
from .settings import NUM_GIVEN
from .training_data import DataScales, TrainingWindows, measure_scales
from .validation import Validation

RESOLUTION_FLOOR = "equations, spectral (resolution floor)"
LARGEST_STEP = "equations, spectral, largest step"
SPARSE_FIT = "polynomial sparse fit"
TUNED = (LARGEST_STEP, SPARSE_FIT)

HIGHEST_ORDER = 12
FIT_WINDOWS = 96
FIT_FIRST = 3
"""Windows of the sparse fit, and the earliest frame of one: near sharp starts frames are too far apart for
time differences, and with them the fit is twice as bad."""
JUDGED_FRAMES, JUDGED_REGIMES = 12, 4
"""Validation of what is tuned: frames ahead, and regimes with one trajectory each."""


def baseline_rows(emulators: Iterable[NeuralEmulator], scales: DataScales) -> dict[str, Emulator]:
    """Return the rows every table has beside the models: what they must beat.

    Doing nothing; the spatial mean; the true equations converged in time with stencils of order 2, 4, 6 and
    of the automata's largest reach (:func:`equal_stencil`), and at that reach with as many stencil
    evaluations per frame as the automata; and the spectral solver converged in time on the same grid, the
    resolution floor. Networks see a whole frame at once; no stencil is their equal.

    Arguments:
        emulators: the models in the table.
        scales: of the data.
    """
    members = [member for member in emulators if isinstance(member.automaton, Automaton)]
    equal = equal_stencil(members, scales) if members else "order-6"
    evaluations = max((member.evaluations_per_frame for member in members), default=10)
    interval, equation = scales.frame_interval, EquationFamily(scales.equation, scales.constants)
    stencils = dict.fromkeys(("order-2", "order-4", "order-6", equal))
    return {
        "persistence": Persistence(interval),
        "spatial-mean": SpatialMean(interval),
        **{
            f"equations, {stencil}": EquationsOnGrid.converged_in_time(equation, interval, stencil)
            for stencil in stencils
        },
        f"equations, {equal}, {evaluations} evaluations": EquationsOnGrid.equal_evaluations(
            equation, interval, evaluations, equal
        ),
        RESOLUTION_FLOOR: SpectralOnGrid(equation, interval),
    }


def equal_stencil(members: Iterable[NeuralEmulator], scales: DataScales) -> str:
    """Return the stencil of the highest order with which the equation looks no further than the automata do.

    Arguments:
        members: the automata; the furthest reach counts.
        scales: of the data, which say the equation.
    """
    family = EquationFamily(scales.equation, scales.constants)
    reach = max((member.radius or 0 for member in members), default=0)
    fitting = [
        order for order in range(2, HIGHEST_ORDER + 2, 2) if reach_of(family, f"order-{order}") <= reach
    ]
    return f"order-{max(fitting, default=2)}"


def tuned_rows(data: Path, scales: DataScales) -> dict[str, Emulator]:
    """Return the rows that are tuned on training and validation data.

    The spectral solver at the longest step with which it is as good as converged, and the sparse fit of a
    polynomial with the threshold that validates best. Judged are a few validation trajectories and frames,
    which suffices to choose. Without a ``valid`` split there are none; the sparse fit needs trajectories of
    seven frames, the spectral solver axes that are periodic or no-flux and constants that are the same in
    space.

    Arguments:
        data: the dataset's folder.
        scales: of its training data.
    """
    if "valid" not in splits_of(data):
        return {}
    files = {read_header(path).regime: path for path in data_files(data, "valid")}
    regimes = list(files)[:: max(1, -(-len(files) // JUDGED_REGIMES))]
    validate = Validation(data, regimes, scales, JUDGED_FRAMES, torch.float64, 1)
    rows: dict[str, Emulator] = {}
    family = EquationFamily(scales.equation, scales.constants)
    # refused for some grids and constants, as the row of the resolution floor will say
    with contextlib.suppress(BadInputError):
        rows[LARGEST_STEP] = largest_usable_step(family, scales.frame_interval, validate).solver
    header = read_header(data_files(data, "train")[0])
    if header.num_frames > DIFFERENCE_ORDER:
        windows = TrainingWindows(data, None, torch.float64)
        frames, context, _ = windows.draw(
            FIT_WINDOWS,
            DIFFERENCE_ORDER + 1,
            torch.Generator().manual_seed(0),
            first=min(FIT_FIRST, header.num_frames - DIFFERENCE_ORDER - 1),
        )
        fits = SparsePolynomial.fit(frames, context, windows.grid, scales.frame_interval)
        rows[SPARSE_FIT] = choose_fit(fits, validate)
    return rows


def most_rivals(data: Path) -> int:
    """Return how many rows the two functions above make at most for a dataset, without making them."""
    tuned = TUNED if "valid" in splits_of(data) else ()
    return len(baseline_rows([], measure_scales(data))) + len(tuned)


@dataclass(frozen=True)
class Cost:
    """What a row costs.

    Attributes:
        num_parameters: learned numbers.
        radius: how far a cell looks (cells) in one evaluation; None: over the whole domain.
        evaluations_per_frame: how often a frame looks at the neighbourhood.
        milliseconds: per stored frame and trajectory, the median of some repeats.
    """

    num_parameters: int
    radius: int | None
    evaluations_per_frame: int
    milliseconds: float


def cost_of(emulator: Emulator, case: Case, num_repeats: int = 5, dtype: torch.dtype = torch.float32) -> Cost:
    """Measure what an emulator costs on a case: all its trajectories at once, on this machine.

    Arguments:
        emulator: a model or a baseline; one with weights must work in ``dtype``.
        case: gives states, grid and parameters.
        num_repeats: measurements of time.
        dtype: floating point type of the states.

    Raises:
        BadInputError: for an emulator that does not tell its number of parameters and its reach.
    """
    context = {name: value.to(dtype) for name, value in case.context.items()}
    step = emulator.bind(case.grid, context, torch.Generator().manual_seed(0))
    state = emulator.codec.lift(case.truth[:, :NUM_GIVEN].to(dtype))
    told = {name: getattr(emulator, name, None) for name in ("num_parameters", "radius")}
    evaluations = getattr(step, "evaluations_per_frame", getattr(emulator, "evaluations_per_frame", None))
    if told["num_parameters"] is None or evaluations is None:
        raise BadInputError(
            f"{type(emulator).__name__} does not tell what it costs; expected num_parameters, radius and "
            "evaluations_per_frame"
        )
    return Cost(
        int(told["num_parameters"]),
        told["radius"],
        int(evaluations),
        milliseconds_per_frame(step, state, num_repeats=num_repeats),
    )
