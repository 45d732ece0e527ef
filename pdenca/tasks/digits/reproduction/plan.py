"""What is trained and measured."""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

import pydantic

from pdenca.core import Settings

from ..restoration import load_restoration
from ..settings import load_digit_experiment
from .measured import BEFORE

Part = Literal["models", "damage", "basins", "letters", "pictures"]
PARTS: Final[tuple[Part, ...]] = ("models", "damage", "basins", "letters", "pictures")

Course = tuple[str, Mapping[str, str]]
"""(experiment, settings)."""
JUDGES: Final[Mapping[str, Course]] = {
    "judge": ("explicit", {"seed": "100"}),
    "second judge": ("implicit", {"seed": "101"}),
}
"""Of digits. No restorer is trained or chosen by any judge."""
READER: Final[Course] = ("explicit", {"seed": "102", "network.num_channels": "24"})
"""The judge of what is learned after digits."""

POST: Final = {"num_steps": "1000", "validate_every": "100"}
NETWORK: Final = {"num_steps": "4000", "validate_every": "200"}
CELLS: Final = {"num_steps": "10000", "validate_every": "500"}
MODELS: Final[Mapping[str, Course]] = {
    "hybrid": ("hybrid", POST),
    "hybrid-late": ("hybrid-late", POST),
    "ca": ("ca", POST),
    "gate": ("gate", POST),
    "auto-encoder": ("auto-encoder", NETWORK),
    "u-net": ("u-net", NETWORK),
    # as many numbers as the memory's, and as much time
    "u-net-equal": ("u-net", {"model.width": "43", "num_steps": "800", "validate_every": "100"}),
    "memory": ("memory", CELLS),
    "memory-ca": ("memory-ca", CELLS),
    "memory-gate": ("memory-gate", CELLS),
    "attractors": ("attractors", {}),
}
"""Name -> a course that takes a core well under an hour for each.

The post trains for 40,000 batches, which would take its hybrid ten hours; 1,000 take a quarter of an hour.
"""
OURS: Final = "memory"
MEMORY: Final = "attractors"
"""The model that was made to have attractors."""
PICTURED: Final = ("hybrid", OURS, MEMORY)
"""What is drawn at work."""
SHARES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
OTHER_DAMAGE: Final = {"blocks": 0.4, "strokes": 0.4, "noise": 0.3}
COUNTED: Final = ("hybrid", "memory", "attractors")
"""Whose attractors are counted."""

LEARNING: Final = {"num_steps": "3000", "validate_every": "300", "learning_rate": "2e-3"}
SCHEMES: Final[Mapping[str, Mapping[str, str]]] = {
    "gate only": {"trained": "gate"},
    "gate only, digits replayed": {"trained": "gate", "replay": "0.5"},
    "everything": {},
    "everything, digits replayed": {"replay": "0.5"},
    "both at once": {"replay": "0.5"},
}
"""How letters are learned after digits -> settings. "both at once" begins with random parameters."""
JOINT: Final = "both at once"
# as long as digits and letters take one after the other
TOGETHER: Final = {"num_steps": str(int(CELLS["num_steps"]) + int(LEARNING["num_steps"]))}
FROZEN: Final = tuple(name for name, settings in SCHEMES.items() if "trained" in settings)
LEARNERS: Final[Mapping[str, tuple[str, ...]]] = {OURS: tuple(SCHEMES), MEMORY: FROZEN}
"""What learns letters after digits -> how: the best restorer, and what has valleys that could be lost."""
OTHERWISE: Final[Mapping[str, Mapping[str, str]]] = {MEMORY: {"num_steps": "1500", "validate_every": "150"}}
"""Learner -> settings of its learning: its batches take longer."""

Family = Literal["letters", "emnist-letters", "fashion-mnist"]
CENSUS: Final = "census"
"""Among the courses: how far attractors are counted."""


def judges_of(data: str) -> dict[str, Course]:
    """Return the judges of a family of images by name."""
    return dict(JUDGES) if data == "mnist" else {reader_of(data): READER}


def reader_of(family: str) -> str:
    """Return the name of the judge of what is learned after digits."""
    return f"reader of {family}"


