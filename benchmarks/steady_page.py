"""The page of the study of steady patterns, drawn from its table."""

import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[Mapping[str, Any]]
RECIPES = {
    "schnakenberg": "Recipe `steady-schnakenberg` (a supply that varies in space)",
    "gray-scott": "recipe `steady-gray-scott` (a feed rate that does)",
}
SPLITS = {
    "test": "other starts and fields of the training families",
    "ood_params": "fields of other families: a ramp, a disc",
    "ood_bc": "a torus instead of walls",
    "ood_ic": "another family of starts",
    "ood_domain": "twice the side",
    "ood_rotation_90": "`test`, starts, fields and patterns turned by a quarter",
}
CONTROL = "control"


def page(rows: Rows, facts: Mapping[str, Any]) -> str:
    """Return the page as markdown."""
    fields = [row for row in rows if row["equation"] != CONTROL]
    recipes = " and ".join(RECIPES[name] for name in dict.fromkeys(row["equation"] for row in fields))
    lines = [
        "# Steady patterns",
        "",
        f"Made by `{facts['command']}` from `steady-patterns.csv`; {facts['processor']}, {facts['threads']} "
        f"thread beside other programs, torch {facts['torch']}; {sum(facts['seconds'].values()) / 60:.0f} "
        f"minutes of work. {recipes}, 32 x 32 cells "
        "between walls. Training seeds: "
        f"{', '.join(sorted({str(row['seed']) for row in rows if row['seed'] is not None}))}.",
        "",
        "*rule*: the experiment `steady`, which settles from the first frame. *rule, held*: from the true "
        "steady state instead, as the stencils do. *pairs*: without its last "
        "stage, the implicit gradient. *unrolled, n steps*: with so many gradients through n automaton "
        "steps in its place. *mlp*: the same with a network for the reaction, which is not told that it is "
        "a polynomial. *order-n*: the true equations with stencils of that order, converged from the true "
        "steady state. *equation*: the reference solver, etdrk4 and Newton-Krylov with exact derivatives, "
        "from the same starts; it made the targets too. *u-net*: start and field to the pattern in one "
        "shot. Error: root mean square over the true pattern's standard deviation, median over the starts "
        "that stay finite; of learned models the median of the seeds [smallest, largest]. *near*: share of "
        "starts with an error below 0.1; what settles elsewhere is another pattern, as steady. *residual*: "
        "relative rate of change under the equation with exact derivatives, median (1/time). *structure*: "
        "share of the variance that sits at other wavelengths than in the data's pattern, median; the table "
        "has distances of covered area and of values, too. *undecided*: "
        "an equilibrium whose stability was not asked for, or not told. A model without a row on a "
        "split was not measured there.",
        "",
    ]
    for equation in dict.fromkeys(row["equation"] for row in fields):
        lines += [f"## {equation}", ""]
        most = facts.get("starts", {}).get(equation)
        if most is not None:
            lines += [f"The first {most} starts of every file: the search takes minutes for each.", ""]
        for split, meaning in SPLITS.items():
            chosen = [row for row in fields if (row["equation"], row["split"]) == (equation, split)]
            if any(row["model"] == "rule" for row in chosen):
                lines += [f"### `{split}`: {meaning}", "", *quality(chosen), ""]
                if split == "test":
                    for cost in (
                        _cost([row for row in chosen if row["model"] == "rule"]),
                        _solver_cost(chosen),
                        _seconds(facts.get("searches", {}).get(equation)),
                        _validation(facts.get("validation", {}).get(equation, {})),
                        _again(facts.get("again", {}).get(equation)),
                        _training_cost(facts.get("costs", {}).get(equation, {})),
                    ):
                        lines += [*cost, ""] if cost else []
    return "\n".join(lines + _control([row for row in rows if row["equation"] == CONTROL])).rstrip() + "\n"


def _seconds(cost: Mapping[str, float] | None) -> list[str]:
    """Return what one start takes in seconds."""
    if cost is None:
        return []
    return [
        f"In seconds, for the first start alone: the search {cost['search']:.2g} ({cost['evaluations']:g} "
        f"evaluations, {cost['products']:g} products), the leading eigenvalues of the pattern that it finds "
        f"{cost['stability']:.2g}, a thousand evaluations of a roll-out {1000 * cost['step']:.2g}, the "
        f"reference solver {cost['reference']:.2g} (marched for {cost['reference_time']:g} time units). Peak "
        f"memory of the process {cost['memory'] / 1e6:.0f} MB.",
    ]


def _validation(errors: Mapping[str, Sequence[float]]) -> list[str]:
    """Return what training chose by."""
    told = "; ".join(
        f"{model} {', '.join(f'{value:.3g}' for value in values)}" for model, values in errors.items()
    )
    if not told:
        return []
    return [
        "The error by which models were chosen (where they are a hundred frames after the true steady states "
        f"of the validation split), seed by seed: {told}. A run whose last stage made it no better kept what "
        "it had before, as `pairs`."
    ]


def _again(told: Mapping[str, Any] | None) -> list[str]:
    """Return which rows are of other rules than the rest."""
    if told is None:
        return []
    errors = ", ".join(f"{value:.3g}" for value in told["validation"])
    return [
        "On another processor rounding leads the same training elsewhere. These rows were measured later, "
        f"with models trained again by the same seeds (rule: {errors}): {'; '.join(told['rows'])}.",
    ]


