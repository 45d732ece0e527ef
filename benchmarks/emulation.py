"""The emulation study: rules, networks and solvers on The Well's Gray-Scott, in and out of distribution.

    python benchmarks/emulation.py --out runs/emulation

Generates the data (recipe gray-scott-well), trains every model with every seed, scores everything on every
split, and writes docs/results/emulation.csv (the rows of every seed), emulation.json (settings, hardware,
seconds) and emulation.md (drawn from the csv by emulation_page.py). Resumable: what is made already is kept;
two of them may share the work (`--train` and `--score` do one half each). `--keep` leaves what the committed
table has already as it is and measures the rest; `--page` only draws again.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from default_rule import PIECES, train_once
from emulation_page import page
from study import RESULTS, Clock, Committed, Scored, hardware, write_rows

from pdenca.core import BadInputError, Emulator, StabilityError, write_text
from pdenca.datasets import generate
from pdenca.datasets.recipes.gray_scott_well import GrayScottWellRecipe
from pdenca.datasets.statistics import FILE_NAME as STATS
from pdenca.evaluation import Case, EvaluationSettings, evaluate, load_rows
from pdenca.evaluation.intervals import bind_to_interval
from pdenca.tasks.comparison import baseline_rows, load_cases, tuned_rows
from pdenca.tasks.emulation import load_experiment, load_run
from pdenca.tasks.rivals import RESOLUTION_FLOOR
from pdenca.tasks.splits import expand_splits
from pdenca.tasks.training_data import measure_scales

MODELS: Mapping[str, Mapping[str, str]] = {
    "mlp": PIECES,
    "mlp-far": {},
    "polynomial": PIECES,
    "cnn": {},
    "unet": {},
    "fno": {},
    "tfno": {},
}
"""Experiment -> its settings for these data, where they are not those of its file."""

RULES = ("mlp", "mlp-far", "polynomial")
CANNOT = "cannot.txt"
AGAIN, AGAIN_SEED = "test_again", 1
"""The test split drawn anew: nothing was designed, trained or chosen after a look at these trajectories."""
FINER = "ood_resolution_fine"
PER_REGIME = ("pooled_vrmse", "well_vrmse")
"""Metrics that the committed table has of every regime; of the others it has all regimes together."""
DATA = {
    "num_frames": 105,
    "num_trajectories": 4,
    "num_valid_trajectories": 2,
    "num_test_trajectories": 16,
    "num_params_trajectories": 8,
    "num_domain_trajectories": 4,
    "num_domain_frames": 105,
    "num_grid_trajectories": 4,
}


@dataclass(frozen=True)
class Scoring:
    """How much of a split is scored, and by which rows.

    Attributes:
        trajectories: of each file.
        frames: predicted frames.
        all_rows: every row; else the rules and the solvers they are compared with.
    """

    trajectories: int
    frames: int = 100
    all_rows: bool = False


SPLITS: Mapping[str, Scoring] = {
    "test": Scoring(16, all_rows=True),
    AGAIN: Scoring(16, all_rows=True),
    "ood_ic": Scoring(8, 30),
    "ood_params_interp": Scoring(8, 30),
    "ood_params_extrap": Scoring(4, 30),
    "ood_domain": Scoring(2, 30),
    FINER: Scoring(2, 30),
    "ood_resolution_coarse": Scoring(4, 30),
    "ood_bc": Scoring(4, 30),
    "ood_noise": Scoring(2, 30),
    "ood_rotation": Scoring(1, 30),
    "ood_damage": Scoring(1, 30),
    "ood_dt": Scoring(2, 30),
}


def main() -> None:
    """Read the options, do what is left to do, write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/emulation"), help="folder of runs and scores")
    parser.add_argument("--data", type=Path, default=Path("runs/gray-scott-well"), help="folder of the data")
    parser.add_argument("--seeds", default="0,1,2", help="training seeds")
    parser.add_argument("--models", default=",".join(MODELS), help="which models to train and score")
    parser.add_argument("--splits", default=",".join(SPLITS), help="which splits to score on")
    parser.add_argument("--train", action="store_true", help="only train")
    parser.add_argument("--score", action="store_true", help="only score what is trained")
    parser.add_argument(
        "--keep", action="store_true", help="keep the rows that the committed table has, measure the others"
    )
    parser.add_argument("--page", action="store_true", help="only draw the page from the table again")
    options = parser.parse_args()
    torch.set_num_threads(1)
    study = Study(
        options.out,
        options.data,
        [int(text) for text in options.seeds.split(",")],
        options.models.split(","),
        options.splits.split(","),
        Committed("emulation") if options.keep or options.page else None,
    )
    if not (options.page or options.score):
        study.make_data()
        study.train()
    if not (options.page or options.train):
        study.score()
    if not options.train:
        study.write()


