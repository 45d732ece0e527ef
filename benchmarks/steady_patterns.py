"""Steady patterns under parameters that vary in space: a rule's equilibria beside stencils and a U-Net.

    python benchmarks/steady_patterns.py --out runs/steady

Generates the data (recipes steady-*), trains the experiment ``steady`` and a one-shot U-Net with every seed,
and lets everything settle from the starts of the test splits. Writes docs/results/steady-patterns.csv (a line
per start), .json and .md. Resumable. ``--page`` only draws again.
"""

import argparse
import csv
import json
import math
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from steady_page import page
from study import RESULTS, Clock
from torch import Tensor

from pdenca.core import write_text
from pdenca.datasets import RECIPES, generate, load_split
from pdenca.solvers import find_steady_state
from pdenca.solvers.derivatives import StencilDerivatives
from pdenca.tasks.emulation import environment, load_experiment, load_run, train_emulator
from pdenca.tasks.steady import Pattern, SettleSettings, steady_of_rule
from pdenca.tasks.steady.of_rule import equation_of, reference_rates
from pdenca.tasks.steady.one_shot import one_shot_errors, train_one_shot
from pdenca.tasks.training_data import measure_scales
from pdenca.tasks.validation import pooled_squares

FIELDS = ("schnakenberg", "gray-scott")
"""Recipes steady-... in which a parameter varies in space."""
SETTINGS: Mapping[str, Mapping[str, str]] = {"schnakenberg": {}, "gray-scott": {"stages.2.map_steps": "100"}}
SPLITS = ("test", "ood_params", "ood_bc", "ood_ic", "ood_domain")
APART = ("ood_domain",)  # generated into a folder of their own
CONTROL = "gray-scott-torus"
SOLVER = "equation"
NUM_COMPARED = 3  # starts from which the first seed's rule rolls out alone, too
LONGER = 5.0  # times as long may the roll-out alone take
STAGES = 4  # evaluations of the rate in a step of etdrk4, which marches
STENCILS = ("order-2", "order-4", "order-6")
NETWORK = {"stages.0.num_windows": "24", "stages.0.num_steps": "600", "stages.0.validate_every": "30"}
SEARCH = {
    "schnakenberg": SettleSettings(max_time=2000.0),
    "gray-scott": SettleSettings(max_time=12_000.0),
}
COLUMNS = ("equation", "split", "model", "seed", *Pattern.__dataclass_fields__)


