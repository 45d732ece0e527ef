"""What an automaton that emulates an equation is made of."""

from typing import Final, Literal

import pydantic

from pdenca.core import Settings
from pdenca.symmetry import GROUPS

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
        kernels: fixed kernels: ``identity``, ``laplacian``, ``average``, ``gradient``, ``gradient-norm``; the
            gradient, its norm and the Laplacian also with taps two or four cells apart, as ``laplacian@2``.
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
