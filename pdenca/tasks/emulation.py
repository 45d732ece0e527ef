"""Emulating a PDE: train an automaton on trajectories, score it beside its rivals. Wiring only."""

import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pdenca.automaton import Automaton, IsotropicKernels
from pdenca.automaton.lattice import shells
from pdenca.baselines import EquationsOnGrid, Persistence, SpatialMean, SpectralOnGrid
from pdenca.core import BadInputError, Emulator, rollout, write_text
from pdenca.datasets import load_split, splits_of
from pdenca.evaluation import Case, EvaluationSettings, Results, evaluate, pooled_vrmse
from pdenca.symmetry import D4, equivariance_residuals
from pdenca.training import (
    DerivativeMatching,
    FirstOrder,
    Fitter,
    LevenbergMarquardt,
    Objective,
    PreconditionedLBFGS,
    PropagatedPairs,
    RolloutMatching,
    Stage,
    Training,
    TrainingProgress,
    step_generator,
)
from pdenca.training.fitters import normal_equations

from .models import SCALES, SETTINGS, NeuralEmulator, RegimeSwitch, build_automaton, load_run, read_run
from .settings import EXPERIMENTS, EmulationSettings, StageSettings, load_experiment
from .training_data import DataScales, TrainingWindows, measure_scales

__all__ = [
    "EXPERIMENTS",
    "EmulationSettings",
    "NeuralEmulator",
    "TrainingProgress",
    "baseline_rows",
    "evaluate_runs",
    "learned_kernels",
    "list_splits",
    "load_cases",
    "load_experiment",
    "load_run",
    "symmetry_residuals",
    "train_emulator",
]

NUM_GIVEN = 4  # frames given before the first prediction, in validation as in evaluation
INTERPOLATION_POINTS = 8
FIRST_MATCHED = 2  # earliest start of an interpolation window: its matched frame is three later


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
        settings: model, stages, seed.
        resume: continue a run that was cut short; the result is that of an undisturbed run.
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
    if (run / SETTINGS).exists() and (run / SCALES).exists():
        if not resume:
            raise BadInputError(
                f"{run} already holds a training run; usual cure: --resume to continue it, or another --out"
            )
        if read_run(run) != (settings, scales):
            raise BadInputError(
                f"{run} was made with other settings or data; usual cure: resume with the same ones, or "
                "another --out"
            )
    write_text(run / SETTINGS, settings.to_json())
    write_text(run / SCALES, scales.to_json())
    write_text(run / "environment.json", json.dumps(environment(), indent=1))
    automaton = build_automaton(settings.model, scales, seed=settings.seed, dtype=dtype)
    if compile_steps:
        automaton.compile_steps()
    windows = TrainingWindows(data, regimes, dtype)
    stages = [
        Stage(
            f"{number + 1} {item.objective}",
            item.num_steps,
            partial(
                _build_stage, number=number, item=item, windows=windows, scales=scales, settings=settings
            ),
            item.validate_every,
        )
        for number, item in enumerate(settings.stages)
    ]
    validate = Validation(data, regimes, scales, settings.validation_frames, dtype)
    Training(automaton, stages, validate, run, progress).run(resume)
    return run


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


def _build_stage(
    automaton: Automaton,
    *,
    number: int,
    item: StageSettings,
    windows: TrainingWindows,
    scales: DataScales,
    settings: EmulationSettings,
) -> tuple[Objective, Fitter]:
    objective: Objective
    seed = int(torch.randint(2**31, (1,), generator=step_generator(settings.seed, "stage", number)))
    like = next(automaton.parameters())
    if item.objective == "derivative":
        objective = _derivative(automaton, item, windows, scales, seed)
    elif item.objective == "rollout":
        frames, context = windows.draw(
            item.num_windows,
            item.horizon + 1,
            step_generator(seed, "windows"),
            first=NUM_GIVEN - 2,
            early_share=item.early_share,
            early_frames=item.early_frames,
        )
        objective = RolloutMatching(
            automaton,
            frames,
            context,
            windows.grid,
            field_std=like.new_tensor(scales.field_std),
            low=like.new_tensor(scales.field_low),
            high=like.new_tensor(scales.field_high),
            batch_size=item.batch_size,
            noise=item.noise,
            overflow_weight=item.overflow_weight,
            seed=seed,
        )
    else:
        frames, context = windows.trajectories()
        objective = PropagatedPairs(
            automaton,
            frames,
            context,
            windows.grid,
            field_std=like.new_tensor(scales.field_std),
            low=min(scales.field_low),
            high=max(scales.field_high),
            batch_size=item.batch_size or len(frames) * (frames.shape[1] - 1),
            noise=item.noise,
            overflow_weight=item.overflow_weight,
            seed=seed,
        )
    fitter: Fitter
    if item.fitter == "levenberg-marquardt":
        fitter = LevenbergMarquardt(automaton)
    elif item.fitter == "lbfgs":
        rates = _derivative(automaton, item, windows, scales, seed)
        fitter = PreconditionedLBFGS(automaton, normal_equations(automaton, rates, rates.batch(0))[0])
    else:
        fitter = FirstOrder(
            automaton,
            optimizer=item.optimizer,
            learning_rate=item.learning_rate,
            schedule=item.schedule,
            num_steps=item.num_steps,
            gradient=item.gradient,
        )
    return objective, fitter


