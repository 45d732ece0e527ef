"""The sweep of Sobel kernels: its transpose, and derivatives of every kind."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from pdenca.automaton.sobel import binomial_mean, sobel_and_mean

# torch's own forward mode
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
SHAPES = {1: (7,), 2: (6, 7), 3: (5, 6, 7)}


@pytest.fixture(
    params=[(1, 1), (2, 1), (2, 2), (3, 1), (3, 2)], ids=lambda case: "dims-{}-spacing-{}".format(*case)
)
def case(request, generator):
    num_dims, spacing = request.param
    padded = torch.rand(2, *SHAPES[num_dims], 3, generator=generator, dtype=torch.float64)
    return padded.requires_grad_(), spacing


def test_back_is_the_transpose_of_forth(case, generator):
    padded, spacing = case
    parts = sobel_and_mean(padded, spacing)
    weights = [torch.rand(part.shape, generator=generator, dtype=torch.float64) for part in parts]
    (back,) = torch.autograd.grad(parts, padded, weights)
    forth = sum((part * weight).sum() for part, weight in zip(parts, weights, strict=True))
    torch.testing.assert_close((back * padded).sum(), forth)


def test_derivatives_of_every_kind_agree_with_differences(case):
    padded, spacing = case
    small = padded.detach()[:1, ..., :1].clone().requires_grad_()

    def squares(values):
        return tuple(part.square() for part in sobel_and_mean(values, spacing))

    assert gradcheck(squares, (small,), check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(squares, (small,))


def test_the_mean_alone_is_the_same_and_so_are_its_derivatives(case):
    padded, spacing = case
    *_, expected = sobel_and_mean(padded, spacing)
    mean = binomial_mean(padded, spacing)
    assert torch.equal(mean, expected)
    weight = torch.linspace(-1, 1, mean.numel(), dtype=torch.float64).view(mean.shape)
    back = [torch.autograd.grad((part * weight).sum(), padded)[0] for part in (mean, expected)]
    torch.testing.assert_close(*back)
    small = padded.detach()[:1, ..., :1].clone().requires_grad_()
    assert gradcheck(lambda values: binomial_mean(values, spacing), (small,), check_forward_ad=True)
    assert gradgradcheck(lambda values: binomial_mean(values, spacing).square(), (small,))


def test_it_is_mapped_and_pushed_forward_as_a_whole(case, generator):
    padded, spacing = case
    padded = padded.detach()
    tangent = torch.rand(padded.shape, generator=generator, dtype=torch.float64)
    values, images = torch.func.jvp(lambda x: sobel_and_mean(x, spacing), (padded,), (tangent,))
    one_by_one = torch.func.vmap(lambda x: sobel_and_mean(x[None], spacing))(padded)
    for value, image, mapped, expected in zip(
        values, images, one_by_one, sobel_and_mean(tangent, spacing), strict=True
    ):
        torch.testing.assert_close(image, expected)
        torch.testing.assert_close(mapped[:, 0], value)


def test_a_smooth_field_is_differentiated_to_second_order():
    def error(num_cells):
        x = 2 * torch.pi * torch.arange(num_cells + 4, dtype=torch.float64) / num_cells
        field = torch.sin(x)[None, :, None, None].expand(1, -1, num_cells + 4, 1)
        slope, across, mean = sobel_and_mean(field, 2)
        inner = x[2:-2, None, None]
        step = 4 * torch.pi / num_cells
        assert across.abs().max() < 1e-14
        # the mean damps a wave by cos²(half a step)
        torch.testing.assert_close(
            mean[0], (torch.sin(inner) * torch.cos(torch.tensor(step / 2)) ** 2).expand_as(mean[0])
        )
        return float((slope[0] / step - torch.cos(inner)).abs().max())

    order = torch.tensor(error(16) / error(32)).log2()
    assert 1.9 < order < 2.1
