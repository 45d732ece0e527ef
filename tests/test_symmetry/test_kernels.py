"""Bases of equivariant kernels: every member commutes, none is missing, none is there twice."""

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.symmetry import C1, C2, C4, CUBE, D1_1, D2, D4, GROUPS, LINE, act, kernel_basis

CONVOLUTIONS = {1: torch.nn.functional.conv1d, 2: torch.nn.functional.conv2d, 3: torch.nn.functional.conv3d}
KINDS = [
    (("scalar",), ("scalar",)),
    (("scalar",), ("vector",)),
    (("vector", "scalar"), ("pseudoscalar", "scalar")),
    (("vector",), ("vector",)),
]


def convolve(kernel, fields):
    """Periodic cross-correlation, (K f)(x) = Σ K(s) f(x + s)."""
    num_dims, radius = fields.ndim - 2, kernel.shape[-1] // 2
    padded = torch.nn.functional.pad(fields, (radius,) * 2 * num_dims, mode="circular")
    return CONVOLUTIONS[num_dims](padded, kernel)


def average(group, kernel, kinds_in, kinds_out):
    """The average of a kernel over the group, by acting on impulses."""
    size, num_in = kernel.shape[2], kernel.shape[1]
    impulses = torch.zeros(num_in, num_in, *(size,) * group.num_dims, dtype=kernel.dtype)
    for channel in range(num_in):
        impulses[(channel, channel, *(size // 2,) * group.num_dims)] = 1
    total = torch.zeros_like(impulses[:, : kernel.shape[0]]).expand(-1, kernel.shape[0], *impulses.shape[2:])
    for element in group:
        moved = convolve(kernel, act(group.inverse(element), impulses, kinds_in))
        total = total + act(element, moved, kinds_out)
    return (total / group.order).movedim(0, 1).flip(tuple(range(2, kernel.ndim)))


@pytest.mark.parametrize(("kinds_in", "kinds_out"), KINDS)
@pytest.mark.parametrize("group", [g for g in GROUPS.values() if g.order <= 24], ids=lambda group: group.name)
def test_every_member_commutes_with_every_element(group, kinds_in, kinds_out, generator):
    basis = kernel_basis(group, kinds_in, kinds_out, 1)
    weights = torch.randn(len(basis), generator=generator, dtype=torch.float64)
    kernel = torch.einsum("m, m... -> ...", weights, basis)
    shape = (2, basis.shape[2], *(5 if group.num_dims == 3 else 6,) * group.num_dims)
    fields = torch.randn(shape, generator=generator, dtype=torch.float64)
    result = convolve(kernel, fields)
    for element in group:
        expected = act(element, result, kinds_out)
        torch.testing.assert_close(
            convolve(kernel, act(element, fields, kinds_in)), expected, rtol=0, atol=1e-13
        )


@pytest.mark.parametrize(("kinds_in", "kinds_out"), KINDS)
@pytest.mark.parametrize("group", [C1, C2, D1_1, D2, C4, D4, LINE], ids=lambda group: group.name)
def test_no_member_is_missing_or_there_twice(group, kinds_in, kinds_out, generator):
    """The basis spans what averaging makes of every kernel, and is orthonormal."""
    basis = kernel_basis(group, kinds_in, kinds_out, 1)
    flat = basis.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(len(flat), dtype=torch.float64))
    count = flat.shape[1]
    taps = torch.eye(count, dtype=torch.float64).reshape(count, *basis.shape[1:])
    projected = torch.stack([average(group, tap, kinds_in, kinds_out) for tap in taps]).flatten(1)
    torch.testing.assert_close(projected, flat.T @ flat, rtol=0, atol=1e-12)


def test_known_numbers_of_free_parameters():
    scalar = (("scalar",), ("scalar",))
    assert {group.name: len(kernel_basis(group, *scalar, 1)) for group in (C1, C2, D2, C4, D4)} == {
        "C1": 9,
        "C2": 5,
        "D2": 4,
        "C4": 3,
        "D4": 3,
    }
    assert len(kernel_basis(D4, *scalar, 2)) == 6
    assert len(kernel_basis(CUBE, *scalar, 1)) == 4
    assert len(kernel_basis(D4, ("scalar",), ("vector",), 1)) == 2  # differences, straight and diagonal
    assert len(kernel_basis(D4, ("scalar",), ("pseudoscalar",), 1)) == 0  # reflections forbid it
    assert len(kernel_basis(C4, ("scalar",), ("pseudoscalar",), 1)) == 3  # rotations alone do not


def test_refusals():
    for given in ((D4, (), ("scalar",), 1), (D4, ("scalar",), (), 1), (D4, ("scalar",), ("scalar",), -1)):
        with pytest.raises(BadInputError, match="a kernel needs a radius"):
            kernel_basis(*given)
