"""Groups, their actions on fields, layers that commute with them, and tests of it."""

if __name__ != "pdenca.symmetry":
    raise ImportError(
        f"import this folder as pdenca.symmetry, not as {__name__!r}; usual cure: pip install -e ."
    )

from .actions import act, translate
from .differences import DifferenceBasis
from .groups import (
    C1,
    C2,
    C4,
    CUBE,
    CUBE_ROTATIONS,
    D1_0,
    D1_1,
    D2,
    D4,
    GROUPS,
    LINE,
    Element,
    Group,
    trivial_group,
)
from .kernels import kernel_basis
from .layers import CONVOLUTIONS, ConstrainedLayer, Convolution, KernelLayer
from .nonlinear import GatedLayer, determinants, inner_products
from .testing import assert_equivariant, equivariance_residuals, round_off

__all__ = [
    "C1",
    "C2",
    "C4",
    "CONVOLUTIONS",
    "CUBE",
    "CUBE_ROTATIONS",
    "D1_0",
    "D1_1",
    "D2",
    "D4",
    "GROUPS",
    "LINE",
    "ConstrainedLayer",
    "Convolution",
    "DifferenceBasis",
    "Element",
    "GatedLayer",
    "Group",
    "KernelLayer",
    "act",
    "assert_equivariant",
    "determinants",
    "equivariance_residuals",
    "inner_products",
    "kernel_basis",
    "round_off",
    "translate",
    "trivial_group",
]
