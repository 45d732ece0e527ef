"""The page of the emulation study, drawn from its rows."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from study import Scored, choose, costs, equal_reach, table

WINDOWS = ("1", "6:12", "13:30", "31:100")
TESTS = {
    "test": "Six regimes, 16 starts of each that no model was trained or chosen on.",
    "test_again": "The same regimes and families of starts, drawn once more with another seed after all "
    "models were final: a rule had been given further stages after its scores on `test` were known (what was "
    "kept of them was decided by validation), so this is the split that no design has seen.",
}
"""Splits with tables of their own, regime by regime."""
GOALS = {"1": 0.0005, "6:12": 0.002, "13:30": 0.008, "31:100": 0.03}
FLOOR = "equations, spectral (resolution floor)"
OTHER_METRICS = {
    "well_vrmse": "The Well's VRMSE (mean over frames, fields and trajectories, dead frames included)",
    "range_violation": "Leaving the range of the training data (largest distance in units of that range)",
    "budget_residual": "Budget residual (what the fields' means gain beyond what the equations give them)",
    "diverged": "Share of trajectories with a value that is not finite",
}


def page(rows: Iterable[Scored], facts: Mapping[str, Any]) -> str:
    """Return the page as markdown.

    Arguments:
        rows: of all seeds and splits.
        facts: command, hardware, parameters, seconds.
    """
    items = list(rows)
    pooled = choose(items, metric="pooled_vrmse")
    seeds = {seed for seed, _ in items if seed is not None}
    minutes = sum(facts["seconds"].values()) / 60
    lines = [
        "# Emulating Gray-Scott",
        "",
        f"Made by `{facts['command']}` from `emulation.csv`; {facts['processor']}, {facts['threads']} thread "
        f"each, torch {facts['torch']}; {minutes:.0f} minutes of work, seeds of training "
        f"{', '.join(map(str, sorted(seeds)))}. Recipe `gray-scott-well`: this project's own trajectories by "
        "The Well's protocol, 128 x 128 cells, the first 105 frames, 36 sets of parameters to learn from.",
        "",
        "Pooled VRMSE after four given frames: lower is better, 1 is the spatial mean of every true frame. "
        "Learned models: median over the training seeds, in brackets the smallest and largest. The "
        "*resolution floor* is the spectral solution of the restricted start on the same cells, converged in "
        "time: what these cells alone lose. It is no bound, since other errors may happen to undo it.",
        "",
        *costs(facts),
    ]
    for split in TESTS:
        lines += _like_test(split, choose(pooled, split=split))
    for split in dict.fromkeys(row.split for _, row in pooled):
        if split not in TESTS:
            chosen = choose(pooled, split=split, regime="all")
            lines += ["", f"## `{split}`", "", *table(chosen, WINDOWS)]
    for label, reason in facts["cannot"].items():
        lines += ["", f"No row for {label}: {reason}."]
    splits = list(dict.fromkeys(row.split for _, row in items))
    for metric, title in OTHER_METRICS.items():
        chosen = choose(items, metric=metric, regime="all")
        if chosen:
            lines += ["", f"## {title}", "", *table(chosen, splits, key="split", worst=True)]
    return "\n".join(lines) + "\n"


def _like_test(split: str, own: Sequence[Scored]) -> list[str]:
    if not own:
        return []
    told = [
        "", f"## `{split}`", "", TESTS[split], "", *table(choose(own, regime="all"), WINDOWS),
        "", "### Against the goals", "", *verdicts(own),
    ]  # fmt: skip
    regimes = [name for name in dict.fromkeys(row.regime for _, row in own) if name != "all"]
    for window in WINDOWS:
        chosen = choose(own, window=window)
        if chosen:
            told += ["", f"### Frames {window}, per regime", "", *table(chosen, regimes, key="regime")]
    return told


def verdicts(test: Sequence[Scored]) -> list[str]:
    """Return, window by window, the worst seed's upper bound beside what it was to reach.

    The goal of a window is a number, or 1.5 times the resolution floor where that is higher.
    """
    lines = [
        "The upper end of the 95 % interval (a bootstrap over starts), of the worst seed and of the median "
        f"one. The goal of a window, {', '.join(f'{goal:g} ({name})' for name, goal in GOALS.items())}, is "
        "1.5 times the resolution floor where that is higher; beside it how many seeds reach it, and in how "
        "many regimes the worst seed is below both solvers of equal reach.",
        "",
        "| model | window | worst upper end | median | goal | reached by | regimes below both solvers |",
        "|---|---|---:|---:|---:|---|---|",
    ]
    pooled = choose(test, regime="all")
    learned = dict.fromkeys(row.model for seed, row in pooled if seed is not None)
    regimes = [name for name in dict.fromkeys(row.regime for _, row in test) if name != "all"]
    rivals = equal_reach(test)
    for model in learned:
        for window, number in GOALS.items():
            mine = [row for seed, row in choose(pooled, model=model, window=window) if seed is not None]
            floor = [row.value for _, row in choose(pooled, model=FLOOR, window=window)]
            if not mine or not floor:
                continue
            ends = [math.inf if row.high is None else row.high for row in mine]
            goal = max(number, 1.5 * floor[0])
            below = sum(_below(test, model, rivals, regime, window) for regime in regimes)
            reached = sum(end <= goal for end in ends)
            lines.append(
                f"| {model} | {window} | {max(ends):.3g} | {statistics.median(ends):.3g} | {goal:.3g} | "
                f"{reached} of {len(ends)} seeds | {below} of {len(regimes)} |"
            )
    return lines


def _below(test: Sequence[Scored], model: str, rivals: Sequence[str], regime: str, window: str) -> bool:
    there = choose(test, regime=regime, window=window)
    mine = [row.value for _, row in choose(there, model=model)]
    theirs = [row.value for name in rivals for _, row in choose(there, model=name)]
    if not mine or not theirs or None in mine:
        return False
    return max(mine) < min(value for value in theirs if value is not None)
