"""The report page of a run, an evaluation or the demo: one HTML file that needs no other."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pdenca import plots
from pdenca.core import write_text
from pdenca.datasets import Header, data_files, read_header
from pdenca.evaluation import ALL_REGIMES, Case, EvaluationSettings

from .emulation import environment, load_run
from .figures import (
    Choice,
    Subject,
    draw_errors,
    draw_frames,
    draw_kernels,
    draw_spectra,
    draw_symmetry,
    draw_training,
)
from .findings import METRIC, Scores, headline_window, summary, where_it_loses
from .prediction import load_model, predict
from .training_record import kept_score, read_metrics

REPORT_FILE = "report.html"
MAX_ANIMATED_FRAMES = 100

Progress = Callable[[str, int, int], None]
"""Called with what is going on, the parts done and the parts to do."""


def write_report(
    path: Path | str,
    *,
    data: Path | str | None = None,
    command: str = "",
    extra: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write ``report.html`` into the folder of a run, an evaluation or a demo.

    Arguments:
        path: the folder.
        data: the dataset, if it is no longer where it was.
        command: what to type to make the page again.
        extra: more facts for the table of the environment, such as times.
        progress: called before every part.

    Returns:
        The page's path.

    Raises:
        FormatError: if the folder was not evaluated, or something it refers to is missing.
    """
    subject = Subject(path, data)
    results = subject.results
    scores = Scores(results, subject.runs.keys(), headline_window(results))
    splits = list(dict.fromkeys(example.split for example in results.examples))
    home = "test" if "test" in splits else splits[0]
    regimes = [example.regime for example in results.examples if example.split == home]
    header = subject.header(home, regimes[0])
    parts = list(_parts(subject, splits, regimes, home))
    sections = []
    for number, part in enumerate(parts):
        if progress:
            progress(part.title, number, len(parts) + 1)
        figure = part.draw(subject, part.choice)
        if part.draw is draw_frames:  # many panels: saving them would take seconds to lay them out once more
            figure.set_layout_engine("none")
        sections.append(plots.Section(part.title, figure, part.caption))
    sections.append(plots.Section("Where it loses", text=where_it_loses(scores, _caveats(subject, header))))
    best = scores.best(scores.learned, home)
    shown = best[0] if best else scores.learned[0]
    if progress:
        progress("animation", len(parts), len(parts) + 1)
    page = plots.render(
        f"pdenca: {', '.join(subject.runs)} on {header.dataset_name}",
        sections,
        summary=summary(scores),
        animation=_animation(subject, shown, subject.case(home, regimes[0])),
        animation_caption=(
            f"The first {home} trajectory of {regimes[0]}: the solver's truth and what {shown} makes of its "
            f"first {results.settings.num_given} frames."
        ),
        rows=[asdict(row) for row in results.rows if row.regime == ALL_REGIMES or row.metric == METRIC],
        headline=METRIC,
        metric_units={"correlation_time": "time units"},
        settings=_settings(subject),
        command=command,
        environment={**_facts(subject), **environment(), **(extra or {})},
    )
    target = Path(path) / REPORT_FILE
    write_text(target, page)
    if progress:
        progress("done", len(parts) + 1, len(parts) + 1)
    return target


@dataclass(frozen=True)
class _Part:
    """One figure of the page, before it is drawn."""

    title: str
    draw: Callable[[Subject, Choice], Figure]
    choice: Choice
    caption: str


def _parts(subject: Subject, splits: Sequence[str], regimes: Sequence[str], home: str) -> Iterator[_Part]:
    shifted = [(split, regimes[0]) for split in splits if split in ("ood_domain", "ood_params")]
    for split, regime in [*((home, name) for name in regimes), *shifted]:
        caption = "Above: the truth. Below it, each learned model and its error, all errors on one scale."
        yield _Part(f"Frames: {split}, {regime}", draw_frames, Choice(split, regime), caption)
    for split in splits:
        caption = "Pooled VRMSE of each predicted frame; 1 is as bad as predicting the spatial mean."
        yield _Part(f"Errors: {split}", draw_errors, Choice(split), caption)
    for regime in regimes:
        caption = (
            "Power of the last kept frame over the wavenumber, and its ratio to the truth's: which scales of "
            "the pattern each model keeps."
        )
        yield _Part(f"Spectra: {home}, {regime}", draw_spectra, Choice(home, regime), caption)
    yield from _model_parts(subject)


