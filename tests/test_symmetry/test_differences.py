"""Kernels told by derivatives: the same space as that of averaged taps, and the derivatives they claim."""

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.symmetry import C1, C4, D4, GROUPS, LINE, DifferenceBasis, kernel_basis, trivial_group
from pdenca.symmetry.differences import difference

SMALL = [group for group in GROUPS.values() if group.order <= 24]


@pytest.mark.parametrize("radius", [1, 2])
@pytest.mark.parametrize("group", SMALL, ids=lambda group: group.name)
def test_it_spans_all_kernels_without_a_constant_part(group, radius):
    members = DifferenceBasis(group, radius).kernels.flatten(1)
    taps = kernel_basis(group, ("scalar",), ("scalar",), radius).flatten(1)
    assert len(members) == len(taps) - 1 == int(torch.linalg.matrix_rank(members))
    torch.testing.assert_close(members @ taps.T @ taps, members, rtol=0, atol=1e-12)
    torch.testing.assert_close(members.sum(1), torch.zeros(len(members), dtype=torch.float64))


@pytest.mark.parametrize("order", range(7))
def test_differences_are_derivatives(order):
    """Exact on polynomials one degree above the order, and second-order accurate on a wave."""
    offsets = torch.arange(-3, 4, dtype=torch.float64)
    taps = difference(order, 3)
    for degree in range(order + 2):
        factorial = float(torch.tensor(range(1, order + 1), dtype=torch.float64).prod())
        expected = factorial if degree == order else 0.0
        assert float(taps @ offsets**degree) == pytest.approx(expected, abs=1e-10)

    def error(h):
        exact = torch.tensor([1.0, 1.0, -1.0, -1.0])[order % 4] * torch.sin(
            torch.tensor(0.3 + order % 2 * torch.pi / 2, dtype=torch.float64)
        )
        return abs(float(taps @ torch.sin(0.3 + h * offsets)) / h**order - float(exact))

    if order:
        assert error(0.1) / error(0.05) == pytest.approx(4, rel=0.05)


def test_the_square_has_the_moments_of_isotropic_kernels():
    assert DifferenceBasis(D4, 2).names == ((2, 0), (4, 0), (2, 2), (4, 2), (4, 4))
    assert DifferenceBasis(D4, 2).orders == (2, 4, 4, 6, 8)
    assert DifferenceBasis(LINE, 2).names == ((2,), (4,))
    # rotations alone allow one that tells left from right
    assert (3, 1) in DifferenceBasis(C4, 2).names


def test_the_average_of_weights_is_the_average_of_kernels(generator):
    free, square = DifferenceBasis(C1, 2), DifferenceBasis(D4, 2)
    weights = torch.randn(len(free.names), 3, generator=generator, dtype=torch.float64)
    kernels = torch.einsum("mc, m... -> c...", weights, free.kernels)
    taps = kernel_basis(D4, ("scalar",), ("scalar",), 2).flatten(1)
    expected = (kernels.flatten(1) @ taps.T @ taps).view_as(kernels)
    averaged = torch.einsum("mc, m... -> c...", square.average(weights, free), square.kernels)
    torch.testing.assert_close(averaged, expected, rtol=0, atol=1e-12)
    # back among the free ones nothing is lost
    back = free.average(square.average(weights, free), square)
    torch.testing.assert_close(torch.einsum("mc, m... -> c...", back, free.kernels), averaged)


def test_refusals():
    with pytest.raises(BadInputError, match="radius of at least 0"):
        DifferenceBasis(D4, -1)
    with pytest.raises(BadInputError, match="differences up to 2, got 3"):
        difference(3, 1)
    with pytest.raises(BadInputError, match="do not fit"):
        DifferenceBasis(D4, 1).average(torch.zeros(5, 1), DifferenceBasis(D4, 2))
    with pytest.raises(BadInputError, match="do not fit"):
        DifferenceBasis(D4, 1).average(torch.zeros(2, 1), DifferenceBasis(trivial_group(1), 1))
