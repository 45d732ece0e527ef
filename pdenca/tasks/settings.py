"""What shapes an emulator: the model, its training stages, the seed. Read from TOML, saved in every run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import pydantic

from pdenca.baselines.networks import NetworkSettings
from pdenca.core import Settings
from pdenca.symmetry import GROUPS
from pdenca.training.distances import DistanceSettings

from .experiment_files import read_experiment

WHOLE_GROUPS: Final = ("D4", "C4", "line", "cube", "cube-rotations")
"""Groups with all rotations of their lattice, which isotropic kernels have in any case."""


def known_group(name: str) -> str:
    """Return the name if it is one of ``pdenca.symmetry.GROUPS``.

    Raises:
        ValueError: if not, with the known ones: what a validator of settings raises.
    """
    if name not in GROUPS:
        raise ValueError(f"there is no group {name!r}; expected one of {', '.join(GROUPS)}")
    return name


class ModelSettings(Settings):
    """The parts of an automaton.

    Arguments:
        perception: ``isotropic-kernels`` (learned, by moments), ``group-kernels`` (learned, with the symmetry
            of ``group``), ``gradient-invariants`` (isotropic, and products of gradients), ``fixed-kernels``,
            or ``vector-kernels`` (all kernels between scalars and vectors, for the rule ``gated``).
        group: the symmetry of group and vector kernels, a key of ``pdenca.symmetry.GROUPS``; of gradient
            invariants whether there are reflections (``D4``) or rotations alone (``C4``).
        radius: reach of the learned transport kernels, 1 to 6 cells.
        sample_radius: reach of the learned sample kernels, 0 to ``radius``.
        emission_radius: reach of the learned emission kernels through which the products of the reaction
            spread within a step; 0: they stay in their cell.
        crossed_kernels: whether the isotropic kernels lead from every channel to every channel and are
            weighed by the equation's parameters, for cross-diffusion or transport that depends on them.
        kernels: fixed kernels: ``identity``, ``laplacian``, ``average``, ``gradient``, ``gradient-norm``.
        rule: ``mlp``, ``affine-mlp`` (an MLP of the fields, its outputs weighed by the parameters),
            ``products`` (a cubic polynomial) or ``gated`` (scalars open and close vectors).
        num_hidden_units: of the MLP.
        further_units: of further hidden layers behind that one (rule ``mlp``); all layers then have biases
            and random weights of the usual size, and there is no linear path.
        num_products: of the polynomial.
        activation: of the MLP.
        hidden_bias: whether the MLP's hidden layer has a bias.
        skip: whether the MLP has a linear path beside the hidden layer.
        spread: standard deviation of the MLP's first layer at the start.
        standardise: scale inputs and rates by the statistics of the training data.
        num_hidden_channels: channels beside the observed fields.
        num_hidden_vectors: hidden vector fields, one channel per axis each (vector kernels).
        parameters_as_input: whether the rule is told the equation's parameters.
        fire_rate: chance of a cell to act in a step.
        steps_per_frame: automaton steps per stored frame.
    """

    perception: Literal[
        "isotropic-kernels", "group-kernels", "gradient-invariants", "fixed-kernels", "vector-kernels"
    ] = "isotropic-kernels"
    group: str = "D4"
    radius: int = pydantic.Field(default=3, ge=1, le=6)
    sample_radius: int = pydantic.Field(default=1, ge=0, le=6)
    emission_radius: int = pydantic.Field(default=0, ge=0, le=6)
    crossed_kernels: bool = False
    kernels: tuple[str, ...] = ("identity", "laplacian")
    rule: Literal["mlp", "affine-mlp", "products", "gated"] = "mlp"
    num_hidden_units: pydantic.PositiveInt = 16
    further_units: tuple[pydantic.PositiveInt, ...] = ()
    num_products: pydantic.PositiveInt = 6
    activation: Literal["tanh", "relu", "silu", "linear"] = "tanh"
    hidden_bias: bool = True
    skip: bool = True
    spread: float = pydantic.Field(default=1.0, gt=0)
    standardise: bool = True
    num_hidden_channels: int = pydantic.Field(default=0, ge=0)
    num_hidden_vectors: int = pydantic.Field(default=0, ge=0)
    parameters_as_input: bool = True
    fire_rate: float = pydantic.Field(default=1.0, gt=0, le=1)
    steps_per_frame: pydantic.PositiveInt = 10

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "ModelSettings":
        learned = ("isotropic-kernels", "group-kernels", "gradient-invariants")
        if self.perception in learned and self.sample_radius > self.radius:
            raise ValueError(
                f"the sample kernels reach {self.sample_radius} cells, further than the transport kernels "
                f"with {self.radius}; usual cure: a sample_radius of at most radius"
            )
        if self.perception != "isotropic-kernels" and self.emission_radius:
            raise ValueError(
                f"emission kernels need isotropic kernels, got perception {self.perception!r}; usual cure: "
                "emission_radius = 0"
            )
        if self.perception != "isotropic-kernels" and self.crossed_kernels:
            raise ValueError(
                f"only isotropic kernels can be crossed, got perception {self.perception!r}; usual cure: "
                "crossed_kernels = false"
            )
        if self.num_hidden_channels and self.standardise:
            raise ValueError(
                "hidden channels have no data to be standardised by; set standardise = false or "
                "num_hidden_channels = 0"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _no_idle_option(self) -> "ModelSettings":
        idle = {"radius", "sample_radius"} if self.perception == "fixed-kernels" else {"kernels"}
        if self.perception == "vector-kernels":
            idle |= {"sample_radius"}
        if self.rule != "products":
            idle |= {"num_products"}
        if self.rule == "products":
            idle |= {"num_hidden_units"}
        if self.rule in ("products", "gated"):
            idle |= {"activation", "hidden_bias", "skip", "spread"}
        if self.rule != "mlp":
            idle |= {"further_units"}
        elif self.further_units:
            idle |= {"hidden_bias", "skip", "spread"}
        for name in sorted(idle):
            if getattr(self, name) != type(self).model_fields[name].default:
                layers = " of further layers" if self.further_units else ""
                raise ValueError(
                    f"{name} plays no role with perception {self.perception!r} and rule {self.rule!r}"
                    f"{layers}; leave it out"
                )
        return self

    @pydantic.model_validator(mode="after")
    def _symmetric(self) -> "ModelSettings":
        known_group(self.group)
        chosen = {"group-kernels": GROUPS, "vector-kernels": GROUPS, "gradient-invariants": WHOLE_GROUPS}
        if self.group not in chosen.get(self.perception, ("D4",)):
            raise ValueError(
                f"perception {self.perception!r} cannot have the symmetry {self.group}; expected "
                f"{', '.join(chosen.get(self.perception, ('D4',)))}; usual cure: perception = 'group-kernels'"
            )
        if self.perception in ("group-kernels", "vector-kernels") and self.radius > 3:
            raise ValueError(f"{self.perception} reach at most 3 cells, got radius {self.radius}")
        if (self.perception == "vector-kernels") != (self.rule == "gated"):
            raise ValueError(
                f"vector kernels and the rule 'gated' need each other, got {self.perception!r} and "
                f"{self.rule!r}"
            )
        if self.perception == "vector-kernels" and self.standardise:
            raise ValueError("the features of vector kernels are not standardised; set standardise = false")
        if self.num_hidden_vectors and self.perception != "vector-kernels":
            raise ValueError(
                f"hidden vectors need vector kernels, got perception {self.perception!r}; usual cure: "
                "num_hidden_vectors = 0"
            )
        return self


class StageSettings(Settings):
    """One stage of training.

    Arguments:
        objective: ``derivative`` (rates, cell by cell), ``rollout`` (frames ahead), ``propagation`` (the
            founding paper's pairs) or ``equilibrium`` (where the automaton rests against the last frames).
        fitter: ``levenberg-marquardt`` (derivative only), ``gauss-newton`` (derivative, rollout), ``lbfgs``
            (in the metric of derivative matching) or ``first-order``.
        num_steps: at most this many steps of the fitter.
        validate_every: steps between validations.
        num_windows: training windows taken from the data (derivative, rollout); L-BFGS takes its metric from
            as many.
        cells_per_window: cells of each window (derivative).
        horizon: frames predicted from each window (rollout).
        batch_size: windows or pairs per step; None: all (rollout, propagation).
        unit: in whose standard deviation of each field errors and noise are counted (derivative, rollout):
            that of the whole ``dataset``, or that of all trajectories at the ``time`` of a window, where it
            is smaller: patterns that are still faint then weigh as much as grown ones, as they do in VRMSE.
        noise: noise on given frames, in those units; a thousandth keeps kernels from amplifying waves that
            the data do not hold.
        uniform_noise: share of uniform noise over the range of the data in all frames, given and wanted ones
            alike, drawn once: (1 - share) · data + share · noise (propagation).
        overflow_weight: weight of the penalty on leaving the data's range (rollout, propagation) ...
        overflow_unit: ... as it is (``absolute``), or in units of the distance between the first two frames
            (``first-distance``), so that distances whose numbers are of other sizes leave the same weight to
            the penalty (propagation).
        distance: between predicted and true frames, such as ``{name = "spectral"}``; see
            :class:`pdenca.training.DistanceSettings`. None: the normalised Euclidean one (propagation).
        early_share: share of the windows that start at the first ``early_frames`` frames, one after the
            other: there patterns form fastest. The others start anywhere.
        early_frames: see ``early_share``.
        patience: end the stage after so many validations in a row without a gain of 1 %; None: never.
        augment: a key of ``pdenca.symmetry.GROUPS``: every window is moved by an element drawn from this
            group; None: the windows are taken as they are (derivative, rollout).
        crop: cut squares of so many cells out of the frames (rollout); None: whole frames.
        crop_margin: cells along the cut edges that are predicted but not scored, since what flows in there
            is unknown; a few times the distance over which fields diffuse within the horizon.
        adjoint: how a loss is carried through an equilibrium: see
            :class:`pdenca.equilibrium.EquilibriumSettings` (equilibrium).
        search: method by which equilibria are found; see :func:`pdenca.equilibrium.solve` (equilibrium).
        map_steps: automaton steps that make up the map whose fixed points are searched; so many that slow
            perturbations decay visibly (equilibrium).
        max_evaluations: of that map, per search (equilibrium).
        jacobian_weight: weight of the penalty on the Jacobian at the equilibrium (equilibrium).
        optimizer, learning_rate, schedule, gradient: of first-order fitters.
    """

    objective: Literal["derivative", "rollout", "propagation", "equilibrium"]
    fitter: Literal["levenberg-marquardt", "gauss-newton", "lbfgs", "first-order"]
    num_steps: pydantic.PositiveInt
    validate_every: pydantic.PositiveInt = 1
    num_windows: pydantic.PositiveInt = 24
    cells_per_window: pydantic.PositiveInt = 512
    horizon: pydantic.PositiveInt = 1
    batch_size: pydantic.PositiveInt | None = None
    unit: Literal["dataset", "time"] = "dataset"
    noise: float = pydantic.Field(default=0.0, ge=0)
    uniform_noise: float = pydantic.Field(default=0.0, ge=0, le=1)
    overflow_weight: float = pydantic.Field(default=0.0, ge=0)
    overflow_unit: Literal["absolute", "first-distance"] = "absolute"
    distance: DistanceSettings | None = None
    early_share: float = pydantic.Field(default=0.5, ge=0, le=1)
    early_frames: pydantic.PositiveInt = 6
    patience: pydantic.PositiveInt | None = None
    augment: str | None = None
    crop: pydantic.PositiveInt | None = None
    crop_margin: int = pydantic.Field(default=10, ge=0)
    adjoint: Literal["implicit", "jacobian-free", "phantom"] = "implicit"
    search: Literal["picard", "anderson", "broyden", "newton-krylov", "pseudo-transient"] = "anderson"
    map_steps: pydantic.PositiveInt = 20
    max_evaluations: pydantic.PositiveInt = 50
    jacobian_weight: float = pydantic.Field(default=0.0, ge=0)
    optimizer: Literal["adam", "nadam", "adamw", "adagrad", "sgd", "soap"] = "adam"
    learning_rate: float = pydantic.Field(default=1e-3, gt=0)
    schedule: Literal["constant", "cosine", "exponential"] = "constant"
    gradient: Literal["plain", "normalise", "clip"] = "plain"

    @pydantic.field_validator("augment")
    @classmethod
    def _known_group(cls, name: str | None) -> str | None:
        return None if name is None else known_group(name)

    @pydantic.model_validator(mode="after")
    def _fits(self) -> "StageSettings":
        if self.fitter == "levenberg-marquardt" and self.objective != "derivative":
            raise ValueError(
                f"levenberg-marquardt fits the derivative objective, not {self.objective}; use gauss-newton"
            )
        if self.fitter == "gauss-newton" and self.objective == "propagation":
            raise ValueError("gauss-newton needs a sum of squares, propagation is none; use first-order")
        if self.fitter == "gauss-newton" and self.objective == "equilibrium":
            raise ValueError(
                "gauss-newton needs forward derivatives, an equilibrium has only backward ones; use lbfgs"
            )
        if self.fitter == "lbfgs" and (self.objective == "propagation" or self.batch_size is not None):
            raise ValueError(
                "lbfgs needs the same batch in every step: no propagation objective, no batch_size; "
                "use first-order"
            )
        for name in self._idle():
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name} plays no role in a stage with objective {self.objective} and fitter "
                    f"{self.fitter}; leave it out"
                )
        return self

    def _idle(self) -> set[str]:
        """Return the settings that this kind of stage does not use."""
        idle: set[str] = set()
        if self.objective == "derivative":
            idle |= {"batch_size", "overflow_weight"}
        if self.objective == "propagation":
            idle |= {"num_windows", "early_share", "early_frames", "augment", "unit"}
        else:
            idle |= {"distance", "uniform_noise", "overflow_unit"}
        if self.objective == "equilibrium":
            idle |= {"overflow_weight"}
            if self.fitter != "lbfgs":
                idle |= {"num_windows", "early_share", "early_frames", "augment", "unit", "noise"}
        else:
            idle |= {"adjoint", "search", "map_steps", "max_evaluations", "jacobian_weight"}
        if self.objective != "rollout":
            idle |= {"horizon", "crop"}
        if self.crop is None:
            idle |= {"crop_margin"}
        elif self.crop <= 2 * self.crop_margin:
            raise ValueError(
                f"a crop of {self.crop} cells has nothing left inside a margin of {self.crop_margin}"
            )
        if self.objective != "derivative" and self.fitter not in ("lbfgs", "gauss-newton"):
            idle |= {"cells_per_window"}
        if self.fitter == "gauss-newton":
            idle |= {"overflow_weight"}
        if self.fitter != "first-order":
            idle |= {"optimizer", "learning_rate", "schedule", "gradient"}
        return idle


WINDOWS: Final = ((1, 1), (6, 12), (13, 30))
"""Predicted frames by which models are chosen unless they are told others."""


class EmulationSettings(Settings):
    """All that decides a training run, apart from the data.

    Arguments:
        model: the automaton.
        network: a network that predicts whole frames, instead of an automaton.
        stages: what to do, in order.
        seed: of initial weights, windows, noise and masks.
        validation: by what the best model is chosen: its ``rollout`` error, or that of its ``equilibrium``:
            where it takes the last frame of every validation trajectory.
        validation_frames: frames rolled out on every validation trajectory.
        validation_given: frames given before them.
        validation_interval: time between these frames, a multiple of that of the data; None: the same. With
            one for all, models from data of other intervals are chosen by the same frames.
        validation_windows: first and last predicted frame over which errors are pooled; those that reach
            beyond the frames do not count.
        train_trajectories: use only the first so many trajectories of every training file; None: all. Scales
            are measured on all of them in any case.
        max_seconds: time budget of training; a run that has spent it ends with its best model so far, and
            may be resumed with a larger one. None: no limit.
        dtype: floating point type of training.
    """

    model: ModelSettings = ModelSettings()
    network: NetworkSettings | None = None
    stages: tuple[StageSettings, ...]
    seed: int = pydantic.Field(default=0, ge=0)
    validation: Literal["rollout", "equilibrium"] = "rollout"
    validation_frames: pydantic.PositiveInt = 30
    validation_given: pydantic.PositiveInt = 4
    validation_interval: float | None = pydantic.Field(default=None, gt=0)
    validation_windows: tuple[tuple[pydantic.PositiveInt, pydantic.PositiveInt], ...] = WINDOWS
    train_trajectories: pydantic.PositiveInt | None = None
    max_seconds: float | None = pydantic.Field(default=None, gt=0)
    dtype: Literal["float32", "float64"] = "float64"

    @pydantic.model_validator(mode="after")
    def _one_kind(self) -> "EmulationSettings":
        if self.network is None:
            return self
        if self.model != ModelSettings():
            raise ValueError("a run trains an automaton or a network; usual cure: leave out [model]")
        for stage in self.stages:
            if (stage.objective, stage.fitter) != ("rollout", "first-order"):
                raise ValueError(
                    f"a network is trained by the objective rollout and the fitter first-order, got "
                    f"{stage.objective} and {stage.fitter}"
                )
        return self

    @pydantic.model_validator(mode="after")
    def _no_idle_validation(self) -> "EmulationSettings":
        for name in ("validation_given", "validation_interval", "validation_windows"):
            told = getattr(self, name) != type(self).model_fields[name].default
            if told and self.validation == "equilibrium":
                raise ValueError(f"{name} plays no role in the validation of equilibria; leave it out")
        if any(first > last for first, last in self.validation_windows):
            raise ValueError("a window ends before it begins; expected (first, last) predicted frame")
        return self

    @pydantic.field_validator("stages")
    @classmethod
    def _some_stage(cls, stages: tuple[StageSettings, ...]) -> tuple[StageSettings, ...]:
        if not stages:
            raise ValueError("a training run needs at least one stage")
        return stages


_FOLDER = Path(__file__).parent.parent / "experiments"

EXPERIMENTS: Final[dict[str, Path]] = {
    "mlp": _FOLDER / "mlp.toml",
    "mlp-far": _FOLDER / "mlp-far.toml",
    "polynomial": _FOLDER / "polynomial.toml",
    "founding-paper": _FOLDER / "founding-paper.toml",
    "founding-study": _FOLDER / "founding-study.toml",
    "steady": _FOLDER / "steady.toml",
    "cnn": _FOLDER / "cnn.toml",
    "unet": _FOLDER / "unet.toml",
    "fno": _FOLDER / "fno.toml",
    "tfno": _FOLDER / "tfno.toml",
    "unet-well": _FOLDER / "unet-well.toml",
    "cnextunet-well": _FOLDER / "cnextunet-well.toml",
    "fno-well": _FOLDER / "fno-well.toml",
    "tfno-well": _FOLDER / "tfno-well.toml",
    "fno-pdebench": _FOLDER / "fno-pdebench.toml",
    "unet-pdebench": _FOLDER / "unet-pdebench.toml",
}


def load_experiment(
    name_or_path: str | Path, overrides: Mapping[str, Any] | None = None
) -> EmulationSettings:
    """Read the settings of an emulator: see :func:`~pdenca.tasks.experiment_files.read_experiment`."""
    return EmulationSettings.parse(read_experiment(EXPERIMENTS, name_or_path, overrides))