def _model_parts(subject: Subject) -> Iterator[_Part]:
    notes = {
        model: f" One network per regime; this is the one of {runs[0].name}." if len(runs) > 1 else ""
        for model, runs in subject.runs.items()
    }
    for model, runs in subject.runs.items():
        if load_run(runs[0]).settings.model.perception == "isotropic-kernels":
            caption = f"What a cell of the automaton looks at, with the kernels' moments.{notes[model]}"
            yield _Part(f"Kernels: {model}", draw_kernels, Choice(model=model), caption)
    caption = (
        "How far turning or mirroring the state first differs from turning or mirroring the prediction, "
        "relative to the largest value; left of the line is rounding. “equations” is the solver on the same "
        "grid."
    )
    yield _Part("Symmetry", draw_symmetry, Choice(), caption)
    for model in subject.runs:
        caption = f"Loss and validation score against the time trained.{notes[model]}"
        yield _Part(f"Training: {model}", draw_training, Choice(model=model), caption)


def _animation(subject: Subject, model: str, case: Case) -> bytes:
    settings: EvaluationSettings = subject.results.settings
    offset = settings.start + settings.num_given
    given = case.truth[:1, settings.start : offset].to(settings.torch_dtype)
    context = {name: value[:1] for name, value in case.context.items()}
    num_frames = min(case.truth.shape[1] - offset, MAX_ANIMATED_FRAMES)
    emulator = load_model(subject.runs[model], settings.torch_dtype)
    predicted = predict(emulator, given, case.grid, context, num_frames)
    return plots.animate(
        case.truth[0, offset : offset + num_frames, -1],
        predicted[0, :, -1],
        subject.times(range(1, num_frames + 1), case.frame_interval),
        field_name=case.field_names[-1],
        time_unit="1",
        labels=("truth", model),
    )


def _settings(subject: Subject) -> dict[str, Any]:
    content: dict[str, Any] = {"evaluation": subject.results.settings.model_dump(mode="json")}
    recipe = subject.data / "recipe.json"
    if recipe.is_file():
        content["data"] = json.loads(recipe.read_text(encoding="utf-8"))
    for model, runs in subject.runs.items():
        for run in runs:
            name = model if len(runs) == 1 else f"{model}, {run.name}"
            content[f"training of {name}"] = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    return content


def _facts(subject: Subject) -> dict[str, object]:
    """Say what each model is and how long its training took."""
    facts: dict[str, object] = {}
    for model, runs in subject.runs.items():
        seconds = sum(max((row["seconds"] for row in read_metrics(run)), default=0.0) for run in runs)
        networks = f"{len(runs)} networks of " if len(runs) > 1 else ""
        facts[model] = f"{networks}{load_run(runs[0]).num_parameters} parameters, trained in {seconds:.0f} s"
    return facts


def _caveats(subject: Subject, home: Header) -> list[str]:
    """Say what no score of this evaluation can tell, with the numbers of this one."""
    training = [read_header(path) for path in data_files(subject.data, "train")]
    count = sum(header.num_trajectories for header in training)
    seeds = {model: {load_run(run).settings.seed for run in runs} for model, runs in subject.runs.items()}
    regimes = ", ".join(dict.fromkeys(header.regime for header in training))
    listed = ", ".join(str(seed) for seed in sorted(set().union(*seeds.values())))
    boundaries = ", ".join(dict.fromkeys(home.grid.boundaries))
    unlearned = [
        f"{model} ({', '.join(stuck)})" if len(runs) > 1 else model
        for model, runs in subject.runs.items()
        if (stuck := [run.name for run in runs if kept_score(run)[1]])
    ]
    failed = (
        f"No step of the training improved the validation score of {', '.join(unlearned)}: what is scored "
        "under that name is the untrained network."
    )
    return [
        *([failed] if unlearned else []),
        f"Every model was trained once (seed {listed}), on {count} trajectories of {training[0].num_frames} "
        f"frames ({regimes}). The intervals in the tables come from resampling the test trajectories, are "
        "rough where these are few, and say nothing about other trainings.",
        f"The truth is itself a simulation, on a finer grid and without noise, with "
        f"{' and '.join(home.channel_names)} known in every cell, on a {home.grid.num_dims}-dimensional "
        f"{boundaries} domain. Nothing here tells how the models do on measured data, with hidden fields, "
        "noise or other boundaries, nor with another cell size or frame interval than in training.",
    ]
