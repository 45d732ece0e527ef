"""A trained rule, read: what its kernels are, what one step does to a wave, what its reaction is."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdenca.automaton import Automaton

from .cells import CellSample
from .flow import rate_of_step
from .moments import KernelReading, Symbol, curve_wavenumbers, directions, offsets, read_kernel
from .taps import homogeneous_rate, kernel_taps, step_taps
from .terms import Fit, columns_of, fit, polynomial_terms, select_terms
from .truth import TrueLaw

STEP_CELLS = 192
IS_POLYNOMIAL = 1e-9
EXACT_DEGREE = 3


@dataclass(frozen=True)
class TermReading:
    """One term of the equation, and its coefficient in four fits to the equation's terms.

    Attributes:
        name: the term.
        equation: in the equation.
        learned: in the learned rate, the time step taken out.
        perfect_step: in (Φ(z) - z) / dt, Φ the exact flow over dt: what a perfect rule would have learnt.
        learned_step: in the learned proposal as it is, which has absorbed the time step.
    """

    name: str
    equation: float
    learned: float
    perfect_step: float
    learned_step: float

    @property
    def error(self) -> float:
        """Relative error of the learned coefficient."""
        return self.learned / self.equation - 1


@dataclass(frozen=True, eq=False)
class ReactionReading:
    """The learned reaction of one field, alone and beside the true one.

    Attributes:
        field: whose rate it is.
        equation: the learned rate as a sparse polynomial that was found without knowing the true one.
        coefficients: term -> coefficient of ``equation``, those that matter most first.
        unexplained: root mean square of the learned rate that ``equation`` leaves, in standard deviations.
        true_equation: the equation's reaction in the same library; None if the equation is unknown.
        true_unexplained: what that leaves of the true reaction; 0 for a polynomial of the library.
        terms: the learned rate fitted with the terms of the true equation alone; empty if that is unknown.
        terms_unexplained: root mean square of the learned rate that ``terms`` leave.
        error: root mean square difference of the learned rate and the equation's, in standard deviations.
        step_error: that of the learned proposal and a perfect rule's, (Φ(z) - z) / dt.
        time_step_effect: that of the equation's rate and the perfect rule's: what the time step changes.
    """

    field: str
    equation: str
    coefficients: dict[str, float]
    unexplained: float
    true_equation: str | None = None
    true_unexplained: float | None = None
    terms: tuple[TermReading, ...] = ()
    terms_unexplained: float | None = None
    error: float | None = None
    step_error: float | None = None
    time_step_effect: float | None = None

    @property
    def r_squared(self) -> float:
        """Share of the learned rate's variance that ``equation`` explains."""
        return 1 - self.unexplained**2

    @property
    def missing(self) -> tuple[str, ...]:
        """Terms of the true equation that ``equation`` lacks."""
        return tuple(item.name for item in self.terms if item.name not in self.coefficients)

    @property
    def superfluous(self) -> tuple[str, ...]:
        """Terms of ``equation`` that the true one lacks."""
        true = {item.name for item in self.terms}
        return tuple(name for name in self.coefficients if self.true_equation and name not in true)


@dataclass(frozen=True, eq=False)
class StepReading:
    """What one step does to a small wave on a homogeneous state, kernels and reaction together.

    Attributes:
        fields: names.
        diffusivities: of every field, half the second moment of the linearised step per unit time, in the
            mean over the sampled states.
        exact_diffusivities: the same of the exact flow; None if the equation is unknown.
        errors: wavenumber (rad/length) -> difference from the exact flow's linearisation, relative to what
            that changes (root mean squares over states, fields and directions).
        curve: the same at many wavenumbers, for a figure.
    """

    fields: tuple[str, ...]
    diffusivities: tuple[float, ...]
    exact_diffusivities: tuple[float, ...] | None
    errors: dict[float, float]
    curve: dict[float, float]


