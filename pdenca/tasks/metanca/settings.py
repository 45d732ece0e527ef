"""What shapes a rule that writes networks, and its training. Read from TOML, saved in every run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, get_args

import pydantic

from pdenca.automaton import widths_from_name
from pdenca.core import Settings

from ..experiment_files import read_experiment
from ..runs import FitSettings

Data = Literal["iris", "mnist", "mnist-14", "fashion-mnist", "fashion-mnist-14", "letters", "letters-14"]


DATA: Final[tuple[str, ...]] = get_args(Data)


class WeightRuleSettings(Settings):
    """The parts of the rule.

    Arguments:
        num_hidden: hidden numbers of every weight.
        perception: ``mean``: over forward and backward neighbours; ``attention``: over those that a weight
            listens to; ``alone``: a weight sees itself only, so that with position codes the rule is an
            ordinary hypernetwork.
        num_heads, head_size: of the attention.
        codes: ``positions``: the rule is told where a weight is, see
            :func:`~pdenca.tasks.metanca.codes.position_codes`; ``layers``: only in which layer; ``none``: not
            even that.
        num_waves: of the codes.
        code_units: of layers through which codes go before the rule hears them; they are passed once, not in
            every local step.
        factored_codes: whether the codes of a weight's source and of its target go through such layers each
            by itself and meet as a product, see :class:`~pdenca.automaton.FactoredCodes`: layers are then
            passed once per neuron and not once per weight.
        units: of the rule's hidden layers.
        activation: of the rule, ``tanh``, ``relu`` or ``silu``.
        output: ``linear``, or ``tanh``, which bounds what one step can do.
        leak: share of its state that a weight forgets whenever it is updated, so that only what the rule
            renews lasts, and nothing grows for ever where ``output`` is ``tanh``; 0: none.
        fire_rate: chance of a weight to be updated in a step.
        num_steps: local steps that write a network.
        biases: whether the networks have any.
        task_activation: of the networks, between layers.
        lesson_size: training examples that the weights are shown in every local step, see
            :class:`~pdenca.automaton.Lesson`; 0: none, and what is written is what was learned in training.
        hidden_spread: standard deviation of what a weight hides at the start. Values start with 1, in units
            of 1 / √sources.
    """

    num_hidden: pydantic.NonNegativeInt = 8
    perception: Literal["mean", "attention", "alone"] = "mean"
    num_heads: pydantic.PositiveInt = 2
    head_size: pydantic.PositiveInt = 4
    codes: Literal["positions", "layers", "none"] = "positions"
    num_waves: pydantic.PositiveInt = 4
    code_units: tuple[pydantic.PositiveInt, ...] = ()
    factored_codes: bool = False
    units: tuple[pydantic.PositiveInt, ...] = pydantic.Field(default=(32, 32), min_length=1)
    activation: Literal["tanh", "relu", "silu"] = "silu"
    output: Literal["linear", "tanh"] = "tanh"
    leak: float = pydantic.Field(default=0.0, ge=0, le=1)
    fire_rate: float = pydantic.Field(default=0.8, gt=0, le=1)
    num_steps: pydantic.PositiveInt = 10
    biases: bool = True
    task_activation: Literal["tanh", "relu", "silu"] = "relu"
    lesson_size: pydantic.NonNegativeInt = 0
    hidden_spread: float = pydantic.Field(default=0.1, ge=0)

    @pydantic.model_validator(mode="after")
    def _no_idle_option(self) -> "WeightRuleSettings":
        idle = {"num_heads", "head_size"} if self.perception != "attention" else set()
        idle |= {"code_units"} if self.codes == "none" else set()
        idle |= {"num_waves", "factored_codes"} if self.codes != "positions" else set()
        for name in sorted(idle):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name} plays no role with perception {self.perception!r} and codes {self.codes!r}; "
                    "leave it out"
                )
        if self.factored_codes and not self.code_units:
            raise ValueError("factored codes need layers; usual cure: e.g. code_units = [128, 64]")
        return self


class MetaSettings(FitSettings):
    """All that decides a training run, apart from the data.

    Arguments:
        rule: the rule.
        data: ``iris``; ``mnist``, ``fashion-mnist``, ``letters``; ``mnist-14`` and so on: means over 2 x 2 of
            their pixels.
        permuted: whether inputs and classes change places in every training step, so that a rule with a
            lesson learns how to learn instead of what.
        fold: which of five stratified folds of all examples is tested on, 0 to 4; None: MNIST's own test set,
            which the irises do not have.
        networks: that it learns to write, e.g. ``784-30-10``.
        num_steps: training steps.
        validate_every: training steps between validations.
        grow_every: training steps until the local steps grow by one, from 1 on; 0: they do not grow.
        num_samples: of every network, per training step.
        networks_per_step: how many of the networks, drawn anew in every training step, are written; None:
            all of them.
        pool_size: ends that later samples begin from; 0: none.
        fresh_share: of the samples begins anew.
        num_damaged: of the samples from the pool lose a layer and a share of the other weights ...
        damage: ... which is this.
        held_out: share of the training examples that the rule is chosen by.

    The others are those of :class:`~pdenca.tasks.runs.FitSettings`.
    """

    rule: WeightRuleSettings = WeightRuleSettings()
    data: Data = "mnist"
    permuted: bool = False
    fold: int | None = pydantic.Field(default=None, ge=0, le=4)
    networks: tuple[str, ...] = pydantic.Field(default=("784-10", "784-30-10"), min_length=1)
    num_steps: pydantic.PositiveInt = 2000
    validate_every: pydantic.PositiveInt = 100
    grow_every: pydantic.NonNegativeInt = 0
    num_samples: pydantic.PositiveInt = 4
    networks_per_step: pydantic.PositiveInt | None = None
    pool_size: pydantic.NonNegativeInt = 0
    fresh_share: float = pydantic.Field(default=0.25, ge=0, le=1)
    num_damaged: pydantic.NonNegativeInt = 0
    damage: float = pydantic.Field(default=0.3, ge=0, le=1)
    held_out: float = pydantic.Field(default=0.2, gt=0, lt=1)
    optimizer: Literal["adam", "nadam", "adamw", "sgd", "soap"] = "adam"
    learning_rate: float = pydantic.Field(default=2e-3, gt=0)
    schedule: Literal["constant", "cosine", "exponential", "one-cycle"] = "one-cycle"
    gradient: Literal["plain", "normalise", "clip"] = "clip"

    @pydantic.field_validator("networks")
    @classmethod
    def _are_networks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            widths_from_name(name)
        return names

    @pydantic.model_validator(mode="after")
    def _has_a_test_set(self) -> "MetaSettings":
        if self.data == "iris" and self.fold is None:
            raise ValueError("the irises have no test set of their own; usual cure: fold = 0")
        return self

    @property
    def widths(self) -> tuple[tuple[int, ...], ...]:
        """Of the networks."""
        return tuple(widths_from_name(name) for name in self.networks)


_FOLDER = Path(__file__).parent.parent.parent / "experiments" / "metanca"
EXPERIMENTS: Final[dict[str, Path]] = {
    name: _FOLDER / f"{name}.toml" for name in ("iris", "mnist", "mnist-14", "learner")
}


def load_meta(name_or_path: str | Path, overrides: Mapping[str, str] | None = None) -> MetaSettings:
    """Read the settings of a rule that writes networks.

    Arguments:
        name_or_path: a key of :data:`EXPERIMENTS` or a TOML file.
        overrides: dotted place -> value as text, e.g. ``{"rule.num_steps": "20"}``.

    Raises:
        BadInputError: for an unknown experiment or setting, or a bad value.
    """
    return MetaSettings.parse(read_experiment(EXPERIMENTS, name_or_path, overrides))
