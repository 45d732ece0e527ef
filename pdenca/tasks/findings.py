"""What results say in words: what was found, and where the learned models lose."""

import math
from collections.abc import Collection, Iterator, Sequence

from pdenca.evaluation import (
    ALL_REGIMES,
    Results,
    ResultsTable,
    Row,
    format_number,
    format_table,
    window_label,
)

METRIC = "pooled_vrmse"
DO_NOTHING = ("persistence", "spatial-mean")
USUAL_WINDOW = (6, 12)
VISIBLE_VIOLATION = 0.05
"""A value this far outside the range of the training data, in units of that range, is worth a word."""


def headline_window(results: Results) -> str:
    """Return the window that tables and sentences are about: 6:12 if it was scored, else the first one."""
    windows = [window_label(*window) for window in results.settings.windows]
    scored = {row.window for row in results.rows if row.metric == METRIC}
    return next((name for name in [window_label(*USUAL_WINDOW), *windows] if name in scored), windows[0])


def tables(results: Results, metric: str = METRIC) -> list[ResultsTable]:
    """Arrange the results as tables to print: windows of the first split, then all splits in one window.

    Arguments:
        results: of an evaluation.
        metric: what to show.
    """
    rows = [row for row in results.rows if row.metric == metric]
    splits = list(dict.fromkeys(row.split for row in rows))
    home = "test" if "test" in splits or not splits else splits[0]
    found = [format_table(rows, metric=metric, split=home)]
    if len(splits) > 1:
        window = headline_window(results)
        shared = window if any(row.window == window for row in rows) else None
        found.append(format_table(rows, columns="split", metric=metric, window=shared, interval=False))
    return found


class Scores:
    """Pooled scores of one window, by model and split.

    Arguments:
        results: of an evaluation.
        learned: names of the models that learned something; the others are baselines.
        window: predicted frames scored.
    """

    def __init__(self, results: Results, learned: Collection[str], window: str) -> None:
        self.window = window
        self._rows: dict[tuple[str, str, str], Row] = {
            (row.metric, row.split, row.model): row
            for row in results.rows
            if row.regime == ALL_REGIMES and row.window == window
        }
        models = list(dict.fromkeys(row.model for row in results.rows))
        self.learned = [name for name in models if name in learned]
        self.trivial = [name for name in models if name in DO_NOTHING and name not in learned]
        self.solvers = [name for name in models if name not in learned and name not in DO_NOTHING]
        self.splits = list(dict.fromkeys(key[1] for key in self._rows if key[0] == METRIC))

    def value(self, model: str, split: str, metric: str = METRIC) -> float:
        """Return one score; NaN if the model diverged or was not scored."""
        row = self._rows.get((metric, split, model))
        return math.nan if row is None else row.value

    def best(self, models: Sequence[str], split: str) -> tuple[str, float] | None:
        """Return the best of some models on a split; None if all of them diverged."""
        scored = [(self.value(name, split), name) for name in models]
        finite = [item for item in scored if math.isfinite(item[0])]
        return (min(finite)[1], min(finite)[0]) if finite else None


def summary(scores: Scores) -> str:
    """Say in a few sentences how the best learned model compares with the baselines."""
    sentences = []
    for split in scores.splits:
        best = scores.best(scores.learned, split)
        if best is None:
            sentences.append(f"On {split} every learned model diverged.")
            continue
        others = [scores.best(group, split) for group in (scores.solvers, scores.trivial)]
        rivals = ", ".join(f"{name} {format_number(value)}" for name, value in filter(None, others))
        against = f" (best baselines: {rivals})" if rivals else ""
        sentences.append(
            f"On {split} the best learned model, {best[0]}, has {format_number(best[1])}{against}."
        )
    return (
        f"Pooled VRMSE of predicted frames {scores.window}: 0 is perfect, 1 is as bad as predicting the "
        f"spatial mean.\n\n{' '.join(sentences)}"
    )


def where_it_loses(scores: Scores, caveats: Sequence[str] = ()) -> str:
    """List, computed from the scores, where the learned models are beaten, degrade or break.

    Arguments:
        scores: of the headline window.
        caveats: what no score can tell, one sentence or more each.

    Returns:
        Paragraphs separated by empty lines.
    """
    paragraphs = [" ".join(part) for part in map(list, (_beaten(scores), _shifts(scores), _broken(scores)))]
    return "\n\n".join([part for part in paragraphs if part] + list(caveats))


def _beaten(scores: Scores) -> Iterator[str]:
    for split in scores.splits:
        learned, solver = (scores.best(group, split) for group in (scores.learned, scores.solvers))
        if learned is not None and solver is not None and solver[1] < learned[1]:
            yield (
                f"On {split} the solver {solver[0]}, which is given the equations, is "
                f"{format_number(learned[1] / solver[1])} times as accurate as the best learned model, "
                f"{learned[0]}."
            )
    for split in scores.splits:
        trivial = scores.best(scores.trivial, split)
        behind = [
            name
            for name in scores.learned
            if trivial is not None and not scores.value(name, split) < trivial[1]
        ]
        if trivial is not None and behind:
            yield f"On {split} {_listed(behind)} did not beat {trivial[0]} ({format_number(trivial[1])})."


def _shifts(scores: Scores) -> Iterator[str]:
    if "test" not in scores.splits:
        return
    for name in scores.learned:
        base = scores.value(name, "test")
        worse = [
            f"{split} {format_number(scores.value(name, split) / base, missing='infinitely')}"
            for split in scores.splits
            if split != "test" and not scores.value(name, split) < 2 * base
        ]
        if worse and math.isfinite(base):
            yield (
                f"Off the training distribution {name} is at least twice as bad as on test: {_listed(worse)} "
                "times."
            )


def _broken(scores: Scores) -> Iterator[str]:
    for name in scores.learned:
        diverged = [split for split in scores.splits if scores.value(name, split, "diverged") > 0]
        if diverged:
            yield f"Some trajectories of {name} became infinite or not a number: {_listed(diverged)}."
        outside = [
            split
            for split in scores.splits
            if scores.value(name, split, "range_violation") > VISIBLE_VIOLATION
        ]
        if outside:
            yield (
                f"{name} leaves the range of the training data by more than {100 * VISIBLE_VIOLATION:g} % of "
                f"it on {_listed(outside)}."
            )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
