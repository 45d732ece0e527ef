"""What is trained and measured."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, get_args

import pydantic

from pdenca.core import Settings

from ..adversary import LARGEST, Goal
from ..regrowth import DAMAGES
from ..settings import load_image_experiment

Part = Literal["courses", "regrowth", "basin", "symmetry", "starts", "changes", "pruning"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)


class Rule(NamedTuple):
    """A rule and what it is trained on.

    Arguments:
        drawing: a key of :data:`~pdenca.tasks.images.DRAWINGS`.
        num_frames: of the series.
        experiment: a key of :data:`~pdenca.tasks.images.EXPERIMENTS`.
        told: settings that are not those of the experiment.
        moved: whether it is trained on the series in all eight ways to turn and to mirror it.
    """

    drawing: str
    num_frames: int
    experiment: str
    told: Mapping[str, str]
    moved: bool = False


ISOTROPIC: Final = {"rule.kernels": '["identity", "laplacian", "laplacian@2", "gradient-norm@4"]'}
MODELS: Final[Mapping[str, Rule]] = {
    "pictures": Rule("pictures", 3, "pictures", {}),
    "firing at random": Rule("pictures", 3, "pictures", {"rule.fire_rate": "0.5"}),
    "without leak": Rule("pictures", 3, "pictures", {"rule.leak": "0.0"}),
    "isotropic": Rule("pictures", 3, "pictures", ISOTROPIC),
    "never damaged": Rule("pictures", 3, "pictures", {"damaged": "0.0"}),
    "without noise": Rule("pictures", 3, "pictures", {"noise": "0.0"}),
    # sixteen states in the pool: two of each way
    "turned in training": Rule("pictures", 3, "pictures", {"num_copies": "2"}, moved=True),
    "sprout": Rule("sprout", 3, "pictures", {}),
    "branching": Rule("branching", 6, "growth", {}),
    "microscopy": Rule("microscopy", 6, "growth", {}),
}
"""Name -> rule. Those of the first drawing differ from the first one in what their names say."""

OURS: Final = "pictures"
DAMAGED: Final = tuple(
    name for name, rule in MODELS.items() if rule.experiment == "pictures" and not rule.moved
)
BASINS: Final = ("pictures", "never damaged")
TURNED: Final = ("pictures", "isotropic", "turned in training")
GROWING: Final = ("branching", "microscopy")
"""Whose starts are of a kind: other series of that kind have an outcome of their own."""
GROWN: Final = 2
"""The frame of another series that a rule of growth begins with: the first one does not tell it yet."""
OTHER: Final = 3
"""Which picture comes first in another series of pictures: one that is in none of the frames."""
STARTS: Final = ("noise", "half of it", "another picture", "nothing")
"""Given to rules of pictures, which know one outcome only."""
NUM_OTHERS: Final = 3
"""Other series of the same kind."""
SHARE: Final = 0.25
SHARES: Final = (0.1, 0.25, 0.4, 0.6, 0.8, 1.0)
"""Sizes of damage by which a basin is measured."""
FEWER: Final = 4
"""How many times fewer trials each of these gets."""
LOOKS: Final = (16, 32, 64, 128, 256, 512)
"""Steps after a damage."""
LATER: Final = 1000
"""Steps of holding after which the outcome of another start is looked at."""
SOON: Final = 100
"""Steps of holding after which pruned rules are looked at."""
BROKEN: Final = 0.02
"""Mean squared error at the last frame's time above which the outcome is broken."""
PRUNED: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SHIFT: Final = 0.08
"""Of the lattice, along both axes."""
REACHED, HELD, BACK = 1e-3, 2e-3, 3e-3
"""Mean squared errors that count as a frame reached, held and grown back."""
LONG_ENOUGH, MANY_ENOUGH, OFTEN_ENOUGH, SOON_ENOUGH = 10_000, 100, 95.0, 30.0
"""Goals: steps of holding, trials of an erased disc, how many of them grow back (%), minutes of training."""
COVERED: Final = 0.1
"""Least share of the lattice that targets should cover, for errors to be told by them."""
DAMAGE_NAMES: Final = tuple(DAMAGES)
LARGEST_CHANGE: Final = LARGEST
CHANGES: Final[Mapping[Goal, str]] = {"break": "smallest that breaks", "keep": "largest that does not"}


def courses(num_cells: int) -> dict[str, dict[str, str]]:
    """Return all that decides how every rule is trained, on so many cells along each side."""
    found = {}
    for name, rule in MODELS.items():
        settings = load_image_experiment(rule.experiment, rule.told).model_dump(mode="json")
        ways = ", turned and mirrored" if rule.moved else ""
        found[name] = {
            "series": f"{rule.drawing}, {rule.num_frames} frames of {num_cells} x {num_cells} cells{ways}",
            **{place: str(value) for place, value in _places(settings) if place not in _OF_A_SITTING},
        }
    return found


_OF_A_SITTING: Final = ("seed", "max_seconds")


def _places(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted places of settings and their values."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _places(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


class ImageReproductionSettings(Settings):
    """How much of it.

    Arguments:
        parts: which of :data:`PARTS`.
        seeds: of training.
        models: which of :data:`MODELS`.
        num_cells: along each side of the lattice.
        hold: steps for which the last frame is held.
        num_trials: of every damage.
        overrides: settings of every rule, for a shorter course: dotted place -> value as text.
    """

    parts: tuple[Part, ...] = pydantic.Field(default=PARTS, min_length=1)
    seeds: tuple[int, ...] = pydantic.Field(default=(0, 1, 2), min_length=1)
    models: tuple[str, ...] = pydantic.Field(default=tuple(MODELS), min_length=1)
    num_cells: int = pydantic.Field(default=64, ge=16)
    hold: int = pydantic.Field(default=10_000, ge=1)
    num_trials: int = pydantic.Field(default=100, ge=1)
    overrides: dict[str, str] = pydantic.Field(default_factory=dict)

    @pydantic.model_validator(mode="after")
    def _known(self) -> "ImageReproductionSettings":
        unknown = sorted(set(self.models) - set(MODELS))
        if unknown:
            raise ValueError(f"no model {unknown[0]!r}; expected some of {', '.join(MODELS)}")
        return self
