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

from .metrics import (
    correlation_time,
    is_patterned,
    nrmse,
    pearson_correlation,
    range_violation,
    vrmse_parts,
    well_vrmse,
)
from .settings import Case, EvaluationSettings, window_label
from .spectra import log_spectral_distance, wavelength_error

Pair = tuple[Tensor, Tensor]
"""Numerator and denominator, to be summed over whatever is pooled."""

METRICS: dict[str, Callable[[Tensor], Tensor]] = {
    "pooled_vrmse": torch.sqrt,
    "well_vrmse": torch.clone,
    "nrmse": torch.clone,
    "correlation_time": torch.clone,
    "correlation_censored": torch.clone,
    "spectrum_distance": torch.clone,
    "wavelength_error": torch.clone,
    "range_violation": torch.clone,
    "diverged": torch.clone,
}
"""Metric name in the rows -> what turns its pooled ratio into the reported value."""


@dataclass(frozen=True)
class FrameScores:
    """Everything a rollout leaves behind, on the CPU in float64.

    Attributes:
        error: numerator of pooled VRMSE.
        variance: its denominator.
        well: The Well's VRMSE of each field.
        nrmse: The Well's NRMSE of each field.
        correlation: Pearson correlation of each field.
        spectrum: log-spectral distance of each field.
        wavelength: relative error of the dominant wavelength of each field.
        violation: range violation; None if the range is unknown.
        diverged: some value of the frame is not finite.
        patterned: the true frame has a pattern, so that the three before ``violation`` are defined.
    """

    error: Float[Tensor, "batch time"]
    variance: Float[Tensor, "batch time"]
    well: Float[Tensor, "batch time channel"]
    nrmse: Float[Tensor, "batch time channel"]
    correlation: Float[Tensor, "batch time channel"]
    spectrum: Float[Tensor, "batch time channel"]
    wavelength: Float[Tensor, "batch time channel"]
    violation: Float[Tensor, "batch time"] | None
    diverged: Bool[Tensor, "batch time"]
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

    def truth(self, number: int) -> Float[Tensor, "batch 1 channel *space"]:
        """Return the true frame that predicted frame ``number`` (0-based) is compared with, in float64."""
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
            "nrmse": nrmse(predicted, truth),
            "correlation": pearson_correlation(predicted, truth),
            "spectrum": log_spectral_distance(spectrum, self._spectra[number]),
            "wavelength": wavelength_error(spectrum, self._spectra[number]),
            "diverged": ~predicted.isfinite().flatten(2).all(dim=-1),
            "patterned": self._patterned[:, number : number + 1],
        }
        if self._range is not None:
            scores["violation"] = range_violation(predicted, *self._range)
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
        return FrameScores(violation=violation, **stacked)


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
        for metric, values in (("well_vrmse", scores.well), ("nrmse", scores.nrmse)):
            pairs[metric, label] = values[:, inside].flatten(1).mean(1), one
        counts = scores.patterned[:, inside]
        for metric, values in (
            ("spectrum_distance", scores.spectrum),
            ("wavelength_error", scores.wavelength),
        ):
            defined = torch.where(counts, values[:, inside], 0)
            pairs[metric, label] = defined.flatten(1).sum(1), counts.flatten(1).sum(1).to(one)
        if scores.violation is not None:
            pairs["range_violation", label] = scores.violation[:, inside].amax(1), one
        pairs["diverged", label] = scores.diverged[:, inside].any(1).to(one), one
    kept = correlation_time(
        scores.correlation, scores.patterned, frame_interval, settings.correlation_threshold
    )
    whole = window_label(1, num_frames)
    defined = kept.defined.to(kept.time)
    pairs["correlation_time", whole] = torch.where(kept.defined, kept.time, 0), defined
    pairs["correlation_censored", whole] = kept.censored.to(kept.time), defined
    return pairs
