"""What is trained and measured."""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import pydantic

from pdenca.core import Settings

from ..settings import Data, load_meta

Part = Literal["folds", "signals", "stability", "robustness", "architectures", "learning"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

PUBLISHED: Final = {"rule.leak": "0.0"}
"""The abstract's weights forget nothing."""
POOL: Final = {**PUBLISHED, "pool_size": "32", "num_samples": "8"}
LEAK: Final = 0.5
"""Share of its state that a weight of our rules forgets."""
LEAKING: Final = {"rule.leak": str(LEAK)}
AGEING: Final = {**LEAKING, "pool_size": "32", "num_samples": "8", "fresh_share": "0.125"}
"""Fewer samples begin anew, so that states grow older."""
MODELS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "irises": ("iris", PUBLISHED),
    "irises, alone": ("iris", {**PUBLISHED, "rule.perception": "alone"}),
    "irises, attention": ("iris", {**PUBLISHED, "rule.perception": "attention"}),
    "irises, no codes": ("iris", {**PUBLISHED, "rule.codes": "none", "rule.hidden_spread": "1.0"}),
    "irises, pool": ("iris", POOL),
    "irises, pool, zeroed": ("iris", {**POOL, "num_damaged": "3"}),
    "irises, leak": ("iris", LEAKING),
    "irises, leak, pool": ("iris", AGEING),
    "irises, leak, pool, zeroed": ("iris", {**AGEING, "num_damaged": "3"}),
    # fewer networks have as many training steps each, and a few more
    "one network": ("mnist", {"networks": '["784-20-10"]', "num_steps": "5000"}),
    "two networks": ("mnist", {"networks": '["784-20-10", "784-20-20-10"]', "num_steps": "10000"}),
    "six networks": ("mnist", {}),
    "six networks, four fifths": ("mnist", {"fold": "0"}),
    "six networks, alone": ("mnist", {"rule.perception": "alone"}),
    "six networks, hypernetwork": (
        "mnist",
        {"rule.perception": "alone", "rule.num_steps": "1", "rule.fire_rate": "1.0", "rule.leak": "1.0"},
    ),
    "learner": ("learner", {}),
}
"""Name -> (experiment, settings)."""

NEVER_HAD: Final = ("irises, alone", "irises, attention", "irises, no codes")
"""Rules that never had a signal, or hear it in another way."""
OF_IMAGES: Final = "mnist"
"""The experiment of the rules that are compared on many architectures ..."""
RULES_OF_IMAGES: Final = tuple(name for name, (experiment, _) in MODELS.items() if experiment == OF_IMAGES)
"""... which are these."""
SPLIT: Final = "six networks, four fifths"
"""Trained on four fifths of all digits, as the abstract's, and judged by the fifth."""
BY_ADAM, COPIED, RANDOM = "each by Adam", "best copied", "random"
RIVALS: Final = (BY_ADAM, COPIED, RANDOM)
"""No rule writes these: every network trained by itself, the best of those that the rules are trained on
copied into all others as far as it goes, and networks as they begin."""
OF_RIVALS: Final = "six networks"
"""The rule whose examples and networks they have."""

LEARNER: Final = "learner"
TAUGHT: Final[tuple[Data, ...]] = ("mnist-14", "letters-14", "iris")
"""What a rule of learning is shown; it was trained on the first, in other orders of pixels and classes."""

FOLDED: Final = ("irises", "irises, leak, pool, zeroed")
"""The published rule, and the one that lasts and comes back."""
LASTING: Final = tuple(name for name in MODELS if name == "irises" or "pool" in name or "leak" in name)
"""Rules that go on for long: with a pool and without, with weights that forget and without."""

UNSEEN_OF_IMAGES: Final = ("784-30-10", "784-50-30-10")
UNSEEN: Final = ("4-15-3", "4-10-5-3", "4-10-10-10-3")
"""Networks of irises that no rule is trained on: another width, another order, another depth."""
FOLLOWED: Final = "4-10-3"
NUM_ZERO_OUTS, BETWEEN = 20, 5
"""Zero-outs, and local updates from one to the next: the published experiment's 100 updates."""
WIDTHS: Final = (10, 20, 30, 50, 100)
DEPTHS: Final = (1, 2, 3, 4)
MIXED: Final = ((50, 30), (20, 50))
"""Hidden layers of different widths."""


def architectures(inputs: int, outputs: int) -> tuple[tuple[int, ...], ...]:
    """Return networks of 1 to 4 layers, most with hidden layers that are all of one width."""
    hidden = [(), *((width,) * (depth - 1) for depth in DEPTHS[1:] for width in WIDTHS), *MIXED]
    return tuple((inputs, *widths, outputs) for widths in hidden)


def courses() -> dict[str, dict[str, Any]]:
    """Return what decides how every rule is trained, but the seed."""
    return {
        name: json.loads(load_meta(experiment, dict(told)).to_json())
        for name, (experiment, told) in MODELS.items()
    }


class MetaReproductionSettings(Settings):
    """How much of it.

    Arguments:
        parts: which of :data:`PARTS`.
        seeds: of training.
        models: which of :data:`MODELS` and :data:`RIVALS`.
        fold_seeds: of training on each of the five folds.
        num_samples: of every network that is judged.
        num_updates: local updates of the stability experiment.
        gradient_epochs: passes through the examples of networks that are trained one by one.
        overrides: settings of every rule, for a shorter course: dotted place -> value as text.
    """

    parts: tuple[Part, ...] = pydantic.Field(default=PARTS, min_length=1)
    seeds: tuple[int, ...] = pydantic.Field(default=(0, 1, 2), min_length=1)
    models: tuple[str, ...] = pydantic.Field(default=(*MODELS, *RIVALS), min_length=1)
    fold_seeds: tuple[int, ...] = pydantic.Field(default=tuple(range(10)), min_length=1)
    num_samples: int = pydantic.Field(default=100, ge=2)
    num_updates: int = pydantic.Field(default=10_000, ge=1)
    gradient_epochs: int = pydantic.Field(default=10, ge=1)
    overrides: dict[str, str] = pydantic.Field(default_factory=dict)

    @pydantic.model_validator(mode="after")
    def _known(self) -> "MetaReproductionSettings":
        known = (*MODELS, *RIVALS)
        unknown = sorted(set(self.models) - set(known))
        if unknown:
            raise ValueError(f"there is no model {unknown[0]!r}; expected some of {'; '.join(known)}")
        return self