class Study:
    """The pieces of work and where their results lie."""

    def __init__(
        self,
        out: Path,
        data: Path,
        seeds: list[int],
        models: list[str],
        splits: list[str],
        kept: Committed | None,
    ) -> None:
        self.out, self.data, self.seeds, self.models, self.splits = out, data, seeds, models, splits
        self.kept = kept
        self.clock = Clock(out / "seconds.json")

    def make_data(self) -> None:
        """Generate the splits that are stored; the others are made of the test split when they are read."""
        wanted = ("train", "valid", "test", *self.splits)
        stored = [name for name in GrayScottWellRecipe.available_splits if name in wanted]
        recipe = GrayScottWellRecipe(**DATA, splits=tuple(stored))
        # what is there already is kept
        self.clock.once(f"generate {', '.join(stored)}", lambda: generate(recipe, self.data))
        if AGAIN in self.splits:
            self.clock.once(f"generate {AGAIN}", lambda: self._draw_again(recipe))

    def _draw_again(self, recipe: GrayScottWellRecipe) -> None:
        """Generate the test split from another seed, beside the same training data, which give the units."""
        generate(recipe.replace(seed=AGAIN_SEED, splits=("test",)), self.again)
        for name in ("data/train", STATS):
            if not (self.again / name).exists():
                (self.again / name).symlink_to((self.data / name).resolve())

    @property
    def again(self) -> Path:
        """Folder of the test split drawn anew."""
        return self.data / AGAIN

    def run(self, model: str, seed: int) -> Path:
        """Return the folder of a training run."""
        return self.out / f"seed-{seed}" / model

    def train(self) -> None:
        """Train every model with every seed."""
        for seed in self.seeds:
            for model in self.models:
                experiment = load_experiment(model, {**MODELS[model], "seed": str(seed)})
                name = f"train {model}, seed {seed}"
                if not self._is_kept(name):
                    train_once(self.clock, name, self.data, self.run(model, seed), experiment)

    def trained(self) -> Iterator[tuple[str, int]]:
        """Yield the models and seeds whose training is complete."""
        for model in self.models:
            for seed in self.seeds:
                if f"train {model}, seed {seed}" in self.clock.seconds:
                    yield model, seed

    def score(self) -> None:
        """Score what is trained, and the rows that are not, on every split."""
        for split in self.splits:
            plan = SPLITS[split]
            rules = [item for item in self.trained() if item[0] in RULES]
            for model, seed in self.trained() if plan.all_rows else rules:
                emulator = load_run(self.run(model, seed), torch.float32)
                self._score(split, plan, f"{model}-{seed}", {model: emulator})
                if split == FINER and model in RULES:
                    # as many grids of the training's spacing between each other, instead of rescaled kernels
                    name, other = f"{model}, interleaved", replace(emulator, finer="interleaved")
                    self._score(split, plan, f"{name}-{seed}", {name: other})
            # how far solvers may reach is told by a rule; without one here they are all kept
            if rules or not self.kept:
                for name, emulator in self.rivals(plan).items():
                    self._score(split, plan, name, {name: emulator})

    def rivals(self, plan: Scoring) -> dict[str, Emulator]:
        """Return the rows that no seed decides."""
        members = [load_run(self.run(model, seed)) for model, seed in self.trained() if model in RULES]
        scales = measure_scales(self.data)
        rows = baseline_rows(members, scales)
        if plan.all_rows:
            return {**rows, **tuned_rows(self.data, scales)}
        at_their_price = next(name for name in rows if name.endswith("evaluations"))
        converged = at_their_price.rpartition(", ")[0]
        kept = ("persistence", converged, at_their_price, RESOLUTION_FLOOR)
        return {name: rows[name] for name in kept}

    def _score(self, split: str, plan: Scoring, label: str, emulators: Mapping[str, Emulator]) -> None:
        settings = EvaluationSettings(example_frames=())
        folder = self.folder(split, label)
        anew = split == AGAIN
        data = self.again if anew else self.data

        def cases(names: list[str]) -> Iterator[Case]:
            for case in load_cases(data, names, None, plan.trajectories, settings):
                truth = case.truth[:, : settings.num_given + plan.frames]
                yield replace(case, split=AGAIN if anew else case.split, truth=truth)

        def work() -> None:
            # a rule may not make up a frame of its steps, a solver at its price be unstable on finer cells
            able, reasons = [], []
            for name in expand_splits(data, ["test" if anew else split]):
                try:
                    for case in cases([name]):
                        for row, emulator in emulators.items():
                            bind_to_interval(row, emulator, case, case.context, None)
                    able.append(name)
                except (BadInputError, StabilityError) as error:
                    reasons.append(f"{name}: {error}")
            if able:
                evaluate(cases(able), emulators, settings).save(folder)
            if reasons:
                write_text(folder / CANNOT, "; ".join(reasons) + "\n")

        if not self._is_kept(f"score {label} on {split}"):
            self.clock.once(f"score {label} on {split}", work)

    def _is_kept(self, work: str) -> bool:
        return self.kept is not None and self.kept.has(work)

    def folder(self, split: str, label: str) -> Path:
        """Return where the scores of a row on a split lie."""
        return self.out / "scores" / split / label.replace(" ", "-").replace(",", "")

    def rows(self) -> Iterator[Scored]:
        """Yield all rows that were scored, now or before."""
        own = list(self._own_rows())
        yield from own
        if self.kept:
            yield from self.kept.rows_besides(own)

    def _own_rows(self) -> Iterator[Scored]:
        for name in self.clock.seconds:
            if not name.startswith("score "):
                continue
            label, _, split = name.removeprefix("score ").rpartition(" on ")
            model, _, seed = label.rpartition("-")
            number = int(seed) if model.partition(",")[0] in MODELS else None
            path = self.folder(split, label) / "rows.json"
            for row in load_rows(path) if path.exists() else ():
                yield number, row

    def cannot(self) -> Mapping[str, str]:
        """Return what could not be scored, and why."""
        folder = self.out / "scores"
        return {
            f"{path.parent.name} on {path.parent.parent.name}": path.read_text().strip()
            for path in sorted(folder.glob(f"*/*/{CANNOT}"))
        }

    def write(self) -> None:
        """Write the table, the facts and the page."""
        found = sorted(self.rows(), key=lambda item: list(SPLITS).index(base_of(item[1].split)))
        rows = [item for item in found if item[1].metric in PER_REGIME or item[1].regime == "all"]
        runs = [load_run(self.run(model, seed)) for model, seed in self.trained()]
        before: Mapping[str, Any] = self.kept.facts if self.kept else {}
        facts = {
            "command": "python benchmarks/emulation.py",
            "seeds": self.seeds,
            # of what is kept nothing was done again
            "parameters": {run.name: run.num_parameters for run in runs} | before.get("parameters", {}),
            "settings": {run.name: json.loads(run.settings.to_json()) for run in runs}
            | before.get("settings", {}),
            "splits": {name: vars(plan) for name, plan in SPLITS.items()},
            "data": DATA,
            "cannot": before.get("cannot", {}) | self.cannot(),
            "seconds": self.clock.seconds | before.get("seconds", {}),
            **hardware(self.kept and self.kept.facts, bool(self.clock.seconds)),
        }
        write_rows(RESULTS / "emulation.csv", rows)
        write_text(RESULTS / "emulation.json", json.dumps(facts, indent=1) + "\n")
        write_text(RESULTS / "emulation.md", page(rows, facts))


def base_of(split: str) -> str:
    """Return the name in :data:`SPLITS` of a split, which may be one of a derived family."""
    return max((name for name in SPLITS if split.startswith(name)), key=len)


if __name__ == "__main__":
    main()
