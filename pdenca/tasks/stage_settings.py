"""What shapes a stage of an emulator's training."""

from typing import Literal

import pydantic

from pdenca.core import Settings
from pdenca.training.distances import DistanceSettings

from .model_settings import known_group


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