def read_kernels(
    automaton: Automaton,
    channels: tuple[str, ...],
    law: TrueLaw | None,
    num_dims: int,
    spacing: float,
    wavenumbers: Sequence[float],
    parameters: Float[Tensor, " parameter"] | None = None,
) -> tuple[list[KernelReading], list[str]]:
    """Read all kernels, each beside the one that makes the automaton's form exact to second order in time.

    With T the equation's transport, D ∇² for diffusion or a matrix of such operators, that is
    (exp(dt T) - 1) / dt for the transport, and exp(dt T / 2), half a step of it, for the kernels before and
    after the reaction (Strang's splitting); without emission the sample kernel has to do for both. To second
    order only the two together count.

    Arguments:
        automaton: the rule.
        channels: names of its channels.
        law: the equation; None if it is not known.
        num_dims: axes of space.
        spacing: cell size (length).
        wavenumbers: at which kernels are compared (rad/length).
        parameters: those of the law's first cell, in the automaton's order, for kernels that depend on them.

    Returns:
        The readings, and the names of features without a kernel.
    """
    taps, nonlinear = kernel_taps(automaton, channels, num_dims, spacing, parameters)
    dt = automaton.time_step
    readings = []
    for item in taps:
        symbol, name = None, ""
        known = () if law is None else channels[: law.num_fields]
        if law is not None and item.field in known and item.source in known:
            share = 1.0 if item.kind == "sample" and automaton.emission is None else 0.5
            place = (channels.index(item.field), channels.index(item.source))
            symbol, name = _exact(item.kind, law, place, dt, share)
            probe = torch.full((1, num_dims), 1 / spacing, dtype=torch.float64)
            still = symbol is not None and not bool(symbol(probe).abs() > 0)
            if still and (item.kind == "transport" or item.field != item.source):
                symbol, name = None, "0"  # a field that stays where it is: nothing is relative to nothing
        if item.kind == "laplacian":
            symbol, name = _laplacian(spacing), "h² ∇²"
        readings.append(read_kernel(item, spacing, symbol, name, wavenumbers))
    return readings, nonlinear


def _laplacian(spacing: float) -> Symbol:
    return lambda k: -(spacing**2) * k.double().square().sum(1).to(torch.complex128)


def _exact(
    kind: str, law: TrueLaw, place: tuple[int, int], dt: float, share: float
) -> tuple[Symbol | None, str]:
    row, column = place

    def spread(wavevectors: Tensor, time: float) -> Tensor:
        matrices: Tensor = torch.linalg.matrix_exp(time * law.transport(wavevectors))
        return matrices[:, row, column]

    if kind == "transport":
        here = float(row == column)
        return (lambda k: (spread(k, dt) - here) / dt), "(exp(dt T) - 1) / dt"
    if kind in ("sample", "emission"):
        return (lambda k: spread(k, share * dt)), f"exp(dt T{'' if share == 1 else ' / 2'})"
    return None, ""


def read_step(
    automaton: Automaton,
    cells: CellSample,
    law: TrueLaw | None,
    fields: tuple[str, ...],
    field_std: Sequence[float],
    num_dims: int,
    spacing: float,
    wavenumbers: Sequence[float],
) -> StepReading:
    """Linearise one step at sampled states and compare it with the exact flow.

    Arguments:
        automaton: the rule; hidden channels are empty.
        cells: the states; ``law`` has the same ones.
        law: the equation with the constants of these cells; None if it is unknown.
        fields: names.
        field_std: units of the fields, so that all count alike.
        num_dims: axes of space.
        spacing: cell size (length).
        wavenumbers: at which to compare (rad/length).
    """
    count = len(fields)
    states = _lifted(automaton, cells.fields)
    taps = step_taps(automaton, states, dict(cells.parameters), num_dims, spacing)[:, :count, :count]
    dt = automaton.time_step
    places = offsets(taps.shape[3:], spacing)
    flat = taps.detach().double().flatten(3)
    axes = [e for name, e in directions(num_dims).items() if name in "xyz"]
    second = np.mean([(places @ np.asarray(e)) ** 2 / 2 for e in axes], axis=0)
    diagonal = flat.diagonal(dim1=1, dim2=2).mean(0).T
    own = tuple(float(value) / dt for value in diagonal @ torch.from_numpy(second))
    if law is None:
        return StepReading(fields, own, None, {}, {})
    unit = torch.tensor(field_std, dtype=torch.float64)
    scale = unit[None, :] / unit[:, None]
    eye = torch.eye(count, dtype=torch.float64)
    along = torch.tensor(list(directions(num_dims).values()), dtype=torch.float64)

    def errors(at: Sequence[float]) -> dict[float, float]:
        vectors = torch.cat([k * along for k in at])
        exact = law.propagators(cells.fields, vectors, dt)
        wrong = ((_symbols(flat, places, vectors) - exact) * scale).abs().square().mean((0, 2, 3))
        change = ((exact - eye) * scale).abs().square().mean((0, 2, 3))
        shares = (wrong.view(len(at), -1).mean(1) / change.view(len(at), -1).mean(1)).sqrt()
        return dict(zip(at, shares.tolist(), strict=True))

    diffusivities = _exact_diffusivities(law, cells, axes, dt, spacing)
    return StepReading(fields, own, diffusivities, errors(wavenumbers), errors(curve_wavenumbers(spacing)))


