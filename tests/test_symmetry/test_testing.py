"""The public check of equivariance passes what is symmetric and, the point of it, fails what is not."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from pdenca.core import BadInputError, NonFiniteError
from pdenca.symmetry import C4, D2, D4, GROUPS, assert_equivariant, equivariance_residuals, round_off

ISOTROPIC = ((0.05, 0.2, 0.05), (0.2, -1.0, 0.2), (0.05, 0.2, 0.05))
STRETCHED = ((0.05, 0.3, 0.05), (0.1, -1.0, 0.1), (0.05, 0.3, 0.05))  # diffuses faster along axis 0
WINDY = ((0.05, 0.3, 0.05), (0.2, -1.0, 0.2), (0.05, 0.1, 0.05))  # drifts along axis 0
PINWHEEL = ((0.1, 0.0, -0.1), (0.0, 0.0, 0.0), (-0.1, 0.0, 0.1))  # unchanged by half turns, odd under flips


@dataclass(frozen=True)
class Convolution:
    """x + tanh(K * x) with a 3 x 3 kernel K, periodic or with zeros beyond the edge."""

    kernel: tuple[tuple[float, ...], ...]
    padding: str = "circular"
    time_step: float = 1.0
    deterministic: bool = True

    def __call__(self, state: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(state, (1, 1, 1, 1), mode=self.padding)
        kernel = torch.tensor(self.kernel, dtype=state.dtype).expand(state.shape[1], 1, 3, 3)
        return state + torch.tanh(torch.nn.functional.conv2d(padded, kernel, groups=state.shape[1]))


@dataclass(frozen=True)
class Pointwise:
    """Any function of the state, as a step."""

    function: object
    time_step: float = 1.0
    deterministic: bool = True

    def __call__(self, state: Tensor) -> Tensor:
        return self.function(state)


@pytest.fixture
def state(generator, dtype):
    return torch.rand(2, 2, 8, 8, generator=generator, dtype=dtype)


@pytest.mark.parametrize("group", [g for g in GROUPS.values() if g.num_dims == 2], ids=lambda g: g.name)
@pytest.mark.parametrize("num_steps", [1, 5])
def test_an_isotropic_step_passes(group, num_steps, state):
    assert_equivariant(
        Convolution(ISOTROPIC), group, state, num_steps=num_steps, translations=[(1, 0), (3, 5)]
    )


def test_a_stretched_step_fails_for_quarter_turns_only(state):
    assert_equivariant(Convolution(STRETCHED), D2, state)
    with pytest.raises(AssertionError, match=r"does not commute with '(rotate|.*transpose)"):
        assert_equivariant(Convolution(STRETCHED), C4, state)
    residuals = equivariance_residuals(Convolution(STRETCHED), D4, state)
    failed = {name for name, residual in residuals.items() if residual > round_off(state.dtype)}
    assert failed == {"rotate 90", "rotate 270", "transpose", "anti-transpose"}
    assert all(residuals[name] > 0.01 for name in failed)


def test_a_windy_step_fails_wherever_axis_0_is_turned(state):
    residuals = equivariance_residuals(Convolution(WINDY), D4, state)
    unharmed = {name for name, residual in residuals.items() if residual <= round_off(state.dtype)}
    assert unharmed == {"identity", "flip axis 1"}


def test_reflections_are_told_from_rotations(state):
    residuals = equivariance_residuals(Convolution(PINWHEEL), D4, state)
    unharmed = {name for name, residual in residuals.items() if residual <= round_off(state.dtype)}
    assert unharmed == {"identity", "rotate 180", "transpose", "anti-transpose"}


def test_an_edge_breaks_shifts_but_not_turns(state):
    walled = Convolution(ISOTROPIC, padding="constant")
    assert_equivariant(walled, D4, state)
    with pytest.raises(AssertionError, match=r"'shift \(1, 0\)'.*1 of 9 moves fail, D4"):
        assert_equivariant(walled, D4, state, translations=[(1, 0)])


def test_a_place_of_its_own_breaks_everything(state):
    bias = torch.zeros(8, 8, dtype=state.dtype)
    bias[1, 2] = 0.5
    residuals = equivariance_residuals(Pointwise(lambda x: x + bias), D4, state)
    assert residuals.pop("identity") == 0
    assert min(residuals.values()) > 0.1


def test_kinds_decide(state):
    # turning every vector a quarter turn commutes with rotations, not with reflections;
    # and it is no symmetric step at all if the two channels are scalars that keep their places
    turn = Pointwise(lambda x: torch.stack([-x[:, 1], x[:, 0]], dim=1))
    assert_equivariant(turn, C4, state, ["vector"])
    assert_equivariant(turn, D4, state, ["scalar", "scalar"])
    with pytest.raises(AssertionError, match=r"'(flip|transpose|anti)"):
        assert_equivariant(turn, D4, state, ["vector"])
    # x -> x^2 keeps scalars and spoils the sign of pseudoscalars
    square = Pointwise(lambda x: x**2)
    assert_equivariant(square, D4, state)
    with pytest.raises(AssertionError, match=r"flip|transpose"):
        assert_equivariant(square, D4, state, ["pseudoscalar", "scalar"])


def test_residual_is_relative_to_the_result(state):
    step = Convolution(STRETCHED)
    tenfold = Pointwise(lambda x: 10 * step(x))
    plain = equivariance_residuals(step, C4, state)
    scaled = equivariance_residuals(tenfold, C4, state)
    assert scaled["rotate 90"] == pytest.approx(plain["rotate 90"], rel=1e-5)


def test_tolerance_can_be_given(state):
    step = Convolution(STRETCHED)
    residual = max(equivariance_residuals(step, C4, state).values())
    assert_equivariant(step, C4, state, tolerance=residual)
    with pytest.raises(AssertionError, match="usual cure"):
        assert_equivariant(step, C4, state, tolerance=0.99 * residual)


def test_round_off_is_what_the_page_says():
    assert round_off(torch.float32) == pytest.approx(3.1e-5, rel=0.02)
    assert round_off(torch.float64) == pytest.approx(5.7e-14, rel=0.02)
    assert round_off(torch.float32, 4) == 4 * round_off(torch.float32)


def test_what_could_not_fail_is_refused(state):
    step = Convolution(STRETCHED)
    with pytest.raises(BadInputError, match="constant in space"):
        equivariance_residuals(step, C4, torch.ones_like(state))
    with pytest.raises(BadInputError, match="zero everywhere"):
        equivariance_residuals(Pointwise(torch.zeros_like), C4, state)
    with pytest.raises(BadInputError, match="not deterministic"):
        equivariance_residuals(Convolution(STRETCHED, deterministic=False), C4, state)
    with pytest.raises(BadInputError, match="num_steps"):
        equivariance_residuals(step, C4, state, num_steps=0)


def test_non_finite_results_are_reported(state):
    with pytest.raises(NonFiniteError, match="within 2 steps"):
        equivariance_residuals(Pointwise(lambda x: x / 0), C4, state, num_steps=2)
    # also when only the moved state comes to grief
    corner = torch.zeros_like(state)
    corner[..., 0, 0] = 1
    fragile = Pointwise(lambda x: torch.where(x[..., -1:, -1:] == 1, torch.inf, x + 1))
    with pytest.raises(NonFiniteError, match="not finite"):
        equivariance_residuals(fragile, D4, corner)
