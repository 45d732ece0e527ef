"""How the power spectra of a prediction and the truth differ."""

from jaxtyping import Float
from torch import Tensor

from pdenca.solvers.power_spectrum import RELATIVE_ENERGY_FLOOR, RadialSpectrum, dominant_wavenumber


def log_spectral_distance(
    prediction: RadialSpectrum, truth: RadialSpectrum
) -> Float[Tensor, "batch time channel"]:
    """Distance of two spectra in decades: does the prediction have structure of the right sizes?

    sqrt of the mean over shells of [ log10( (E_u + e) / (E_v + e) ) ]^2, over the complete shells
    0 < k <= nyquist that hold modes, with e = 1e-6 max E_v so that rounding noise is not compared. It
    ignores where the structures are, so it stays meaningful after two trajectories have parted: 0 is equal
    spectra, 1 is a factor of ten in a typical shell. A prediction without any structure stays finite (at
    most 6); a truth without any gives NaN.

    Arguments:
        prediction: spectrum of the prediction.
        truth: spectrum of the truth, on the same grid.

    Returns:
        The distance in decades of every frame and field.
    """
    complete = truth.wavenumber <= truth.nyquist * (1 + 1e-9)
    used = complete & (truth.num_modes > 0) & (truth.wavenumber > 0)
    floor = RELATIVE_ENERGY_FLOOR * truth.energy.amax(dim=-1, keepdim=True)
    ratio = ((prediction.energy + floor) / (truth.energy + floor))[..., used]
    return ratio.log10().square().mean(dim=-1).sqrt()


def wavelength_error(
    prediction: RadialSpectrum, truth: RadialSpectrum
) -> Float[Tensor, "batch time channel"]:
    """Relative error of the dominant wavelength, |k_u - k_v| / k_v in terms of dominant wavenumbers.

    To first order the same as the relative error of the wavelength 1 / k, but finite for a prediction
    without structure, which scores 1.

    Arguments:
        prediction: spectrum of the prediction.
        truth: spectrum of the truth, on the same grid; where it has no structure the result is not finite.

    Returns:
        The relative error of every frame and field.
    """
    true = dominant_wavenumber(truth)
    return (dominant_wavenumber(prediction) - true).abs() / true