def _symbols(
    flat: Float[Tensor, "cell field field tap"], places: np.ndarray, vectors: Tensor
) -> Complex[Tensor, "cell wave field field"]:
    phases = torch.exp(1j * (vectors @ torch.from_numpy(places).T))
    return torch.einsum("nijo,wo->nwij", flat.to(phases.dtype), phases)


def _exact_diffusivities(
    law: TrueLaw, cells: CellSample, axes: Sequence[Sequence[float]], dt: float, spacing: float
) -> tuple[float, ...]:
    """Differentiate the exact propagator twice at wavenumber 0, by extrapolation from two long waves."""
    short = 0.05 / spacing
    vectors = torch.tensor([[scale * part for part in e] for scale in (0, 1, 2) for e in axes]).double()
    made = law.propagators(cells.fields, short * vectors, dt).mean(0).diagonal(dim1=1, dim2=2).real
    still, once, twice = made.view(3, len(axes), -1).mean(1)
    first, second = (still - once) / short**2, (still - twice) / (4 * short**2)
    return tuple(float(value) / dt for value in (4 * first - second) / 3)


def read_reaction(
    automaton: Automaton,
    cells: CellSample,
    law: TrueLaw | None,
    fields: tuple[str, ...],
    num_dims: int,
    spacing: float,
    tolerance: float,
) -> list[ReactionReading]:
    """Fit the learned reaction, and beside it the true one, to a sparse library.

    The library has all products of fields up to degree three, times 1 and times each parameter that the
    cells tell apart. An explicit step of a finite length absorbs that length: even a perfect rule differs
    from the equation's rate. So the fits are of the rate whose flow the learned steps are
    (:func:`rate_of_step`), and the proposal as it is stands beside a perfect rule's.

    Arguments:
        automaton, cells, law, fields, num_dims, spacing: as in :func:`read_step`.
        tolerance: share of the standard deviation that is not worth another term.
    """
    dt = automaton.time_step
    context = dict(cells.parameters)

    proposals = homogeneous_rate(automaton, _lifted(automaton, cells.fields), context, num_dims, spacing)
    step = proposals[:, : len(fields)].numpy()
    rate = None if law is None else law.reaction(cells.fields).numpy()
    perfect = None if law is None else law.flow_rate(cells.fields, dt).numpy()
    terms = polynomial_terms(len(fields), cells.varying)
    names = np.array([term.name(fields) for term in terms])
    values = {name: value.numpy() for name, value in cells.parameters.items()}
    columns = columns_of(terms, cells.fields.numpy(), values)
    learned = rate_of_step(terms, cells.fields.numpy(), values, step, dt)
    readings = []
    for number, field in enumerate(fields):
        chosen = select_terms(columns, learned[:, number], cells.num_places, tolerance)
        blind = fit(columns[:, chosen], learned[:, number])
        reading = ReactionReading(
            field, written(_sorted(names[chosen], blind)), _sorted(names[chosen], blind), blind.unexplained
        )
        if rate is not None and perfect is not None:
            targets = [values[:, number] for values in (rate, learned, perfect, step)]
            reading = _beside_truth(reading, names, columns, targets, cells.num_places)
        readings.append(reading)
    return readings