def main() -> None:
    """Read the options, do what is left to do, write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/steady"), help="data, runs and scores")
    parser.add_argument("--equations", default=",".join(FIELDS), help="some of " + ", ".join(FIELDS))
    parser.add_argument("--seeds", default="0,1,2", help="training seeds")
    parser.add_argument("--page", action="store_true", help="only draw the page from the table again")
    options = parser.parse_args()
    torch.set_num_threads(1)
    study = Study(options.out, options.equations.split(","), [int(text) for text in options.seeds.split(",")])
    if not options.page:
        study.work()
    study.write()


class Study:
    """The pieces of work and where their results lie."""

    def __init__(self, out: Path, equations: list[str], seeds: list[int]) -> None:
        self.out, self.equations, self.seeds = out, equations, seeds
        self.clock = Clock(out / "seconds.json")

    def work(self) -> None:
        """Do what is not done yet: data, rivals, rules, equation by equation."""
        for equation in self.equations:
            data = self.out / equation
            kept = ("train", "valid", *(name for name in SPLITS if name not in APART))
            recipe = RECIPES[f"steady-{equation}"].parse({"splits": kept, "num_grid_trajectories": 8})
            self.clock.once(f"generate {equation}", partial(generate, recipe, data))
            larger = RECIPES[f"steady-{equation}"].parse({"splits": APART})
            self.clock.once(f"generate {equation}, larger", partial(generate, larger, self.apart(data)))
            std = torch.tensor(measure_scales(data).field_std, dtype=torch.float64)
            for split in SPLITS:
                for stencil in STENCILS:
                    rows = partial(stencil_rows, self.place(data, split), split, stencil, std)
                    self._score(equation, split, stencil, None, rows)
            rows = partial(solver_rows, data, LONGER * SEARCH[equation].max_time, std)
            self._score(equation, "test", SOLVER, None, rows)
            for seed in self.seeds:
                self._train_and_score(equation, data, seed)

    def _train_and_score(self, equation: str, data: Path, seed: int) -> None:
        rule, network = (self.out / "runs" / equation / f"{name}-{seed}" for name in ("rule", "u-net"))
        experiment = load_experiment("steady", {"seed": str(seed), **SETTINGS[equation]})
        one_shot = load_experiment("unet", {"seed": str(seed), **NETWORK})
        self.clock.once(
            f"train u-net, {equation}, seed {seed}",
            partial(train_one_shot, data, network, one_shot, resume=True),
        )
        self.clock.once(
            f"train rule, {equation}, seed {seed}",
            partial(train_emulator, data, rule, experiment, resume=True),
        )
        for split in SPLITS:
            # the training is complete, so it is only read
            there, search = self.place(data, split), SEARCH[equation]
            answers = partial(network_rows, data, network, one_shot, there, split)
            self._score(equation, split, "u-net", seed, answers)
            # rolling out takes longer than all the rest
            compare = split == "test" and seed == self.seeds[0]
            self._score(
                equation, split, "rule", seed, partial(rule_rows, there, rule, split, search, compare)
            )

    def apart(self, data: Path) -> Path:
        """Return where the splits of another size lie."""
        return data.with_name(f"{data.name}-larger")

    def place(self, data: Path, split: str) -> Path:
        """Return where a split lies."""
        return self.apart(data) if split in APART else data

    def _score(self, equation: str, split: str, model: str, seed: int | None, rows: Any) -> None:
        path = self.path(equation, split, model, seed)
        name = f"score {path.stem}"
        self.clock.once(name, lambda: write_text(path, json.dumps([vars(item) for item in rows()])))

    def path(self, equation: str, split: str, model: str, seed: int | None) -> Path:
        """Return where the rows of a model on a split lie."""
        return self.out / "scores" / f"{equation} {split} {model} {'' if seed is None else seed}.json"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each start of everything that was scored."""
        for equation in FIELDS:
            for split in SPLITS:
                for model in ("rule", SOLVER, *STENCILS, "u-net"):
                    for seed in (None, *self.seeds):
                        path = self.path(equation, split, model, seed)
                        if path.is_file():
                            place = {"equation": equation, "split": split, "model": model, "seed": seed}
                            yield from ({**place, **row} for row in json.loads(path.read_text()))

    def write(self) -> None:
        """Write the table, the facts and the page."""
        rows = list(self.rows())
        facts = {
            "command": "python benchmarks/steady_patterns.py",
            "seeds": self.seeds,
            "settings": json.loads(load_experiment("steady").to_json()),
            "search": {name: json.loads(value.to_json()) for name, value in SEARCH.items()},
            "seconds": self.clock.seconds,
            **environment(),
        }
        with (RESULTS / "steady-patterns.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            for row in rows:
                writer.writerow({key: _short(value) for key, value in row.items()})
        write_text(RESULTS / "steady-patterns.json", json.dumps(facts, indent=1) + "\n")
        write_text(RESULTS / "steady-patterns.md", page(rows, facts))


def rule_rows(data: Path, run: Path, split: str, search: SettleSettings, compare: bool) -> list[Pattern]:
    """Let a rule settle from every start of a split; also roll out alone from the first few of them."""
    patterns = list(steady_of_rule(load_run(run), data, split, settings=search).patterns)
    if compare:
        longer = search.replace(max_time=LONGER * search.max_time)
        few = steady_of_rule(
            load_run(run), data, split, settings=longer, num_trajectories=NUM_COMPARED, compare_rollout=True
        )
        told = {pattern.name: pattern for pattern in few.patterns}
        patterns = [told.get(pattern.name, pattern) for pattern in patterns]
    return patterns


def network_rows(data: Path, run: Path, settings: Any, place: Path, split: str) -> list[Pattern]:
    """Ask a network trained on ``data`` for the pattern of every start of a split."""
    model = train_one_shot(data, run, settings, resume=True)
    errors = one_shot_errors(model, place, split, measure_scales(data))
    return [
        Pattern(name=str(row), verdict="undecided", reason="one shot", rate=math.nan, error=float(error))
        for row, error in enumerate(errors)
    ]


def stencil_rows(data: Path, split: str, stencil: str, std: Tensor) -> list[Pattern]:
    """Solve the true equations with a stencil from every steady state of a split: where it moves them."""
    rows = []
    for header, frames in load_split(data, split):
        kept = torch.tensor(header.settled)
        context = {name: value[kept].double() for name, value in header.context(len(frames)).items()}
        target = frames[kept, -1].double()
        equation = equation_of(header, context)
        assert equation is not None
        step = json.loads(header.provenance["settings"])["time_step"]
        began = time.perf_counter()
        found = find_steady_state(
            equation,
            header.grid,
            target,
            time_step=step,
            max_time=2000 * step,
            tolerance=1e-9,
            derivatives=StencilDerivatives(header.grid, stencil),
            newton_below=1.0,
        )
        seconds = time.perf_counter() - began
        errors = pooled_squares(found.state - target, target, std).sqrt()
        rates = reference_rates(equation, header.grid, found.state)
        rows += [
            Pattern(
                name=f"{header.regime}/{row}",
                verdict="undecided" if found.converged[row] else "unsettled",
                reason=f"{found.reasons[row]}; {seconds:.1f} s for {len(target)}",
                rate=float(found.relative_rate[row]),
                reference_rate=float(rates[row]),
                error=float(errors[row]),
            )
            for row in range(len(target))
        ]
    return rows


def solver_rows(data: Path, max_time: float, std: Tensor) -> list[Pattern]:
    """Let the reference solver find the steady state from every start, and tell what it took."""
    rows = []
    for header, frames in load_split(data, "test"):
        context = {name: value.double() for name, value in header.context(len(frames)).items()}
        equation = equation_of(header, context)
        assert equation is not None
        step = json.loads(header.provenance["settings"])["time_step"]
        found = find_steady_state(
            equation, header.grid, frames[:, 0].double(), time_step=step, max_time=max_time, tolerance=1e-8
        )
        errors = pooled_squares(found.state - frames[:, -1].double(), frames[:, -1].double(), std).sqrt()
        rows += [
            Pattern(
                name=f"{header.regime}/{row}",
                verdict="undecided" if found.converged[row] else "unsettled",
                reason=found.reasons[row],
                rate=float(found.relative_rate[row]),
                reference_rate=float(found.relative_rate[row]),
                error=float(errors[row]),
                evaluations=STAGES * float(found.time[row]) / step,
                products=float(found.products[row]),
                time=float(found.time[row]),
            )
            for row in range(len(frames))
        ]
    return rows


def _short(value: Any) -> Any:
    return f"{value:.5g}" if isinstance(value, float) else value


if __name__ == "__main__":
    main()
