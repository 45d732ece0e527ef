"""What is trained and measured."""

from collections.abc import Mapping
from typing import Final, Literal

import pydantic

from pdenca.core import Settings

Part = Literal["models", "damage", "basins", "letters"]
PARTS: Final[tuple[Part, ...]] = ("models", "damage", "basins", "letters")

JUDGES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "judge": ("explicit", {"seed": "100"}),
    "second judge": ("implicit", {"seed": "101"}),
    "reader of letters": ("explicit", {"seed": "102", "network.num_channels": "24"}),
}
"""Name -> (experiment, settings). No restorer is trained or chosen by any of them."""
READER: Final = "reader of letters"

POST: Final = {"num_steps": "1000", "validate_every": "100"}
NETWORK: Final = {"num_steps": "4000", "validate_every": "200"}
MODELS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "hybrid": ("hybrid", POST),
    "hybrid-late": ("hybrid-late", POST),
    "ca": ("ca", POST),
    "gate": ("gate", POST),
    "auto-encoder": ("auto-encoder", NETWORK),
    "u-net": ("u-net", NETWORK),
    # as many numbers as the memory's, and as much time
    "u-net-equal": ("u-net", {"model.width": "43", "num_steps": "800", "validate_every": "100"}),
    "memory": ("memory", {"num_steps": "10000", "validate_every": "500"}),
    "attractors": ("attractors", {}),
}
"""Name -> (experiment, settings): a course that takes a core well under an hour for each.

The post trains for 40,000 batches, which would take its hybrid ten hours; 1,000 take a quarter of an hour.
"""
OURS: Final = "memory"
RESTORING: Final = tuple(name for name in MODELS if name != "attractors")
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
FROZEN: Final = tuple(name for name, settings in SCHEMES.items() if "trained" in settings)


def courses() -> dict[str, dict[str, str]]:
    """Return what decides how every model is trained."""
    return {name: {"experiment": experiment, **told} for name, (experiment, told) in MODELS.items()}


class ReproductionSettings(Settings):
    """How much of it.

    Arguments:
        parts: which of :data:`PARTS`.
        seeds: of training.
        models: which of :data:`MODELS`.
        num_starts, num_rounds: of every census.
        overrides: settings of every restorer, for a shorter course: dotted place -> value as text.
        judge_overrides: settings of every judge, likewise.
    """

    parts: tuple[Part, ...] = pydantic.Field(default=PARTS, min_length=1)
    seeds: tuple[int, ...] = pydantic.Field((0, 1, 2), min_length=1)
    models: tuple[str, ...] = tuple(MODELS)
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
