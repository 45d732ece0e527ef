"""Restoring damaged digits: automata with and without a global gate, networks and fills beside them."""

from .census import Census, take_census
from .census_report import census_figure, describe_census
from .damage import Damage
from .fills import Hopfield, LaplaceFill, MaskedInput
from .judging import Restored, describe, judge_restorer, shown_to
from .models import Restorer, build_restorer
from .pictures import film_strip
from .settings import EXPERIMENTS, LATTICES, RestorationSettings, RestorerSettings, load_restoration
from .training import load_restorer, train_restorer

__all__ = [
    "EXPERIMENTS",
    "LATTICES",
    "Census",
    "Damage",
    "Hopfield",
    "LaplaceFill",
    "MaskedInput",
    "RestorationSettings",
    "Restored",
    "Restorer",
    "RestorerSettings",
    "build_restorer",
    "census_figure",
    "describe",
    "describe_census",
    "film_strip",
    "judge_restorer",
    "load_restoration",
    "load_restorer",
    "shown_to",
    "take_census",
    "train_restorer",
]
