"""From the folder of a run or an evaluation to figures: files are read and handed to :mod:`pdenca.plots`."""

import difflib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from matplotlib.figure import Figure

from pdenca import plots
from pdenca.baselines import EquationFamily, EquationsOnGrid
from pdenca.core import BadInputError, Emulator, FormatError, write_text
from pdenca.datasets import Header, data_files, read_header, splits_of
from pdenca.evaluation import (
    ALL_REGIMES,
    DERIVED,
    Case,
    EvaluationSettings,
    Example,
    Results,
    radial_spectrum,
)

from .emulation import learned_kernels, load_cases, load_run, symmetry_residuals
from .models import SCALES, SETTINGS
from .prediction import load_model
from .training_record import read_metrics

EVALUATION_FOLDER = "evaluation"
SOURCES_FILE = "sources.json"
MOST_COLUMNS = 5
ROUND_OFF = 1e-13
"""Below it a relative residual in float64 is rounding: a few hundred operations of relative error 1e-16."""


@dataclass(frozen=True)
class Choice:
    """What to show; None takes what the figure shows best.

    Attributes:
        split: which data.
        regime: which regime of it.
        field: which field.
        model: which model, where a figure shows one.
    """

    split: str | None = None
    regime: str | None = None
    field: str | None = None
    model: str | None = None


def is_run(path: Path) -> bool:
    """Tell whether a folder is that of one training run."""
    return (path / SETTINGS).is_file() and (path / SCALES).is_file()


def find_runs(path: Path | str) -> tuple[Path, ...]:
    """Return the runs that a path means: itself, or those in it when it holds one network per regime.

    Raises:
        FormatError: if there is none.
    """
    path = Path(path)
    if not path.is_dir():
        raise FormatError(f"{path} is no folder; usual cure: check the path, or make it with `pdenca train`")
    inside = (path,) if is_run(path) else tuple(sorted(item for item in path.iterdir() if is_run(item)))
    if not inside:
        raise FormatError(
            f"{path} is not the folder of a run: it has no {SCALES}; usual cure: check the path, or make "
            "it with `pdenca train`"
        )
    return inside


def write_sources(folder: Path | str, runs: Mapping[str, Sequence[Path]], data: Path | str) -> None:
    """Note beside results which runs and which data they come from, relative to their folder.

    Arguments:
        folder: where the results were saved.
        runs: model name -> its runs.
        data: the dataset's folder.
    """
    folder = Path(folder).resolve()

    def relative(path: Path | str) -> str:
        return os.path.relpath(Path(path).resolve(), folder)

    content = {
        "data": relative(data),
        "runs": {name: [relative(path) for path in paths] for name, paths in runs.items()},
    }
    write_text(folder / SOURCES_FILE, json.dumps(content, indent=2) + "\n")