def _training_cost(costs: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return what one gradient of the last stage takes, implicit and unrolled."""
    if not costs:
        return []
    lines = [
        "One gradient of the last stage:",
        "",
        "| model | kept by autograd, MB | seconds |",
        "|---|---:|---:|",
    ]
    order = sorted(costs, key=lambda name: costs[name]["bytes"] if name != "rule" else -1)
    return lines + [
        f"| {name} | {costs[name]['bytes'] / 1e6:.3g} | {costs[name]['seconds']:.2g} |" for name in order
    ]


def _control(rows: Rows) -> list[str]:
    """Return what was said where patterns settle, and where none does."""
    if not rows:
        return []
    lines = [
        "## The negative control",
        "",
        "Gray-Scott on a torus of 48 x 48 cells, the pretrained rule and the equation from the same four "
        "starts for at most 4,000 time units. In the first three regimes patterns come to rest, mazes and "
        "spots much later than that; in the last two none ever does: whoever says *steady* there is wrong. "
        "The rule was trained on maze, gliders and spirals; the feed rate of bubbles is five times as high "
        "as any that it has seen.",
        "",
        "| regime | rule | equation |",
        "|---|---|---|",
    ]
    for regime in dict.fromkeys(row["split"] for row in rows):
        cells = []
        for model in ("rule", "equation"):
            own = [r["verdict"] for r in rows if (r["split"], r["model"]) == (regime, model)]
            cells.append(", ".join(f"{own.count(name)} {name}" for name in sorted(set(own))))
        lines.append(f"| {regime} | {' | '.join(cells)} |")
    return lines


def read_patterns(path: Path) -> list[dict[str, Any]]:
    """Read the committed table: numbers as numbers, NaN where there is none."""
    texts = ("equation", "split", "model", "name", "verdict", "reason")
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {
                key: value if key in texts else float(value) if value else math.nan
                for key, value in line.items()
            }
            for line in csv.DictReader(file)
        ]


def quality(rows: Rows) -> list[str]:
    """Return the table of errors, residuals and verdicts, a line per model."""
    lines = ["| model | error | near | residual | structure | verdicts |", "|---|---:|---:|---:|---:|---|"]
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model]
        seeds = list(dict.fromkeys(str(row["seed"]) for row in own))
        groups = [[row for row in own if str(row["seed"]) == seed] for seed in seeds]
        near = [_share([_is_near(row) for row in group if _is_judged(row)]) for group in groups]
        counts = {name: sum(row["verdict"] == name for row in own) for name in {r["verdict"] for r in own}}
        verdicts = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
        lines.append(
            f"| {model} | {_spread([_median(g, 'error') for g in groups])} | {_spread(near)} | "
            f"{_spread([_median(g, 'reference_rate') for g in groups])} | "
            f"{_spread([_median(g, 'structure_distance') for g in groups])} | "
            f"{'' if model == 'u-net' else verdicts} |"
        )
    return lines


def _cost(rows: Rows) -> list[str]:
    """Return how much the search cost beside rolling the same rule out to the same residual."""
    compared = [
        row for row in rows if _known(row["rollout_evaluations"]) or row["rollout_evaluations"] == math.inf
    ]
    if not compared:
        return []
    settled = [
        row for row in compared if row["verdict"] == "steady" and math.isfinite(row["rollout_evaluations"])
    ]
    ratios = [row["rollout_evaluations"] / (row["evaluations"] + row["products"]) for row in settled]
    apart = [row["rollout_error"] for row in settled]
    return [
        "Rolling the rule of the first seed out alone, from the same starts to the same residual: "
        f"{len(settled)} of "
        f"{len(compared)} come to rest both ways. The roll-out takes {_of(ratios)} times as many evaluations "
        "as the search with its products (median, [smallest, largest]); the two end "
        f"{_of(apart)} apart, {sum(value < 0.01 for value in apart)} of {len(apart)} within 0.01.",
    ]


def _solver_cost(rows: Rows) -> list[str]:
    """Return what the reference solver took for the same starts."""
    lines = []
    for model, name in (("rule", "The search on the rule"), ("equation", "The reference solver")):
        own = [row for row in rows if row["model"] == model and row["verdict"] in ("steady", "undecided")]
        if own:
            evaluations, products = (_of([row[key] for row in own]) for key in ("evaluations", "products"))
            what = "the rule" if model == "rule" else "the equation's rate"
            lines.append(
                f"{name} takes {evaluations} evaluations of {what} and {products} products with its Jacobian."
            )
    return [" ".join(lines)]


def _of(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{statistics.median(values):.3g} [{min(values):.3g}, {max(values):.3g}]"


def _spread(values: Sequence[float]) -> str:
    known = [value for value in values if _known(value)]
    if not known:
        return ""
    return _of(known) if len(known) > 1 else f"{known[0]:.3g}"


def _median(rows: Rows, key: str) -> float:
    known = [row[key] for row in rows if _known(row.get(key))]
    return statistics.median(known) if known else math.nan


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else math.nan


def _is_judged(row: Mapping[str, Any]) -> bool:
    """Whether there is a true steady state to compare with."""
    return _known(row["error"]) or row["verdict"] == "not finite"


def _is_near(row: Mapping[str, Any]) -> bool:
    return row["verdict"] != "not finite" and row["error"] < 0.1


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
