"""How roll-outs of maps with known ends are judged, and their Lyapunov exponents."""

import math
from dataclasses import dataclass

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.evaluation.attractors import follow_to_end, in_phase, leading_lyapunov_exponent


@dataclass
class Map:
    """A map of states, cell by cell or by matrix, as a step."""

    function: object
    time_step: float = 0.0
    deterministic: bool = True

    def __call__(self, state):
        return self.function(state)


def turned(angle, factor=1.0):
    """Rotate (and shrink) the plane of the two channels."""
    c, s = factor * math.cos(angle), factor * math.sin(angle)
    matrix = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    return Map(lambda z: torch.einsum("ij,bj...->bi...", matrix, z))


def logistic(r):
    return Map(lambda z: r * z * (1 - z))


def henon(z):
    x, y = z[:, :1], z[:, 1:]
    return torch.cat([1 - 1.4 * x * x + y, 0.3 * x], 1)


def seed(number=0):
    return torch.Generator().manual_seed(number)


def starts(*shape, dtype=torch.float64):
    return torch.rand(shape, generator=seed(), dtype=dtype) + 0.1


def test_a_contraction_settles_when_its_rate_says():
    """To z* = 3 from 1 by halves: what is left after n steps is 2 / 2^n."""
    rest, first = 3.0, 1.0
    ends = follow_to_end(
        Map(lambda z: rest + 0.5 * (z - rest)), torch.full((3, 1, 4), first).double(), num_steps=60
    )
    assert ends.kinds == ("fixed",) * 3
    state, expected = first, []
    for _ in range(60):
        following = rest + 0.5 * (state - rest)
        expected.append(abs(following - state) / abs(following))
        state = following
    torch.testing.assert_close(ends.residuals[:, 1], torch.tensor(expected, dtype=torch.float64))
    settled = 1 + next(number for number, value in enumerate(expected) if value <= 1e-5)
    assert ends.settled_after == (settled,) * 3
    assert ends.periods == (1, 1, 1)
    assert ends.falling.tolist() == [1.0] * 3
    # the ratio is below a half by what ‖f(z)‖ grows, and nears it
    assert 0.49 < float(ends.largest_rise[0]) <= 0.5
    # the stretch are the last 32 steps, so that it begins after 28
    assert ends.drift.tolist() == pytest.approx([2 * 0.5**28] * 3, rel=1e-6)
    assert torch.equal(ends.are("fixed", "periodic"), torch.tensor([True] * 3))


def test_a_contraction_that_is_cut_short_moves():
    slow = Map(lambda z: 1 + 0.99 * (z - 1))
    begin = torch.full((1, 1, 2), 2.0).double()
    assert follow_to_end(slow, begin, num_steps=100).kinds == ("moving",)
    assert follow_to_end(slow, begin, num_steps=1500).kinds == ("fixed",)


@pytest.mark.parametrize("period", [2, 3, 5, 16])
def test_a_rotation_has_its_exact_period(period):
    ends = follow_to_end(turned(2 * math.pi / period), starts(2, 2, 3), num_steps=100)
    assert ends.kinds == ("periodic", "periodic")
    assert ends.periods == (period, period)
    assert ends.settled_after == (None, None)
    # the drift is that of whole periods: rounding alone
    assert float(ends.drift.max()) < 1e-12
    torch.testing.assert_close(
        ends.residuals, torch.full_like(ends.residuals, 2 * math.sin(math.pi / period))
    )


def test_cycles_too_long_and_quasiperiodic_ones_are_not_called_periodic():
    assert follow_to_end(turned(2 * math.pi / 17), starts(1, 2, 3), num_steps=100).kinds == ("moving",)
    assert follow_to_end(turned(1.0), starts(1, 2, 3), num_steps=100).kinds == ("moving",)


def test_a_cycle_with_a_short_step_is_not_taken_for_rest():
    """1 -> 1.000001 -> 5 -> 1: one of the three starts ends with the short step."""
    step = Map(lambda z: torch.where(z == 1, 1.000001, torch.where(z < 2, 5.0, 1.0)).to(z))
    ends = follow_to_end(step, torch.tensor([1.0, 1.000001, 5.0]).double().reshape(3, 1, 1), num_steps=100)
    assert float(ends.residuals[-1].min()) < 1e-5
    assert ends.kinds == ("periodic",) * 3
    assert ends.periods == (3,) * 3


