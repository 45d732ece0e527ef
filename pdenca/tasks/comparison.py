"""Trained models and their rivals on the same trajectories."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pdenca.automaton import Finer
from pdenca.core import BadInputError, Emulator
from pdenca.evaluation import EvaluationSettings, Results, evaluate

from .models import NeuralEmulator, load_run
from .regime_switch import as_one
from .rivals import TUNED, baseline_rows, most_rivals, tuned_rows
from .splits import count_cases, expand_splits, list_splits, load_cases
from .training_data import measure_scales

__all__ = ["baseline_rows", "count_rollouts", "evaluate_runs", "list_splits", "load_cases", "tuned_rows"]


def evaluate_runs(
    runs: Mapping[str, Path | Sequence[Path]],
    data: Path,
    splits: Sequence[str] | None = None,
    settings: EvaluationSettings | None = None,
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    max_trajectories: int | None = None,
    with_baselines: bool | Sequence[str] = True,
    finer: Finer = "substeps",
    regimes: Sequence[str] | None = None,
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
        with_baselines: whether the rows of :func:`baseline_rows` and :func:`tuned_rows` join in; or the names
            of those that do, as far as these data have them. Without runs they may be all that is scored.
        finer: how automata work on finer cells than they were trained on, see
            :func:`~pdenca.automaton.bind_anywhere`.
        regimes: score on these regimes only; all by default.

    Returns:
        The results.

    Raises:
        BadInputError: for a baseline, a split or a regime that there is not.
    """
    settings = settings or EvaluationSettings()
    members: list[NeuralEmulator] = []
    models: dict[str, Emulator] = {}
    for name, folders in runs.items():
        loaded = [
            replace(load_run(folder, settings.torch_dtype), finer=finer)
            for folder in ([folders] if isinstance(folders, Path) else folders)
        ]
        members += loaded
        models[name] = as_one(loaded)
    chosen = expand_splits(data, splits) if splits else list_splits(data)
    cases = load_cases(data, chosen, regimes, max_trajectories, settings)
    rivals: dict[str, Emulator] = {}
    if with_baselines:
        scales = measure_scales(data)
        rivals = baseline_rows(members, scales)
        names = (*rivals, *TUNED) if isinstance(with_baselines, bool) else tuple(with_baselines)
        for name in names:
            if name not in (*rivals, *TUNED):
                known = ", ".join((*rivals, *TUNED))
                raise BadInputError(f"there is no baseline {name!r}; expected some of {known}")
        if set(names) & set(TUNED):  # the tuning takes its time
            rivals |= tuned_rows(data, scales)
        rivals = {name: rivals[name] for name in names if name in rivals}
    results = evaluate(cases, {**models, **rivals}, settings, progress)
    if out is not None:
        results.save(out)
    return results


def count_rollouts(
    data: Path | str, splits: Iterable[str], num_models: int, tell: Callable[[float | int, int, str], None]
) -> Callable[[str, int, int], None]:
    """Turn the progress of one roll-out after another into that of a whole evaluation.

    Arguments:
        data: the dataset's folder.
        splits: that are evaluated.
        num_models: models beside the baselines.
        tell: called with (roll-outs done, roll-outs in all, what is running).

    Returns:
        What to give :func:`evaluate_runs` as ``progress``.
    """
    num_cases = sum(count_cases(Path(data), split) for split in splits)
    total = num_cases * (num_models + most_rivals(Path(data)))
    finished = 0

    def progress(message: str, done: int, of: int) -> None:
        nonlocal finished
        # how many baselines there are also depends on the models and the data
        tell(finished + done / of, max(total, math.ceil(finished + done / of)), message)
        finished += done == of

    return progress
