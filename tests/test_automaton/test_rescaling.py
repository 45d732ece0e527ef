"""The same rule on other cells: what the kernels become, what stays of an equation, what stays exactly."""

import copy
import math

import pytest
import torch

from pdenca.automaton import (
    Automaton,
    Emission,
    FixedKernels,
    HiddenChannels,
    Increment,
    Interleaved,
    IsotropicKernels,
    PointwiseMLP,
    TransportReaction,
    bind_anywhere,
    rescaled,
    substeps_for,
)
from pdenca.automaton.moments import UNIT
from pdenca.automaton.rule import LocalRule
from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid

STEP, SPACING, DIFFUSIVITY = 0.5, 1.0, 0.16
NUMBER = DIFFUSIVITY * STEP / SPACING**2


class Growth(LocalRule):
    """A logistic reaction, r = 0.4 z (1 - z), corrected for an explicit step of 0.5 or not."""

    def __init__(self, corrected: bool) -> None:
        super().__init__()
        self.corrected = corrected

    def forward(self, features, parameters):
        if not self.corrected:
            return 0.4 * features * (1 - features)
        grown = math.exp(0.4 * STEP) * features  # the exact solution after one step
        return (grown / (1 + grown - features) - features) / STEP


def automaton(corrected=True, reach=3, emission=True, num_dims=2):
    """The heat kernel to the order its reach allows, and growth, split as by Strang."""
    kernels = IsotropicKernels(1, reach, 1, num_dims, SPACING)
    spread = Emission(1, 1, num_dims, SPACING) if emission else None
    made = Automaton(
        kernels,
        TransportReaction(Growth(corrected)),
        Increment(),
        HiddenChannels(1, 0),
        emission=spread,
        time_step=STEP,
        steps_per_frame=4,
    ).double()
    with torch.no_grad():
        kernels.transport.zero_()
        kernels.transport[0] = NUMBER / STEP / UNIT
        half = 0.5 * NUMBER / UNIT
        kernels.sample[0] = half
        if spread is not None:
            spread.moments[0] = half
            # exp(a (s - s²/12)) - 1 to second order, in one axis; the mixed moment is that of s_1 s_2
            kernels.transport[1] = (-NUMBER / 12 + NUMBER**2 / 2) / STEP / UNIT
            if num_dims == 2:
                kernels.transport[2] = NUMBER**2 / STEP / UNIT
    return made


def bumps(grid):
    x, y = torch.meshgrid(*grid.coordinates(), indexing="ij")
    side = grid.extent[0]
    waves = torch.cos(2 * math.pi * x / side) + torch.sin(2 * math.pi * (2 * x + y) / side)
    return (0.4 + 0.15 * waves)[None, None]


def test_substeps_follow_the_square_of_the_spacing():
    assert [substeps_for(1.0, h) for h in (2.0, 1.0, 0.5, 0.25, 0.9)] == [1, 1, 4, 16, 2]