def test_a_slow_spiral_is_never_periodic_and_fixed_at_last():
    """After one turn of five steps it is 4e-6 of its size away from itself, below the tolerance."""
    turn, factor = 2 * math.pi / 5, 1 - 8e-7
    state = starts(1, 2, 3)
    after = state
    for _ in range(5):
        after = turned(turn, factor)(after)
    assert float((after - state).norm() / state.norm()) < 1e-5
    ends = follow_to_end(turned(turn, factor), state, num_steps=400)
    assert ends.kinds == ("moving",)
    centre = torch.tensor([1.0, 2.0]).double().reshape(1, 2, 1)
    quicker = turned(turn, 0.98)
    onto = Map(lambda z: centre + quicker(z - centre))
    kinds = [follow_to_end(onto, state, num_steps=count).kinds[0] for count in (40, 100, 200, 400, 1200)]
    assert kinds[0] == "moving"
    assert kinds[-1] == "fixed"
    assert "periodic" not in kinds


@pytest.mark.parametrize(
    ("r", "kind", "period"), [(2.8, "fixed", 1), (3.2, "periodic", 2), (3.5, "periodic", 4)]
)
def test_the_logistic_map(r, kind, period):
    ends = follow_to_end(logistic(r), starts(5, 1, 1) * 0.8, num_steps=600)
    assert ends.kinds == (kind,) * 5
    assert ends.periods == (period,) * 5
    if kind == "fixed":
        torch.testing.assert_close(ends.states, torch.full_like(ends.states, 1 - 1 / r), rtol=1e-6, atol=0)


def test_the_residual_may_rise_before_rest_and_is_told():
    """A matrix that is not normal grows before it decays: r is no Lyapunov function."""
    matrix = torch.tensor([[0.9, 2.0], [0.0, 0.8]], dtype=torch.float64)
    step = Map(lambda z: 10 + torch.einsum("ij,bj...->bi...", matrix, z - 10))
    ends = follow_to_end(step, torch.tensor([10.0, 11.0]).double().reshape(1, 2, 1), num_steps=300)
    assert ends.kinds == ("fixed",)
    before, after = ends.residuals[:-1, 0], ends.residuals[1:, 0]
    counted = torch.maximum(before, after) > 1e-5
    assert float(ends.falling) == float((after < before)[counted].double().mean())
    assert float(ends.falling) < 1
    assert float(ends.largest_rise) == float((after / before)[counted].max()) > 1


def test_chaos_and_divergence():
    ends = follow_to_end(logistic(4.0), starts(4, 1, 1) * 0.8, num_steps=300)
    assert ends.kinds == ("moving",) * 4
    begin = torch.tensor([0.3, -0.5]).double().reshape(2, 1, 1)
    ends = follow_to_end(logistic(2.8), begin, num_steps=200)
    assert ends.kinds == ("fixed", "not finite")
    assert not ends.states[1].isfinite().any()
    assert ends.residuals[-1, 1].isnan()
    assert ends.falling[1].isnan()
    assert ends.largest_rise[1].isnan()
    assert ends.drift[1].isnan()
    assert ends.drift[0].isfinite()
    assert ends.periods == (1, None)


def test_a_nan_on_the_way_counts_also_if_the_end_is_finite():
    forgets = Map(lambda z: torch.where(z > 5, torch.nan, torch.where(z.isnan(), 1.0, z + (z != 1))))
    ends = follow_to_end(forgets, torch.tensor([0.5, 1.0]).reshape(2, 1, 1), num_steps=100)
    assert ends.states.isfinite().all()
    assert ends.kinds == ("not finite", "fixed")


def test_zeros_are_at_rest_and_dying_is_not_hidden():
    zeros = follow_to_end(Map(lambda z: 2 * z), torch.zeros(1, 1, 3), num_steps=40)
    assert zeros.kinds == ("fixed",)
    assert zeros.settled_after == (1,)
    assert zeros.falling.isnan().all()  # nothing was above the tolerance
    dies = follow_to_end(Map(lambda z: 0 * z), torch.ones(1, 1, 3), num_steps=40)
    assert dies.residuals[:2, 0].tolist() == [math.inf, 0.0]
    assert dies.kinds == ("fixed",)
    assert dies.settled_after == (2,)


@dataclass
class OwnRate:
    """z -> rate z + 1 with a rate for each sample."""

    rates: torch.Tensor
    time_step: float = 1.0
    deterministic: bool = True

    def select(self, indices):
        return OwnRate(self.rates[indices])

    def __call__(self, state):
        return self.rates.reshape(-1, 1, 1) * state + 1


