"""Stable, unstable and neutral fixed points are told apart."""

import math

import numpy as np
import pytest
import torch

from pdenca.core import BadInputError
from pdenca.equilibrium import perturbed_rollout, solve, stability_of

METHODS = ("dense", "arnoldi")


def diagonal(values):
    factors = torch.tensor(values, dtype=torch.float64)
    return lambda z: factors * z, torch.zeros(1, len(values), dtype=torch.float64)


def test_a_rotation_has_the_radius_that_power_iteration_misses(rotation):
    (found,) = stability_of(rotation, torch.zeros(1, 2, dtype=torch.float64))
    assert found.spectral_radius == pytest.approx(0.9, abs=1e-12)
    assert found.eigenvalues.angle().abs().tolist() == pytest.approx([1.0, 1.0])
    assert found.verdict == "stable"
    assert found.kinds == ("stable", "stable")


@pytest.mark.parametrize("method", METHODS)
def test_eigenvalues_are_those_of_the_matrix(method, linear_map):
    step = linear_map([0.5, 1.5, 0.97], num_entries=40)
    found = stability_of(step, step.solution, num_eigenvalues=4, method=method)
    for one, matrix, verdict in zip(found, step.weight, ("stable", "unstable", "stable"), strict=True):
        expected = np.linalg.eigvals(matrix.numpy())
        expected = expected[np.argsort(-np.abs(expected))]
        values = one.eigenvalues.numpy()
        np.testing.assert_allclose(np.abs(values), np.abs(expected[: len(values)]), atol=1e-8)
        assert np.abs(values[:, None] - expected).min(1).max() < 1e-8
        assert 4 <= len(one.eigenvalues) <= 5
        assert one.spectral_radius == pytest.approx(abs(expected[0]))
        assert one.residuals.max() < 1e-7
        image = one.eigenvectors @ matrix.T.to(torch.complex128)
        torch.testing.assert_close(image, one.eigenvalues[:, None] * one.eigenvectors, rtol=0, atol=1e-7)
        assert one.verdict == verdict
        assert one.method == method
        # conjugates are not torn apart
        assert one.eigenvalues.imag.sum().abs() < 1e-8


@pytest.mark.parametrize("method", METHODS)
def test_verdicts_in_words(method):
    rest = [0.5, 0.4, 0.3, 0.2, 0.1]
    for values, verdict, words in (
        ([0.9, *rest], "stable", "slowest decays by 0.9"),
        ([-1.1, *rest], "unstable", "1 modes grow, the fastest by 1.1"),
        ([1.0, *rest], "neutral", "1 modes neither grow nor decay"),
        ([-1.0, *rest], "neutral", "neither grow nor decay"),
        ([1.2, 1.0, *rest], "unstable", "1 modes grow"),
    ):
        step, state = diagonal(values)
        (found,) = stability_of(step, state, method=method, num_eigenvalues=3)
        assert found.verdict == verdict
        assert words in found.reason


@pytest.mark.parametrize("method", METHODS)
def test_null_modes_explain_what_lies_along_them_and_no_more(method):
    along = torch.zeros(1, 7, dtype=torch.float64)
    along[0, 0] = 3.0
    rest = [0.5, 0.4, 0.3, 0.2, 0.1]
    for values, verdict in (
        ([1.0, 0.9, *rest], "stable"),
        ([0.9, 1.0, *rest], "neutral"),  # neutral, but elsewhere
        ([1.0, 1.0, *rest], "neutral"),  # one more than is explained
        ([1.0, 1.1, *rest], "unstable"),
        ([-1.0, 0.9, *rest], "neutral"),  # a flip is no shift
        ([1.3, 0.9, *rest], "unstable"),  # what grows along a null mode is none
        ([1.004, 0.9, *rest], "stable"),  # a grid pins the pattern, here where it does not want to be
    ):
        step, state = diagonal(values)
        (found,) = stability_of(step, state, method=method, num_eigenvalues=4, null_modes=lambda _: [along])
        assert found.verdict == verdict, values
        assert found.pinning == pytest.approx(abs(values[0] - 1), abs=1e-12)
        # of two equal eigenvalues any two vectors will do, none of which need lie along the mode
        if values[:2] != [1.0, 1.0]:
            assert found.num_neutral == (1 if abs(values[0] - 1) < 0.01 else 0)


def test_growth_rates_are_per_time():
    step, state = diagonal([0.9, 0.5])
    assert stability_of(step, state)[0].growth_rates is None
    (found,) = stability_of(step, state, time_step=0.1)
    assert found.growth_rates.tolist() == pytest.approx([math.log(0.9) / 0.1, math.log(0.5) / 0.1])


