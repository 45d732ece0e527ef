"""Equations whose parameters are told later: what a solver row needs to know of its equation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from pdenca.core import Context
from pdenca.solvers.equation import Equation
from pdenca.solvers.equations import equation_class
from pdenca.solvers.parameters import Constant


@final
@dataclass(frozen=True)
class EquationFamily:
    """An equation with some of its constants fixed and the others, its parameters, left to the context.

    Arguments:
        equation: a key of ``EQUATIONS``, "module:Class", or an Equation class.
        constants: constructor argument -> number, or one per axis; what neither they nor the context name
            takes the equation's default.
    """

    equation: str | type[Equation]
    constants: Mapping[str, Constant] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the equation."""
        return self.equation if isinstance(self.equation, str) else self.equation.name

    def at(self, context: Context) -> Equation:
        """Return the equation whose parameters are those of the context.

        Arguments:
            context: parameter name -> (batch,), or (batch, *space); goes before the constants.

        Raises:
            BadInputError: for an unknown equation, or a parameter that is unknown or missing.
        """
        equation = equation_class(self.equation) if isinstance(self.equation, str) else self.equation
        return equation.from_parameters({**self.constants, **context})


AnyEquation = str | type[Equation] | EquationFamily
"""How a solver row may be told its equation."""


def as_family(equation: AnyEquation) -> EquationFamily:
    """Return the family of an equation that is given by name or class, all constants at their defaults."""
    return equation if isinstance(equation, EquationFamily) else EquationFamily(equation)
