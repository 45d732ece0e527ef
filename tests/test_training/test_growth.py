"""Growth from a pool, and attractors matched through their equilibria."""

import pytest
import torch

from pdenca.automaton import Automaton, FixedKernels, HiddenChannels, Increment, PointwiseMLP
from pdenca.core import BadInputError
from pdenca.equilibrium import EquilibriumSettings
from pdenca.solvers import Grid
from pdenca.training import AttractorMatching, FirstOrder, PooledGrowth, Stage, Training, erase

GRID = Grid.uniform(6, 1.0, "dirichlet(0)")
TIGHT = EquilibriumSettings(method="newton-krylov", tolerance=1e-12, backward_tolerance=1e-12)


def automaton(fire_rate=1.0):
    """Diffusion, decay, a supply and something small that is not linear: it rests in one state only."""
    perception = FixedKernels(2, ("identity", "gradient", "laplacian"))
    generator = torch.Generator().manual_seed(0)
    rule = PointwiseMLP(perception.num_features, 0, 2, 4, spread=0.3, generator=generator)
    with torch.no_grad():
        rule.output_weight += 0.05 * torch.randn(2, 4, generator=generator)
        rule.output_bias += 0.4
        rule.skip_weight[:, :2] -= torch.eye(2)
        rule.skip_weight[:, -2:] += 0.2 * torch.eye(2)
    return Automaton(perception, rule, Increment(fire_rate), HiddenChannels(1, 1), time_step=0.5).double()


def make(kind, model, **options):
    seed_state = torch.zeros(2, 6, 6, dtype=torch.float64)
    seed_state[:, 3, 3] = 1
    target = torch.rand(1, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    told = {"num_steps": (4, 8), "pool_size": 8, "batch_size": 4, "num_damaged": 2, **options}
    return kind(model, target, seed_state, GRID, **told)


@pytest.mark.parametrize("kind", ["disc", "scattered"])
def test_damage_takes_exactly_its_share(kind, generator):
    grid = Grid.uniform(10, 1.0)
    states = torch.ones(3, 2, 10, 10)
    shares = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64)
    damaged = erase(states, shares, grid, generator, kind)
    assert (damaged == 0).sum((1, 2, 3)).tolist() == [0, 50, 200]
    assert torch.equal(damaged[:, 0], damaged[:, 1])
    assert bool((states == 1).all())


@pytest.mark.parametrize("kind", ["disc", "scattered"])
def test_damage_of_live_cells_takes_its_share_of_them(kind, generator):
    grid = Grid.uniform(12, 1.0, "no-flux")
    live = torch.zeros(12, 12, dtype=torch.bool)
    live[2:8, 3:7] = True
    shares = torch.tensor([0.0, 0.25, 0.5, 1.0], dtype=torch.float64)
    lost = erase(torch.ones(4, 1, 12, 12), shares, grid, generator, kind, live)[:, 0] == 0
    assert lost[:, live].sum(1).tolist() == [0, 6, 12, 24]
    if kind == "scattered":
        assert not bool(lost[:, ~live].any())
    with pytest.raises(BadInputError, match="no cell is live"):
        erase(torch.ones(1, 1, 12, 12), 0.1, grid, generator, kind, torch.zeros_like(live))


def test_a_disc_goes_round_a_torus_and_stops_at_walls(generator):
    def extent(boundary):
        holes = erase(torch.ones(40, 1, 9, 9), 0.2, Grid.uniform(9, 1.0, boundary), generator)[:, 0] == 0
        return (holes[:, 0].any(1) & holes[:, -1].any(1)).any()  # holes that touch both ends of an axis

    assert extent("periodic")
    assert not extent("no-flux")


@pytest.mark.parametrize("options", [{"share": 1.2}, {"share": 0.1, "kind": "square"}])
def test_damage_that_is_none_is_refused(options, generator):
    with pytest.raises(BadInputError, match="expected a damage of disc or scattered and shares from 0 to 1"):
        erase(torch.ones(1, 1, 4, 4), grid=Grid.uniform(4, 1.0), generator=generator, **options)


@pytest.mark.parametrize("kind", [PooledGrowth, AttractorMatching])
def test_batches_and_losses_depend_on_seed_and_step_alone(kind):
    one, other, reseeded = (make(kind, automaton(), seed=seed) for seed in (0, 0, 1))
    one.batch(2), one.loss(one.batch(2))  # neither leaves a trace before it is accepted
    for step in (0, 3):
        mine, same = one.batch(step), other.batch(step)
        assert torch.equal(mine[0], same[0])
        assert mine[1:] == same[1:]
        assert torch.equal(one.loss(mine), other.loss(same))
    assert any(not torch.equal(one.batch(step)[0], reseeded.batch(step)[0]) for step in range(4))


