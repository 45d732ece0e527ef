"""The page of the emulation study, drawn from its rows."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from study import Scored, choose, costs, equal_reach, table

WINDOWS = ("1", "6:12", "13:30", "31:100")
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
    minutes = sum(facts["seconds"].values()) / 60
    test = choose(pooled, split="test")
    lines = [
        "# Emulating Gray-Scott",
        "",
        f"Made by `{facts['command']}` from `emulation.csv`; {facts['processor']}, {facts['threads']} thread "
        f"each, torch {facts['torch']}; {minutes:.0f} minutes of work. Recipe `gray-scott-well`, 128 x 128 "
        "cells.",
        "",
        "Pooled VRMSE after four given frames: lower is better, 1 is the spatial mean of every true frame. "
        "Learned models: median over the training seeds, in brackets the smallest and largest.",
        "",
        *costs(facts),
        "",
        "## `test`",
        "",
        *table(choose(test, regime="all"), WINDOWS),
        "",
        "### Against the goals",
        "",
        *verdicts(test),
    ]
    regimes = [name for name in dict.fromkeys(row.regime for _, row in test) if name != "all"]
    for window in WINDOWS:
        chosen = choose(test, window=window)
        if chosen:
            lines += ["", f"### Frames {window}, per regime", "", *table(chosen, regimes, key="regime")]
    for split in dict.fromkeys(row.split for _, row in pooled):
        if split != "test":
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


def verdicts(test: Sequence[Scored]) -> list[str]:
    """Return, window by window, the worst seed's upper bound beside what it was to reach.

    The goal of a window is a number, or 1.5 times the resolution floor where that is higher.
    """
    lines = [
        "The upper end of the 95 % interval, of the worst seed and of the median one. The goal of a window "
        "is the stated number or 1.5 times the resolution floor, whichever is higher; beside it how many "
        "seeds reach it, and in how many regimes the worst seed is below both solvers of equal reach.",
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
