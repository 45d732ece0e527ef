"""The demo: data, three models, the evaluation and the report in one go, in under ten minutes.

Every phase leaves its result in the folder, so that a demo that was killed continues where it stopped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import pydantic

from pdenca.core import BadInputError, FormatError, Settings, write_text
from pdenca.datasets import GrayScottRecipe, check, generate
from pdenca.evaluation import (
    EvaluationSettings,
    Results,
    ResultsTable,
    format_table,
)

from .comparison import count_rollouts
from .emulation import evaluate_runs, list_splits, load_experiment, train_emulator
from .figures import EVALUATION_FOLDER, write_sources
from .findings import degradation_table, tables
from .phases import Phases, Progress, Tell, tell_training
from .report import REPORT_FILE, write_report

SETTINGS_FILE = "demo.json"
DATA_FOLDER = "data"
RUNS_FOLDER = "runs"

SHORT_COURSE: Mapping[str, Mapping[str, str]] = {
    "mlp": {"stages.1.num_steps": "4", "stages.2.num_windows": "9", "stages.2.num_steps": "4"},
    "polynomial": {"stages.1.num_steps": "3", "stages.2.num_windows": "9", "stages.2.num_steps": "3"},
}
"""A shorter course for the rules of the demo: a quarter of the time, half as much error again."""


class DemoSettings(Settings):
    """How large the demo is; the defaults take about eight minutes on two cores.

    Arguments:
        num_cells: cells along each side.
        spacing: cell size (length).
        regimes: Gray-Scott regimes.
        splits: splits of the dataset.
        num_trajectories: training trajectories per regime.
        num_valid_trajectories: likewise for validation.
        num_test_trajectories: likewise for the test splits.
        num_horizon_trajectories: likewise for ``ood_horizon``.
        num_params_trajectories: likewise for each pair of ``ood_params``.
        num_domain_trajectories: likewise in the box of twice the side.
        num_frames: frames per trajectory; 4 of them are given to the models.
        num_domain_frames: likewise in the larger boxes.
        time_step: of the reference solver after the first frames, which it crosses with finer steps: with 2
            the truth is within 1e-4 standard deviations of the fields, a hundredth of what is measured here.
        refine: the truth is solved on a grid this many times finer.
        models: names of experiments.
        per_regime: which of them train one network per regime, since their rule is not told the parameters.
        training: model -> overrides of its settings, such as {"stages.0.num_steps": "10"}.
        evaluation: the protocol.
        seed: of the data and the models.
    """

    num_cells: int = 64
    spacing: float = 1 / 64
    regimes: tuple[str, ...] = ("maze", "gliders", "spirals")
    splits: tuple[str, ...] = GrayScottRecipe.available_splits
    num_trajectories: int = 4
    num_valid_trajectories: int = 1
    num_test_trajectories: int = 2
    num_horizon_trajectories: int = 1
    num_params_trajectories: int = 1
    num_domain_trajectories: int = 1
    num_frames: int = 104
    num_domain_frames: int = 17
    time_step: float = 2.0
    refine: int = 2
    models: tuple[str, ...] = ("mlp", "polynomial", "founding-paper")
    per_regime: tuple[str, ...] = ("founding-paper",)
    training: Mapping[str, Mapping[str, str]] = SHORT_COURSE
    evaluation: EvaluationSettings = EvaluationSettings()
    seed: int = pydantic.Field(default=0, ge=0)

    @classmethod
    def quick(cls, seed: int = 0) -> Self:
        """Return a demo of the same steps that takes half a minute and whose models are bad."""
        short = {"stages.0.num_steps": "6", "stages.0.num_windows": "12", "validation_frames": "6"}
        for stage in ("1", "2"):
            short |= {f"stages.{stage}.num_steps": "1", f"stages.{stage}.num_windows": "2"}
        return cls(
            num_cells=32,
            regimes=("maze", "spirals"),
            splits=("train", "valid", "test", "ood_domain", "ood_horizon"),
            num_trajectories=2,
            num_test_trajectories=1,
            num_frames=17,
            num_domain_frames=17,
            training={
                "mlp": short,
                "polynomial": short,
                "founding-paper": {"stages.0.num_steps": "6", "validation_frames": "6"},
            },
            evaluation=EvaluationSettings(windows=((1, 1), (6, 12)), num_bootstrap=200),
            seed=seed,
        )

    def recipe(self) -> GrayScottRecipe:
        """Return the recipe of the dataset; trajectories one by one, which is quickest on one core."""
        same = (
            "splits",
            "num_cells",
            "spacing",
            "regimes",
            "num_trajectories",
            "num_valid_trajectories",
            "num_test_trajectories",
            "num_horizon_trajectories",
            "num_params_trajectories",
            "num_domain_trajectories",
            "num_frames",
            "num_domain_frames",
            "time_step",
            "refine",
            "seed",
        )
        return GrayScottRecipe.parse({name: getattr(self, name) for name in same} | {"batch": 1})


@dataclass(frozen=True)
class DemoSummary:
    """What the demo made.

    Attributes:
        report: the page.
        tables: to print.
        seconds: phase -> time it took, interrupted sittings included.
    """

    report: Path
    tables: list[ResultsTable]
    seconds: Mapping[str, float]


def run_demo(
    out: Path | str,
    settings: DemoSettings | None = None,
    *,
    command: str = "pdenca demo",
    progress: Progress | None = None,
) -> DemoSummary:
    """Make, or finish, the demo in a folder.

    The folder becomes ``data/`` (the dataset), ``runs/`` (the trained models), ``evaluation/`` (all scores)
    and ``report.html``. Phases that are finished are skipped.

    Arguments:
        out: the folder.
        settings: how large it is.
        command: what the report says made it.
        progress: told how each phase goes.

    Returns:
        The tables to print, the report's path and the time of each phase.

    Raises:
        BadInputError: if the folder holds a demo with other settings.
        FormatError: if the dataset does not pass its own checks, or a file is damaged.
        NonFiniteError: if a training keeps diverging.
    """
    out, settings = Path(out), settings or DemoSettings()
    _claim(out, settings)
    phases = Phases(out, progress)
    data, evaluation, report = out / DATA_FOLDER, out / EVALUATION_FOLDER, out / REPORT_FILE
    phases.run("generate", lambda tell: generate(settings.recipe(), data, progress=tell))
    phases.run("check", lambda tell: _check(data))
    runs = {model: _train(model, data, out / RUNS_FOLDER, settings, phases) for model in settings.models}

    def score(tell: Tell) -> None:
        counted = count_rollouts(data, list_splits(data), len(runs), tell)
        evaluate_runs(runs, data, None, settings.evaluation, evaluation, counted)
        write_sources(evaluation, runs, data)

    phases.run("evaluate", score)
    results = Results.load(evaluation)
    phases.run(
        "report",
        lambda tell: write_report(
            out,
            command=command,
            extra={phase: f"{seconds:.0f} s" for phase, seconds in phases.seconds.items()},
            progress=lambda message, done, total: tell(done, total, message),
        ),
    )
    return DemoSummary(report, demo_tables(results, settings.models), dict(phases.seconds))


def demo_tables(results: Results, models: Sequence[str]) -> list[ResultsTable]:
    """Arrange what the demo prints: windows, splits, how far models leave the data's range, degradation.

    Arguments:
        results: of the evaluation.
        models: the learned ones.
    """
    rows = results.rows
    found = tables(results)
    for split in ("ood_domain", "ood_horizon"):
        if any((row.split, row.metric) == (split, "range_violation") for row in rows):
            found.append(format_table(rows, metric="range_violation", split=split, interval=False))
    shifts = degradation_table(results, models)
    return [*found, shifts] if shifts else found


def _claim(out: Path, settings: DemoSettings) -> None:
    """Note the settings in the folder, or refuse a folder of other ones."""
    path = out / SETTINGS_FILE
    if path.is_file():
        if path.read_text(encoding="utf-8") != settings.to_json() + "\n":
            raise BadInputError(
                f"{out} holds a demo with other settings (--quick, --seed, or another version); usual cure: "
                "another --out"
            )
    elif out.is_dir() and any(out.iterdir()):
        raise BadInputError(f"{out} is not empty and holds no demo; usual cure: another --out")
    else:
        write_text(path, settings.to_json() + "\n")


def _check(data: Path) -> None:
    errors = [finding for finding in check(data) if finding.level == "error"]
    if errors:
        raise FormatError(f"the dataset does not pass its checks, first: {errors[0]}")


def _train(model: str, data: Path, folder: Path, settings: DemoSettings, phases: Phases) -> list[Path]:
    """Train one network on all regimes, or one for each; return their folders."""
    groups: Sequence[tuple[str, ...] | None] = [None]
    if model in settings.per_regime:
        groups = [(regime,) for regime in settings.regimes]
    overrides = {**settings.training.get(model, {}), "seed": str(settings.seed)}
    experiment = load_experiment(model, overrides)
    made = []
    for regimes in groups:
        run = folder / model / regimes[0] if regimes else folder / model

        def work(tell: Tell, run: Path = run, regimes: tuple[str, ...] | None = regimes) -> None:
            shown = partial(tell_training, tell)
            train_emulator(data, run, experiment, resume=True, regimes=regimes, progress=shown)

        phases.run(f"train {model}" + (f", {regimes[0]}" if regimes else ""), work)
        made.append(run)
    return made
