"""From a trained emulator to its explanation: wiring only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from pdenca.automaton import Automaton, IsotropicKernels
from pdenca.core import BadInputError, FormatError
from pdenca.solvers import EQUATIONS

from ..figures import EVALUATION_FOLDER, SOURCES_FILE, Subject, find_runs
from ..models import NeuralEmulator
from .cells import CellSample, sample_box, sample_data
from .moments import KernelReading
from .reading import (
    STEP_CELLS,
    ReactionReading,
    StepReading,
    exact_polynomials,
    read_kernels,
    read_reaction,
    read_step,
)
from .truth import TrueLaw, law_of

TOLERANCE = 0.05
"""What is left below this share of a standard deviation is not worth another term."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a trained rule has learnt, in words of the equation.

    Attributes:
        model: name of the run.
        equation: behind its data.
        num_parameters: learned numbers.
        fields: names.
        time_step: of the automaton (time).
        steps_per_frame: automaton steps per stored frame.
        spacing: at which the kernels were read, that of the training (length).
        cells: where the reaction was read, in words.
        waves: which wavenumbers were looked at, in words.
        wavenumbers: these (rad/length).
        diffusivities: of the true equation; None if unknown or not one per field.
        kernels: the kernels of perception and emission.
        step: the whole step, linearised.
        reactions: one per field.
        polynomials: the proposal written out at ``polynomials_at``; None if it is no polynomial.
        polynomials_at: parameter values.
        notes: what does not exist or cannot be told, one sentence each.
    """

    model: str
    equation: str
    num_parameters: int
    fields: tuple[str, ...]
    time_step: float
    steps_per_frame: int
    spacing: float
    cells: str
    waves: str
    wavenumbers: tuple[float, ...]
    diffusivities: tuple[float, ...] | None
    kernels: tuple[KernelReading, ...]
    step: StepReading
    reactions: tuple[ReactionReading, ...]
    polynomials: tuple[dict[str, float], ...] | None
    polynomials_at: dict[str, float]
    notes: tuple[str, ...]


def explain(
    emulator: NeuralEmulator,
    data: Path | None = None,
    *,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> Explanation:
    """Read a trained rule: its kernels, one whole step, its reaction.

    Arguments:
        emulator: the model, in float64.
        data: the dataset it was trained on; without it the reaction is read in the box of its range.
        tolerance: share of the standard deviation of a rate that is not worth another term.
        seed: of the choice of cells.

    Returns:
        The explanation.

    Raises:
        BadInputError: for a network, a tolerance outside (0, 1), or data the model was not trained on.
        FormatError: for a damaged dataset.
    """
    if not 0 < tolerance < 1:
        raise BadInputError(f"the tolerance must be above 0 and below 1, got {tolerance}")
    scales, automaton = emulator.scales, _automaton_of(emulator)
    cells = sample_box(scales, seed) if data is None else sample_data(data, scales, seed)
    fields, num_dims, spacing = scales.field_names, scales.num_dims, scales.spacing
    few = cells.thinned(STEP_CELLS)
    law, few_law = _law(emulator, cells), _law(emulator, few)
    hidden = tuple(f"hidden {number + 1}" for number in range(automaton.codec.num_hidden))
    kernels, nonlinear = read_kernels(
        automaton,
        (*fields, *hidden),
        law,
        num_dims,
        spacing,
        cells.wavenumbers,
        torch.tensor([float(cells.parameters[name][0]) for name in automaton.context_names]),
    )
    step = read_step(automaton, few, few_law, fields, scales.field_std, num_dims, spacing, cells.wavenumbers)
    pair = dict(zip(scales.parameter_names, scales.parameter_pairs[0], strict=True))
    size = [
        max(abs(low), abs(high)) or 1.0 for low, high in zip(scales.field_low, scales.field_high, strict=True)
    ]
    polynomials = exact_polynomials(automaton, fields, size, pair, num_dims, spacing)
    return Explanation(
        model=emulator.name,
        equation=scales.equation,
        num_parameters=emulator.num_parameters,
        fields=fields,
        time_step=automaton.time_step,
        steps_per_frame=automaton.steps_per_frame,
        spacing=spacing,
        cells=cells.source,
        waves=cells.wavenumbers_source,
        wavenumbers=cells.wavenumbers,
        diffusivities=None if law is None else law.diffusivities,
        kernels=tuple(kernels),
        step=step,
        reactions=tuple(read_reaction(automaton, cells, law, fields, num_dims, spacing, tolerance)),
        polynomials=None if polynomials is None else tuple(polynomials),
        polynomials_at=pair if automaton.context_names else {},
        notes=tuple(_notes(emulator, cells, law, kernels, nonlinear)),
    )


def _automaton_of(emulator: NeuralEmulator) -> Automaton:
    if not isinstance(emulator.automaton, Automaton):
        raise BadInputError(
            f"{emulator.name} is a network that maps whole frames to whole frames: it has no local rule that "
            "could be written down; expected an automaton"
        )
    return emulator.automaton


def _law(emulator: NeuralEmulator, cells: CellSample) -> TrueLaw | None:
    name = emulator.scales.equation
    return law_of(name, cells.parameters, cells.constants) if name in EQUATIONS else None


def _notes(
    emulator: NeuralEmulator,
    cells: CellSample,
    law: TrueLaw | None,
    kernels: Sequence[KernelReading],
    nonlinear: Sequence[str],
) -> list[str]:
    automaton, scales = _automaton_of(emulator), emulator.scales
    notes = []
    if law is None:
        notes.append(
            f"The equation {scales.equation!r} is not known here, so there is nothing to compare with."
        )
    if not automaton.update.deterministic:
        notes.append(
            f"Cells fire with a chance of {automaton.update.fire_rate:g}; read was a step in which all fire."
        )
    if automaton.codec.num_hidden:
        notes.append(
            f"The rule has {automaton.codec.num_hidden} hidden channels, which have no counterpart in the "
            "equation: its reaction and its step were read with all of them empty, as they are at the start "
            "of a roll-out, and say nothing about later steps."
        )
    if nonlinear:
        notes.append(f"No linear function of the neighbourhood, hence no kernel: {', '.join(nonlinear)}.")
    if not any(kernel.taps.kind == "transport" for kernel in kernels):
        notes.append(
            "The rule mixes its features in a network and has no transport kernel of its own; what it does "
            "to a wave is read off the whole step."
        )
    perception = automaton.perception
    if isinstance(perception, IsotropicKernels) and perception.weights is not None:
        place = ", ".join(
            f"{name} = {float(cells.parameters[name][0]):g}" for name in automaton.context_names
        )
        notes.append(
            f"The kernels depend on the parameters; they are read at {place}."
            if place
            else "The kernels lead from every channel to every channel."
        )
    told = set(scales.parameter_names)
    lost = [name for name in scales.parameter_names if name not in cells.varying]
    if lost and told:
        sets = len(set(scales.parameter_pairs))
        notes.append(
            f"{', '.join(lost)} cannot be told from the other terms in {sets} parameter "
            f"set{'s' if sets != 1 else ''} and {'is' if len(lost) == 1 else 'are'} part of the coefficients."
        )
    if told and not automaton.context_names:
        notes.append("The rule is not told the parameters.")
    return notes


def single_run(path: Path) -> Path:
    """Return the folder of the one run that a path means.

    Raises:
        BadInputError: if it holds one network per regime.
        FormatError: if there is no run.
    """
    runs = find_runs(path)
    if len(runs) > 1:
        raise BadInputError(
            f"{path} holds one network per regime; usual cure: one of them, such as {runs[0]}"
        )
    return runs[0]


def data_of(run: Path) -> Path | None:
    """Return the dataset on which a run was evaluated, if it was and the dataset is still there."""
    if not (run / EVALUATION_FOLDER / SOURCES_FILE).is_file():
        return None
    try:
        return Subject(run).data
    except FormatError:
        return None