def _beside_truth(
    reading: ReactionReading,
    names: np.ndarray,
    columns: np.ndarray,
    targets: Sequence[np.ndarray],
    num_places: int,
) -> ReactionReading:
    rate, learned, perfect, step = targets
    wanted = select_terms(columns, rate, num_places)
    fits = [fit(columns[:, wanted], target) for target in targets]
    rows = {
        name: TermReading(name, *(float(made.coefficients[place]) for made in (fits[0], fits[1], *fits[2:])))
        for place, name in enumerate(names[wanted].tolist())
    }
    ordered = _sorted(names[wanted], fits[0])
    return dataclasses.replace(
        reading,
        true_equation=written(ordered),
        true_unexplained=fits[0].unexplained,
        terms=tuple(rows[name] for name in ordered),
        terms_unexplained=fits[1].unexplained,
        error=_distance(learned, rate),
        step_error=_distance(step, perfect),
        time_step_effect=_distance(rate, perfect),
    )


def _distance(values: np.ndarray, reference: np.ndarray) -> float:
    return float(np.sqrt(((values - reference) ** 2).mean())) / (float(reference.std()) or 1.0)


def _sorted(names: np.ndarray, made: Fit) -> dict[str, float]:
    order = np.argsort(-made.shares, kind="stable")
    return {str(names[place]): float(made.coefficients[place]) for place in order}


def exact_polynomials(
    automaton: Automaton,
    fields: tuple[str, ...],
    field_size: Sequence[float],
    parameters: Mapping[str, float],
    num_dims: int,
    spacing: float,
) -> list[dict[str, float]] | None:
    """Write the learned proposal out if, at given parameters, it is a cubic polynomial of the fields.

    A polynomial is what interpolation says it is, everywhere: the rule is evaluated in a wide box, and the
    coefficients are those of the only polynomial through these values.

    Arguments:
        automaton: the rule.
        fields: what the polynomial is of.
        field_size: half the width of the box.
        parameters: name -> value.
        num_dims, spacing: of the lattice.

    Returns:
        Term -> coefficient, one mapping per field; None if the rule is no such polynomial.
    """
    size = np.array(field_size)
    terms = polynomial_terms(len(fields), (), EXACT_DEGREE)
    generator = torch.Generator().manual_seed(0)
    unit = 2 * torch.rand(16 * len(terms), len(fields), generator=generator, dtype=torch.float64) - 1
    context = {
        name: torch.full((len(unit),), value, dtype=torch.float64) for name, value in parameters.items()
    }
    states = _lifted(automaton, unit * torch.from_numpy(size))
    values = homogeneous_rate(automaton, states, context, num_dims, spacing)
    columns = columns_of(terms, unit.numpy(), {})
    found = []
    for number in range(len(fields)):
        made = fit(columns, values[:, number].numpy())
        if not made.unexplained < IS_POLYNOMIAL:
            return None
        scales = [float(np.prod(size ** np.array(term.powers))) for term in terms]
        pairs = zip(terms, made.coefficients, scales, strict=True)
        found.append({term.name(fields): float(value) / scale for term, value, scale in pairs})
    return found


def _lifted(automaton: Automaton, fields: Float[Tensor, "cell field"]) -> Float[Tensor, "cell channel"]:
    return torch.cat([fields, fields.new_zeros(len(fields), automaton.codec.num_hidden)], dim=1)


def written(terms: Mapping[str, float]) -> str:
    """Write a sum of terms as text."""
    text = ""
    for name, value in terms.items():
        number = f"{abs(value):.4g}"
        body = number if name == "1" else name if number == "1" else f"{number} {name}"
        sign = " - " if value < 0 else " + "
        text += (sign if text else sign.strip().replace("+", "")) + body
    return text or "0"