def _derivative(
    automaton: Automaton, item: StageSettings, windows: TrainingWindows, scales: DataScales, seed: int
) -> DerivativeMatching:
    generator = step_generator(seed, "rates")
    frames, context = windows.draw(
        item.num_windows,
        INTERPOLATION_POINTS,
        generator,
        first=FIRST_MATCHED,
        early_share=item.early_share,
        early_frames=item.early_frames,
    )
    return DerivativeMatching(
        automaton,
        frames,
        context,
        windows.grid,
        cells_per_window=item.cells_per_window,
        frame_interval=scales.frame_interval,
        rate_scale=frames.new_tensor(scales.rate_scale),
        generator=generator,
    )


class Validation:
    """Roll-out error on the validation split: lower is better.

    The geometric mean over the windows 1, 6:12 and 13:30 (as far as ``num_frames`` reaches) of the pooled
    VRMSE after four given frames. NaN if the roll-out diverges.

    Arguments:
        data: the dataset's folder.
        regimes: which regimes; all by default.
        scales: of the training data.
        num_frames: frames to predict.
        dtype: floating point type of the automaton.
    """

    WINDOWS = ((1, 1), (6, 12), (13, 30))

    def __init__(
        self,
        data: Path,
        regimes: Iterable[str] | None,
        scales: DataScales,
        num_frames: int,
        dtype: torch.dtype,
    ) -> None:
        self.scales = scales
        self.parts = []
        for header, frames in load_split(data, "valid", regimes):
            wanted = min(num_frames, header.num_frames - NUM_GIVEN)
            if wanted < 1:
                raise BadInputError(
                    f"validation trajectories have {header.num_frames} frames; {NUM_GIVEN} are given and at "
                    "least one is predicted; usual cure: longer trajectories"
                )
            context = {name: value.to(dtype) for name, value in header.context(len(frames)).items()}
            self.parts.append((header.grid, context, frames[:, : NUM_GIVEN + wanted].to(dtype)))

    def __call__(self, automaton: Automaton) -> float:
        """Return the error of the automaton as it is now."""
        std = torch.tensor(self.scales.field_std, dtype=torch.float64)
        predictions: list[Tensor] = []
        truths: list[Tensor] = []
        generator = step_generator(0, "validation")
        with torch.no_grad():
            for grid, context, frames in self.parts:
                step = automaton.bind(grid, context, generator)
                state = automaton.codec.lift(frames[:, :NUM_GIVEN])
                wanted = frames.shape[1] - NUM_GIVEN
                predictions.append(rollout(step, state, wanted, automaton.codec.observe))
                truths.append(frames[:, NUM_GIVEN:])
        shortest = min(truth.shape[1] for truth in truths)
        prediction = torch.cat([part[:, :shortest] for part in predictions]).double()
        truth = torch.cat([part[:, :shortest] for part in truths]).double()
        scores = [
            pooled_vrmse(prediction[:, first - 1 : last], truth[:, first - 1 : last], std)
            for first, last in self.WINDOWS
            if last <= shortest
        ] or [pooled_vrmse(prediction, truth, std)]
        return float(torch.stack(scores).log().mean().exp())


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


def learned_kernels(emulator: NeuralEmulator) -> list[tuple[str, np.ndarray, dict[str, float]]]:
    """Return the learned kernels of an emulator as (name, taps, moments), in units per automaton step.

    Empty for a model with fixed kernels. In three dimensions the middle plane is returned.
    """
    perception = emulator.automaton.perception
    if not isinstance(perception, IsotropicKernels):
        return []
    images = perception.kernel_images().detach()
    while images.ndim > 4:
        images = images[..., images.shape[-1] // 2]
    if images.ndim == 3:
        images = images[:, :, None]
    found = []
    for kind, (label, moments, radius) in enumerate(
        (
            ("sample", perception.sample, perception.sample_radius),
            ("transport", perception.transport, perception.radius),
        )
    ):
        names = shells(radius, perception.num_dims)[1:]
        for channel, name in enumerate(emulator.scales.field_names):
            values = {
                _moment_name(order): float(moments[number, channel].detach()) * perception.UNIT
                for number, order in enumerate(names)
            }
            found.append((f"{label} {name}", images[kind, channel].numpy(), values))
    return found


def _moment_name(order: tuple[int, ...]) -> str:
    letters = "xyz"
    return " ".join(f"δ{letters[axis]}^{2 * part}" for axis, part in enumerate(order) if part)


def symmetry_residuals(
    emulators: Mapping[str, Emulator], case: Case, num_steps: int = 2
) -> dict[str, dict[str, float]]:
    """Return how far each emulator is from commuting with every element of the square's group.

    Arguments:
        emulators: name -> emulator, working in float64.
        case: gives a state, grid and parameters.
        num_steps: stored frames to advance.

    Returns:
        model -> element -> largest difference relative to the largest value.
    """
    given = case.truth[:1, :NUM_GIVEN].double()
    context = {name: value[:1].double() for name, value in case.context.items()}
    found = {}
    with torch.no_grad():
        for name, emulator in emulators.items():
            step = emulator.bind(case.grid, context, torch.Generator().manual_seed(0))
            state = emulator.codec.lift(given)
            found[name] = dict(equivariance_residuals(step, D4, state, num_steps=num_steps))
    return found
