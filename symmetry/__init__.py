"""Groups, their actions on fields, and tests of equivariance."""

if __name__ != "pdenca.symmetry":
    raise ImportError(
        f"import this folder as pdenca.symmetry, not as {__name__!r}; usual cure: pip install -e ."
    )

from .actions import act, translate
from .groups import C1, C2, C4, CUBE, CUBE_ROTATIONS, D1_0, D1_1, D2, D4, GROUPS, LINE, Element, Group
from .kernels import kernel_basis
from .testing import assert_equivariant, equivariance_residuals, round_off

__all__ = [
    "C1",
    "C2",
    "C4",
    "CUBE",
    "CUBE_ROTATIONS",
    "D1_0",
    "D1_1",
    "D2",
    "D4",
    "GROUPS",
    "LINE",
    "Element",
    "Group",
    "act",
    "assert_equivariant",
    "equivariance_residuals",
    "kernel_basis",
    "round_off",
    "translate",
]
