"""Numbers that compare a predicted trajectory with the true one, each a small exact function.

All of them take ``"batch time channel *space"`` tensors on cell-centred grids of equal cells, where the mean
over cells is the midpoint rule for the spatial average, and keep the dtype they are given. None of them
hides a NaN or an infinity: a prediction that blew up scores NaN (or infinity) in the frames where it did.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.core import BadInputError

WELL_EPSILON = 1e-7
"""The constant under The Well's roots; a flat frame therefore has the denominator 3.2e-4, not zero."""


class VrmseParts(NamedTuple):
    """Numerator and denominator of the pooled VRMSE, frame by frame.

    Attributes:
        error: squared error, averaged over space and summed over the scaled fields.
        variance: population variance of the truth over space, summed over the scaled fields.
    """

    error: Float[Tensor, "batch time"]
    variance: Float[Tensor, "batch time"]


class CorrelationTime(NamedTuple):
    """How long a prediction keeps the pattern, one entry per trajectory.

    Attributes:
        time: physical time from the last given frame to the first frame that has lost the pattern; the
            horizon where none has.
        censored: the pattern outlived the horizon, so that ``time`` is only a lower bound.
        defined: at least one frame of the truth has a pattern; elsewhere ``time`` means nothing.
    """

    time: Float[Tensor, " batch"]
    censored: Bool[Tensor, " batch"]
    defined: Bool[Tensor, " batch"]


def mean_squared_error(
    prediction: Float[Tensor, "batch time channel *space"], truth: Float[Tensor, "batch time channel *space"]
) -> Float[Tensor, "batch time channel"]:
    """Squared error averaged over space, <(u - v)^2>, of every frame and field.

    Arguments:
        prediction: u, in the unit of each field.
        truth: v, of the same shape.

    Returns:
        The mean squared error in the squared unit of each field.
    """
    require_same_shape(prediction, truth)
    return _space_mean((prediction - truth).square())


def spatial_variance(
    values: Float[Tensor, "batch time channel *space"],
) -> Float[Tensor, "batch time channel"]:
    """Population variance over space, <(v - <v>)^2>, of every frame and field.

    The population variance (divisor N, not N - 1) is the midpoint rule for the integral over the domain and
    does not depend on how finely that integral is sampled.
    """
    return _space_mean(_centred(values).square())


def vrmse_parts(
    prediction: Float[Tensor, "batch time channel *space"],
    truth: Float[Tensor, "batch time channel *space"],
    field_std: Float[Tensor, " channel"],
) -> VrmseParts:
    """Numerator and denominator of the pooled VRMSE of every frame, to be summed over whatever is pooled.

    Each field is divided by its training standard deviation first, so that fields of different size weigh
    alike and a field that is flat in one frame cannot blow up the score.

    Arguments:
        prediction: u, in the unit of each field.
        truth: v, of the same shape.
        field_std: standard deviation of each field over the training data, positive.

    Returns:
        ``error`` = sum over fields of <(u - v)^2> / std^2 and ``variance`` = sum over fields of
        <(v - <v>)^2> / std^2 (population variance).

    Raises:
        BadInputError: if the shapes differ or a standard deviation is not a positive number.
    """
    if not bool(torch.isfinite(field_std).all() and (field_std > 0).all()):
        raise BadInputError(
            f"field_std must be positive and finite, got {field_std.tolist()}; "
            "usual cure: take the standard deviations of the training split, where no field is constant"
        )
    weight = field_std.to(truth).square().reciprocal()
    error = (mean_squared_error(prediction, truth) * weight).sum(dim=-1)
    variance = (spatial_variance(truth) * weight).sum(dim=-1)
    return VrmseParts(error, variance)


def pooled_vrmse(
    prediction: Float[Tensor, "batch time channel *space"],
    truth: Float[Tensor, "batch time channel *space"],
    field_std: Float[Tensor, " channel"],
) -> Float[Tensor, ""]:
    """Pooled variance-scaled root mean squared error: the metric that decides.

    sqrt( sum of squared errors / sum of spatial variances ), both sums over all given frames, trajectories
    and fields, each field divided by its training standard deviation first. It approximates the root of the
    fraction of the pattern's variance that the prediction misses: 0 is perfect, 1 is as good as knowing the
    spatial mean of every frame. A frame whose pattern has died adds nothing to the denominator and only its
    own error to the numerator, where the mean of per-frame ratios (:func:`well_vrmse`) would explode.

    Arguments:
        prediction: u, in the unit of each field.
        truth: v, of the same shape.
        field_std: standard deviation of each field over the training data, positive.

    Returns:
        One number; NaN if any predicted value is NaN, and for a truth without any spatial variance either
        infinity or (where the prediction is exact) NaN.

    Raises:
        BadInputError: if the shapes differ or a standard deviation is not a positive number.
    """
    parts = vrmse_parts(prediction, truth, field_std)
    return (parts.error.sum() / parts.variance.sum()).sqrt()


def well_vrmse(
    prediction: Float[Tensor, "batch time channel *space"], truth: Float[Tensor, "batch time channel *space"]
) -> Float[Tensor, "batch time channel"]:
    """VRMSE exactly as The Well defines it: sqrt( <(u - v)^2> / (std(v)^2 + 1e-7) ) of every frame and
    field.

    ``std`` is the unbiased one (divisor N - 1). The benchmark's number is the plain mean of these values
    over samples, times and fields. Kept for comparison with published tables: it is dominated by frames
    whose pattern has died, because a flat frame divides by 3.2e-4.

    Reference: Ohana et al., The Well, NeurIPS 2024, appendix on evaluation metrics.
    """
    unbiased = truth.flatten(3).var(dim=-1, correction=1)
    return (mean_squared_error(prediction, truth) / (unbiased + WELL_EPSILON)).sqrt()