def test_same_spacing_and_one_substep_is_the_same_automaton():
    made = automaton()
    other = rescaled(made, SPACING)
    for one, two in zip(made.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
    assert other.time_step == STEP
    assert other is not made


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_kernels_do_to_waves_what_they_did(num_dims):
    """A wave seen by both lattices is damped by K^(1/4) in each of four steps, to a few parts in 10^4."""
    made = automaton(num_dims=num_dims, emission=False)
    other = rescaled(made, SPACING / 2)
    assert other.time_step == STEP / 4
    assert other.steps_per_frame == 16

    def damping(auto, grid):
        x = torch.meshgrid(*grid.coordinates(), indexing="ij")[0]
        wave = torch.cos(2 * math.pi * x / 8.0)[None, ..., None]
        features = auto.perception(wave, grid).detach()
        place = (0, 1, *(0 for _ in range(num_dims - 1)))
        return [float(part[place] / wave[(*place, 0)]) for part in features.unbind(-1)]

    sampled, flow = damping(made, Grid.uniform((8,) * num_dims, 1.0))
    finer_sampled, finer_flow = damping(other, Grid.uniform((16,) * num_dims, 0.5))
    assert 1 + STEP / 4 * finer_flow == pytest.approx((1 + STEP * flow) ** 0.25, rel=5e-4)
    assert finer_sampled == pytest.approx(sampled**0.25, rel=2e-3)


def logistic_diffusion(grid, time):
    """The equation solved by Strang's splitting with steps so small that no error is left to see."""
    truth, step = bumps(grid), 0.02
    k = torch.fft.fftfreq(grid.shape[0], grid.spacing[0], dtype=torch.float64) * 2 * math.pi
    half = torch.exp(-DIFFUSIVITY * (k[:, None] ** 2 + k[: grid.shape[0] // 2 + 1] ** 2) * step / 2)
    for _ in range(round(time / step)):
        truth = torch.fft.irfft2(torch.fft.rfft2(truth) * half, s=grid.shape)
        grown = math.exp(0.4 * step) * truth
        truth = torch.fft.irfft2(torch.fft.rfft2(grown / (1 + grown - truth)) * half, s=grid.shape)
    return truth


def test_the_rescaled_rule_solves_the_same_equation():
    """Half the cells and a quarter of the step: the same diffusivity and the same growth."""
    grid, made = Grid.uniform(32, SPACING / 2), automaton()
    start, truth = bumps(grid), logistic_diffusion(grid, 8.0)

    def error(auto):
        step, state = auto.bind(grid, {}), start
        assert step.time_step == 2.0
        for _ in range(4):
            state = step(state)
        return float((state - truth).square().mean().sqrt() / (truth - start).square().mean().sqrt())

    with torch.no_grad():
        other = rescaled(made, SPACING / 2)
        assert error(other) < 1e-3
        other.rule.reaction = made.rule.reaction  # corrected for steps four times as long
        assert error(other) > 5e-3
        other = rescaled(made, SPACING / 2)
        other.perception.reference_spacing = SPACING  # kernels that forget that the cells are smaller
        assert error(other) > 0.1


def test_a_copy_with_other_steps_per_frame_is_rescaled_like_a_new_automaton():
    # a copy that went on taking the steps of its original would keep the original's time step
    own, other = automaton(), copy.copy(automaton())
    own.steps_per_frame = other.steps_per_frame = 2
    state = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    finer = Grid.uniform(16, SPACING / 2)
    expected = bind_anywhere(own, SPACING, finer, {})(state)
    torch.testing.assert_close(bind_anywhere(other, SPACING, finer, {})(state), expected)


def test_coarser_cells_keep_the_steps():
    other = rescaled(automaton(), 2 * SPACING)
    assert (other.time_step, other.steps_per_frame) == (STEP, 4)
    grid = Grid.uniform(8, 2 * SPACING)
    assert other.bind(grid, {})(bumps(grid)).isfinite().all()


def test_interleaved_lattices_are_the_coarse_rule_exactly():
    made, fine, own = automaton(), Grid.uniform((12, 16), 0.5), Grid.uniform((6, 8), 1.0)
    state = torch.rand(2, 1, 12, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    step = Interleaved.bind(made, fine, {}, 2)
    found = step(state)
    assert step.time_step == made.bind(own, {}).time_step
    for i in range(2):
        for j in range(2):
            expected = made.bind(own, {})(state[..., i::2, j::2])
            torch.testing.assert_close(found[..., i::2, j::2], expected, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(12,), (6, 9), (6, 3, 9)])
def test_interleaving_carries_parameters_along(shape):
    class Told(Automaton):
        pass

    dims = len(shape)
    generator = torch.Generator().manual_seed(0)
    made = Told(
        IsotropicKernels(1, 1, 0, dims, SPACING),
        TransportReaction(PointwiseMLP(1, 2, 1, 4, generator=generator)),
        Increment(),
        HiddenChannels(1, 0),
        context_names=("feed", "place"),
        time_step=0.1,
    ).double()
    with torch.no_grad():
        for parameter in made.rule.parameters():
            parameter.add_(0.3)
    fine = Grid.uniform(shape, SPACING / 3)
    context = {
        "feed": torch.tensor([0.1, 0.7], dtype=torch.float64),
        "place": torch.rand(2, *shape, dtype=torch.float64, generator=generator),
    }
    state = torch.rand(2, 1, *shape, dtype=torch.float64, generator=generator)
    found = Interleaved.bind(made, fine, context, 3)(state)
    part = (slice(None), slice(None), *(slice(1, None, 3) for _ in shape))
    told = {"feed": context["feed"], "place": context["place"][:, None][part][:, 0]}
    own = Grid.uniform([cells // 3 for cells in shape], SPACING)
    torch.testing.assert_close(found[part], made.bind(own, told)(state[part]))


def test_binding_anywhere_picks_the_way():
    made = automaton()
    context = {}
    own, fine, coarse = (Grid.uniform(n, h) for n, h in ((8, 1.0), (16, 0.5), (4, 2.0)))
    assert bind_anywhere(made, SPACING, own, context).automaton is made
    assert bind_anywhere(made, SPACING, fine, context).num_steps == 16
    assert isinstance(bind_anywhere(made, SPACING, fine, context, finer="interleaved"), Interleaved)
    assert bind_anywhere(made, SPACING, coarse, context, finer="interleaved").num_steps == 4
    odd = Grid.uniform(12, 2 / 3)
    assert bind_anywhere(made, SPACING, odd, context).num_steps == 4 * substeps_for(1.0, 2 / 3)
    with pytest.raises(BadInputError, match=r"no meaning on cells of 0\.666667"):
        bind_anywhere(made, SPACING, odd, context, finer="interleaved")
    walled = Grid.uniform(16, 0.5, "no-flux")
    with pytest.raises(BadInputError, match=r"periodic grid.*usual cure: substeps"):
        bind_anywhere(made, SPACING, walled, context, finer="interleaved")
    assert bind_anywhere(made, SPACING, walled, context).num_steps == 16


def test_rules_in_units_of_cells_are_interleaved_or_refused():
    fixed = Automaton(
        FixedKernels(1), PointwiseMLP(2, 0, 1, 4), Increment(), HiddenChannels(1, 0), time_step=1.0
    )
    assert isinstance(bind_anywhere(fixed, SPACING, Grid.uniform(16, 0.5), {}), Interleaved)
    with pytest.raises(BadInputError, match="isotropic kernels with substeps"):
        bind_anywhere(fixed, SPACING, Grid.uniform(4, 2.0), {})
    with pytest.raises(BadInputError, match="only isotropic kernels"):
        rescaled(fixed, 0.5)
    with pytest.raises(BadInputError, match="at least one, got 0"):
        rescaled(automaton(), 0.5, 0)
