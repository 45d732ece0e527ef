"""Doing it: every piece is done once and kept, so that what was cut short goes on."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import torch

from pdenca.automaton import Automaton
from pdenca.training import step_generator
from pdenca.training.loop import LAST

from ...measuring import NOTHING, Key, Measuring, Table, in_parts, read_table
from ...phases import Progress, Tell, tell_training
from ..course import box_error, follow_anew, still_errors
from ..draw import draw_series
from ..regrowth import DAMAGES
from ..series import Series, read_series_file
from ..settings import ImageSettings, load_image_experiment
from ..training import KIND, load_image_run, train_images
from .figures import draw, strip_of
from .measures import (
    Held,
    measure_basin,
    measure_changes,
    measure_course,
    measure_damage,
    measure_pruned,
    measure_turned,
    turned_and_mirrored,
)
from .page import page
from .plan import (
    BASINS,
    DAMAGED,
    GROWING,
    GROWN,
    LATER,
    MODELS,
    NUM_OTHERS,
    OTHER,
    OURS,
    STARTS,
    TURNED,
    ImageReproductionSettings,
    Rule,
    courses,
)

STEM: Final = "image-series"
COMMAND: Final = "pdenca images reproduce"


def reproduce_images(
    out: Path,
    settings: ImageReproductionSettings,
    *,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Draw all series, train all rules, measure them, and write table, pictures and page.

    Arguments:
        out: folder of series, runs and results. What is there already is kept.
        settings: how much of it. May be changed between two sittings as long as the courses stay the same.
        keep: table of another folder: what it has is taken from there.
        progress: told the phase and how far it is.

    Returns:
        The page, beside the table with all numbers.

    Raises:
        BadInputError: if the folder holds runs, or the table results, of another course.
        FormatError: if a file in it is damaged.
        NonFiniteError: if training keeps diverging.
    """
    kept = NOTHING if keep is None else read_table(keep, courses(settings.num_cells))
    work = _Work(out, settings, kept, progress)
    if keep is not None:
        # the strips of what is kept: their rules may not be here
        out.mkdir(parents=True, exist_ok=True)
        for picture in keep.parent.glob(f"{STEM}-*.png"):
            if not (out / picture.name).exists():
                shutil.copy(picture, out / picture.name)
    return in_parts(work.parts, settings.parts, work.write)