def test_the_worst_is_replaced_by_the_seed_and_the_best_are_damaged():
    growth = make(PooledGrowth, automaton(), most_damage=1.0)
    growth.pool = torch.rand(growth.pool.shape, generator=torch.Generator().manual_seed(3)).double()
    growth.pool[5] = torch.inf
    growth.pool[2, :1] = growth.target
    states, order = growth.start(torch.tensor([1, 2, 5, 6]), 0)
    assert (int(order[0]), int(order[-1])) == (5, 2)
    assert torch.equal(states[0], growth.seed_state)
    assert torch.equal(states[1], growth.pool[order[1]])
    assert bool((states[2:] == 0).any())


@pytest.mark.parametrize("kind", [PooledGrowth, AttractorMatching])
def test_a_resumed_run_has_the_same_pool_bit_for_bit(kind, tmp_path):
    class StoppedError(Exception):
        pass

    def run(folder, stop_at=None, resume=False):
        made = []

        def build(model):
            made.append(make(kind, model))
            return made[-1], FirstOrder(model, learning_rate=1e-3)

        def progress(now):
            if now.step == stop_at:
                raise StoppedError

        model = automaton()
        training = Training(
            model, [Stage("grow", 6, build)], lambda model: 1.0, folder, progress, checkpoint_seconds=0.0
        )
        if stop_at is None:
            training.run(resume)
        else:
            with pytest.raises(StoppedError):
                training.run()
        return made[-1].pool, model

    pool, _ = run(tmp_path / "whole")
    run(tmp_path / "parts", stop_at=4)
    resumed, _ = run(tmp_path / "parts", resume=True)
    assert torch.equal(pool, resumed)
    assert not torch.equal(pool, make(kind, automaton()).pool)


@pytest.mark.parametrize("gradient", ["implicit", "jacobian-free"])
def test_the_implicit_gradient_is_that_of_a_long_roll_out(gradient):
    model = automaton()
    settings = TIGHT.replace(gradient=gradient)
    told = {"rollout_weight": 0.0, "rest_weight": 0.0, "batch_size": 2, "num_damaged": 1}
    matching = make(AttractorMatching, model, settings=settings, **told)
    parameters = list(model.parameters())
    implicit = torch.autograd.grad(matching.loss(matching.batch(0)), parameters)
    rolled = model.advance(matching.seed_state[None], {}, GRID, 150)
    unrolled = torch.autograd.grad(matching.errors(rolled).mean(), parameters)
    largest = max(
        float((one - other).abs().max() / other.abs().max())
        for one, other in zip(implicit, unrolled, strict=True)
    )
    assert matching.note == ""
    if gradient == "implicit":
        assert largest < 1e-6
    else:
        assert largest > 1e-3  # the check can fail


def test_without_roots_the_roll_out_is_pulled():
    hurried = EquilibriumSettings(method="picard", tolerance=1e-14, max_evaluations=1)
    model = automaton()
    matching = make(AttractorMatching, model, settings=hurried, rest_weight=0.0, attached_steps=20)
    pooled = make(PooledGrowth, model)
    assert torch.equal(matching.loss(matching.batch(1)), pooled.loss(pooled.batch(1)))
    assert matching.note == "4 of 4 equilibria not found"


def test_rest_and_jacobian_add_to_the_loss():
    plain, rest, small = (
        make(AttractorMatching, automaton(), rest_weight=weight, jacobian_weight=other)
        for weight, other in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    )
    losses = [float(matching.loss(matching.batch(0)).detach()) for matching in (plain, rest, small)]
    assert losses[0] < min(losses[1:])


def test_a_stochastic_automaton_may_grow_but_has_no_equilibrium():
    growth = make(PooledGrowth, automaton(fire_rate=0.5))
    assert torch.equal(growth.loss(growth.batch(0)), growth.loss(growth.batch(0)))
    with pytest.raises(BadInputError, match=r"fire rate 0\.5 never comes to rest"):
        make(AttractorMatching, automaton(fire_rate=0.5))


@pytest.mark.parametrize(
    ("options", "named"),
    [({"num_steps": (5, 4)}, "number of steps"), ({"num_damaged": 4}, "batch_size <= pool_size")],
)
def test_counts_that_do_not_fit_are_refused(options, named):
    with pytest.raises(BadInputError, match=named):
        make(PooledGrowth, automaton(), **options)
