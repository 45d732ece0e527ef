"""The equations, one file each, told as physics."""

from collections.abc import Mapping
from typing import Final

from pdenca.core.errors import BadInputError

from ..equation import Equation
from ..parameters import Parameter
from .gray_scott import REGIMES, GrayScott, Regime
from .heat import Heat

EQUATIONS: Final[dict[str, type[Equation]]] = {"gray-scott": GrayScott, "heat": Heat}


def equation_from_name(name: str, parameters: Mapping[str, Parameter]) -> Equation:
    """Build an equation from its name and constants, as stored in files and settings.

    Arguments:
        name: a key of :data:`EQUATIONS`.
        parameters: constructor argument -> number or tensor (batch,).

    Returns:
        The equation.

    Raises:
        BadInputError: for an unknown name, an unknown parameter or a missing one.
    """
    if name not in EQUATIONS:
        raise BadInputError(f"equation {name!r} is unknown; expected one of {', '.join(EQUATIONS)}")
    return EQUATIONS[name].from_parameters(parameters)


__all__ = ["EQUATIONS", "REGIMES", "GrayScott", "Heat", "Regime", "equation_from_name"]
