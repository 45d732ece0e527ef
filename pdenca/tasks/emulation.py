"""Emulating a PDE: train an automaton on trajectories. Wiring only.

The names a user needs for the whole task are gathered here.
"""

import json
import os
import platform
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pdenca.core import BadInputError, write_text
from pdenca.training import Stage, Training, TrainingProgress
from pdenca.training.loop import BEST, LAST, METRICS

from .comparison import baseline_rows, evaluate_runs, list_splits, load_cases
from .inspection import learned_kernels, symmetry_residuals
from .models import SCALES, SETTINGS, NeuralEmulator, build_model, load_run, read_run
from .settings import EXPERIMENTS, EmulationSettings, load_experiment
from .stages import build_stage, require_data_for
from .training_data import TrainingWindows, measure_scales
from .validation import EquilibriumValidation, Validation

__all__ = [
    "EXPERIMENTS",
    "EmulationSettings",
    "NeuralEmulator",
    "TrainingProgress",
    "Validation",
    "baseline_rows",
    "continues",
    "environment",
    "evaluate_runs",
    "learned_kernels",
    "list_splits",
    "load_cases",
    "load_experiment",
    "load_run",
    "symmetry_residuals",
    "train_emulator",
]


def train_emulator(
    data: Path,
    run: Path,
    settings: EmulationSettings,
    *,
    resume: bool = False,
    regimes: tuple[str, ...] | None = None,
    progress: Callable[[TrainingProgress], None] | None = None,
    compile_steps: bool = False,
) -> Path:
    """Train an emulator on the ``train`` split of a dataset, choosing the best on its ``valid`` split.

    Arguments:
        data: the dataset's folder.
        run: the run's folder: settings, scales, environment, metrics table, checkpoints.
        settings: model or network, stages, seed, time budget.
        resume: continue a run that was cut short; the result is that of an undisturbed run. A run that ended
            at its time budget goes on if ``settings`` has a larger one, and one that went through all its
            stages goes on if ``settings`` has further ones.
        regimes: train and validate on these regimes only.
        progress: called after every training step.
        compile_steps: compile the roll-outs with torch.compile (slower to start; rounding may differ).

    Returns:
        The run's folder.

    Raises:
        BadInputError: if the run exists and ``resume`` is not set, or is resumed with other settings or data.
        FormatError: if the dataset or a checkpoint is damaged.
        NonFiniteError: if training keeps diverging.
    """
    dtype = torch.float64 if settings.dtype == "float64" else torch.float32
    scales = measure_scales(data, regimes)
    holds_work = any(
        (run / name).exists() for name in (LAST, BEST, METRICS)
    )  # else it ended before the start
    if holds_work and (run / SETTINGS).exists() and (run / SCALES).exists():
        if not resume:
            raise BadInputError(
                f"{run} already holds a training run; usual cure: --resume to continue it, or another --out"
            )
        before = read_run(run)
        if not continues(before[0], settings) or before[1] != scales:
            raise BadInputError(
                f"{run} was made with other settings or data; usual cure: resume with the same ones, or "
                "another --out"
            )
    model = build_model(settings, scales, dtype)
    windows = TrainingWindows(data, regimes, dtype, settings.train_trajectories)
    require_data_for(settings.stages, windows, model)
    for left in run.glob(".*.partial"):  # of a sitting that was killed while it wrote
        left.unlink()
    write_text(run / SETTINGS, settings.to_json())
    write_text(run / SCALES, scales.to_json())
    write_text(run / "environment.json", json.dumps(environment(), indent=1))
    if compile_steps:
        model.compile_steps()
    stages = [
        Stage(
            f"{number + 1} {item.objective}",
            item.num_steps,
            partial(build_stage, number=number, item=item, windows=windows, scales=scales, settings=settings),
            item.validate_every,
            item.patience,
        )
        for number, item in enumerate(settings.stages)
    ]
    validate: Callable[[Any], float]
    if settings.validation == "equilibrium":
        validate = EquilibriumValidation(data, regimes, scales, settings.validation_frames, dtype)
    else:
        validate = Validation(
            data,
            regimes,
            scales,
            settings.validation_frames,
            dtype,
            num_given=settings.validation_given,
            interval=settings.validation_interval,
            windows=settings.validation_windows,
        )
    Training(model, stages, validate, run, progress, max_seconds=settings.max_seconds).run(resume)
    return run


def continues(before: EmulationSettings, settings: EmulationSettings) -> bool:
    """Return whether these are the settings of before, perhaps with another budget and further stages.

    If so, :func:`train_emulator` with ``resume`` goes on with a run of before.
    """
    further = settings.stages[: len(before.stages)] == before.stages
    return further and before.replace(max_seconds=settings.max_seconds, stages=settings.stages) == settings


def environment() -> dict[str, str | int]:
    """Return the software and hardware that results depend on."""
    names = ("pdenca", "torch", "numpy", "h5py", "safetensors")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cpu_cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        **{name: version(name) for name in names},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
