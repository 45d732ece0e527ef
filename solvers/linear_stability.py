"""How small waves on a homogeneous state grow: dispersion relations and the thresholds of patterns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from scipy.optimize import brentq, minimize_scalar
from torch import Tensor

from pdenca.core.errors import BadInputError

from .equation import Equation
from .parameters import Parameter
from .waves import Waves, continuum_waves


@dataclass(frozen=True, eq=False)
class GrowingWave:
    """A wave on a homogeneous state and what becomes of it: u = u₀ + ε Re[amplitudes exp(i k x + σ t)].

    Arguments:
        wavenumber: |k| (1/length); the wavelength is 2π/|k|.
        eigenvalue: σ (1/time); its real part is the growth rate, its imaginary part the frequency.
        amplitudes: one complex number per field, of length 1.
    """

    wavenumber: float
    eigenvalue: complex
    amplitudes: tuple[complex, ...]

    @property
    def growth_rate(self) -> float:
        """Re σ (1/time): positive if the state is unstable to this wave."""
        return self.eigenvalue.real


def dispersion(
    equation: Equation,
    homogeneous_state: Sequence[Parameter],
    wavenumbers: Float[Tensor, " wave"] | Float[Tensor, "wave axis"],
) -> Complex[Tensor, "wave field"]:
    """Return the eigenvalues of the equation linearised about a homogeneous state, wave by wave.

        J_ij(k) = L_ij(k) + c_i(k) ∂N_i/∂u_j

    with L the linear part, N the product and c its coefficients (see ``Factored``); the derivatives of N are
    exact.

    Arguments:
        equation: with constants that are numbers, the same everywhere.
        homogeneous_state: one value per field, usually of ``equation.homogeneous_states()``.
        wavenumbers: k (1/length), along the first axis, or whole wavevectors, one number per axis.

    Returns:
        σ (1/time), sorted by falling real part; the wave grows if that of the first is positive.

    Raises:
        BadInputError: for a state with another number of fields, or constants per trajectory or in space.
    """
    eigenvalues: Tensor = torch.linalg.eigvals(jacobians(equation, homogeneous_state, wavenumbers))
    order = eigenvalues.real.argsort(dim=1, descending=True)
    return eigenvalues.gather(1, order)


def jacobians(
    equation: Equation,
    homogeneous_state: Sequence[Parameter],
    wavenumbers: Float[Tensor, " wave"] | Float[Tensor, "wave axis"],
) -> Complex[Tensor, "wave field field"]:
    """Return J(k) of :func:`dispersion`, one matrix per wave; arguments and errors as there."""
    num_fields = len(equation.fields)
    if len(homogeneous_state) != num_fields:
        raise BadInputError(
            f"a homogeneous state of equation {equation.name!r} has {num_fields} values, got "
            f"{len(homogeneous_state)}"
        )
    values = [_number(value, "homogeneous state") for value in homogeneous_state]
    vectors = wavenumbers[:, None] if wavenumbers.ndim == 1 else wavenumbers
    waves = continuum_waves(vectors)
    symbol = equation.linear_symbol(waves).to(torch.complex128)
    if len(symbol) != 1:
        raise BadInputError(
            f"linear stability is for one set of constants, got {len(symbol)} trajectories; usual cure: "
            "with_parameters and numbers"
        )
    linear = symbol[0] if symbol.ndim == 4 else torch.diag_embed(symbol[0].T).movedim(0, 2)
    linear = linear.expand(num_fields, num_fields, len(vectors)).movedim(2, 0)

    factored = equation.factored_nonlinear()
    state = torch.tensor(values, dtype=torch.float64).reshape(1, num_fields, *(1,) * vectors.shape[1])
    with torch.enable_grad():
        slopes: Tensor = torch.autograd.functional.jacobian(factored.product, state)
    slope = slopes.reshape(-1, num_fields).expand(num_fields, num_fields)  # one product may serve all fields
    weights = torch.stack(
        [_weight(value, waves).expand(len(vectors)) for value in factored.coefficients], dim=1
    )
    return linear + weights[:, :, None] * slope


def most_unstable(
    equation: Equation,
    homogeneous_state: Sequence[Parameter],
    largest_wavenumber: float,
    num_samples: int = 500,
) -> GrowingWave:
    """Find the wave that grows fastest (or decays most slowly).

    Arguments:
        equation: see :func:`dispersion`.
        homogeneous_state: one value per field.
        largest_wavenumber: where the search from 0 ends (1/length), along the first axis.
        num_samples: a peak narrower than their distance may be missed.

    Returns:
        The wave.

    Raises:
        BadInputError: as :func:`dispersion`, and unless the largest wavenumber is positive.
    """
    if not 0 < largest_wavenumber < math.inf:
        raise BadInputError(f"largest_wavenumber must be positive, got {largest_wavenumber}")

    def growth(wavenumber: float) -> float:
        k = torch.tensor([wavenumber], dtype=torch.float64)
        return float(dispersion(equation, homogeneous_state, k)[0, 0].real)

    samples = torch.linspace(0, largest_wavenumber, num_samples, dtype=torch.float64)
    rates = dispersion(equation, homogeneous_state, samples)[:, 0].real
    best = int(rates.argmax())
    wavenumber = float(samples[best])
    if 0 < best < num_samples - 1:
        bounds = (float(samples[best - 1]), float(samples[best + 1]))
        found = minimize_scalar(
            lambda k: -growth(k), bounds=bounds, method="bounded", options={"xatol": 1e-10 * wavenumber}
        )
        wavenumber = float(found.x)
    matrix = jacobians(equation, homogeneous_state, torch.tensor([wavenumber], dtype=torch.float64))[0]
    eigenvalues, vectors = torch.linalg.eig(matrix)
    first = int(eigenvalues.real.argmax())
    amplitudes = tuple(complex(value) for value in vectors[:, first].tolist())
    return GrowingWave(wavenumber, complex(eigenvalues[first]), amplitudes)


def instability_threshold(
    equation: Equation,
    parameter: str,
    bracket: tuple[float, float],
    largest_wavenumber: float,
    state_number: int = 0,
) -> float:
    """Find the value of a constant at which a homogeneous state loses its stability.

    Arguments:
        equation: the other constants.
        parameter: name of the constant.
        bracket: two values, one on each side of the threshold.
        largest_wavenumber: waves from 0 to here are considered (1/length).
        state_number: which of ``equation.homogeneous_states()``; it moves with the constant.

    Returns:
        The value at which the fastest growing wave neither grows nor decays.

    Raises:
        BadInputError: if there is no such state, if it is stable or unstable at both ends of the bracket, or
            as :func:`most_unstable`.
    """

    def growth(value: float) -> float:
        changed = equation.with_parameters({parameter: value})
        states = changed.homogeneous_states()
        if not 0 <= state_number < len(states):
            raise BadInputError(
                f"equation {equation.name!r} has {len(states)} known homogeneous states at {parameter} = "
                f"{value:g}, got state_number={state_number}; usual cure: a bracket within which it exists, "
                "or most_unstable with a state of your own"
            )
        return most_unstable(changed, states[state_number], largest_wavenumber).growth_rate

    ends = [growth(value) for value in bracket]
    if ends[0] * ends[1] > 0:
        what = "unstable" if ends[0] > 0 else "stable"
        raise BadInputError(
            f"the homogeneous state is {what} at both {parameter} = {bracket[0]:g} and {bracket[1]:g}, with "
            f"growth rates {ends[0]:.3g} and {ends[1]:.3g}; usual cure: a wider bracket"
        )
    return float(brentq(growth, *bracket, xtol=1e-12, rtol=1e-12))


def _number(value: Parameter, what: str) -> float:
    if isinstance(value, Tensor) and value.numel() != 1:
        raise BadInputError(f"linear stability is for one {what}, got a tensor of {value.numel()} values")
    return float(value)


def _weight(value: object, waves: Waves) -> Tensor:
    weight = value(waves) if callable(value) else torch.as_tensor(value, dtype=torch.float64)
    return weight.reshape(-1).to(torch.complex128)
