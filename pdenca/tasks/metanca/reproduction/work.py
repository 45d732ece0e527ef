"""Doing it: every piece is done once and kept, so that what was cut short goes on."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from pdenca.automaton import widths_from_name
from pdenca.datasets.tables import Examples
from pdenca.training.loop import LAST

from ...measuring import NOTHING, Key, Measuring, Table, by_count, in_parts, read_table
from ...phases import Progress, Tell, tell_training
from ..course import Course, follow
from ..data import FOLDS, image_shape_of, of_other_data
from ..evaluation import SIGNALS, judge_networks
from ..model import writer
from ..settings import Data, MetaSettings, load_meta
from ..training import CPU, KIND, load_meta_run, train_meta
from .figures import draw
from .page import page
from .plan import (
    BETWEEN,
    COPIED,
    FOLDED,
    FOLLOWED,
    LASTING,
    LEARNER,
    MODELS,
    NEVER_HAD,
    NUM_ZERO_OUTS,
    OF_RIVALS,
    RANDOM,
    RIVALS,
    RULES_OF_IMAGES,
    TAUGHT,
    UNSEEN,
    UNSEEN_OF_IMAGES,
    MetaReproductionSettings,
    architectures,
    courses,
)
from .rivals import judge_learner, judge_random, judge_trained

STEM: Final = "metanca"
LOOKS: Final = 500
"""At a course of many updates ..."""
EARLY: Final = 200
"""... and after each of the first, since a rule that does not last is best soon."""
Load = Callable[[MetaSettings, str], Examples]
"""(settings, split) -> examples."""


def reproduce_meta(
    out: Path,
    settings: MetaReproductionSettings,
    load: Load,
    *,
    keep: Path | None = None,
    progress: Progress | None = None,
    device: torch.device = CPU,
) -> Path:
    """Train all rules, measure them, and write table, pictures and page.

    Arguments:
        out: folder of runs and results. What is there already is kept.
        settings: how much of it. May be changed between two sittings as long as the courses stay the same.
        load: where examples come from.
        keep: table of another folder: what it has is taken from there.
        progress: told the phase and how far it is.
        device: where rules are trained and write; their rivals are trained on the processor.

    Returns:
        The page, beside the table with all numbers.

    Raises:
        BadInputError: if the folder holds runs, or the table results, of another course.
        FormatError: if a file in it is damaged.
        NonFiniteError: if training keeps diverging.
    """
    kept = NOTHING if keep is None else read_table(keep, courses())
    work = _Work(out, settings, load, kept, progress, device)
    return in_parts(work.parts, settings.parts, work.write)


class _Work:
    """The pieces and where they lie."""

    def __init__(
        self,
        out: Path,
        settings: MetaReproductionSettings,
        load: Load,
        kept: Table,
        progress: Progress | None,
        device: torch.device,
    ) -> None:
        self.out, self.settings = out, settings
        self.load, self.device = load, device
        self._loaded: dict[tuple[Data, int | None, str], Examples] = {}
        self.measuring = Measuring(out, kept, progress)
        self.parts: Mapping[str, Callable[[], None]] = {
            "folds": self.folds,
            "signals": self.signals,
            "stability": self.stability,
            "robustness": self.robustness,
            "architectures": self.architectures,
            "learning": self.learning,
        }

    def examples(self, settings: MetaSettings, split: str) -> Examples:
        """Return the examples of a split, which rules and seeds share."""
        place = settings.data, settings.fold, split
        if place not in self._loaded:
            self._loaded[place] = self.load(settings, split)
        return self._loaded[place]

    def folds(self) -> None:
        """Train on four fifths of the irises, five ways, with many seeds; judge by the rest."""
        for model in self._chosen(FOLDED):
            for seed in self.settings.fold_seeds:
                for fold in range(FOLDS):
                    run = self.run(model, seed, fold)
                    key: Key = {"part": "folds", "model": model, "fold": fold, "seed": seed}
                    self._judge(key, run, UNSEEN)

    def signals(self) -> None:
        """Take one signal after another from a rule, and train rules that never had them."""
        for seed in self.settings.seeds:
            for model in self._chosen(("irises", *NEVER_HAD)):
                for signals in SIGNALS if model == "irises" else ("all",):
                    key: Key = {"part": "signals", "model": model, "signals": signals, "seed": seed}
                    self._judge(key, self.run(model, seed), UNSEEN, signals)

    def stability(self) -> None:
        """Go on with local updates for long."""
        for seed in self.settings.seeds:
            for model in self._chosen(LASTING):
                key: Key = {"part": "stability", "model": model, "seed": seed}
                every = max(1, self.settings.num_updates // LOOKS)
                self._follow(key, self.run(model, seed), self.settings.num_updates, every)

    def robustness(self) -> None:
        """Zero a layer and other weights again and again."""
        places = tuple(10 + BETWEEN * number for number in range(NUM_ZERO_OUTS))
        for seed in self.settings.seeds:
            for model in self._chosen(LASTING):
                key: Key = {"part": "robustness", "model": model, "seed": seed}
                self._follow(key, self.run(model, seed), places[-1] + BETWEEN, 1, zero_outs=places)

    def architectures(self) -> None:
        """Write networks of many widths and depths by rules that were trained on few."""
        for seed in self.settings.seeds:
            for model in self._chosen(RULES_OF_IMAGES):
                run = self.run(model, seed)
                side = image_shape_of(self._settings(model, seed))
                names = ["-".join(map(str, widths)) for widths in architectures(side[0] * side[1], 10)]
                self._judge({"part": "architectures", "model": model, "seed": seed}, run, names)
                for signals in SIGNALS if model == OF_RIVALS else ():
                    key: Key = {"part": "signals", "model": model, "signals": signals, "seed": seed}
                    self._judge(key, run, UNSEEN_OF_IMAGES, signals)
            for model in self._chosen(RIVALS):
                key = {"part": "architectures", "model": model, "seed": seed}
                self.measuring.measure(key, partial(self._rival, model, seed))

    def _chosen(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name in self.settings.models]

    def _rival(self, model: str, seed: int, tell: Tell) -> Mapping[str, Any]:
        settings = self._settings(OF_RIVALS, seed)
        own, test = (self.examples(settings, split) for split in ("train", "test"))
        told = self.settings
        if model == RANDOM:
            return judge_random(own, test, told.num_samples, seed, tell)
        copied = settings.widths if model == COPIED else None
        return judge_trained(own, test, told.gradient_epochs, seed, tell, copied=copied)

    def learning(self) -> None:
        """Show a rule of learning examples of what it was trained on, and of what it never saw."""
        for seed in self.settings.seeds:
            for model in self._chosen((LEARNER,)):
                run = self.run(model, seed)
                for data in TAUGHT:
                    key: Key = {"part": "learning", "model": model, "data": data, "seed": seed}
                    self.measuring.measure(key, partial(self._teach, run, data, seed), run)

    def _teach(self, run: Path, data: Data, seed: int, tell: Tell) -> Mapping[str, Any]:
        model, trained, _ = load_meta_run(run, self.device)
        settings = of_other_data(trained, data)
        own, test = (self.examples(settings, split) for split in ("train", "test"))
        return judge_learner(model, settings, own, test, self.settings.num_samples, seed, tell)

    def _settings(self, model: str, seed: int, fold: int | None = None) -> MetaSettings:
        experiment, told = MODELS[model]
        where = {} if fold is None else {"fold": str(fold)}
        return load_meta(experiment, {**told, **where, **self.settings.overrides, "seed": str(seed)})

    def run(self, model: str, seed: int, fold: int | None = None) -> Path:
        """Return the folder of a rule, which is trained when it is measured."""
        settings = self._settings(model, seed, fold)
        place = f"{model}-{seed}" if not fold else f"{model}, fold {fold}-{seed}"  # fold 0: as everywhere
        run = self.out / "runs" / place

        def train(tell: Tell) -> None:
            train_meta(
                self.examples(settings, "train"),
                run,
                settings,
                resume=(run / LAST).is_file(),
                progress=lambda now: tell_training(tell, now),
                device=self.device,
            )

        return self.measuring.needs(run, train, settings, KIND.read)

    def _judge(self, key: Key, run: Path, unseen: Sequence[str], signals: str = "all") -> None:
        def work(tell: Tell) -> Mapping[str, Any]:
            model, settings, scale = load_meta_run(run, self.device)
            networks = dict.fromkeys((*settings.networks, *unseen))
            found = judge_networks(
                model,
                settings,
                scale,
                self.examples(settings, "test"),
                [widths_from_name(name) for name in networks],
                num_samples=self.settings.num_samples,
                signals=signals,  # type: ignore[arg-type]  # one of SIGNALS
                seed=settings.seed,
                progress=by_count(tell),
            )
            return {"networks": [item.to_dict() for item in found], "num_parameters": model.num_parameters}

        self.measuring.measure(key, work, run)

    def _follow(
        self, key: Key, run: Path, num_updates: int, every: int, *, zero_outs: tuple[int, ...] = ()
    ) -> None:
        def work(tell: Tell) -> Mapping[str, Any]:
            model, settings, scale = load_meta_run(run, self.device)
            course = follow(
                writer(model, settings.rule, (widths_from_name(FOLLOWED),), image_shape_of(settings)),
                scale(self.examples(settings, "test")),
                num_updates=num_updates,
                every=every,
                early=EARLY,
                num_samples=self.settings.num_samples,
                zero_outs=zero_outs,
                seed=settings.seed,
                progress=by_count(tell),
            )
            known = {"zero_outs": list(zero_outs), "every": every, "trained_for": settings.rule.num_steps}
            return {**known, **_told(course)}

        self.measuring.measure(key, work, run)

    def write(self) -> Path:
        """Write table, pictures and page of what is there by now; return the page."""
        draw(self.measuring.results(), self.out)
        return self.measuring.write(STEM, "pdenca metanca reproduce", self.settings, courses(), page)


def _told(course: Course) -> dict[str, Any]:
    best, stays = course.stays()
    return {
        "updates": course.updates.tolist(),
        "accuracy": _rounded(course.accuracy.mean(1)),
        "lowest_accuracy": _rounded(course.accuracy.min(1).values),
        "cross_entropy": _rounded(course.cross_entropy.mean(1)),
        "best_after": best.tolist(),
        "stays": stays.tolist(),
    }


def _rounded(values: torch.Tensor) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]
