"""Are two sets of patterns alike, when which spot is where means nothing any more?

Long and chaotic runs part from their truth, so that errors cell by cell say nothing. What stays comparable
is the statistics of a pattern: on which scales it varies, how much of the domain it covers, which values
occur. How alike two runs have to be is measured too: the yardstick is the distance between independent
reference runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid
from pdenca.solvers.power_spectrum import SpectrumShells

DISTANCES: Final = ("structure_distance", "area_distance", "histogram_distance")
"""The distances of :func:`pattern_distances`, in this order."""

NUM_QUANTILES: Final = 256
LEAST_PAIRS: Final = 16


@dataclass(frozen=True, eq=False)
class PatternSummary:
    """What some frames of each trajectory look like on average, one entry per trajectory.

    Attributes:
        structure: structure factor: share of the spatial variance in each shell of wavenumbers, summing to 1;
            zero everywhere for a trajectory that is flat.
        area: share of the cells above the midpoint.
        quantiles: of all values, at the levels (i + 1/2) / 256, in units of the field's standard deviation.
    """

    structure: Float[Tensor, "batch channel shell"]
    area: Float[Tensor, "batch channel"]
    quantiles: Float[Tensor, "batch channel level"]

    def __len__(self) -> int:
        return len(self.area)

    @classmethod
    def join(cls, parts: Sequence["PatternSummary"]) -> "PatternSummary":
        """Put the trajectories of several summaries into one."""
        return cls(
            torch.cat([part.structure for part in parts]),
            torch.cat([part.area for part in parts]),
            torch.cat([part.quantiles for part in parts]),
        )


def midpoints(frames: Float[Tensor, "batch time channel *space"]) -> Float[Tensor, " channel"]:
    """Return half-way between the smallest and the largest value of each field, over all frames."""
    flat = frames.movedim(2, 0).flatten(1)
    return (flat.amin(1) + flat.amax(1)) / 2


def summarise_patterns(
    frames: Float[Tensor, "batch time channel *space"],
    grid: Grid,
    field_std: Float[Tensor, " channel"],
    midpoint: Float[Tensor, " channel"],
) -> PatternSummary:
    """Reduce the frames of each trajectory to its pattern statistics.

    The structure factor is S(b) = E(b) / Σ E over the complete shells 0 < k <= nyquist of
    :class:`~pdenca.solvers.power_spectrum.SpectrumShells`, E the mean of the energy over the frames.

    Arguments:
        frames: on the grid; about ten frames that are not neighbours in time say as much as a hundred.
        grid: where they live.
        field_std: unit of each field.
        midpoint: level above which a cell counts as covered; the same for all that is compared.
    """
    shells = SpectrumShells(grid, frames.device)
    parts = [  # one by one: a transform of all frames at once would need their memory several times
        shells.spectrum(frame[:, None].double()).energy[:, 0] for frame in frames.unbind(1)
    ]
    energy = torch.stack(parts).sum(0)
    used = (shells.wavenumber <= shells.nyquist * (1 + 1e-9)) & (shells.wavenumber > 0)
    energy = energy[..., used]
    total = energy.sum(dim=-1, keepdim=True)
    structure = torch.where(total == 0, 0.0, energy / total)
    values = frames.transpose(1, 2).flatten(2)
    area = (values > midpoint.to(values)[:, None]).double().mean(dim=-1)
    finite = values.isfinite().all(dim=-1)
    area = torch.where(finite, area, torch.nan)
    ordered = values.sort(dim=-1).values
    levels = (torch.arange(NUM_QUANTILES, device=values.device) + 0.5) / NUM_QUANTILES
    place = (levels * ordered.shape[-1]).floor().long().clamp_max(ordered.shape[-1] - 1)
    quantiles = ordered[..., place].double() / field_std.to(ordered.device).double()[:, None]
    quantiles = torch.where(finite[..., None], quantiles, torch.nan)
    return PatternSummary(structure.cpu(), area.cpu(), quantiles.cpu())


def pattern_distances(
    first: PatternSummary, second: PatternSummary
) -> Float[Tensor, "distance first second"]:
    """Distances between every trajectory of one set and every one of another, means over the fields.

    ``structure_distance``: half of Σ_b |S_b - S'_b|, in [0, 1], the share of the variance that sits at other
    wavelengths. ``area_distance``: |a - a'|. ``histogram_distance``: Wasserstein-1 distance of the values in
    standard deviations, ∫ |Q(p) - Q'(p)| dp over the quantile functions, by the midpoint rule on 256 levels.

    Returns:
        The distances in the order of :data:`DISTANCES`; NaN where a trajectory is not finite.
    """
    pairs = []
    for one, other, factor in (
        (first.structure, second.structure, 0.5 * first.structure.shape[-1]),
        (first.area[..., None], second.area[..., None], 1.0),
        (first.quantiles, second.quantiles, 1.0),
    ):
        difference = (one[:, None] - other[None]).abs()
        pairs.append(factor * difference.mean(dim=-1).mean(dim=-1))
    return torch.stack(pairs)


@dataclass(frozen=True)
class PatternVerdict:
    """Whether an emulator's patterns could be those of the reference, by one distance.

    Attributes:
        distance: a name of :data:`DISTANCES`.
        value: mean distance between emulated and reference runs of different starts.
        low, high: the 95 % range of the distances between pairs of reference runs.
        share_within: share of the emulator's distances that are not above ``high``; of the reference itself
            0.975 is to be expected.
        num_pairs: pairs of reference runs behind the range.
    """

    distance: str
    value: float
    low: float
    high: float
    share_within: float
    num_pairs: int

    @property
    def within(self) -> bool:
        """Whether the mean distance is at most the upper end of the range; False if a run diverged."""
        return self.value <= self.high


def judge_patterns(
    reference: PatternSummary, emulated: PatternSummary, *, paired: bool = True, range_of: float = 0.95
) -> list[PatternVerdict]:
    """Compare emulated with reference runs by the yardstick of reference runs among themselves.

    Every pair of reference runs gives one distance; the central 95 % of them are the range that chance alone
    explains. The emulator's value is the mean distance between its runs and the reference runs. A run is not
    compared with the reference of the same start, which it may still follow: that pair would be too close.
    "Within" means at most the upper end: a distance below the range is no fault.

    Arguments:
        reference: at least seven runs, which give 21 pairs.
        emulated: runs of the same regime.
        paired: run i of both sets has the same start, so that pair is left out.
        range_of: how much of the distances the range holds.

    Returns:
        One verdict per distance.

    Raises:
        BadInputError: for fewer than 16 pairs of reference runs, or different numbers of runs that are said
            to be paired.

    Pairs share runs, so their distances are not independent; with few runs the range is uncertain. A model
    that is wrong in ways these three distances do not see passes.
    """
    count = len(reference)
    rows, columns = torch.triu_indices(count, count, offset=1)
    if len(rows) < LEAST_PAIRS:
        raise BadInputError(
            f"{count} reference runs make {len(rows)} pairs, too few for a range; expected at least "
            f"{LEAST_PAIRS} pairs, that is 7 runs; usual cure: more trajectories of this regime"
        )
    if paired and len(emulated) != count:
        raise BadInputError(
            f"got {len(emulated)} emulated and {count} reference runs, which cannot be pairs of the same "
            "starts; usual cure: paired=False"
        )
    own = pattern_distances(reference, reference)[:, rows, columns]
    against = pattern_distances(emulated, reference)
    keep = ~torch.eye(count, dtype=torch.bool) if paired else torch.ones(len(emulated), count).bool()
    tail = (1 - range_of) / 2
    verdicts = []
    for name, pairs, distances in zip(DISTANCES, own, against, strict=True):
        low, high = torch.quantile(pairs, torch.tensor([tail, 1 - tail], dtype=pairs.dtype)).tolist()
        chosen = distances[keep]
        value = float(chosen.mean())
        share = float((chosen <= high).double().mean())
        verdicts.append(PatternVerdict(name, value, low, high, share, len(rows)))
    return verdicts


def compare_patterns(
    reference: Float[Tensor, "run time channel *space"],
    emulated: Float[Tensor, "emulation time channel *space"],
    grid: Grid,
    field_std: Float[Tensor, " channel"],
    *,
    paired: bool = True,
) -> list[PatternVerdict]:
    """Compare the patterns of trajectories: :func:`summarise_patterns`, then :func:`judge_patterns`.

    Arguments:
        reference: frames of a window of each reference run, of one regime.
        emulated: the same frames of the emulator's runs.
        grid: where both live.
        field_std: unit of each field.
        paired: run i of both has the same start.

    Returns:
        One verdict per distance; ``all(verdict.within for verdict in ...)`` is the answer.
    """
    midpoint = midpoints(reference)
    return judge_patterns(
        summarise_patterns(reference, grid, field_std, midpoint),
        summarise_patterns(emulated, grid, field_std, midpoint),
        paired=paired,
    )
