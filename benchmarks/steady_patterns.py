"""Steady patterns under parameters that vary in space: a rule's equilibria beside stencils and a U-Net.

    python benchmarks/steady_patterns.py --out runs/steady

Generates the data (recipes steady-*), trains the experiment ``steady`` with every seed, beside it a rule
whose reaction is a network, the same rule with unrolled training in place of the implicit gradient, and a
one-shot U-Net, and lets everything settle from the starts of the test splits; then the pretrained rule on a
torus, where some regimes never settle. Writes docs/results/steady-patterns.csv (a line per start), .json and
.md. Resumable; processes for different equations may run side by side. ``--keep`` leaves what the committed
table has already as it is and measures the rest, so that one equation can be done again without the others.
``--page`` only draws again.
"""

import argparse
import copy
import csv
import json
import math
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from steady_page import page, read_patterns
from steady_rows import (
    LONGER,
    control_rows,
    held_rows,
    network_rows,
    rule_rows,
    search_cost,
    solver_rows,
    stencil_rows,
    time_step_of,
    training_cost,
)
from study import RESULTS, Clock, hardware

from pdenca.core import write_text
from pdenca.datasets import RECIPES, generate
from pdenca.tasks.emulation import load_experiment, train_emulator
from pdenca.tasks.settings import EmulationSettings
from pdenca.tasks.stage_settings import StageSettings
from pdenca.tasks.steady import Pattern, SettleSettings
from pdenca.tasks.steady.one_shot import train_one_shot
from pdenca.tasks.training_data import measure_scales
from pdenca.tasks.training_record import kept_score

FIELDS = ("schnakenberg", "gray-scott")
"""Recipes steady-... in which a parameter varies in space."""
CONTROL = "control"
REGIMES = ("maze", "spots", "bubbles", "gliders", "spirals")
SPLITS = ("test", "ood_bc", "ood_ic", "ood_domain", "ood_rotation_90", "ood_params")
APART = ("ood_domain",)  # generated into a folder of their own
TURNED = "ood_rotation_90"  # made from test
SOLVER = "equation"
STENCILS = ("order-2", "order-4", "order-6")
NETWORK = {"stages.0.num_windows": "24", "stages.0.num_steps": "600", "stages.0.validate_every": "30"}
MLP = {
    "model.rule": "affine-mlp",
    "stages.0.noise": "0.001",
    "stages.1.noise": "0.01",  # with less its checkerboards grow
    "stages.1.num_steps": "8",
    "stages.1.validate_every": "4",
    "stages.2.num_steps": "6",
    "stages.2.validate_every": "3",
}
UNROLLED = (25, 8, 2)  # frames, the longest first
ALONE = "pairs"  # the rule before its last stage
HELD = "rule, held"
SEARCH = {
    "schnakenberg": SettleSettings(max_time=2000.0),
    "gray-scott": SettleSettings(max_time=12_000.0, patience=300, max_evaluations=1000),
}
STARTS = {"schnakenberg": None, "gray-scott": 8}
"""How many of each file; None for all: Gray-Scott's take minutes each."""
RULE_ONLY = ("gray-scott",)
"""Where rule and solvers are searched on the test split alone, without variants, for the same reason."""
COLUMNS = ("equation", "split", "model", "seed", *Pattern.__dataclass_fields__)


