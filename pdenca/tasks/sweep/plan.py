"""From the settings of a sweep to its combinations: what each is made of, and what it is called."""

import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pdenca.core import BadInputError, Settings

from .grid import DATA, EXPERIMENT, REGIMES, GridSettings, value_in_words

LONGEST_NAME = 120
_PLAIN = re.compile(r"[A-Za-z0-9._+-]+")


@dataclass(frozen=True)
class Combination:
    """One training of the grid.

    Arguments:
        choices: axis -> value in words.
        seed: of the training.
        experiment: name or TOML file that it starts from.
        data: to train on, as it was told.
        regimes: of these; None: all.
        settings: of the training, all of them.
    """

    choices: Mapping[str, str]
    seed: int
    experiment: str
    data: str
    regimes: tuple[str, ...] | None
    settings: Settings

    @property
    def name(self) -> str:
        """Name of the folder of its run."""
        return run_name(self.choices, self.seed)

    @property
    def label(self) -> str:
        """What a sentence calls it."""
        return _label(self.choices, self.seed)

    @property
    def model(self) -> str:
        """What the table calls the model: the experiment, without its path."""
        return Path(self.experiment).stem


def run_name(choices: Mapping[str, str], seed: int) -> str:
    """Name a run by its combination alone, so that the rest of the grid may change.

    >>> run_name({"steps": "4", "noise": "0.001"}, 0)
    'steps=4,noise=0.001,seed=0'
    >>> run_name({"kernels": "identity/laplacian"}, 1)
    'kernels=identity-laplacian,seed=1-579f727e'

    Arguments:
        choices: axis -> value in words.
        seed: of the training.

    Returns:
        A name for a folder. Where values have characters that a folder should not have, or are very long, a
        few digits at its end tell it from all others.
    """
    return plain_name([*choices.items(), ("seed", str(seed))])


def plain_name(parts: Sequence[tuple[str, str]]) -> str:
    """Return ``name=value`` pairs as the name of a file or folder, see :func:`run_name`."""
    name = ",".join(f"{axis}={text}" for axis, text in parts)
    if len(name) <= LONGEST_NAME and all(_PLAIN.fullmatch(text) for _, text in parts):
        return name
    digits = hashlib.sha256(repr(list(parts)).encode()).hexdigest()[:8]
    return re.sub(r"[^A-Za-z0-9._+=,-]", "-", name)[:LONGEST_NAME] + f"-{digits}"


def list_combinations(sweep: GridSettings) -> list[Combination]:
    """Return all combinations, seeds changing fastest, each with its settings read and validated.

    Raises:
        BadInputError: if one of them cannot be, with its name; or if nothing is left of the grid.
    """
    combinations = []
    axes = [[(axis.name, *choice) for choice in axis.choices.items()] for axis in sweep.axes]
    excluded = [{name: value_in_words(value) for name, value in item.items()} for item in sweep.exclude]
    for chosen in itertools.product(*axes):
        choices = {name: text for name, text, _ in chosen}
        if any(item.items() <= choices.items() for item in excluded):
            continue
        places = dict(sweep.places)
        for _, _, more in chosen:
            places |= more
        combinations += [_combine(sweep, choices, seed, places) for seed in sweep.seeds]
    if not combinations:
        raise BadInputError("exclude leaves nothing of the grid; usual cure: exclude less")
    _require_different_names(combinations)
    return combinations


def _combine(
    sweep: GridSettings, choices: Mapping[str, str], seed: int, places: Mapping[str, Any]
) -> Combination:
    own = {name: places.get(name, told) for name, told in sweep.own_places.items()}
    overrides = {place: value for place, value in places.items() if place not in own}
    regimes = own.get(REGIMES)
    regimes = (regimes,) if isinstance(regimes, str) else regimes
    try:
        if not all(isinstance(own[name], str) and own[name] for name in (EXPERIMENT, DATA)):
            raise BadInputError(f"got {own[EXPERIMENT]!r} and {own[DATA]!r}, expected names of both")
        if regimes is not None and not (regimes and all(isinstance(name, str) for name in regimes)):
            raise BadInputError(f"got the regimes {regimes!r}, expected a name or several")
        settings = sweep.load(own[EXPERIMENT], {**overrides, "seed": seed})
    except BadInputError as error:
        raise BadInputError(f"combination {_label(choices, seed)}: {error}") from None
    return Combination(
        choices, seed, own[EXPERIMENT], own[DATA], None if regimes is None else tuple(regimes), settings
    )


def _label(choices: Mapping[str, str], seed: int) -> str:
    return ", ".join([*(f"{axis} = {text}" for axis, text in choices.items()), f"seed = {seed}"])


def _require_different_names(combinations: list[Combination]) -> None:
    """Refuse names that some file systems cannot tell apart."""
    known: dict[str, str] = {}
    for item in combinations:
        other = known.setdefault(item.name.casefold(), item.label)
        if other != item.label:
            raise BadInputError(
                f"the folders of the runs {other} and {item.label} would differ in capitals only; usual "
                "cure: other names of the bundles"
            )
