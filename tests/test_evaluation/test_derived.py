"""Derived splits: what is asked of the same trajectories, against solving it afresh."""

from dataclasses import dataclass, replace

import pytest
import torch

from pdenca.baselines import EquationsOnGrid, Persistence, SpectralOnGrid
from pdenca.baselines.networks import FrameHistory
from pdenca.core import BadInputError, LastFrame, rollout
from pdenca.evaluation import (
    DERIVED,
    Case,
    EvaluationSettings,
    Results,
    damaged,
    derived_names,
    evaluate,
    finer_frames,
    noisy,
    rotated,
    strided,
)
from pdenca.evaluation.turned import symmetries_of
from pdenca.solvers import GrayScott, Grid, simulate
from pdenca.solvers.spectral import interpolate
from pdenca.symmetry import D2, D4, act

SETTINGS = EvaluationSettings(num_given=3, windows=((1, 1), (2, 4)), num_bootstrap=5, dtype="float64")
GRID = Grid.uniform(24, 1 / 48)
FEED, KILL = torch.tensor([0.03, 0.05]), torch.tensor([0.06, 0.062])


@pytest.fixture(scope="module")
def case():
    """Two trajectories of different parameters from blobs, 12 frames."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.meshgrid(*GRID.coordinates(), indexing="ij")
    centres = torch.rand(2, 3, 2, generator=generator, dtype=torch.float64) / 2
    away = (x - centres[..., :1, None]).square() + (y - centres[..., 1:, None]).square()
    spots = torch.exp(-away / 0.002).sum(1)
    start = torch.stack([1 - 0.5 * spots, 0.25 * spots], 1)
    equation = GrayScott(FEED.double(), KILL.double())
    truth = simulate(equation, GRID, start, num_frames=12, frame_interval=10.0, time_step=1.0)
    context = {"feed_rate": FEED, "kill_rate": KILL}
    names = ("A", "B")
    return Case("test", "spots", truth, GRID, context, 10.0, names, (0.3, 0.1), equation=equation)


def spectral(case, state, count, interval=None):
    step = SpectralOnGrid("gray-scott", interval or case.frame_interval).bind(case.grid, case.context)
    return rollout(step, state, count)


def test_a_stride_keeps_every_nth_frame_and_its_time(case):
    made = strided(case, 2, SETTINGS)
    assert torch.equal(made.truth, case.truth[:, ::2])
    assert made.frame_interval == 20.0
    predicted = spectral(case, made.truth[:, 2], 2 * 3)[:, 1::2]
    torch.testing.assert_close(predicted, made.truth[:, 3:], rtol=0, atol=5e-3)
    with pytest.raises(BadInputError, match="leaves 3 frames"):
        strided(case, 5, SETTINGS)
    with pytest.raises(BadInputError, match="at least 2"):
        strided(case, 1, SETTINGS)


def test_noise_has_its_size_and_touches_given_frames_only(case):
    later = SETTINGS.replace(start=2)
    made = noisy(case, 0.1, later)
    added = (made.truth - case.truth)[:, 2:5]
    assert torch.equal(made.truth[:, :2], case.truth[:, :2])
    assert torch.equal(made.truth[:, 5:], case.truth[:, 5:])
    size = added.transpose(0, 2).flatten(1).std(1)
    torch.testing.assert_close(size, 0.1 * torch.tensor([0.3, 0.1]).double(), rtol=0.05, atol=0)
    assert float(added.mean().abs()) < 1e-3
    assert torch.equal(noisy(case, 0.1, later).truth, made.truth)
    assert not torch.equal(noisy(case, 0.1, later.replace(seed=1)).truth, made.truth)
    with pytest.raises(BadInputError, match="positive"):
        noisy(case, 0.0)


@pytest.mark.parametrize("element", D4.elements[1:], ids=lambda element: element.name)
def test_the_moved_truth_is_the_truth_of_the_moved_start(case, element):
    made = rotated(case, element)
    again = simulate(
        case.equation, GRID, act(element, case.truth[:, 0]), num_frames=6, frame_interval=10.0, time_step=1.0
    )
    torch.testing.assert_close(made.truth[:, :6], again, rtol=0, atol=1e-9)
    assert not torch.allclose(made.truth[:, :6], case.truth[:, :6], atol=1e-3)


def test_parameters_in_space_and_vectors_are_moved_too(case):
    place = torch.rand(2, 24, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) / 10
    context = {**case.context, "feed_rate": place}
    varied = replace(case, context=context, equation=case.equation.with_parameters({"feed_rate": place}))
    turn = D4["rotate 90"]
    made = rotated(varied, turn)
    assert torch.equal(made.context["feed_rate"], act(turn, place[:, None])[:, 0])
    assert torch.equal(made.equation.feed_rate, made.context["feed_rate"])
    made = rotated(replace(case, kinds=("vector",), equation=None), turn)
    assert torch.equal(made.truth[:, 3], act(turn, case.truth[:, 3], ["vector"]))


def test_an_equation_with_a_direction_is_not_turned(case):
    uneven = case.equation.with_parameters({"diffusivity_a": (2e-5, 1e-5)})
    tilted = replace(case, equation=uneven)
    assert rotated(tilted, D4["flip axis 0"]).equation is uneven
    with pytest.raises(
        BadInputError, match="'rotate 90' is no symmetry of 'gray-scott' with these constants"
    ):
        rotated(tilted, D4["rotate 90"])


def test_only_symmetries_of_the_grid_are_taken(case):
    flat = Grid((24, 24), GRID.spacing, ("periodic", "no-flux"))
    assert symmetries_of(flat) is D2
    with pytest.raises(BadInputError, match="exchange axes"):
        rotated(replace(case, grid=flat), D4["transpose"])
    assert len(list(DERIVED["ood_rotation"].cases("ood_rotation", case, SETTINGS))) == 7
    assert DERIVED["ood_rotation"].count(GRID) == 7
    assert DERIVED["ood_rotation"].count(flat) == 3
    with pytest.raises(BadInputError, match="square grid"):
        list(DERIVED["ood_rotation_90"].cases("x", replace(case, grid=flat), SETTINGS))


def test_damage_is_a_disc_at_rest_and_the_truth_a_fresh_solve(case):
    made = damaged(case, case.equation, SETTINGS, radius=0.2, time_step=1.0)
    assert torch.equal(made.truth[:, :2], case.truth[:, :2])
    assert made.truth.shape == case.truth.shape
    blanked = made.truth[:, 2]
    disc = (made.truth[:, 2] - case.truth[:, 2]).abs().amax(1) > 1e-3
    resting = ((blanked - torch.tensor([1.0, 0.0]).double()[:, None, None]).abs().amax(1) < 0.02).float()
    share = 3.14159 * 0.2**2
    assert (resting.mean((1, 2)) > 0.8 * share - 0.02).all()
    assert (disc.float().mean((1, 2)) < 2.5 * share).all()
    assert disc.any()
    fine = GRID.refined(2)
    again = simulate(
        case.equation,
        GRID,
        interpolate(blanked, GRID, fine),
        num_frames=10,
        frame_interval=10.0,
        time_step=1.0,
        refine=2,
    )
    torch.testing.assert_close(made.truth[:, 2:], again, rtol=0, atol=1e-6)
    assert float((made.truth[:, -1] - case.truth[:, -1]).abs().max()) > 0.05
    assert "solved again" in made.note


def test_damage_can_be_told_what_to_leave_behind(case):
    made = damaged(case, case.equation, SETTINGS, fill=(0.5, 0.4), time_step=1.0)
    assert float((made.truth[:, 2, 1] - 0.4).abs().flatten(1).min(1).values.max()) < 0.03
    for changes, message in (({"radius": 0.6}, "0.5"), ({"fill": (0.5,)}, "1 values for 2 fields")):
        with pytest.raises(BadInputError, match=message):
            damaged(case, case.equation, SETTINGS, **changes)


def test_finer_frames_pass_through_the_stored_ones(case):
    made = finer_frames(case, case.equation, SETTINGS, factor=2, time_step=1.0, refine=1)
    assert made.frame_interval == 5.0
    torch.testing.assert_close(made.truth[:, 2::2], case.truth[:, 2:], rtol=0, atol=1e-9)
    assert torch.equal(made.truth[:, 0], made.truth[:, 2])


def test_the_names_are_in_one_dict():
    assert derived_names("ood_noise") == ("ood_noise_0.01", "ood_noise_0.03", "ood_noise_0.1")
    assert derived_names("ood_dt") == ("ood_dt_half", "ood_dt_2", "ood_dt_5")
    assert derived_names("ood_rotation") == ("ood_rotation",)
    assert derived_names("ood_none") == ()


def test_every_derived_split_is_scored_and_says_what_it_is(case):
    models = {"solver": EquationsOnGrid("gray-scott", 10.0, "order-6"), "persistence": Persistence(10.0)}
    settings = SETTINGS.replace(num_given=1, windows=((1, 1),))
    for name, derived in DERIVED.items():
        results = evaluate(derived.cases(name, case, settings), models, settings)
        values = {
            row.model: row.value
            for row in results.rows
            if (row.metric, row.regime, row.split) == ("pooled_vrmse", "all", name)
        }
        noise = "noise" in name
        assert values["solver"] < values["persistence"] * (1.05 if noise else 0.5), name
        assert not results.refusals
        assert results.notes[name] == f"test, {derived.summary}"


def test_moved_copies_of_a_trajectory_are_no_new_evidence(case):
    # persistence does not care about directions: value and interval are those of the split itself
    settings = SETTINGS.replace(pattern_window=(2, 4), pattern_stride=1, num_bootstrap=50)
    many = replace(
        case,
        truth=case.truth[:, :7].repeat(4, 1, 1, 1, 1)
        * torch.linspace(0.5, 1.5, 8).double().view(-1, 1, 1, 1, 1),
        context={},
        equation=None,
    )
    models = {"persistence": Persistence(10.0)}
    moved = evaluate(DERIVED["ood_rotation"].cases("ood_rotation", many, settings), models, settings)
    found = {(row.metric, row.regime, row.window): row for row in moved.rows}
    for row in evaluate([many], models, settings).rows:
        if not row.metric.startswith("fourier_rmse"):  # looks at one quadrant of waves
            other = found[row.metric, row.regime, row.window]
            expected = pytest.approx([row.value, row.low, row.high], rel=1e-6, nan_ok=True)
            assert [other.value, other.low, other.high] == expected, row.metric
    assert any(metric == "structure_distance" for metric, _, _ in found)


def test_what_needs_the_equation_says_so(case):
    for name in ("ood_damage", "ood_dt_half"):
        with pytest.raises(BadInputError, match="not known"):
            list(DERIVED[name].cases(name, replace(case, equation=None), SETTINGS))


def test_a_model_of_several_frames_is_not_given_frames_too_far_apart(case):
    """One that goes on as from the last frame to this one would otherwise go on twice too fast."""

    class Straight:
        codec = FrameHistory(2, 2)

        def bind(self, lattice, context, generator=None):
            return self

        time_step, deterministic = 10.0, True

        def __call__(self, state):
            return torch.cat((2 * state[:, :2] - state[:, 2:], state[:, :2]), 1)

    models = {"straight": Straight(), "persistence": Persistence(10.0)}
    settings = SETTINGS.replace(windows=((1, 1),))
    assert not evaluate([case], models, settings).refusals
    results = evaluate([strided(case, 2, settings)], models, settings)
    (refusal,) = results.refusals
    assert refusal.model == "straight"
    assert "reads 2 frames 10 time units apart, test/spots gives one every 20" in refusal.reason


def test_a_model_of_whole_frames_is_left_out_of_finer_ones_and_named(case):
    """It repeats itself for longer intervals, has no rows for shorter ones, and others go on."""

    @dataclass
    class Whole:
        codec = LastFrame()

        def bind(self, lattice, context, generator=None):
            return SpectralOnGrid("gray-scott", 10.0).bind(lattice, context)

    models = {"whole": Whole(), "persistence": Persistence(10.0)}
    longer = evaluate([strided(case, 2, SETTINGS)], models, SETTINGS)
    assert not longer.refusals
    half = evaluate([finer_frames(case, case.equation, SETTINGS, time_step=1.0)], models, SETTINGS)
    assert {row.model for row in half.rows} == {"persistence"}
    (refusal,) = half.refusals
    assert (refusal.model, refusal.split, refusal.regime) == ("whole", "test", "spots")
    assert "advances 10 time units" in refusal.reason
    with pytest.raises(BadInputError, match="advances 10 time units"):
        evaluate([finer_frames(case, case.equation, SETTINGS, time_step=1.0)], {"whole": Whole()}, SETTINGS)


def test_a_model_that_refuses_a_regime_has_no_row_for_all(case, tmp_path):
    walled = replace(case, regime="walled", grid=Grid.uniform(24, 1 / 48, "no-flux"))

    class Choosy(Persistence):
        def bind(self, lattice, context, generator=None):
            if not lattice.is_periodic:
                raise BadInputError("needs a periodic grid")
            return super().bind(lattice, context, generator)

    models = {"choosy": Choosy(10.0), "persistence": Persistence(10.0)}
    results = evaluate([case, walled], models, SETTINGS)
    regimes = {(row.model, row.regime) for row in results.rows}
    assert ("choosy", "spots") in regimes
    assert ("persistence", "all") in regimes
    assert {("choosy", "all"), ("choosy", "walled")}.isdisjoint(regimes)
    assert "periodic grid" in results.refusals[0].reason
    assert Results.load(saved(results, tmp_path)).refusals == results.refusals


def saved(results, folder):
    """Save and return the folder."""
    results.save(folder)
    return folder


def test_families_of_starts_get_rows_of_their_own(case):
    mixed = replace(case, families=("blobs", "noise"))
    rows = evaluate([mixed], {"p": Persistence(10.0)}, SETTINGS).rows
    alone = evaluate(
        [
            replace(
                case,
                truth=case.truth[1:],
                context={name: value[1:] for name, value in case.context.items()},
                equation=None,
            )
        ],
        {"p": Persistence(10.0)},
        SETTINGS,
    ).rows
    found = {(row.metric, row.window): row.value for row in rows if row.regime == "from noise"}
    for row in alone:
        if row.regime == "all":
            assert found[row.metric, row.window] == pytest.approx(row.value)
    assert {row.regime for row in rows} == {"spots", "all", "from blobs", "from noise"}
    one = evaluate([replace(case, families=("blobs", "blobs"))], {"p": Persistence(10.0)}, SETTINGS).rows
    assert {row.regime for row in one} == {"spots", "all"}