@pytest.mark.parametrize("batch_size", [1, 3, 7, 50])
def test_batches_change_nothing(batch_size):
    step = OwnRate(torch.linspace(-1.0, 0.9, 7, dtype=torch.float64))
    told = []
    ends = follow_to_end(
        step,
        starts(7, 1, 3),
        num_steps=200,
        batch_size=batch_size,
        progress=lambda done, of: told.append((done, of)),
    )
    whole = follow_to_end(step, starts(7, 1, 3), num_steps=200)
    assert ends.kinds == whole.kinds == ("periodic",) + ("fixed",) * 6
    assert ends.settled_after == whole.settled_after
    assert torch.equal(ends.states, whole.states)
    assert torch.equal(ends.residuals, whole.residuals)
    assert torch.equal(ends.drift, whole.drift)
    num_batches = -(-7 // batch_size)
    assert told == [(n, 200 * num_batches) for n in range(1, 200 * num_batches + 1)]


def test_single_precision_is_enough():
    ends = follow_to_end(logistic(2.8), (starts(3, 1, 2) * 0.8).float(), num_steps=300)
    assert ends.kinds == ("fixed",) * 3
    assert ends.states.dtype == torch.float32
    assert ends.residuals.dtype == torch.float64


def test_bad_input_to_following():
    step, begin = logistic(2.8), starts(2, 1, 2)
    for changes in (
        {"num_steps": 32},
        {"max_period": 1},
        {"tolerance": 0.0},
        {"batch_size": 0},
    ):
        with pytest.raises(BadInputError, match="usual cure"):
            follow_to_end(step, begin, **{"num_steps": 100, **changes})
    with pytest.raises(BadInputError, match="batch axis"):
        follow_to_end(step, begin[:0], num_steps=100)
    with pytest.raises(BadInputError, match="in place"):
        follow_to_end(Map(lambda z: z.mul_(0.5)), begin, num_steps=100)
    with pytest.raises(BadInputError, match="random"):
        follow_to_end(Map(lambda z: z, deterministic=False), begin, num_steps=100)
    with pytest.raises(BadInputError, match="kinds"):
        follow_to_end(step, begin, num_steps=100).are("stuck")


def test_the_exponent_of_a_linear_map_is_the_logarithm_of_its_spectral_radius():
    matrix = torch.randn(6, 6, generator=seed(1), dtype=torch.float64)
    matrix *= 0.3 / torch.linalg.eigvals(matrix).abs().max()
    step = Map(lambda z: torch.einsum("ij,bj...->bi...", matrix, z))
    found = leading_lyapunov_exponent(step, starts(3, 6, 1), num_steps=500, discarded=100, generator=seed())
    # all three have died away to zero by then, 0.3^600 ~ 1e-314
    torch.testing.assert_close(
        found.exponent, torch.full((3,), math.log(0.3), dtype=torch.float64), rtol=5e-3, atol=0
    )
    assert found.growth.shape == (3, 500)


def test_the_exponent_at_a_state_of_zeros():
    found = leading_lyapunov_exponent(
        Map(lambda z: 0.5 * z.tanh()), torch.zeros(1, 1, 4), num_steps=20, generator=seed()
    )
    assert float(found.exponent) == pytest.approx(math.log(0.5), rel=1e-6)


def test_the_exponents_of_chaos():
    """ln 2 at r = 4, whatever the start; 0.419 of the Hénon map (Sprott, Chaos and Time-Series Analysis)."""
    found = leading_lyapunov_exponent(
        logistic(4.0), starts(100, 1, 1) * 0.8, num_steps=400, discarded=50, generator=seed()
    )
    assert float(found.exponent.mean()) == pytest.approx(math.log(2), rel=5e-3)
    assert ((found.exponent - math.log(2)).abs() < 6 * found.standard_error + 1e-3).all()
    found = leading_lyapunov_exponent(
        Map(henon), starts(100, 2, 1) * 0.1, num_steps=400, discarded=50, generator=seed()
    )
    assert float(found.exponent.mean()) == pytest.approx(0.4192, rel=1e-2)


def test_exponents_are_per_unit_of_time():
    found = [
        leading_lyapunov_exponent(Map(henon, step), starts(1, 2, 1) * 0.1, num_steps=20, generator=seed())
        for step in (0.0, 1.0, 0.25)
    ]
    assert torch.equal(found[0].exponent, found[1].exponent)
    torch.testing.assert_close(found[2].exponent, 4 * found[0].exponent)
    assert [each.duration for each in found] == [20.0, 20.0, 5.0]


def test_stable_ends_have_negative_exponents_by_the_formula():
    """log |f'| at the fixed point of r = 2.8, and half of log |f'(a) f'(b)| on the cycle of r = 3.2."""
    begin = starts(2, 1, 1) * 0.8
    found = leading_lyapunov_exponent(logistic(2.8), begin, num_steps=100, discarded=300, generator=seed())
    assert float(found.exponent[0]) == pytest.approx(math.log(0.8), rel=1e-5)
    found = leading_lyapunov_exponent(logistic(3.2), begin, num_steps=100, discarded=300, generator=seed())
    product = 4 + 2 * 3.2 - 3.2**2
    assert float(found.exponent[1]) == pytest.approx(math.log(abs(product)) / 2, rel=1e-4)


def test_one_that_diverges_or_forgets_does_not_hide_the_others():
    begin = torch.tensor([0.3, -0.5]).double().reshape(2, 1, 1)
    found = leading_lyapunov_exponent(logistic(2.8), begin, num_steps=100, discarded=300, generator=seed())
    assert float(found.exponent[0]) == pytest.approx(math.log(0.8), rel=1e-5)
    assert found.exponent[1].isnan()
    # a NaN among the discarded steps is not forgotten, though the state is finite later
    heals = Map(lambda z: torch.where(z > 2, torch.nan, torch.where(z.isnan(), 1.0, 0.5 * z)))
    found = leading_lyapunov_exponent(
        heals, torch.tensor([5.0, 1.0]).reshape(2, 1, 1), num_steps=20, discarded=5, generator=seed()
    )
    assert found.exponent[0].isnan()
    assert float(found.exponent[1]) == pytest.approx(math.log(0.5), rel=1e-6)
    forgets = Map(lambda z: torch.where(z > 2, 3.0, 0.5 * z))
    found = leading_lyapunov_exponent(
        forgets, torch.tensor([5.0, 1.0]).reshape(2, 1, 1), num_steps=20, generator=seed()
    )
    assert found.exponent[0] == -math.inf
    assert float(found.exponent[1]) == pytest.approx(math.log(0.5), rel=1e-6)


def test_the_exponent_agrees_with_that_of_the_solvers():
    from pdenca.solvers.steady import largest_lyapunov_exponent

    begin = starts(100, 2, 1) * 0.1
    ours = leading_lyapunov_exponent(Map(henon), begin, num_steps=300, discarded=50, generator=seed())
    theirs = largest_lyapunov_exponent(henon, begin, num_intervals=300, time_step=1.0, num_discarded=50)
    assert float(ours.exponent.mean()) == pytest.approx(float(theirs.exponent.mean()), rel=1e-2)
    again = leading_lyapunov_exponent(Map(henon), begin, num_steps=300, discarded=50, generator=seed())
    assert torch.equal(ours.growth, again.growth)


def test_bad_input_to_the_exponent():
    begin = starts(1, 1, 2)
    for changes in ({"num_steps": 9}, {"discarded": -1}, {"separation": 0.0}):
        with pytest.raises(BadInputError, match="usual cure"):
            leading_lyapunov_exponent(
                logistic(2.8), begin, **{"num_steps": 20, "generator": seed(), **changes}
            )
    with pytest.raises(BadInputError, match="time_step"):
        leading_lyapunov_exponent(Map(lambda z: z, time_step=-1.0), begin, num_steps=20, generator=seed())
    with pytest.raises(BadInputError, match="one type"):
        leading_lyapunov_exponent(Map(lambda z: z.float()), begin, num_steps=20, generator=seed())


@pytest.mark.parametrize(("r", "period"), [(2.8, 1), (3.2, 2), (3.5, 4)])
def test_ends_in_one_cycle_are_the_same_in_phase(r, period):
    """The logistic map has one attractor, which has as many states as its period."""
    step = logistic(r)
    ends = follow_to_end(step, starts(40, 1, 1) * 0.8, num_steps=4000, tolerance=1e-9)
    assert set(ends.periods) == {period}
    assert len(ends.states.mul(1e6).round().unique()) == period
    found = in_phase(step, ends.states, ends.periods, batch_size=7)
    assert len(found.mul(1e6).round().unique()) == 1
    assert any(torch.allclose(found[0], state, atol=1e-6) for state in ends.states)


def test_what_is_no_cycle_is_left_as_it_is():
    states = starts(3, 1, 4)
    assert in_phase(logistic(4.0), states, (1, None, 1)) is states
    moved = in_phase(logistic(3.9), states, (None, 3, 1))
    assert torch.equal(moved[[0, 2]], states[[0, 2]])
