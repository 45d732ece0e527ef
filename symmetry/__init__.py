"""Groups, their actions on fields, and tests of equivariance."""

if __name__ != "pdenca.symmetry":
    raise ImportError(
        f"import this folder as pdenca.symmetry, not as {__name__!r}; usual cure: pip install -e ."
    )

from .actions import act, translate
from .groups import C2, C4, D2, D4, GROUPS, Element, Group
from .testing import assert_equivariant, equivariance_residuals, round_off

__all__ = [
    "C2",
    "C4",
    "D2",
    "D4",
    "GROUPS",
    "Element",
    "Group",
    "act",
    "assert_equivariant",
    "equivariance_residuals",
    "round_off",
    "translate",
]
