"""How near a restored digit is to the true one, and the mean of that over many digits."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, NonFiniteError

_WINDOW: Final = 7  # cells along each side
_CONFIDENT: Final = NormalDist().inv_cdf(0.975)  # standard deviations on either side of 95 %

Images = Float[Tensor, "batch 28 28"]


def psnr(restored: Images, truth: Images, data_range: float = 1.0) -> Float[Tensor, " batch"]:
    """Return the peak signal-to-noise ratio of every image (dB),

        10 log10(range² / MSE),

    in double precision. It is infinite where an image is exact: no floor is put under the error, as any would
    decide the mean. A NaN in an image is a NaN in its ratio.

    Arguments:
        restored: grey values, not clipped here.
        truth: what they should be.
        data_range: brightest less darkest grey value there can be.

    Raises:
        BadInputError: if the shapes differ, or the range is not positive.
    """
    _require_same_shape(restored, truth)
    if not data_range > 0:
        raise BadInputError(
            f"got the range {data_range}; expected a positive one; usual cure: 1 for grey values"
        )
    error = (restored.double() - truth.double()).square().mean((1, 2))
    return 10 * torch.log10(data_range**2 / error)


def ssim(restored: Images, truth: Images) -> Float[Tensor, " batch"]:
    """Return the structural similarity of every image: the mean over all 7 x 7 windows inside the image of

        (2 μ ν + C₁) (2 cov + C₂) / ((μ² + ν² + C₁) (σ² + τ² + C₂)),   C₁ = 0.01², C₂ = 0.03²,

    with means μ, ν, variances σ², τ² and covariance of the two images in the window, where each cell counts
    the same; variances and covariance are sums divided by 48. 1 for equal images, in double precision. These
    are the defaults of scikit-image, which computes it. A NaN in an image is a NaN in its similarity.

    Arguments:
        restored: grey values.
        truth: what they should be, 0 to 1.

    Raises:
        BadInputError: if the shapes differ, or scikit-image is not installed.

    Source: Wang, Bovik, Sheikh and Simoncelli, IEEE Trans. Image Process. 13 (2004) 600, eq. 13.
    """
    _require_same_shape(restored, truth)
    similarity = _structural_similarity()
    pairs = zip(_as_arrays(restored), _as_arrays(truth), strict=True)
    found = [float(similarity(one, other, win_size=_WINDOW, data_range=1.0)) for one, other in pairs]
    return torch.tensor(found, dtype=torch.float64, device=restored.device)


def mean_interval(values: Float[Tensor, " value"]) -> tuple[float, float, float]:
    """Return the mean of some values and its 95 % interval,

        mean ± 1.96 s / √n,   s² = Σ (value - mean)² / (n - 1).

    Arguments:
        values: one per image, of images that are drawn independently.

    Returns:
        (mean, low end, high end), in the unit of the values.

    Raises:
        BadInputError: for fewer than two values.
        NonFiniteError: if a value is infinite, as is the PSNR of an exact image, or a NaN: there is no
            interval then.

    Limits of validity: so many values that their mean is normally distributed, 30 or more.
    """
    number = len(values)
    if number < 2:
        raise BadInputError(f"got {number} values; expected 2 or more; usual cure: judge more images")
    wrong = number - int(values.isfinite().sum())
    if wrong:
        raise NonFiniteError(
            f"got {wrong} of {number} values that are infinite or not a number; expected finite ones; usual "
            "cure: count images that are restored exactly, whose PSNR is infinite, apart"
        )
    doubles = values.double()
    mean = float(doubles.mean())
    reach = _CONFIDENT * float(doubles.std()) / math.sqrt(number)
    return mean, mean - reach, mean + reach


def _require_same_shape(restored: Tensor, truth: Tensor) -> None:
    if restored.shape != truth.shape:
        raise BadInputError(
            f"got restored images of shape {tuple(restored.shape)} and true ones of {tuple(truth.shape)}; "
            "expected the same shape; usual cure: compare the same images"
        )


def _as_arrays(images: Tensor) -> np.ndarray:
    return images.detach().double().cpu().numpy()


def _structural_similarity() -> Callable[..., Any]:
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise BadInputError(
            f"the structural similarity needs scikit-image ({error}); usual cure: pip install "
            "'pdenca[digits]'"
        ) from None
    return structural_similarity