class Subject:
    """Everything that pictures of one run, evaluation or demo are made of, read when it is asked for.

    Arguments:
        path: the folder of a run, of results, or one that holds results in ``evaluation/``.
        data: the dataset, if it is no longer where it was when the runs were evaluated.

    Raises:
        FormatError: if the folder is none of these.
    """

    def __init__(self, path: Path | str, data: Path | str | None = None) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise FormatError(f"{path} is no folder; usual cure: check the path")
        inside = self.path / EVALUATION_FOLDER
        self.evaluation = inside if inside.is_dir() else self.path
        sources = self.evaluation / SOURCES_FILE
        self._data = None if data is None else Path(data)
        if sources.is_file():
            self.runs = self._read_sources(sources)
        else:
            found = find_runs(self.path)
            self.runs = {self.path.resolve().name: found}

    def _read_sources(self, sources: Path) -> dict[str, tuple[Path, ...]]:
        try:
            content = json.loads(sources.read_text(encoding="utf-8"))
            if self._data is None:
                self._data = Path(os.path.normpath(self.evaluation / content["data"]))
            return {
                str(name): tuple(Path(os.path.normpath(self.evaluation / item)) for item in paths)
                for name, paths in content["runs"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FormatError(f"{sources} is damaged ({error}); usual cure: evaluate again") from error

    @cached_property
    def results(self) -> Results:
        """The results of the evaluation."""
        if not (self.evaluation / SOURCES_FILE).is_file():
            raise FormatError(
                f"{self.path} was not evaluated yet; usual cure: `pdenca evaluate {self.path} --data DIR`"
            )
        return Results.load(self.evaluation)

    @property
    def data(self) -> Path:
        """The dataset's folder."""
        if self._data is None or not self._data.is_dir():
            where = "" if self._data is None else f" at {self._data}"
            raise FormatError(f"there is no dataset{where}; usual cure: --data DIR with the dataset's folder")
        return self._data

    def example(self, choice: Choice) -> Example:
        """Return the example trajectory that is meant."""
        examples = self.results.examples
        splits = list(dict.fromkeys(item.split for item in examples))
        split = pick("split", choice.split, splits, "test")
        inside = {item.regime: item for item in examples if item.split == split}
        return inside[pick("regime", choice.regime, list(inside))]

    def header(self, split: str, regime: str) -> Header:
        """Return the header of the data file an example is from; of a derived split, of its base."""
        stored = split in splits_of(self.data) or split not in DERIVED
        return read_header(data_files(self.data, split if stored else DERIVED[split].base, [regime])[0])

    def frame_interval(self, split: str, regime: str) -> float:
        """Return the time between the predicted frames of a split."""
        for point in self.results.curves:
            if (point.split, point.regime) == (split, regime):
                return point.time / point.frame
        return self.header(split, regime).frame_interval

    def case(self, split: str, regime: str) -> Case:
        """Return the first trajectory of a regime, and what models are told about it."""
        return next(iter(load_cases(self.data, [split], regimes=(regime,), max_trajectories=1)))

    def times(self, frames: Iterable[int], frame_interval: float) -> list[float]:
        """Return the physical times of predicted frames that are counted from 1."""
        settings = self.results.settings
        first = settings.start + settings.num_given - 1
        return [(first + int(frame)) * frame_interval for frame in frames]


def pick(what: str, asked: str | None, known: Sequence[str], usual: str | None = None) -> str:
    """Return the name asked for, or the usual one, or the first.

    Raises:
        BadInputError: if it is not among the known ones; the nearest is named.
    """
    if asked is None and known:
        return usual if usual is not None and usual in known else known[0]
    if asked is None or asked not in known:
        near = difflib.get_close_matches(str(asked), known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        listed = ", ".join(known) or "(none)"
        raise BadInputError(f"unknown {what} {asked!r}: {hint}expected one of {listed}")
    return asked


def draw_frames(subject: Subject, choice: Choice) -> Figure:
    """Draw reference, predictions and errors of the example trajectory."""
    example = subject.example(choice)
    channel = _channel(example, choice)
    header = subject.header(example.split, example.regime)
    models = [name for name in subject.runs if name in example.predictions]
    if choice.model is not None:
        models = [pick("model", choice.model, list(example.predictions))]
    return plots.frames(
        example.truth[:, channel],
        {name: example.predictions[name][:, channel] for name in models},
        subject.times(example.frames.tolist(), subject.frame_interval(example.split, example.regime)),
        header.grid.spacing,
        field_name=example.field_names[channel],
        time_unit="1",
        shown=_milestones(example, subject.results.settings),
        title=f"{example.split}, {example.regime}",
    )


def _milestones(example: Example, settings: EvaluationSettings) -> list[int]:
    """Return where the first kept frame, the last one of each window and the last of all stand."""
    frames = example.frames.tolist()
    wanted = {frames[0], frames[-1], *(last for _, last in settings.windows)}
    found = [place for place, frame in enumerate(frames) if frame in wanted]
    return found if len(found) <= MOST_COLUMNS else [*found[: MOST_COLUMNS - 1], found[-1]]


def draw_errors(subject: Subject, choice: Choice) -> Figure:
    """Draw the error of every model over time."""
    splits = list(dict.fromkeys(point.split for point in subject.results.curves))
    split = pick("split", choice.split, splits, "test")
    regimes = list(dict.fromkeys(p.regime for p in subject.results.curves if p.split == split))
    regime = pick("regime", choice.regime, regimes, ALL_REGIMES)
    curves = subject.results.curves_of(split, regime)
    if choice.model is not None:
        model = pick("model", choice.model, list(curves))
        curves = {model: curves[model]}
    return plots.errors(
        curves,
        metric="pooled VRMSE",
        time_unit="1",
        interval=f"{100 * subject.results.settings.confidence:g} % interval",
        title=f"{split}, {'all regimes' if regime == ALL_REGIMES else regime}",
    )


def draw_spectra(subject: Subject, choice: Choice) -> Figure:
    """Draw power spectra of reference and predictions in the last kept frame of the example."""
    example = subject.example(choice)
    channel = _channel(example, choice)
    header = subject.header(example.split, example.regime)
    rows = {"reference": example.truth, **example.predictions}
    if choice.model is not None:
        model = pick("model", choice.model, list(example.predictions))
        rows = {"reference": example.truth, model: example.predictions[model]}
    last = {name: torch.from_numpy(frames[None, -1:, channel : channel + 1]) for name, frames in rows.items()}
    spectra = {name: radial_spectrum(frame.to(torch.float64), header.grid) for name, frame in last.items()}
    wavenumbers = spectra["reference"].wavenumber
    whole = wavenumbers < spectra["reference"].nyquist  # beyond it only the corners of Fourier space are left
    interval = subject.frame_interval(example.split, example.regime)
    (time,) = subject.times(example.frames[-1:].tolist(), interval)
    return plots.spectra(
        wavenumbers[whole],
        {name: spectrum.energy[0, 0, 0, whole] for name, spectrum in spectra.items()},
        field_name=example.field_names[channel],
        title=f"{example.split}, {example.regime}, t = {time:g}",
    )


def draw_kernels(subject: Subject, choice: Choice) -> Figure:
    """Draw what a model learnt to look at.

    Raises:
        BadInputError: for a model whose kernels are fixed.
    """
    model = pick("model", choice.model, list(subject.runs))
    with torch.no_grad():
        kernels = learned_kernels(load_run(_one_run(subject, model, choice.regime)))
    if not kernels:
        raise BadInputError(
            f"the kernels of {model} are fixed, not learned; usual cure: --model with another"
        )
    return plots.kernels(kernels, unit="per step", title=_run_title(subject, model, choice.regime))


def draw_symmetry(subject: Subject, choice: Choice) -> Figure:
    """Draw how far each model is from commuting with the symmetries of the square."""
    splits = splits_of(subject.data)
    split = pick("split", choice.split, splits, "test")
    regimes = [read_header(path).regime for path in data_files(subject.data, split)]
    regime = pick("regime", choice.regime, list(dict.fromkeys(regimes)))
    case = subject.case(split, regime)
    header = subject.header(split, regime)
    models = list(subject.runs) if choice.model is None else [pick("model", choice.model, list(subject.runs))]
    emulators: dict[str, Emulator] = {name: load_model(subject.runs[name]) for name in models}
    if header.equation != "unknown":
        emulators["equations"] = EquationsOnGrid(
            EquationFamily(header.equation, header.constants), header.frame_interval
        )
    return plots.symmetry(
        symmetry_residuals(emulators, case, num_steps=2),
        ROUND_OFF,
        title=f"after 2 frames, {split}, {regime}",
    )


def draw_training(subject: Subject, choice: Choice) -> Figure:
    """Draw the course of a training run."""
    model = pick("model", choice.model, list(subject.runs))
    run = _one_run(subject, model, choice.regime)
    return plots.training(read_metrics(run), title=_run_title(subject, model, choice.regime))


def _channel(example: Example, choice: Choice) -> int:
    names = list(example.field_names)
    return names.index(pick("field", choice.field, names, names[-1]))


def _one_run(subject: Subject, model: str, regime: str | None) -> Path:
    paths = {path.name: path for path in subject.runs[model]}
    if regime is None or len(paths) == 1:
        return next(iter(paths.values()))
    return paths[pick("regime", regime, list(paths))]


def _run_title(subject: Subject, model: str, regime: str | None) -> str:
    run = _one_run(subject, model, regime)
    return model if len(subject.runs[model]) == 1 else f"{model}, {run.name}"


FIGURES: dict[str, Callable[[Subject, Choice], Figure]] = {
    "frames": draw_frames,
    "errors": draw_errors,
    "spectra": draw_spectra,
    "kernels": draw_kernels,
    "symmetry": draw_symmetry,
    "training": draw_training,
}
"""Name -> what draws it from a run's or an evaluation's folder; the names of :data:`pdenca.plots.FIGURES`."""

USES: dict[str, frozenset[str]] = {
    "frames": frozenset({"split", "regime", "field", "model"}),
    "errors": frozenset({"split", "regime", "model"}),
    "spectra": frozenset({"split", "regime", "field", "model"}),
    "kernels": frozenset({"regime", "model"}),
    "symmetry": frozenset({"split", "regime", "model"}),
    "training": frozenset({"regime", "model"}),
}
"""Name -> what of a :class:`Choice` the figure can show."""


def draw(name: str, subject: Subject, choice: Choice) -> Figure:
    """Draw one figure of a run, an evaluation or a demo.

    Arguments:
        name: a key of :data:`FIGURES`.
        subject: what it is about.
        choice: what to show of it.

    Raises:
        BadInputError: for an unknown name, or a choice that the figure does not have.
        FormatError: if a file it needs is missing or damaged.
    """
    name = pick("figure", name, list(FIGURES))
    for what, value in vars(choice).items():
        if value is not None and what not in USES[name]:
            raise BadInputError(
                f"figure {name} has no choice of {what}, got {value!r}; usual cure: leave it out"
            )
    return FIGURES[name](subject, choice)
