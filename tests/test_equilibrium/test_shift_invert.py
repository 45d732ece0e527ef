"""Where many eigenvalues are near 1, they are found through the inverse."""

import math
from dataclasses import dataclass

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.equilibrium import stability_of
from pdenca.equilibrium.shift_invert import SHIFT

SLOW = 60


class Solver:
    """(σ + I - J)⁻¹ of the Jacobian, off by a few percent in every entry."""

    products = 0

    def __init__(self, matrix, error):
        self.matrix, self.error, self.inverse = matrix, error, None

    def __call__(self, right, shift):
        if self.inverse is None:
            identity = torch.eye(self.matrix.shape[-1], dtype=right.dtype)
            self.inverse = ((1 + shift)[:, None, None] * identity - self.matrix).inverse()
        return (self.inverse @ right[..., None])[..., 0] * self.error


@dataclass(frozen=True)
class Linear:
    """z ↦ J z for one matrix per sample, with a preconditioner."""

    matrix: torch.Tensor
    error: torch.Tensor
    deterministic = True
    time_step = 1.0

    def __call__(self, states):
        return (self.matrix @ states[..., None])[..., 0]

    def select(self, rows):
        return Linear(self.matrix[rows], self.error)

    def preconditioner(self, states):
        return Solver(self.matrix, self.error)


def slow_system(*blocks, spread=0.03):
    """Return J with 60 eigenvalues within 10⁻³ below 1, 300 smaller ones and these, in a turned basis."""
    generator = torch.Generator().manual_seed(0)
    slow = 1 - torch.linspace(1e-5, 1e-3, SLOW, dtype=torch.float64)
    small = torch.linspace(-0.5, 0.9, 300, dtype=torch.float64)
    inside = torch.block_diag(*(torch.tensor(block).double() for block in blocks), slow.diag(), small.diag())
    size = len(inside)
    basis, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    error = 1 + spread * torch.randn(size, generator=generator, dtype=torch.float64)
    return Linear((basis @ inside @ basis.T)[None], error), torch.zeros(1, size, dtype=torch.float64)


def rotation(modulus, angle):
    return [
        [modulus * math.cos(angle), -modulus * math.sin(angle)],
        [modulus * math.sin(angle), modulus * math.cos(angle)],
    ]


def test_the_slowest_are_found():
    step, state = slow_system()
    (found,) = stability_of(step, state)
    assert (found.method, found.verdict) == ("shift-invert", "stable")
    expected = 1 - torch.linspace(1e-5, 1e-3, SLOW, dtype=torch.float64)[:6]
    assert len(found.eigenvalues) == 6
    torch.testing.assert_close(found.eigenvalues.real, expected, rtol=0, atol=1e-9)
    assert found.residuals.max() < 1e-8


def test_what_grows_as_the_shift_is_seen_although_its_systems_are_singular():
    (found,) = stability_of(*slow_system([[1 + SHIFT]]))
    assert found.verdict == "unstable"
    assert found.spectral_radius == pytest.approx(1 + SHIFT)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ([[1.00002]], "1 modes grow, the fastest by 1.00002"),
        (rotation(1.0005, 0.005), "2 modes grow, the fastest by 1.0005"),
        # far from 1, where the inverse does not look, but apart from all others
        ([[-1.2]], "1 modes grow, the fastest by 1.2"),
        (rotation(1.1, 1.5), "2 modes grow, the fastest by 1.1"),
    ],
)
def test_what_grows_is_seen(block, words):
    (found,) = stability_of(*slow_system(block))
    assert found.verdict == "unstable"
    assert words in found.reason


def test_every_sample_has_its_own_verdict():
    one, state = slow_system([[1.01]])
    other, _ = slow_system([[0.5]])
    step = Linear(torch.cat((one.matrix, other.matrix)), one.error)
    found = stability_of(step, state.expand(2, -1).clone())
    assert [item.verdict for item in found] == ["unstable", "stable"]


def test_systems_that_are_not_solved_are_no_evidence():
    step, state = slow_system(spread=3.0)
    (found,) = stability_of(step, state)
    assert found.verdict == "undecided"
    assert "was solved to" in found.reason


def test_a_step_without_preconditioner_is_refused():
    with pytest.raises(BadInputError, match="needs a step that has a preconditioner"):
        stability_of(lambda z: 0.5 * z, torch.zeros(1, 400), method="shift-invert")
