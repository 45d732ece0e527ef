"""Doing it: every piece is done once and kept, so that what was cut short goes on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from pdenca.datasets.digits import Digits
from pdenca.training.loop import LAST

from ...measuring import NOTHING, Key, Measuring, Table, by_count, in_parts
from ...phases import Progress, Tell, tell_training
from ..classifier import DigitClassifier
from ..classify import load_classifier, train_classifier, with_classes_of
from ..judging import judge
from ..restoration import (
    LATTICES,
    Damage,
    Restorer,
    judge_restorer,
    load_restoration,
    load_restorer,
    take_census,
    train_restorer,
)
from ..restoration.fills import training_free
from ..restoration.judging import Restore
from ..settings import ClassifierSettings, load_digit_experiment
from .figures import Draw, draw, of_model
from .keeping import kept_table
from .measured import BARE, BEFORE, WOUNDED
from .page import page
from .plan import (
    COUNTED,
    FROZEN,
    JOINT,
    LEARNERS,
    MODELS,
    OTHER_DAMAGE,
    OURS,
    PICTURED,
    SCHEMES,
    SHARES,
    ReproductionSettings,
    after_digits,
    courses,
    judges_of,
    learned_by,
)

STEM: Final = "digits-restore"
WOUND: Final = 0.3
Load = Callable[[str, str], Digits]
"""(``mnist`` or the family that is learned after it, split) -> images."""


def reproduce(
    out: Path,
    settings: ReproductionSettings,
    load: Load,
    *,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Train the judges and all models, measure them, and write table and page.

    A model is trained when the first measurement asks for it.

    Arguments:
        out: folder of runs and results. What is there already is kept.
        settings: how much of it. May be changed between two sittings as long as the courses stay the same.
        load: where images come from.
        keep: table of another folder: what it has is taken from there.
        progress: told the phase and how far it is.

    Returns:
        The page, beside the table with all numbers.

    Raises:
        BadInputError: if the folder holds runs, or the table results, of another course.
        FormatError: if a file in it is damaged.
        NonFiniteError: if training keeps diverging.
    """
    kept = NOTHING if keep is None else kept_table(keep, settings)
    work = _Work(out, settings, load, kept, progress)
    return in_parts(work.parts, settings.parts, work.write)


