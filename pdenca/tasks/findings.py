"""What results say in words: what was found, and where the learned models lose."""

import math
from collections.abc import Collection, Iterator, Sequence

from pdenca.evaluation import (
    ALL_REGIMES,
    Results,
    ResultsTable,
    Row,
    degradation,
    format_degradation,
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


def remarks(results: Results) -> list[str]:
    """Say which models are missing where and why, and what is special about the truth of a split."""
    said = [f"{split}: {note}" for split, note in results.notes.items()]
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for refusal in results.refusals:
        reasons.setdefault((refusal.model, refusal.split, refusal.reason), []).append(refusal.regime)
    for (model, split, reason), regimes in reasons.items():
        said.append(f"{model} was not scored on {split} ({', '.join(dict.fromkeys(regimes))}): {reason}")
    return said


def degradation_table(results: Results, models: Collection[str]) -> ResultsTable | None:
    """Return how much worse the models are out of distribution, beside the solver of the same reach.

    Arguments:
        results: of an evaluation.
        models: the learned ones.

    Returns:
        None unless ``test`` and another split were scored in one window.
    """
    window = headline_window(results)
    chosen = [row for row in results.rows if row.window == window]
    if not any((row.split, row.metric) == ("test", METRIC) for row in chosen):
        return None
    solvers = [row.model for row in chosen if row.model.startswith("equations")]
    entries = degradation(chosen, solvers[0] if solvers else None)
    found = [entry for entry in entries if entry.model in models]
    return format_degradation(found) if found else None


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
    home = "test" if "test" in scores.splits else scores.splits[0]
    sentences = [_compared(scores, split) for split in scores.splits if split == home]
    shifted = [_compared(scores, split) for split in scores.splits if split != home]
    return (
        f"Pooled VRMSE of predicted frames {scores.window}: 0 is perfect, 1 is as bad as predicting the "
        "spatial mean. In brackets stand the best solver, which is given the equations, and the better of "
        f"doing nothing and the spatial mean.\n\nBest learned model on {'; '.join(sentences + shifted)}."
    )


def _compared(scores: Scores, split: str) -> str:
    best = scores.best(scores.learned, split)
    if best is None:
        return f"{split}: all diverged"
    rivals = filter(None, (scores.best(group, split) for group in (scores.solvers, scores.trivial)))
    against = ", ".join(format_number(value) for _, value in rivals)
    return f"{split}: {best[0]} {format_number(best[1])}" + (f" ({against})" if against else "")


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
    behind = []
    for split in scores.splits:
        learned, solver = (scores.best(group, split) for group in (scores.learned, scores.solvers))
        if learned is not None and solver is not None and solver[1] < learned[1]:
            behind.append(f"{format_number(learned[1] / solver[1])} times on {split} ({solver[0]})")
    if behind:
        yield (
            "A solver that is given the equations and works on the same cells is more accurate than the best "
            f"learned model: {_listed(behind)}."
        )
    for model in scores.learned:
        trivial = {split: scores.best(scores.trivial, split) for split in scores.splits}
        lost = [
            f"{split} ({format_number(scores.value(model, split))}, {best[0]} {format_number(best[1])})"
            for split, best in trivial.items()
            if best is not None and not scores.value(model, split) < best[1]
        ]
        if lost:
            yield f"{model} is no better than what learned nothing on {_listed(lost)}."


def _shifts(scores: Scores) -> Iterator[str]:
    if "test" not in scores.splits:
        return
    for name in scores.learned:
        base = scores.value(name, "test")
        worse = [
            f"{split} {format_number(scores.value(name, split) / base, missing='infinitely many')}"
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
