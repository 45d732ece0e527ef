"""The norm of a convolution is that of the operator."""

import pytest
import torch
from torch.nn.utils import parametrize

from pdenca.core import BadInputError
from pdenca.equilibrium import OperatorCap, capped_convolution, convolution_norm, solve, stability_of
from pdenca.equilibrium.contraction import convolve

CASES = [("circular", (9,)), ("zeros", (9,)), ("circular", (5, 6)), ("zeros", (5, 6)), ("zeros", (3, 4, 3))]


def kernel(generator, num_dims, out_channels=2, in_channels=3):
    shape = (out_channels, in_channels, *(3,) * num_dims)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def dense(weight, size, padding):
    """The convolution as a matrix, column by column."""
    inputs = torch.eye(weight.shape[1] * torch.Size(size).numel(), dtype=torch.float64)
    images = convolve(weight, inputs.view(-1, weight.shape[1], *size), padding)
    return images.reshape(len(inputs), -1).T


@pytest.mark.parametrize(("padding", "size"), CASES)
def test_the_norm_is_the_largest_singular_value(padding, size, generator):
    for _ in range(3):
        weight = kernel(generator, len(size))
        expected = torch.linalg.svdvals(dense(weight, size, padding))[0]
        found = convolution_norm(weight, size, padding=padding)
        assert float(found) == pytest.approx(float(expected), rel=1e-5)
        assert float(found) <= float(expected) * (1 + 1e-12)


def test_it_is_not_the_norm_of_the_reshaped_kernel():
    """A kernel of nine equal taps: as a matrix 1/3, as an operator 1 (it leaves constants alone)."""
    weight = torch.full((1, 1, 3, 3), 1 / 9, dtype=torch.float64)
    assert float(torch.linalg.matrix_norm(weight.view(1, -1), 2)) == pytest.approx(1 / 3)
    assert float(convolution_norm(weight, (8, 8))) == pytest.approx(1)
    assert 0.8 < float(convolution_norm(weight, (8, 8), padding="zeros")) < 1


@pytest.mark.parametrize("padding", ["circular", "zeros"])
def test_its_derivative(padding, generator):
    weight = kernel(generator, 1).requires_grad_()
    (found,) = torch.autograd.grad(convolution_norm(weight, (7,), padding=padding, tolerance=1e-9), weight)
    (expected,) = torch.autograd.grad(torch.linalg.svdvals(dense(weight, (7,), padding))[0], weight)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("padding", "size"), CASES)
def test_capped_kernels_cannot_stretch(padding, size, generator):
    weight = kernel(generator, len(size), 3, 3)
    capped = capped_convolution(weight, size, padding=padding, largest=0.9)
    norm = float(torch.linalg.svdvals(dense(capped, size, padding))[0])
    assert norm == pytest.approx(0.9, rel=1e-5)
    small = 0.1 * capped
    assert torch.equal(capped_convolution(small, size, padding=padding), small)
    zero = torch.zeros_like(weight)
    assert torch.equal(capped_convolution(zero, size, padding=padding), zero)


def test_the_scale_takes_part_in_the_gradient(generator):
    """W / σ(W) does not change with the size of W, so its gradient is orthogonal to W."""
    weight = (5 * kernel(generator, 1, 2, 2)).requires_grad_()
    target = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    loss = (capped_convolution(weight, (8,)) * target).sum()
    (slope,) = torch.autograd.grad(loss, weight)
    assert abs(float((slope * weight.detach()).sum())) < 1e-6 * float(slope.norm() * weight.detach().norm())
    assert slope.norm() > 0


def test_a_capped_layer_is_a_contraction_with_one_stable_fixed_point(generator):
    layer = torch.nn.Conv2d(3, 3, 3, padding=1, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(3 * kernel(generator, 2, 3, 3))
    cap = OperatorCap(layer.weight.detach(), (6, 6), padding="zeros")
    parametrize.register_parametrization(layer, "weight", cap)
    norm = float(torch.linalg.svdvals(dense(layer.weight.detach(), (6, 6), "zeros"))[0])
    assert 0.89 < norm < 0.9005

    # the bound holds while the weight is trained
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.5)
    state = torch.randn(2, 3, 6, 6, generator=generator, dtype=torch.float64)
    for _ in range(5):
        optimiser.zero_grad()
        (-layer(state).square().mean()).backward()
        optimiser.step()
    layer.eval()
    norm = float(torch.linalg.svdvals(dense(layer.weight.detach(), (6, 6), "zeros"))[0])
    assert norm < 0.9005

    layer.requires_grad_(False)
    starts = torch.randn(2, 3, 6, 6, generator=generator, dtype=torch.float64)
    found = solve(lambda z: torch.relu(layer(z) + 0.3), starts, method="picard", tolerance=1e-11)
    assert bool(found.converged.all())
    torch.testing.assert_close(found.state[0], found.state[1])
    (verdict,) = stability_of(lambda z: torch.relu(layer(z) + 0.3), found.state[:1])
    assert verdict.verdict == "stable"
    assert verdict.spectral_radius <= norm


def test_bad_input(generator):
    for weight, size in (
        (torch.ones(1, 1, 2), (8,)),
        (torch.ones(1, 1, 3), (8, 8)),
        (torch.ones(1, 1, 9), (3,)),
        (torch.ones(1, 1, 3, 3, 3, 3), (4, 4, 4, 4)),
    ):
        with pytest.raises(BadInputError):
            convolution_norm(weight, size)
    for largest in (0.0, float("inf")):
        with pytest.raises(BadInputError, match="largest"):
            capped_convolution(torch.ones(1, 1, 3), (8,), largest=largest)
        with pytest.raises(BadInputError, match="largest"):
            OperatorCap(torch.ones(1, 1, 3), (8,), largest=largest)