def test_what_is_no_fixed_point_is_undecided():
    (found,) = stability_of(lambda z: 0.5 * z + 1, torch.zeros(1, 3, dtype=torch.float64))
    assert found.verdict == "undecided"
    assert "no fixed point" in found.reason
    (found,) = stability_of(lambda z: z / z * 0, torch.zeros(1, 3, dtype=torch.float64))
    assert found.verdict == "undecided"


@pytest.mark.parametrize("method", METHODS)
def test_too_few_eigenvalues_leave_it_open(method):
    rest = [0.5, 0.4, 0.3, 0.2, 0.1]
    modes = torch.eye(7, dtype=torch.float64)[:2, None]
    step, state = diagonal([1.0, 1.0, *rest])
    (found,) = stability_of(step, state, method=method, num_eigenvalues=1, null_modes=lambda _: modes)
    if method == "dense":  # judges by all of them
        assert (found.verdict, found.num_neutral) == ("stable", 2)
    else:
        assert found.verdict == "undecided"


def test_single_precision_is_judged_as_such():
    for value, verdict in ((0.99, "stable"), (1.0001, "neutral"), (1.01, "unstable")):
        factors = torch.tensor([value, 0.5, 0.2])
        (found,) = stability_of(lambda z, f=factors: f * z, torch.zeros(1, 3))
        assert found.verdict == verdict


def test_a_zero_jacobian_is_stable():
    for method in METHODS:
        (found,) = stability_of(
            lambda z: torch.ones_like(z), torch.ones(1, 6, dtype=torch.float64), method=method
        )
        assert found.verdict == "stable"
        assert found.spectral_radius == 0


@pytest.mark.parametrize("method", METHODS)
def test_a_map_that_can_be_cut_down(method, linear_map):
    step = linear_map([0.5, 1.2], num_entries=10)

    class Selectable:
        def __call__(self, state):
            return step(state)

        def select(self, rows):
            return type(step)(step.weight[rows], step.bias[rows])

    found = stability_of(Selectable(), step.solution, method=method)
    assert [one.verdict for one in found] == ["stable", "unstable"]
    assert [one.spectral_radius for one in found] == pytest.approx([0.5, 1.2])


def test_an_unstable_root_is_called_unstable(generator):
    weight = 3 * torch.randn(6, 6, generator=generator, dtype=torch.float64)

    def step(z):
        return z @ weight.T + 1

    found = solve(step, torch.zeros(1, 6, dtype=torch.float64), method="newton-krylov", tolerance=1e-10)
    assert bool(found.converged.all())
    (verdict,) = stability_of(step, found.state)
    assert verdict.verdict == "unstable"
    assert verdict.spectral_radius == pytest.approx(float(torch.linalg.eigvals(weight).abs().max()))
    pushed = perturbed_rollout(step, found.state, num_steps=30, generator=generator)
    assert not pushed.returned.any()
    assert pushed.ratios.item() > 1e6


def test_pushed_states_come_back_at_the_rate_of_the_slowest_mode(generator):
    factors = torch.tensor([[0.5], [0.98], [1.02], [float("nan")]], dtype=torch.float64)
    state = torch.zeros(4, 3, dtype=torch.float64)
    pushed = perturbed_rollout(lambda z: factors * z, state, num_steps=100, generator=generator)
    assert pushed.ratios[:3].tolist() == pytest.approx([0.5**100, 0.98**100, 1.02**100])
    assert math.isinf(pushed.ratios[3])
    assert pushed.returned.tolist() == [True, True, False, False]
    assert pushed.largest[:3].tolist() == pytest.approx([1, 1, 1.02**100])


def test_a_push_along_a_null_mode_does_not_count(generator):
    step, state = diagonal([1.0, 0.5])
    mode = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    for null_modes, returned in ((None, False), (lambda _: [mode], True)):
        pushed = perturbed_rollout(step, state, null_modes=null_modes, generator=generator)
        assert bool(pushed.returned.all()) == returned


def test_bad_input(rotation):
    state = torch.zeros(1, 2, dtype=torch.float64)
    for changes in (
        {"method": "power"},
        {"num_eigenvalues": 0},
        {"tolerance": 2.0},
        {"time_step": -1.0},
        {"null_modes": lambda _: []},
    ):
        with pytest.raises(BadInputError):
            stability_of(rotation, state, **changes)
    for changes in ({"num_steps": 0}, {"amplitude": 0.0}, {"within": math.nan}):
        with pytest.raises(BadInputError):
            perturbed_rollout(rotation, state, **changes)
