"""What a shift away from the training data costs a model, beside what it costs a solver."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pdenca.core import FormatError

from .results import Row
from .settings import ALL_REGIMES


@dataclass(frozen=True)
class Degradation:
    """How much worse a model is off its training distribution than on it.

    Attributes:
        model: name of the emulator.
        split: the shifted data.
        window: predicted frames scored.
        value: score on the shifted data.
        in_distribution: score on the unshifted data.
        factor: value / in_distribution; 1 is no degradation, NaN if either diverged.
        reference_factor: the same ratio of the reference solver: what the shifted data themselves cost, such
            as finer or faster structures. NaN if it diverged or no reference was named.
    """

    model: str
    split: str
    window: str
    value: float
    in_distribution: float
    factor: float
    reference_factor: float


def degradation(
    rows: Sequence[Row],
    reference: str | None = None,
    *,
    metric: str = "pooled_vrmse",
    in_distribution: str = "test",
    regime: str = ALL_REGIMES,
) -> list[Degradation]:
    """Ratio of out-of-distribution to in-distribution score, beside the same ratio of a reference solver.

    A factor alone says little: data with finer structures are harder for every method on that grid. A model
    whose factor is about that of a solver of equal radius (the true equations with a stencil that sees as
    far as the model does) has lost nothing by the shift itself.

    Arguments:
        rows: as :func:`~pdenca.evaluation.evaluate` gives them.
        reference: model name of the solver to compare with.
        metric: an error (smaller is better).
        in_distribution: the split to divide by.
        regime: ``"all"`` or one that both splits have.

    Returns:
        One entry per model, shifted split and window that also exists in distribution.

    Raises:
        FormatError: if no row belongs to the reference or to the in-distribution split.
    """
    table = {
        (row.model, row.split, row.window): row.value
        for row in rows
        if row.metric == metric and row.regime == regime
    }
    models, splits = {key[0] for key in table}, {key[1] for key in table}
    for name, known, what in ((reference, models, "model"), (in_distribution, splits, "split")):
        if name is not None and name not in known:
            raise FormatError(
                f"no {metric} rows of {what} {name!r}; there are {', '.join(sorted(known)) or 'none'}"
            )
    found = []
    for (model, split, window), value in table.items():
        base = table.get((model, in_distribution, window))
        if split == in_distribution or base is None:
            continue
        reference_factor = math.nan
        if reference is not None:
            reference_factor = _ratio(
                table.get((reference, split, window)), table.get((reference, in_distribution, window))
            )
        found.append(Degradation(model, split, window, value, base, _ratio(value, base), reference_factor))
    return found


def _ratio(value: float | None, base: float | None) -> float:
    if value is None or base is None or not math.isfinite(value) or not math.isfinite(base):
        return math.nan
    return value / base if base else (math.inf if value else math.nan)