class _Work:
    """The pieces and where they lie."""

    def __init__(
        self, out: Path, settings: ImageReproductionSettings, kept: Table, progress: Progress | None
    ) -> None:
        self.out, self.settings = out, settings
        self.series = cache(self._series)
        self.measuring = Measuring(out, kept, progress)
        self.parts: Mapping[str, Callable[[], None]] = {
            "courses": self.courses,
            "regrowth": self.regrowth,
            "basin": self.basin,
            "symmetry": self.symmetry,
            "starts": self.starts,
            "changes": self.changes,
            "pruning": self.pruning,
        }

    def courses(self) -> None:
        """Go through the frames and hold the last one for long."""
        for name, seed in self._each(MODELS):
            strip = self.out / strip_of(name, seed)
            self._measure("courses", name, seed, partial(measure_course, self.settings.hold, strip))

    def regrowth(self) -> None:
        """Damage what is held, at random ages and places."""
        self._damage("regrowth", DAMAGED, measure_damage)

    def basin(self) -> None:
        """Damage more and more of what is held."""
        self._damage("basin", BASINS, measure_basin)

    def _damage(self, part: str, names: Iterable[str], measure: Callable[..., Mapping[str, Any]]) -> None:
        for name, seed in self._each(names):
            held = Held(self.settings.hold, self.settings.num_trials)
            for damage in DAMAGES:
                self._measure(part, name, seed, partial(measure, held, damage), damage=damage)

    def symmetry(self) -> None:
        """Turn, mirror and shift the first frame."""
        for name, seed in self._each(TURNED):
            self._measure("symmetry", name, seed, measure_turned)

    def starts(self) -> None:
        """Begin with what no rule was trained on."""
        for name, seed in self._each((OURS, *GROWING)):
            find = partial(self._grown, MODELS[name]) if name in GROWING else self._begun
            self._measure("starts", name, seed, find)

    def changes(self) -> None:
        """Find the smallest change of the start that breaks the outcome, and the largest that keeps it."""
        for name, seed in self._each((OURS,)):
            self._measure("changes", name, seed, measure_changes)

    def pruning(self) -> None:
        """Take the smallest weights away."""
        for name, seed in self._each((OURS,)):
            self._measure("pruning", name, seed, measure_pruned)

    def _each(self, names: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield (model, seed) of those of these models that are asked for; seed by seed."""
        for seed in self.settings.seeds:
            yield from ((name, seed) for name in names if name in self.settings.models)

    def _measure(
        self,
        part: str,
        name: str,
        seed: int,
        find: Callable[..., Mapping[str, Any]],
        **told: str,
    ) -> None:
        run, series = self.run(name, seed), self.series(name)

        def work(tell: Tell) -> Mapping[str, Any]:
            model, settings = load_image_run(run, series)
            return find(model, series, settings, tell)

        key: Key = {"part": part, "model": name, **told, "seed": seed}
        self.measuring.measure(key, work, run)

    def _begun(
        self, model: Automaton, series: Series, settings: ImageSettings, tell: Tell
    ) -> Mapping[str, Any]:
        first = series.frames[:, 0]
        half = first.clone()
        half[..., : series.grid.shape[-1] // 2] = 0
        others = self._drawn(MODELS[OURS].drawing, 2, OTHER).frames[:, 0]
        noise = torch.rand(first.shape, generator=step_generator(settings.seed, "starts"))
        kinds = dict(zip(STARTS, (noise, half, others, torch.zeros_like(first)), strict=True))
        found = {}
        for number, (name, start) in enumerate({"the first frame": first, **kinds}.items()):
            course = follow_anew(model, series, settings, (LATER,), start=start)
            last = series.frames.shape[1] - 1
            found[name] = {"end": course.errors[-1], "nothing_done": box_error(series, start, last)}
            tell(number + 1, 1 + len(kinds), name)
        return {"starts": found}

    def _grown(
        self, rule: Rule, model: Automaton, series: Series, settings: ImageSettings, tell: Tell
    ) -> Mapping[str, Any]:
        found = {}
        for number in range(NUM_OTHERS + 1):
            whole = self._drawn(rule.drawing, rule.num_frames, number) if number else series
            own = replace(whole, frames=whole.frames[:, GROWN:], times=whole.times[GROWN:])
            course = follow_anew(model, own, settings, ())
            name = f"series {number}" if number else "the series itself"
            found[name] = {"end": course.errors[-1], "nothing_done": still_errors(own)[-1]}
            tell(number + 1, NUM_OTHERS + 1, name)
        return {"starts": found}

    def _drawn(self, drawing: str, num_frames: int, number: int) -> Series:
        """Return a series of a drawing, which is drawn when it is first asked for."""
        cells = self.settings.num_cells
        path = self.out / "series" / f"{drawing}-{num_frames}-{cells}-{number}" / f"{drawing}.hdf5"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            draw_series(drawing, path, num_frames=num_frames, num_cells=cells, seed=number)
        return read_series_file(path)

    def _series(self, name: str) -> Series:
        rule = MODELS[name]
        series = self._drawn(rule.drawing, rule.num_frames, 0)
        if rule.moved:
            series = replace(series, frames=torch.cat([*turned_and_mirrored(series).values()]))
        return series

    def run(self, name: str, seed: int) -> Path:
        """Return the folder of a rule, which is trained when it is measured."""
        rule, run = MODELS[name], self.out / "runs" / f"{name}-{seed}"
        settings = load_image_experiment(
            rule.experiment, {**rule.told, **self.settings.overrides, "seed": str(seed)}
        )

        def train(tell: Tell) -> None:
            train_images(
                self.series(name),
                run,
                settings,
                resume=(run / LAST).is_file(),
                progress=lambda now: tell_training(tell, now),
            )

        wanted = (settings, self.series(name).facts())
        return self.measuring.needs(run, train, wanted, lambda run: (KIND.read(run), KIND.data(run)))

    def write(self) -> Path:
        """Write table, pictures and page of what is there by now; return the page."""
        results = self.measuring.results()
        draw(results, self.out)
        strips = [
            (name, strip_of(name, seed))
            for name, seed in self._each(MODELS)
            if seed == self.settings.seeds[0] and (self.out / strip_of(name, seed)).is_file()
        ]
        told = courses(self.settings.num_cells)
        return self.measuring.write(STEM, COMMAND, self.settings, told, partial(page, strips=strips))