def learned_by(learner: str, scheme: str) -> str:
    """Return the name of a way of learning by one of :data:`LEARNERS`; of our model it is the scheme's."""
    return scheme if learner == OURS else f"{learner}, {scheme}"


def after_digits(family: str, scheme: str, learner: str = OURS) -> str:
    """Return the name of a model after it has learned a family in some way."""
    return f"{family}, {learned_by(learner, scheme)}"


class ReproductionSettings(Settings):
    """How much of it.

    Arguments:
        parts: which of :data:`PARTS`.
        seeds: of training.
        models: which of :data:`MODELS`.
        family: what is learned after digits, in the part "letters".
        num_starts, num_rounds: of every census.
        overrides: settings of every restorer, for a shorter course: dotted place -> value as text.
        judge_overrides: settings of every judge, likewise.
    """

    parts: tuple[Part, ...] = pydantic.Field(default=PARTS, min_length=1)
    seeds: tuple[int, ...] = pydantic.Field(default=(0, 1, 2), min_length=1)
    models: tuple[str, ...] = tuple(MODELS)
    family: Family = "letters"
    num_starts: int = pydantic.Field(default=1000, ge=6)
    num_rounds: int = pydantic.Field(default=200, ge=33)
    overrides: dict[str, str] = pydantic.Field(default_factory=dict)
    judge_overrides: dict[str, str] = pydantic.Field(default_factory=dict)

    @pydantic.model_validator(mode="after")
    def _known(self) -> "ReproductionSettings":
        unknown = sorted(set(self.models) - set(MODELS))
        if unknown:
            raise ValueError(f"there is no model {unknown[0]!r}; expected some of {', '.join(MODELS)}")
        if "letters" in self.parts and OURS not in self.models:
            raise ValueError(f"letters are learned by {OURS!r}, which is not among the models")
        return self

    def course_of(self, name: str) -> dict[str, str]:
        """Return the settings of a model; what shortens all courses comes last."""
        return {**MODELS[name][1], **self.overrides}

    def scheme(self, name: str, learner: str = OURS) -> dict[str, str]:
        """Return the settings by which a model learns after digits."""
        length = TOGETHER if name == JOINT else {**LEARNING, **OTHERWISE.get(learner, {})}
        return {**MODELS[learner][1], **length, **SCHEMES[name], **self.overrides}


def courses(settings: ReproductionSettings) -> dict[str, dict[str, str]]:
    """Return all settings that models, judges and schemes are trained by, and how far attractors are counted.

    So another number in an experiment's file is another course, as one in this plan is. ``overrides``, which
    need not fit every model, are left out: a table of shortened courses is not kept at all.
    """
    settings = settings.replace(overrides={})
    found = {name: _course(MODELS[name][0], settings.course_of(name)) for name in MODELS}
    for name, (experiment, told) in {**JUDGES, **judges_of(settings.family)}.items():
        judge = load_digit_experiment(experiment, {**told, **settings.judge_overrides})
        found[name] = {"experiment": experiment, **_flat(json.loads(judge.to_json()))}
    for learner, schemes in LEARNERS.items():
        found[learned_by(learner, BEFORE)] = found[learner]
        for name in schemes:
            course = _course(MODELS[learner][0], settings.scheme(name, learner))
            found[learned_by(learner, name)] = course
            found[after_digits(settings.family, name, learner)] = course
    census = {"num_starts": str(settings.num_starts), "num_rounds": str(settings.num_rounds)}
    return {**found, CENSUS: census}


def _course(experiment: str, told: Mapping[str, str]) -> dict[str, str]:
    settings = load_restoration(experiment, told)
    return {"experiment": experiment, **_flat(json.loads(settings.to_json()))}


def _flat(values: Mapping[str, Any], start: str = "") -> dict[str, str]:
    """Return dotted place -> value as text."""
    found: dict[str, str] = {}
    for name, value in values.items():
        place = f"{start}{name}"
        found |= _flat(value, f"{place}.") if isinstance(value, dict) else {place: json.dumps(value)}
    return found