def main() -> None:
    """Read the options, do what is left to do, write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/steady"), help="data, runs and scores")
    parser.add_argument(
        "--equations", default=",".join((*FIELDS, CONTROL)), help="some of " + ", ".join((*FIELDS, CONTROL))
    )
    parser.add_argument("--seeds", default="0,1,2", help="training seeds")
    parser.add_argument(
        "--keep", action="store_true", help="keep the rows that the committed table has, measure the others"
    )
    parser.add_argument("--page", action="store_true", help="only draw the page from the table again")
    options = parser.parse_args()
    torch.set_num_threads(1)
    study = Study(
        options.out,
        options.equations.split(","),
        [int(text) for text in options.seeds.split(",")],
        Committed() if options.keep or options.page else None,
    )
    if not options.page:
        study.work()
    study.write()


Place = tuple[str, str, str, int | None]
"""Equation, split, model and training seed of a group of rows."""


class Committed:
    """What the committed table and its facts hold."""

    def __init__(self) -> None:
        self.rows: dict[Place, list[dict[str, Any]]] = {}
        for row in read_patterns(RESULTS / "steady-patterns.csv"):
            seed = None if math.isnan(row["seed"]) else int(row["seed"])
            place = (row["equation"], row["split"], row["model"], seed)
            self.rows.setdefault(place, []).append({**row, "seed": seed})
        self.facts = json.loads((RESULTS / "steady-patterns.json").read_text())


class Study:
    """The pieces of work and where their results lie."""

    def __init__(self, out: Path, equations: list[str], seeds: list[int], kept: Committed | None) -> None:
        self.out, self.equations, self.seeds, self.kept = out, equations, seeds, kept
        self.clocks = {name: Clock(out / f"seconds-{name}.json") for name in (*FIELDS, CONTROL)}

    def work(self) -> None:
        """Do what is not done yet: data, rivals, rules, equation by equation; the control."""
        for equation in self.equations:
            if equation == CONTROL:
                for regime in REGIMES:
                    if not self._is_kept((CONTROL, regime, "rule", None)):
                        path = self.path(CONTROL, regime, "all", None)
                        self._once(equation, regime, path, partial(_control, regime))
                continue
            data = self.out / equation
            kept = ("train", "valid", *(name for name in SPLITS if name not in (*APART, TURNED)))
            recipe = RECIPES[f"steady-{equation}"].parse({"splits": kept, "num_grid_trajectories": 8})
            self.clocks[equation].once("generate", partial(generate, recipe, data))
            larger = RECIPES[f"steady-{equation}"].parse({"splits": APART})
            self.clocks[equation].once("generate, larger", partial(generate, larger, self.apart(data)))
            self._rules(equation, data)
            self._solvers(equation, data)
            for seed in self.seeds:
                run = self._run(equation, "rule", seed)
                rows = partial(held_rows, data, run, "test", SEARCH[equation], STARTS[equation])
                if run.is_dir():
                    self._score(equation, "test", HELD, seed, rows)
            if equation not in RULE_ONLY:
                self._other_splits(equation, data)
                self._other_models(equation, data)

    def _solvers(self, equation: str, data: Path) -> None:
        std = torch.tensor(measure_scales(data).field_std, dtype=torch.float64)
        for split in ("test",) if equation in RULE_ONLY else SPLITS:
            if split != TURNED:  # which solvers do not notice
                place = self.place(data, split)
                step = time_step_of(place, split)
                for stencil in STENCILS:
                    self._score(
                        equation,
                        split,
                        stencil,
                        None,
                        partial(
                            stencil_rows,
                            place,
                            split,
                            stencil,
                            std,
                            step,
                            SEARCH[equation].max_time,
                            STARTS[equation],
                        ),
                    )
        longest = LONGER * SEARCH[equation].max_time
        rows = partial(solver_rows, data, longest, std, time_step_of(data, "test"), STARTS[equation])
        self._score(equation, "test", SOLVER, None, rows)

    @staticmethod
    def _experiments(seed: int) -> dict[str, EmulationSettings]:
        """Return what is trained: the rule; without its last stage; that stage unrolled; a network's rule."""
        rule = load_experiment("steady", {"seed": str(seed)})
        last = rule.stages[-1]
        found = {ALONE: rule.replace(stages=rule.stages[:-1]), "rule": rule}
        for horizon in UNROLLED:
            unrolled = StageSettings(
                objective="rollout",
                fitter="first-order",
                horizon=horizon,
                early_share=0.0,
                **{
                    name: getattr(last, name)
                    for name in (
                        "num_steps",
                        "validate_every",
                        "batch_size",
                        "optimizer",
                        "learning_rate",
                        "schedule",
                        "gradient",
                    )
                },
            )
            found[f"unrolled, {horizon * rule.model.steps_per_frame} steps"] = rule.replace(
                stages=(*rule.stages[:-1], unrolled)
            )
        return {**found, "mlp": load_experiment("steady", {"seed": str(seed), **MLP})}

    def _rules(self, equation: str, data: Path) -> None:
        for seed in self.seeds:
            for model in (ALONE, "rule"):
                self._train(equation, data, model, seed)
            # rolling out takes longer than all the rest
            self._score_rule(equation, "test", "rule", seed, compare=seed == self.seeds[0])
            self._network(equation, data, seed)
        cost = partial(search_cost, data, self._run(equation, "rule", self.seeds[0]), SEARCH[equation])
        if not (self.kept and equation in self.kept.facts["searches"]):
            path = self.out / "scores" / f"{equation} search.json"
            self._once(equation, "cost of a search", path, cost)

    def _other_splits(self, equation: str, data: Path) -> None:
        for split in SPLITS[1:]:
            for seed in self.seeds:
                self._score_rule(equation, split, "rule", seed)

    def _other_models(self, equation: str, data: Path) -> None:
        # what says least comes last
        for model in sorted(self._experiments(0), key=lambda name: name == ALONE):
            for seed in self.seeds:
                if model != "rule" and not self._is_kept((equation, "test", model, seed)):
                    self._train(equation, data, model, seed)
                    self._score_rule(equation, "test", model, seed)
            known = self.kept.facts["costs"].get(equation, {}) if self.kept else {}
            if model not in (ALONE, "mlp", *known):
                path = self.out / "scores" / f"{equation} cost {model}.json"
                cost = partial(training_cost, data, self._experiments(0)[model])
                self._once(equation, f"cost {model}", path, cost)

    def _network(self, equation: str, data: Path, seed: int) -> None:
        run, settings = (
            self._run(equation, "u-net", seed),
            load_experiment("unet", {"seed": str(seed), **NETWORK}),
        )
        train = partial(train_one_shot, data, run, settings, resume=True)
        self.clocks[equation].once(f"train u-net, seed {seed}", train)
        for split in SPLITS:
            answers = partial(
                network_rows, data, run, settings, self.place(data, split), split, STARTS[equation]
            )
            self._score(equation, split, "u-net", seed, answers)

    def _train(self, equation: str, data: Path, model: str, seed: int) -> None:
        run, before = (self._run(equation, name, seed) for name in (model, ALONE))
        if model not in (ALONE, "mlp") and not run.exists():
            shutil.copytree(before, run)  # they differ in the last stage only
        train = partial(train_emulator, data, run, self._experiments(seed)[model], resume=True)
        self.clocks[equation].once(f"train {model}, seed {seed}", train)

    def _score_rule(self, equation: str, split: str, model: str, seed: int, compare: bool = False) -> None:
        data, run = self.place(self.out / equation, split), self._run(equation, model, seed)
        rows = partial(rule_rows, data, run, split, SEARCH[equation], STARTS[equation], compare)
        self._score(equation, split, model, seed, rows)

    def _run(self, equation: str, model: str, seed: int) -> Path:
        return self.out / "runs" / equation / f"{model}-{seed}"

    def apart(self, data: Path) -> Path:
        """Return where the splits of another size lie."""
        return data.with_name(f"{data.name}-larger")

    def place(self, data: Path, split: str) -> Path:
        """Return where a split lies."""
        return self.apart(data) if split in APART else data

    def _score(self, equation: str, split: str, model: str, seed: int | None, rows: Any) -> None:
        path = self.path(equation, split, model, seed)
        if not self._is_kept((equation, split, model, seed)):
            self._once(equation, f"score {path.stem}", path, lambda: [vars(item) for item in rows()])

    def _is_kept(self, place: Place) -> bool:
        return self.kept is not None and place in self.kept.rows

    def _once(self, equation: str, name: str, path: Path, made: Callable[[], Any]) -> None:
        self.clocks[equation].once(name, lambda: write_text(path, json.dumps(made())))

    def path(self, equation: str, split: str, model: str, seed: int | None) -> Path:
        """Return where the rows of a model on a split lie."""
        return self.out / "scores" / f"{equation} {split} {model} {'' if seed is None else seed}.json"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each start of everything that was scored."""
        models = (
            "rule",
            HELD,
            SOLVER,
            *STENCILS,
            "u-net",
            *(name for name in self._experiments(0) if name != "rule"),
        )
        for equation in FIELDS:
            for split in SPLITS:
                for model in models:
                    for seed in (None, *self.seeds):
                        path = self.path(equation, split, model, seed)
                        if path.is_file():
                            place = {"equation": equation, "split": split, "model": model, "seed": seed}
                            yield from ({**place, **row} for row in json.loads(path.read_text()))
                        elif self.kept:
                            yield from self.kept.rows.get((equation, split, model, seed), ())
        for regime in REGIMES:
            path = self.path(CONTROL, regime, "all", None)
            if path.is_file():
                for model, row in json.loads(path.read_text()):
                    yield {"equation": CONTROL, "split": regime, "model": model, "seed": None, **row}
            elif self.kept:
                for model in ("rule", SOLVER):
                    yield from self.kept.rows.get((CONTROL, regime, model, None), ())

    def costs(self) -> dict[str, dict[str, Any]]:
        """Return what a gradient costs, by equation and model."""
        found: dict[str, dict[str, Any]] = copy.deepcopy(self.kept.facts["costs"]) if self.kept else {}
        for path in sorted((self.out / "scores").glob("* cost *.json")):
            equation, model = path.stem.split(" cost ")
            found.setdefault(equation, {})[model] = json.loads(path.read_text())
        return found

    def validation(self) -> dict[str, dict[str, list[float]]]:
        """Return the validation error of what was kept of every run, by equation and model, seed by seed."""
        found: dict[str, dict[str, list[float]]] = (
            copy.deepcopy(self.kept.facts["validation"]) if self.kept else {}
        )
        for equation in FIELDS:
            for model in self._experiments(0):
                errors = found.get(equation, {}).get(model, [])
                # seed by seed: what the committed facts lack is read from the runs
                for seed in self.seeds[len(errors) :]:
                    if f"train {model}, seed {seed}" not in self.clocks[equation].seconds:
                        break
                    errors.append(kept_score(self._run(equation, model, seed))[0])
                if errors:
                    found.setdefault(equation, {})[model] = errors
        return found

    def again(self) -> dict[str, dict[str, Any]]:
        """Return which rows were measured with rules that were trained again, and how good these are."""
        found: dict[str, dict[str, Any]] = (
            copy.deepcopy(self.kept.facts.get("again", {})) if self.kept else {}
        )
        for equation in self.kept.facts["validation"] if self.kept else ():
            runs = [self._run(equation, "rule", seed) for seed in self.seeds]
            rows = [path.stem for path in (self.out / "scores").glob(f"{equation} * [rpum]*.json")]
            names = [row.removeprefix(f"{equation} ") for row in rows if " cost " not in row]
            older = any(
                place[0] == equation and place[2] == "rule" and not self.path(*place).is_file()
                for place in (self.kept.rows if self.kept else ())
            )
            if names and older and all(run.is_dir() for run in runs):
                errors = [kept_score(run)[0] for run in runs]
                found[equation] = {"validation": errors, "rows": sorted(names)}
        return found

    def searches(self) -> dict[str, Any]:
        """Return what the search of one start costs, by equation."""
        paths = {equation: self.out / "scores" / f"{equation} search.json" for equation in FIELDS}
        known = dict(self.kept.facts["searches"]) if self.kept else {}
        return known | {name: json.loads(path.read_text()) for name, path in paths.items() if path.is_file()}

    def write(self) -> None:
        """Write the table, the facts and the page."""
        rows = list(self.rows())
        facts = {
            "command": "python benchmarks/steady_patterns.py",
            "seeds": self.seeds,
            "settings": json.loads(load_experiment("steady").to_json()),
            "search": {name: json.loads(value.to_json()) for name, value in SEARCH.items()},
            "costs": self.costs(),
            "searches": self.searches(),
            "validation": self.validation(),
            "again": self.again(),
            "starts": STARTS,
            "seconds": (self.kept.facts["seconds"] if self.kept else {})
            | {
                f"{name}: {key}": value
                for name, clock in self.clocks.items()
                for key, value in clock.seconds.items()
            },
            **hardware(self.kept and self.kept.facts, any(clock.seconds for clock in self.clocks.values())),
        }
        with (RESULTS / "steady-patterns.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            for row in rows:
                writer.writerow({key: _short(value) for key, value in row.items()})
        write_text(RESULTS / "steady-patterns.json", json.dumps(facts, indent=1) + "\n")
        write_text(RESULTS / "steady-patterns.md", page(rows, facts))


def _control(regime: str) -> list[tuple[str, dict[str, Any]]]:
    return [(model, vars(pattern)) for model, pattern in control_rows(regime)]


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.5g}"
    return value


if __name__ == "__main__":
    main()
