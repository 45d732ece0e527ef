"""From settings and scales to automata and networks, and from run folders to emulators."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from pdenca.automaton import (
    Automaton,
    Emission,
    Finer,
    GatedRule,
    HiddenChannels,
    Increment,
    LayeredMLP,
    LocalRule,
    ParameterAffineMLP,
    PointwiseMLP,
    ProductRule,
    Standardised,
    TransportReaction,
    VectorKernels,
    bind_anywhere,
)
from pdenca.baselines.networks import FrameHistory, FrameNetwork, build_body
from pdenca.core import BadInputError, Context, FormatError, Settings, Step
from pdenca.core.field import Kind as FieldKind
from pdenca.solvers.grid import Grid
from pdenca.training.checkpoint import load_tree
from pdenca.training.loop import BEST

from .model_settings import ModelSettings
from .perceptions import PERCEPTIONS, Perceived, is_chiral, kernel_weights, num_channels, state_kinds
from .settings import EmulationSettings
from .training_data import DataScales

SETTINGS, SCALES = "settings.json", "scales.json"
Kind = TypeVar("Kind", bound=Settings)


def build_automaton(
    model: ModelSettings, scales: DataScales, *, seed: int = 0, dtype: torch.dtype = torch.float64
) -> Automaton:
    """Build an untrained automaton.

    Arguments:
        model: its parts.
        scales: of the training data.
        seed: of the initial weights.
        dtype: of the weights; the random start is the same for all types, up to rounding.
    """
    generator = torch.Generator().manual_seed(seed)
    seen = PERCEPTIONS[model.perception](model, scales)
    features, channels = seen.num_features, num_channels(model, scales)
    told = scales.parameter_names if model.parameters_as_input else ()
    rule: LocalRule
    if model.rule == "mlp" and model.further_units:
        rule = LayeredMLP(
            features,
            len(told),
            channels,
            (model.num_hidden_units, *model.further_units),
            activation=model.activation,
            generator=generator,
        )
    elif model.rule == "mlp":
        rule = PointwiseMLP(
            features,
            len(told),
            channels,
            model.num_hidden_units,
            activation=model.activation,
            hidden_bias=model.hidden_bias,
            skip=model.skip,
            spread=model.spread,
            generator=generator,
        )
    elif model.rule == "affine-mlp":
        rule = ParameterAffineMLP(
            features,
            len(told),
            channels,
            model.num_hidden_units,
            activation=model.activation,
            hidden_bias=model.hidden_bias,
            skip=model.skip,
            spread=model.spread,
            generator=generator,
        )
    elif isinstance(seen.perception, VectorKernels):
        rule = GatedRule(
            seen.perception.num_scalars,
            seen.perception.num_vectors,
            len(told),
            len(scales.field_names) + model.num_hidden_channels,
            model.num_hidden_vectors,
            model.num_hidden_units,
            num_dims=scales.num_dims,
            chiral=is_chiral(seen.perception.group),
            generator=generator,
        )
    else:
        rule = ProductRule(features, len(told), channels, model.num_products, generator=generator)
    if model.standardise:
        rule = _standardised(rule, seen, scales, len(told))
    emission = None
    if seen.transports:
        rule = TransportReaction(rule, channels)
        if model.emission_radius:
            weights = kernel_weights(model, scales)
            emission = Emission(channels, model.emission_radius, scales.num_dims, scales.spacing, weights)
    automaton = Automaton(
        seen.perception,
        rule,
        Increment(model.fire_rate),
        HiddenChannels(len(scales.field_names), channels - len(scales.field_names)),
        emission=emission,
        context_names=told,
        time_step=scales.frame_interval / model.steps_per_frame,
        steps_per_frame=model.steps_per_frame,
    )
    return automaton.to(dtype)


def build_network(
    settings: EmulationSettings, scales: DataScales, *, dtype: torch.dtype = torch.float64
) -> FrameNetwork:
    """Build an untrained network that predicts whole frames.

    Arguments:
        settings: its ``network`` says which; its seed is that of the initial weights.
        scales: of the training data.
        dtype: floating point type to work in; the random start is the same for all types, up to rounding.

    Raises:
        BadInputError: if the settings have no network, or it needs a package that is not installed.
    """
    if settings.network is None:
        raise BadInputError("these settings describe an automaton; usual cure: a [network] table")
    num_fields, frames = len(scales.field_names), settings.network.num_given_frames
    told = scales.parameter_names if settings.network.parameters_as_input else ()
    inputs = num_fields * frames + len(told)

    def vector(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64)

    network = FrameNetwork(
        build_body(settings.network, inputs, num_fields, scales.num_dims, settings.seed),
        FrameHistory(num_fields, frames),
        context_names=told,
        frame_interval=scales.frame_interval,
        field_centre=vector(scales.field_mean),
        field_scale=vector(scales.field_std),
        parameter_centre=vector(scales.parameter_centre[: len(told)]),
        parameter_scale=vector(scales.parameter_scale[: len(told)]),
        change_scale=vector(scales.rate_scale) * scales.frame_interval,
    )
    return network.cast(dtype)


def build_model(
    settings: EmulationSettings, scales: DataScales, dtype: torch.dtype
) -> Automaton | FrameNetwork:
    """Build the untrained automaton or network of the settings."""
    if settings.network is not None:
        return build_network(settings, scales, dtype=dtype)
    return build_automaton(settings.model, scales, seed=settings.seed, dtype=dtype)


def _standardised(rule: LocalRule, seen: Perceived, scales: DataScales, num_told: int) -> Standardised:
    rate = torch.tensor(scales.rate_scale, dtype=torch.float64)
    parameter_centre = torch.tensor(scales.parameter_centre[:num_told], dtype=torch.float64)
    parameter_scale = torch.tensor(scales.parameter_scale[:num_told], dtype=torch.float64)
    return Standardised(rule, seen.centre, seen.scale, parameter_centre, parameter_scale, rate)


@dataclass(frozen=True, eq=False)
class NeuralEmulator:
    """A trained automaton or network with what it was trained on: an Emulator.

    Arguments:
        name: for tables.
        automaton: the model.
        settings: how it was made and trained.
        scales: of its training data.
        finer: how an automaton works on finer cells than it was trained on, see
            :func:`~pdenca.automaton.bind_anywhere`.
    """

    name: str
    automaton: Automaton | FrameNetwork
    settings: EmulationSettings
    scales: DataScales
    finer: Finer = "substeps"

    @property
    def codec(self) -> HiddenChannels | FrameHistory:
        """Observed fields first; then hidden channels, empty at the start, or earlier frames."""
        return self.automaton.codec

    @property
    def kinds(self) -> tuple[FieldKind, ...]:
        """How the fields of its state transform, hidden ones included, for ``pdenca.symmetry``."""
        kinds = state_kinds(self.settings.model, self.scales)
        return kinds * self.codec.num_given  # a network's state is as many frames

    @property
    def num_parameters(self) -> int:
        """Number of learned numbers."""
        return self.automaton.num_parameters

    @property
    def evaluations_per_frame(self) -> int:
        """How often a frame looks at the neighbourhood; a network passes over the cells once."""
        if isinstance(self.automaton, FrameNetwork):
            return 1
        return self.automaton.steps_per_frame * self.automaton.evaluations_per_step

    @property
    def radius(self) -> int | None:
        """Reach of the neighbourhood (cells); None: the whole domain."""
        return self.automaton.radius

    def bind(
        self,
        lattice: Any,  # noqa: ANN401  # the contract of Emulator
        context: Context,
        generator: torch.Generator | None = None,
    ) -> Step:
        """Return the Step that advances one stored frame.

        An automaton keeps its meaning in physical units on cells of another size, with more and smaller steps
        on finer ones; a network is bound to whatever cells there are.

        Raises:
            BadInputError: for a rule that has no meaning at the lattice's spacing.
        """
        if isinstance(self.automaton, FrameNetwork) or not isinstance(lattice, Grid):
            return self.automaton.bind(lattice, context, generator)
        return bind_anywhere(
            self.automaton, self.scales.spacing, lattice, context, generator, finer=self.finer
        )

    def at_interval(self, frame_interval: float) -> "NeuralEmulator":
        """Return the same model for another time between frames.

        Raises:
            BadInputError: if that is not a whole number of the automaton's steps, or the model is a network,
                which knows whole frames only.
        """
        step = (
            self.scales.frame_interval
            if isinstance(self.automaton, FrameNetwork)
            else (self.automaton.time_step)
        )
        count = round(frame_interval / step)
        whole = count > 0 and math.isclose(frame_interval, count * step, rel_tol=1e-6)
        if isinstance(self.automaton, FrameNetwork) or not whole:
            raise BadInputError(
                f"{self.name} takes steps of {step:g} time units, which do not make up a frame interval of "
                f"{frame_interval:g}; usual cure: a multiple of them"
            )
        other = copy.copy(self.automaton)  # the same weights
        other.steps_per_frame = count
        return replace(self, automaton=other)


def load_run(run: Path, dtype: torch.dtype = torch.float64) -> NeuralEmulator:
    """Load the best model of a training run.

    Arguments:
        run: the run's folder.
        dtype: floating point type to work in.

    Raises:
        FormatError: if it is no run, training has not got far enough, or a file is damaged.
    """
    settings, scales = read_run(run)
    model = build_model(settings, scales, torch.float64)
    parameters: Mapping[str, Tensor] = load_tree(run / BEST)["parameters"]
    own = dict(model.named_parameters())
    if own.keys() != parameters.keys() or any(own[key].shape != parameters[key].shape for key in own):
        raise FormatError(f"{run / BEST} does not fit {run / SETTINGS}; usual cure: train again")
    with torch.no_grad():
        for name, value in parameters.items():
            own[name].copy_(value)
    ready = model.cast(dtype) if isinstance(model, FrameNetwork) else model.to(dtype)
    return NeuralEmulator(run.name, ready, settings, scales)


def read_run(run: Path) -> tuple[EmulationSettings, DataScales]:
    """Read the settings and scales of a run.

    Raises:
        FormatError: if it is no run or a file is damaged.
    """
    return _read(run, SETTINGS, EmulationSettings), _read(run, SCALES, DataScales)


def _read(run: Path, name: str, kind: type[Kind]) -> Kind:
    path = run / name
    if not path.is_file():
        raise FormatError(
            f"{run} is not a training run: it has no {name}; usual cure: `pdenca train DIR --out RUN`"
        )
    try:
        return kind.from_json(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise FormatError(f"{path} is damaged: {error}") from None
