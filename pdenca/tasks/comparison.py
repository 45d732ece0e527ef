"""Trained models and their rivals on the same trajectories."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pdenca.baselines import EquationsOnGrid, Persistence, SpatialMean, SpectralOnGrid
from pdenca.core import Emulator
from pdenca.datasets import load_split, splits_of
from pdenca.evaluation import Case, EvaluationSettings, Results, evaluate

from .models import NeuralEmulator, RegimeSwitch, load_run
from .training_data import DataScales, measure_scales


def list_splits(data: Path) -> tuple[str, ...]:
    """Return the splits that models are scored on: ``test`` and all ``ood_*``."""
    return tuple(name for name in splits_of(data) if name not in ("train", "valid"))


def load_cases(
    data: Path,
    splits: Sequence[str],
    regimes: Iterable[str] | None = None,
    max_trajectories: int | None = None,
) -> Iterator[Case]:
    """Yield the cases of some splits, one file at a time.

    Arguments:
        data: the dataset's folder; its training split gives standard deviations and ranges.
        splits: which splits.
        regimes: which regimes; all by default.
        max_trajectories: at most this many of each file.
    """
    chosen = None if regimes is None else list(regimes)
    scales = measure_scales(data)
    for split in splits:
        for header, frames in load_split(data, split, chosen):
            truth = frames[:max_trajectories]
            yield Case(
                split,
                header.regime,
                truth,
                header.grid,
                header.context(len(truth)),
                header.frame_interval,
                header.channel_names,
                scales.field_std,
                scales.field_low,
                scales.field_high,
            )


def baseline_rows(emulators: Iterable[NeuralEmulator], scales: DataScales) -> dict[str, Emulator]:
    """Return the rows every table has beside the models: what they must beat.

    Doing nothing, the spatial mean, the true equations with a stencil of the models' largest reach (converged
    in time, and with as many stencil evaluations per frame as the models), and the spectral solver on the
    same grid.

    Arguments:
        emulators: the models in the table.
        scales: of the data.
    """
    members = list(emulators)
    radius = max((max(member.radius, 1) for member in members), default=3)
    evaluations = max((member.evaluations_per_frame for member in members), default=10)
    stencil, interval, equation = f"order-{2 * min(radius, 3)}", scales.frame_interval, scales.equation
    return {
        "persistence": Persistence(interval),
        "spatial-mean": SpatialMean(interval),
        f"equations, {stencil}": EquationsOnGrid.converged_in_time(equation, interval, stencil),
        f"equations, {stencil}, {evaluations} evaluations": EquationsOnGrid.equal_evaluations(
            equation, interval, evaluations, stencil
        ),
        "equations, spectral": SpectralOnGrid(equation, interval),
    }


def evaluate_runs(
    runs: Mapping[str, Path | Sequence[Path]],
    data: Path,
    splits: Sequence[str] | None = None,
    settings: EvaluationSettings | None = None,
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    max_trajectories: int | None = None,
    with_baselines: bool = True,
) -> Results:
    """Score trained runs and all baselines on some splits.

    Arguments:
        runs: name -> run folder; several folders under one name are one network per regime.
        data: the dataset's folder.
        splits: which splits; all but train and valid by default.
        settings: the protocol.
        out: where to save rows, curves and examples; nowhere by default.
        progress: called with (text, frames done, frames in all).
        max_trajectories: at most this many trajectories of each file.
        with_baselines: whether the rows of :func:`baseline_rows` join in.

    Returns:
        The results.
    """
    settings = settings or EvaluationSettings()
    members: list[NeuralEmulator] = []
    models: dict[str, Emulator] = {}
    for name, folders in runs.items():
        loaded = [
            load_run(folder, settings.torch_dtype)
            for folder in ([folders] if isinstance(folders, Path) else folders)
        ]
        members += loaded
        models[name] = loaded[0] if len(loaded) == 1 else RegimeSwitch(loaded)
    cases = load_cases(data, splits or list_splits(data), None, max_trajectories)
    rivals = baseline_rows(members, measure_scales(data)) if with_baselines else {}
    results = evaluate(cases, {**models, **rivals}, settings, progress)
    if out is not None:
        results.save(out)
    return results