def well_nrmse(
    prediction: Float[Tensor, "batch time channel *space"], truth: Float[Tensor, "batch time channel *space"]
) -> Float[Tensor, "batch time channel"]:
    """NRMSE as The Well defines it: sqrt( <(u - v)^2> / (<v^2> + 1e-7) ) of every frame and field.

    The error relative to the size of the field itself, its mean included: a field close to a constant scores
    well here even if its pattern is wrong. :func:`~pdenca.evaluation.pdebench_nrmse` is without the constant.
    """
    return (mean_squared_error(prediction, truth) / (_space_mean(truth.square()) + WELL_EPSILON)).sqrt()


def pearson_correlation(
    prediction: Float[Tensor, "batch time channel *space"], truth: Float[Tensor, "batch time channel *space"]
) -> Float[Tensor, "batch time channel"]:
    """Pearson correlation of every frame and field, each centred on its own spatial mean.

    r = <u' v'> / sqrt(<u'^2> <v'^2>) with u' = u - <u>, v' = v - <v>. Without the centring every prediction
    of about the right mean would correlate.

    Returns:
        Values in [-1, 1]; NaN where the truth is flat (nothing to correlate with) or the prediction is not
        finite; 0 where the truth has a pattern and the prediction is flat: it has lost all of it.
    """
    require_same_shape(prediction, truth)
    predicted, true = _centred(prediction), _centred(truth)
    predicted_variance, true_variance = _space_mean(predicted.square()), _space_mean(true.square())
    # two roots: the product of two small variances could underflow
    correlation = _space_mean(predicted * true) / (predicted_variance.sqrt() * true_variance.sqrt())
    lost = (predicted_variance == 0) & (true_variance > 0)
    return torch.where(lost, torch.zeros_like(correlation), correlation)


def is_patterned(
    truth: Float[Tensor, "batch time channel *space"], std_floor: Float[Tensor, " channel"]
) -> Bool[Tensor, "batch time channel"]:
    """Whether a frame has a pattern to speak of: population std over space at or above the floor of its
    field.

    Correlation, spectrum and wavelength of a dead frame compare rounding errors, so where this is false they
    are "not defined" rather than some number.
    """
    return spatial_variance(truth).sqrt() >= std_floor.to(truth)


def correlation_time(
    correlation: Float[Tensor, "batch time channel"],
    defined: Bool[Tensor, "batch time channel"],
    frame_interval: float,
    threshold: float = 0.8,
) -> CorrelationTime:
    """Time at which a prediction loses the pattern: the first frame whose correlation is below the
    threshold.

    The correlation of a frame is the mean over the fields with a pattern there; frames in which no field has
    one are passed over. A frame whose correlation is not a number (the prediction blew up) counts as lost.
    The result is exact to one frame and is an upper bound of the true crossing time within it.

    Arguments:
        correlation: of the predicted frames, as :func:`pearson_correlation` gives them; frame k (0-based)
            lies (k + 1) frame intervals after the last given one.
        defined: which of them count, as :func:`is_patterned` gives them.
        frame_interval: physical time between frames.
        threshold: 0.8 by custom.

    Returns:
        Time, whether it is censored at the horizon, and whether it is defined, per trajectory.
    """
    num_defined = defined.sum(dim=-1)
    per_frame = torch.where(defined, correlation, 0).sum(dim=-1) / num_defined
    usable = num_defined > 0
    lost = usable & ~(per_frame >= threshold)  # a NaN is not above the threshold
    any_lost = lost.any(dim=-1)
    num_frames = correlation.shape[1]
    first = torch.where(any_lost, lost.to(torch.int64).argmax(dim=-1) + 1, num_frames)
    any_usable = usable.any(dim=-1)
    return CorrelationTime(first.to(correlation.dtype) * frame_interval, any_usable & ~any_lost, any_usable)


def range_violation(
    prediction: Float[Tensor, "batch time channel *space"],
    low: Float[Tensor, " channel"],
    high: Float[Tensor, " channel"],
) -> Float[Tensor, "batch time"]:
    """How far a prediction leaves the range of the training data, in units of that range.

    max over fields and cells of max(low - u, u - high, 0) / (high - low). 0 means inside everywhere; about 1
    means off by as much as the data ever spans, long before a blow-up turns into a NaN.

    Arguments:
        prediction: u, in the unit of each field.
        low: smallest value of each field in the training data.
        high: largest value of each field in the training data.

    Raises:
        BadInputError: if some ``high`` is not above its ``low``.
    """
    if not bool((high > low).all()):
        raise BadInputError(
            f"each high must exceed its low, got low {low.tolist()} and high {high.tolist()}; "
            "usual cure: take both from the training split, where no field is constant"
        )
    low, high = low.to(prediction), high.to(prediction)
    flat = prediction.flatten(3)
    excess = torch.maximum(low[:, None] - flat, flat - high[:, None]).clamp(min=0) / (high - low)[:, None]
    return excess.flatten(2).amax(dim=-1)


def require_same_shape(prediction: Tensor, truth: Tensor) -> None:
    """Refuse tensors that would only be compared after broadcasting.

    Raises:
        BadInputError: if the shapes differ.
    """
    if prediction.shape != truth.shape:
        raise BadInputError(
            f"prediction has shape {tuple(prediction.shape)} but truth {tuple(truth.shape)}; both must be "
            "(batch, time, channel, *space); usual cure: score the predicted frames only"
        )


def _space_mean(values: Tensor) -> Tensor:
    return values.flatten(3).mean(dim=-1)


def _centred(values: Tensor) -> Tensor:
    space = tuple(range(3, values.ndim))
    return values - values.mean(dim=space, keepdim=True)
