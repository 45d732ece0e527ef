"""The equations, one file each, told as physics."""

import dataclasses
import difflib
import importlib
from collections.abc import Mapping
from typing import Final

from pdenca.core.errors import BadInputError

from ..equation import Equation, Preset
from ..parameters import Constant
from .advection_diffusion import AdvectionDiffusion
from .allen_cahn import AllenCahn
from .brusselator import Brusselator
from .cahn_hilliard import CahnHilliard
from .complex_ginzburg_landau import ComplexGinzburgLandau
from .fisher_kpp import FisherKPP
from .fitzhugh_nagumo import FitzHughNagumo
from .gierer_meinhardt import GiererMeinhardt
from .gray_scott import GrayScott
from .gray_scott_regimes import PEARSON, REGIMES, Regime
from .heat import Heat
from .schnakenberg import Schnakenberg
from .swift_hohenberg import SwiftHohenberg

EQUATIONS: Final[dict[str, type[Equation]]] = {
    "gray-scott": GrayScott,
    "fitzhugh-nagumo": FitzHughNagumo,
    "brusselator": Brusselator,
    "schnakenberg": Schnakenberg,
    "gierer-meinhardt": GiererMeinhardt,
    "swift-hohenberg": SwiftHohenberg,
    "cahn-hilliard": CahnHilliard,
    "allen-cahn": AllenCahn,
    "fisher-kpp": FisherKPP,
    "complex-ginzburg-landau": ComplexGinzburgLandau,
    "heat": Heat,
    "advection-diffusion": AdvectionDiffusion,
}


def equation_class(name: str) -> type[Equation]:
    """Return the class of an equation, one of ours or a user's own.

    Arguments:
        name: a key of :data:`EQUATIONS`, or "module:Class", which imports the module. In the place of the
            class may stand an equation itself, such as ``reaction_diffusion`` makes.

    Raises:
        BadInputError: for an unknown name, a module that cannot be imported, or a class that is not there or
            is not an Equation.
    """
    if name in EQUATIONS:
        return EQUATIONS[name]
    module_name, colon, class_name = name.partition(":")
    if not colon:
        near = difflib.get_close_matches(name, EQUATIONS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise BadInputError(
            f"equation {name!r} is unknown; {hint}expected one of {', '.join(EQUATIONS)}, or 'module:Class'"
        )
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError, TypeError) as error:
        raise BadInputError(
            f"equation {name!r}: cannot import module {module_name!r} ({error}); usual cure: install it, or "
            "put its folder into PYTHONPATH"
        ) from error
    found = getattr(module, class_name, None)
    if isinstance(found, Equation):
        return type(found)
    if not (isinstance(found, type) and issubclass(found, Equation)):
        what = "does not exist" if found is None else "is not a subclass of pdenca.solvers.Equation"
        raise BadInputError(f"equation {name!r}: {class_name!r} in module {module_name!r} {what}")
    own: type[Equation] = found
    if not dataclasses.is_dataclass(found):
        raise BadInputError(
            f"equation {name!r}: {class_name!r} in module {module_name!r} is not a dataclass; usual cure: "
            "@dataclass(frozen=True, eq=False) above the class"
        )
    return own


def equation_from_name(name: str, parameters: Mapping[str, Constant | list[float]]) -> Equation:
    """Build an equation from its name and constants, as stored in files and settings.

    Arguments:
        name: a key of :data:`EQUATIONS`, or "module:Class".
        parameters: constructor argument -> number or tensor (batch,), or one per axis.

    Returns:
        The equation.

    Raises:
        BadInputError: for an unknown name, an unknown parameter, one that is missing or not finite.
    """
    return equation_class(name).from_parameters(parameters)


def preset_of(equation: type[Equation], name: str | None = None) -> Preset:
    """Return values that work for an equation.

    Arguments:
        equation: the class.
        name: a key of its ``presets``; the first one if None.

    Raises:
        BadInputError: for an unknown name, naming the nearest, or an equation without presets.
    """
    if not equation.presets:
        raise BadInputError(
            f"equation {equation.name!r} has no presets; usual cure: give parameters, grid and initial state"
        )
    if name is None:
        return next(iter(equation.presets.values()))
    if name not in equation.presets:
        near = difflib.get_close_matches(name, equation.presets, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise BadInputError(
            f"equation {equation.name!r} has no preset {name!r}; {hint}expected one of "
            f"{', '.join(equation.presets)}"
        )
    return equation.presets[name]


__all__ = [
    "EQUATIONS",
    "PEARSON",
    "REGIMES",
    "AdvectionDiffusion",
    "AllenCahn",
    "Brusselator",
    "CahnHilliard",
    "ComplexGinzburgLandau",
    "FisherKPP",
    "FitzHughNagumo",
    "GiererMeinhardt",
    "GrayScott",
    "Heat",
    "Regime",
    "Schnakenberg",
    "SwiftHohenberg",
    "equation_class",
    "equation_from_name",
    "preset_of",
]
