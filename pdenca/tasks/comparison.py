"""Trained models and their rivals on the same trajectories."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pdenca.baselines import EquationsOnGrid, Persistence, SpatialMean, SpectralOnGrid
from pdenca.core import Emulator
from pdenca.evaluation import EvaluationSettings, Results, evaluate

from .models import NeuralEmulator, RegimeSwitch, load_run
from .splits import expand_splits, list_splits, load_cases
from .training_data import DataScales, measure_scales

__all__ = ["baseline_rows", "evaluate_runs", "list_splits", "load_cases"]


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
        splits: which splits, stored or derived; all stored ones but train and valid by default.
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
    chosen = expand_splits(data, splits) if splits else list_splits(data)
    cases = load_cases(data, chosen, None, max_trajectories, settings)
    rivals = baseline_rows(members, measure_scales(data)) if with_baselines else {}
    results = evaluate(cases, {**models, **rivals}, settings, progress)
    if out is not None:
        results.save(out)
    return results