class _Work:
    """The pieces and where they lie."""

    def __init__(
        self, out: Path, settings: ReproductionSettings, load: Load, kept: Table, progress: Progress | None
    ) -> None:
        self.out, self.settings = out, settings
        self.digits = cache(load)
        self.measuring = Measuring(out, kept, progress)
        self.parts: Mapping[str, Callable[[], None]] = {
            "models": self.models,
            "damage": self.damage,
            "basins": self.basins,
            "letters": self.letters,
            "pictures": self.pictures,
        }

    def models(self) -> None:
        """Restore the whole test set by every model, with its gate and without, wounded and not."""
        self._judge_fills()
        for name, seed in self._each(MODELS):
            run = self.run(name, seed)
            key: Key = {"part": "models", "model": name, "seed": seed}
            self._judge(key, run)
            kind = load_restoration(MODELS[name][0], self.settings.course_of(name)).model.kind
            if kind == "hybrid":
                self._judge({**key, "variant": BARE}, run, Restorer.without_gate)
            if kind in LATTICES:
                self._judge({**key, "variant": WOUNDED}, run, wound=WOUND)

    def damage(self) -> None:
        """Let models that were trained on one damage meet others."""
        damages = [Damage(share=share) for share in SHARES]
        damages += [Damage(kind=kind, share=share) for kind, share in OTHER_DAMAGE.items()]  # type: ignore[arg-type]
        chosen = [name for name in (OURS, "u-net") if name in self.settings.models]
        for name, seed in self._each(chosen):
            for damage in damages:
                key: Key = {"part": "damage", "model": name, "damage": damage.describe(), "seed": seed}
                self._judge(key, self.run(name, seed), damage=damage)
        for damage in damages[: len(SHARES)]:
            self._judge_fills(damage)

    def basins(self) -> None:
        """Count the attractors."""
        for name, seed in self._each(COUNTED):
            self._census({"part": "basins", "model": name, "seed": seed}, self.run(name, seed))

    def letters(self) -> None:
        """Learn another family after digits, one way and another, and see what is left of the digits."""
        family = self.settings.family
        for name, seed in self._each(LEARNERS):
            start = self.run(name, seed)
            self._judge_both(learned_by(name, BEFORE), seed, start)
            for scheme in LEARNERS[name]:
                named = after_digits(family, scheme, name)
                run = self.out / "runs" / f"{named}-{seed}"
                told = {**self.settings.scheme(scheme, name), "seed": str(seed)}
                replayed = "mnist" if "replay" in SCHEMES[scheme] else None
                begun = None if scheme == JOINT else (name, seed)
                self._needs(run, MODELS[name][0], told, family, begun, replayed)
                self._judge_both(learned_by(name, scheme), seed, run)
                if scheme in FROZEN:
                    self._census({"part": "basins", "model": named, "seed": seed}, run, start)

    def pictures(self) -> None:
        """Draw the post's model and ours, and the one that has attractors, of the first seed."""
        for name in PICTURED:
            if name not in self.settings.models:
                continue
            run = self.run(name, self.settings.seeds[0])
            for file, (_, show) in of_model(name).items():

                def work(_: Tell, run: Path = run, file: str = file, show: Draw = show) -> None:
                    model, settings = load_restorer(self.measuring.trained(run))
                    show(model, self.digits("mnist", "test"), settings.damage, self.out / file)

                if not (self.out / file).is_file():
                    self.measuring.phases.run(f"draw {file}", work, again=True)

    def run(self, name: str, seed: int) -> Path:
        """Return the folder of a restorer, which is trained when it is measured."""
        run = self.out / "runs" / f"{name}-{seed}"
        told = {**self.settings.course_of(name), "seed": str(seed)}
        return self._needs(run, MODELS[name][0], told, "mnist", None, None)

    def _each(self, names: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield (model, seed) of those of these models that are asked for; seed by seed."""
        for seed in self.settings.seeds:
            yield from ((name, seed) for name in names if name in self.settings.models)

    def _needs(
        self,
        run: Path,
        experiment: str,
        overrides: Mapping[str, str],
        data: str,
        begun: tuple[str, int] | None,
        replayed: str | None,
    ) -> Path:
        settings = load_restoration(experiment, overrides)

        def train(tell: Tell) -> None:
            train_restorer(
                self.digits(data, "train"),
                run,
                settings,
                start=None if begun is None else self.measuring.trained(self.run(*begun)),
                replayed=None if replayed is None else self.digits(replayed, "train"),
                resume=(run / LAST).is_file(),
                progress=lambda now: tell_training(tell, now),
            )

        return self.measuring.needs(run, train, settings, lambda run: load_restorer(run)[1])

    def _judge_fills(self, damage: Damage | None = None) -> None:
        """Measure what needs no training: all of it, or on other damage the harmonic fill."""
        told = damage or Damage()
        for name, fill in training_free(self.digits("mnist", "train"), told).items():
            if damage is None or name == "Laplace fill":
                key: Key = {"part": "models", "model": name}
                if damage is not None:
                    key = {"part": "damage", "model": name, "damage": damage.describe()}

                def work(tell: Tell, name: str = name, fill: Restore = fill) -> Mapping[str, Any]:
                    digits, readers = self.digits("mnist", "test"), self._readers("mnist")
                    return judge_restorer(
                        name, fill, digits, told, readers, progress=by_count(tell)
                    ).to_dict()

                self.measuring.measure(key, work)

    def _judge(
        self,
        key: Key,
        run: Path,
        change: Callable[[Restorer], Restorer] | None = None,
        *,
        damage: Damage | None = None,
        wound: float = 0.0,
        data: str = "mnist",
    ) -> None:
        def work(tell: Tell) -> Mapping[str, Any]:
            model, settings = load_restorer(run)
            found = judge_restorer(
                run.name,
                model if change is None else change(model),
                self.digits(data, "test"),
                damage or settings.damage,
                self._readers(data),
                wound=wound,
                progress=by_count(tell),
            )
            return {**found.to_dict(), "batches": settings.num_steps}

        self.measuring.measure(key, work, run)

    def _judge_both(self, scheme: str, seed: int, run: Path) -> None:
        """Measure what a model makes of digits, and of what is learned after them."""
        family = self.settings.family
        for data in ("mnist", family):
            key: Key = {"part": "letters", "family": family, "model": scheme, "data": data, "seed": seed}
            self._judge(key, run, data=data)

    def _census(self, key: Key, run: Path, before: Path | None = None) -> None:
        def work(tell: Tell) -> Mapping[str, Any]:
            model, settings = load_restorer(run)
            found = take_census(
                model,
                self.digits("mnist", "test"),
                settings.damage,
                self._readers("mnist")["judge"],
                num_starts=self.settings.num_starts,
                num_rounds=self.settings.num_rounds,
                seed=settings.seed,
                before=None if before is None else load_restorer(self.measuring.trained(before))[0],
                progress=by_count(tell),
            )
            return {**found.to_dict(), "batches": settings.num_steps}

        self.measuring.measure(key, work, run)

    def _readers(self, data: str) -> dict[str, DigitClassifier]:
        """Return the classifiers that judge these images, trained, and measured on whole ones."""
        found = {}
        for name, (experiment, overrides) in judges_of(data).items():
            run = self.out / "judges" / name
            digits = self.digits(data, "train")
            told = load_digit_experiment(experiment, {**overrides, **self.settings.judge_overrides})
            settings = with_classes_of(digits, told)

            def train(
                tell: Tell, run: Path = run, settings: ClassifierSettings = settings, digits: Digits = digits
            ) -> None:
                train_classifier(
                    digits,
                    run,
                    settings,
                    resume=(run / LAST).is_file(),
                    progress=lambda now: tell_training(tell, now),
                )

            self.measuring.phases.run(f"train {name}", train)
            found[name] = load_classifier(run)

            def work(tell: Tell, model: DigitClassifier = found[name]) -> Mapping[str, Any]:
                return judge(
                    model, self.digits(data, "test"), num_spectra=0, progress=by_count(tell)
                ).to_dict()

            self.measuring.measure({"part": "judges", "model": name}, work)
        return found

    def write(self) -> Path:
        """Write table, pictures and page of what is there by now; return the page."""
        shown = {file: words for name in PICTURED for file, (words, _) in of_model(name).items()}
        shown = {file: words for file, words in shown.items() if (self.out / file).is_file()}
        shown |= draw(self.measuring.results(), self.out)
        told = partial(page, pictures=shown)
        return self.measuring.write(
            STEM, "pdenca digits reproduce", self.settings, courses(self.settings), told
        )
