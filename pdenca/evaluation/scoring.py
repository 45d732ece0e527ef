"""From the frames of one rollout to per-trajectory numerators and denominators of every metric.

Frames are scored one at a time, as the rollout makes them, so that a long rollout on a large grid needs the
memory of one state.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.solvers.power_spectrum import RadialSpectrum, SpectrumShells

from .budgets import LEAST_FRAMES, budget_terms, relative_budget_residual
from .metrics import (
    correlation_time,
    is_patterned,
    pearson_correlation,
    range_violation,
    vrmse_parts,
    well_nrmse,
    well_vrmse,
)
from .patterns import DISTANCES
from .pdebench import BANDS, bands_of, fourier_rmse, pdebench_nrmse
from .settings import Case, EvaluationSettings, window_label
from .spectra import log_spectral_distance, wavelength_error

Pair = tuple[Tensor, Tensor]
"""Numerator and denominator, to be summed over whatever is pooled."""

METRICS: dict[str, Callable[[Tensor], Tensor]] = {
    "pooled_vrmse": torch.sqrt,
    "well_vrmse": torch.clone,
    "well_nrmse": torch.clone,
    "pdebench_nrmse": torch.clone,
    **{f"fourier_rmse_{band}": torch.clone for band in BANDS},
    "correlation_time": torch.clone,
    "correlation_censored": torch.clone,
    "spectrum_distance": torch.clone,
    "wavelength_error": torch.clone,
    "range_violation": torch.clone,
    "budget_residual": torch.clone,
    "diverged": torch.clone,
    "lyapunov_exponent": torch.clone,
    "equivariance_residual": torch.clone,
    **dict.fromkeys(DISTANCES, torch.clone),
    "patterns_within": torch.clone,
}
"""Metric name in the rows -> what turns its pooled ratio into the reported value."""


@dataclass(frozen=True)
class FrameScores:
    """Everything a rollout leaves behind, on the CPU in float64.

    Attributes:
        error: numerator of pooled VRMSE.
        variance: its denominator.
        well: The Well's VRMSE of each field.
        well_nrmse: The Well's NRMSE of each field.
        pdebench_nrmse: PDEBench's NRMSE of each field.
        fourier: PDEBench's fRMSE of each field in three bands of wavenumbers.
        correlation: Pearson correlation of each field.
        spectrum: log-spectral distance of each field.
        wavelength: relative error of the dominant wavelength of each field.
        violation: range violation; None if the range is unknown.
        budget: relative residual of the equation's budget in the interval before each frame; None if the
            equation is unknown or has none, or there are too few frames.
        diverged: some value of the frame is not finite.
        bands: which of the three bands the grid has.
        patterned: the true frame has a pattern, so that the three before ``violation`` are defined.
    """

    error: Float[Tensor, "batch time"]
    variance: Float[Tensor, "batch time"]
    well: Float[Tensor, "batch time channel"]
    well_nrmse: Float[Tensor, "batch time channel"]
    pdebench_nrmse: Float[Tensor, "batch time channel"]
    fourier: Float[Tensor, "batch time channel band"]
    correlation: Float[Tensor, "batch time channel"]
    spectrum: Float[Tensor, "batch time channel"]
    wavelength: Float[Tensor, "batch time channel"]
    violation: Float[Tensor, "batch time"] | None
    budget: Float[Tensor, "batch time"] | None
    diverged: Bool[Tensor, "batch time"]
    bands: tuple[str, ...]
    patterned: Bool[Tensor, "batch time channel"]


class CaseScorer:
    """Scores predicted frames of one case; what depends on the truth alone is computed once for all models.

    Arguments:
        case: the truth.
        settings: the protocol.
    """

    def __init__(self, case: Case, settings: EvaluationSettings) -> None:
        self.case = case
        self.settings = settings
        self.device = torch.device(settings.device)
        self.offset = settings.start + settings.num_given
        self.num_frames = case.truth.shape[1] - self.offset
        if self.num_frames < 1:
            raise BadInputError(
                f"{case.split}/{case.regime} has {case.truth.shape[1]} frames, but start {settings.start} "
                f"and num_given {settings.num_given} leave none to predict; usual cure: store more frames"
            )
        self._std = self._per_field(case.field_std)
        self._range: tuple[Tensor, Tensor] | None = None
        if case.field_low is not None and case.field_high is not None:
            self._range = self._per_field(case.field_low), self._per_field(case.field_high)
        self._shells = SpectrumShells(case.grid, self.device)
        self._spectra: list[RadialSpectrum] = []
        patterned = []
        for number in range(self.num_frames):
            truth = self.truth(number)
            self._spectra.append(self._shells.spectrum(truth))
            patterned.append(is_patterned(truth, settings.std_floor * self._std))
        self._patterned = torch.cat(patterned, dim=1)
        self.equation = case.equation
        self.given_budget = self.budget(self.truth(-1)[:, 0])
        self.size = torch.zeros(0, dtype=torch.float64)
        if self.given_budget is not None:
            sizes = [self.budget(self.truth(number)[:, 0]) for number in range(-1, self.num_frames)]
            self.size = torch.stack([terms[2] for terms in sizes if terms is not None], 1).amax(1)

    def budget(self, state: Float[Tensor, "batch channel *space"]) -> tuple[Tensor, Tensor, Tensor] | None:
        """Return the terms of the budget of one frame, None if there is none to keep."""
        if self.equation is None or self.num_frames + 1 < LEAST_FRAMES:
            return None
        return budget_terms(self.equation, state.cpu())  # where the equation's constants are

    def truth(self, number: int) -> Float[Tensor, "batch 1 channel *space"]:
        """Return the true frame that predicted frame ``number`` (0-based) is compared with, in float64.

        Frame -1 is the last given one.
        """
        index = self.offset + number
        return self.case.truth[:, index : index + 1].to(self.device, torch.float64)

    def recorder(self) -> "Recorder":
        """Return an empty record for one more rollout."""
        return Recorder(self)

    def _per_field(self, values: object) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float64, device=self.device)

    def score(self, prediction: Float[Tensor, "batch channel *space"], number: int) -> dict[str, Tensor]:
        """Score predicted frame ``number`` (0-based): metric -> "batch 1" or "batch 1 channel"."""
        predicted, truth = prediction[:, None].to(self.device, torch.float64), self.truth(number)
        parts = vrmse_parts(predicted, truth, self._std)
        spectrum = self._shells.spectrum(predicted)
        scores = {
            "error": parts.error,
            "variance": parts.variance,
            "well": well_vrmse(predicted, truth),
            "well_nrmse": well_nrmse(predicted, truth),
            "pdebench_nrmse": pdebench_nrmse(predicted, truth),
            "fourier": fourier_rmse(predicted, truth),
            "correlation": pearson_correlation(predicted, truth),
            "spectrum": log_spectral_distance(spectrum, self._spectra[number]),
            "wavelength": wavelength_error(spectrum, self._spectra[number]),
            "diverged": ~predicted.isfinite().flatten(2).all(dim=-1),
            "patterned": self._patterned[:, number : number + 1],
        }
        if self._range is not None:
            scores["violation"] = range_violation(predicted, *self._range)
        terms = self.budget(predicted[:, 0])
        if terms is not None:
            scores["total"], scores["flow"] = terms[0][:, None], terms[1][:, None]
        return scores


class Recorder:
    """Collects the scores of one rollout, frame after frame."""

    def __init__(self, scorer: CaseScorer) -> None:
        self._scorer = scorer
        self._scores: list[dict[str, Tensor]] = []

    @property
    def num_frames(self) -> int:
        """How many frames were recorded."""
        return len(self._scores)

    def add(self, prediction: Float[Tensor, "batch channel *space"]) -> None:
        """Score the next predicted frame.

        Raises:
            BadInputError: if it is not shaped like the frames of the truth.
        """
        expected = self._scorer.case.truth[:, 0].shape
        if prediction.shape != expected:
            raise BadInputError(
                f"the model observes frames of shape {tuple(prediction.shape)}, the truth has "
                f"{tuple(expected)}; usual cure: use a model with the fields of this dataset"
            )
        self._scores.append(self._scorer.score(prediction, len(self._scores)))

    def scores(self) -> FrameScores:
        """Return what was recorded so far."""
        stacked = {
            name: torch.cat([scores[name] for scores in self._scores], dim=1).cpu()
            for name in self._scores[0]
        }
        violation = stacked.pop("violation", None)
        budget = self._budget(stacked)
        bands = bands_of(self._scorer.case.grid.shape)
        return FrameScores(violation=violation, budget=budget, bands=bands, **stacked)

    def _budget(self, stacked: dict[str, Tensor]) -> Tensor | None:
        """Take the terms of the budget out of the scores and return its residual."""
        given = self._scorer.given_budget
        if given is None:
            return None
        terms = [
            torch.cat([first[:, None].cpu(), stacked.pop(name)], dim=1)
            for first, name in zip(given, ("total", "flow"), strict=False)
        ]
        if terms[0].shape[1] < LEAST_FRAMES:
            return None
        interval = self._scorer.case.frame_interval
        return relative_budget_residual(terms[0], terms[1] * interval, self._scorer.size.cpu())


def window_pairs(
    scores: FrameScores, frame_interval: float, settings: EvaluationSettings
) -> Mapping[tuple[str, str], Pair]:
    """Reduce the frames of every window to one numerator and one denominator per trajectory.

    Arguments:
        scores: of one model on one case.
        frame_interval: physical time between frames.
        settings: the protocol, for its windows.

    Returns:
        (metric, window) -> pair of tensors of shape (batch,). Windows that are not wholly inside the truth
        are missing. The correlation time has the window of all predicted frames.
    """
    num_frames = scores.error.shape[1]
    pairs: dict[tuple[str, str], Pair] = {}
    for first, last in settings.windows:
        if last > num_frames:
            continue
        inside = slice(first - 1, last)
        label = window_label(first, last)
        one = torch.ones_like(scores.error[:, 0])
        pairs["pooled_vrmse", label] = scores.error[:, inside].sum(1), scores.variance[:, inside].sum(1)
        for metric, values in (
            ("well_vrmse", scores.well),
            ("well_nrmse", scores.well_nrmse),
            ("pdebench_nrmse", scores.pdebench_nrmse),
        ):
            pairs[metric, label] = values[:, inside].flatten(1).mean(1), one
        for number, band in enumerate(BANDS):
            if band in scores.bands:
                values = scores.fourier[:, inside, :, number]
                pairs[f"fourier_rmse_{band}", label] = values.flatten(1).mean(1), one
        counts = scores.patterned[:, inside]
        for metric, values in (
            ("spectrum_distance", scores.spectrum),
            ("wavelength_error", scores.wavelength),
        ):
            defined = torch.where(counts, values[:, inside], 0)
            pairs[metric, label] = defined.flatten(1).sum(1), counts.flatten(1).sum(1).to(one)
        if scores.violation is not None:
            pairs["range_violation", label] = scores.violation[:, inside].amax(1), one
        if scores.budget is not None:
            pairs["budget_residual", label] = scores.budget[:, inside].mean(1), one
        pairs["diverged", label] = scores.diverged[:, inside].any(1).to(one), one
    kept = correlation_time(
        scores.correlation, scores.patterned, frame_interval, settings.correlation_threshold
    )
    whole = window_label(1, num_frames)
    defined = kept.defined.to(kept.time)
    pairs["correlation_time", whole] = torch.where(kept.defined, kept.time, 0), defined
    pairs["correlation_censored", whole] = kept.censored.to(kept.time), defined
    return pairs
