"""Which files a recipe means, and what it refuses."""

import inspect

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.datasets import RECIPES, SPLITS, GrayScottRecipe, Recipe
from pdenca.datasets.recipes.gray_scott import OOD_PARAMETERS
from pdenca.solvers import REGIMES, simulate


def test_the_recipes():
    assert RECIPES["gray-scott"] is GrayScottRecipe
    for recipe in RECIPES.values():
        assert issubclass(recipe, Recipe)
        assert recipe().shards()
        assert recipe.from_json(recipe().to_json()) == recipe()


def test_the_splits_of_the_default_recipe():
    recipe = GrayScottRecipe(splits="all", num_trajectories=10, num_frames=50)
    assert {split: recipe.size(split) for split in recipe.splits} == {
        "train": (64, 10, 50),
        "valid": (64, 5, 50),
        "test": (64, 5, 50),
        "ood_ic": (64, 5, 50),
        "ood_domain": (128, 2, 50),
        "ood_domain_4x": (256, 1, 50),
        "ood_horizon": (64, 5, 200),
        "ood_params": (64, 5, 50),
    }
    assert GrayScottRecipe(num_trajectories=1).size("valid")[1] == 2


def test_own_sizes_win():
    recipe = GrayScottRecipe(
        num_cells=8,
        num_trajectories=9,
        num_valid_trajectories=1,
        num_test_trajectories=3,
        num_domain_trajectories=4,
        num_domain_4x_trajectories=5,
        num_frames=6,
        num_domain_frames=7,
        num_horizon_frames=30,
    )
    assert recipe.size("valid") == (8, 1, 6)
    assert recipe.size("ood_ic") == recipe.size("ood_params") == recipe.size("test") == (8, 3, 6)
    assert recipe.size("ood_horizon") == (8, 3, 30)
    assert recipe.size("ood_domain") == (16, 4, 7)
    assert recipe.size("ood_domain_4x") == (32, 5, 7)


def test_the_shards():
    recipe = GrayScottRecipe(splits="all", regimes=("maze", "spots"))
    shards = recipe.shards()
    assert [shard.split for shard in shards] == sorted([s.split for s in shards], key=SPLITS.index)
    for shard in shards:
        pair = (shard.parameters["feed_rate"], shard.parameters["kill_rate"])
        regime = REGIMES[shard.regime]
        if shard.split == "ood_params":
            assert pair in OOD_PARAMETERS[shard.regime]
        else:
            assert pair == (regime.feed_rate, regime.kill_rate)
        assert shard.grid.spacing == (1 / 64, 1 / 64)
        assert (shard.initial_condition == "fourier-noise") == (shard.split == "ood_ic")
        assert recipe.equation(shard).parameters() == dict(shard.parameters)


def test_unseen_parameters_are_near_but_not_among_the_seen_ones():
    seen = {(regime.feed_rate, regime.kill_rate) for regime in REGIMES.values()}
    assert set(OOD_PARAMETERS) == set(REGIMES)
    for name, pairs in OOD_PARAMETERS.items():
        assert pairs
        for feed, kill in pairs:
            assert (feed, kill) not in seen
            assert abs(feed - REGIMES[name].feed_rate) <= 0.0061
            assert abs(kill - REGIMES[name].kill_rate) <= 0.0021


def test_no_seed_is_used_twice_and_each_depends_on_its_name_alone():
    recipe = GrayScottRecipe(splits="all", regimes=tuple(REGIMES), num_trajectories=40)
    seeds = [seed for shard in recipe.shards() for seed in shard.trajectory_seeds]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    fewer = GrayScottRecipe(num_trajectories=7, batch=3, num_frames=9, num_cells=8).shards()[0]
    assert fewer.trajectory_seeds == recipe.shards()[list(REGIMES).index("maze")].trajectory_seeds[:7]
    other = GrayScottRecipe(seed=1, num_trajectories=7).shards()[0]
    assert not set(other.trajectory_seeds) & set(seeds)


def test_initial_states_depend_on_the_seed_and_the_kind():
    recipe = GrayScottRecipe(splits=("train", "ood_ic"), regimes=("bubbles",), num_cells=8)
    blobs, noise = recipe.shards()

    def draw(shard, seed):
        return recipe.initial_state(shard, shard.grid, torch.Generator().manual_seed(seed))

    assert draw(blobs, 1).shape == (1, 2, 8, 8)
    torch.testing.assert_close(draw(blobs, 1), draw(blobs, 1), rtol=0, atol=0)
    assert not torch.allclose(draw(blobs, 1), draw(blobs, 2))
    assert not torch.allclose(draw(blobs, 1), draw(noise, 1))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_cell": 8}, "did you mean 'num_cells'"),
        ({"regimes": ("mace",)}, "did you mean 'maze'"),
        ({"regimes": ()}, "at least one regime"),
        ({"regimes": ("maze", "maze")}, "each once"),
        ({"splits": ("train", "train")}, "each once"),
        ({"splits": ()}, "at least one split"),
        ({"splits": ("ood_size",)}, "splits"),
        ({"splits": ("ood_bc",)}, "'ood_bc' is not made by this recipe, only train, valid"),
        ({"num_trajectories": 0}, "greater than 0"),
        ({"num_frames": 1}, "greater than or equal to 2"),
        ({"spacing": -1.0}, "greater than 0"),
        ({"time_step": 3.0}, "the nearest that does is 3.33"),
        ({"time_step": 30.0}, "the nearest that does is 10"),
        ({"start_time_step": 0.3}, "start_time_step 0.3 does not divide frame_interval 10; .* 0.30303"),
        ({"start_time_step": 2.0}, "start_time_step 2 is longer than time_step 1.*num_start_frames=0"),
        ({"start_time_step": 0.0}, "greater than 0"),
        ({"num_start_frames": -1}, "greater than or equal to 0"),
        ({"num_frames": 10, "num_horizon_frames": 39}, "at least 4 times num_frames, here 40"),
        ({"dtype": "float16"}, "float32"),
        ({"method": "etdrk5"}, "did you mean 'etdrk4'"),
        ({"stencil": "order4"}, "did you mean 'order-4'"),
        ({"stencil": "order-2"}, "method 'etdrk4' has no stencil, got stencil='order-2'"),
        ({"boundary": "neumann"}, "boundary 'neumann' is unknown"),
        ({"boundary": "zeros"}, "no solution of an equation has the boundary 'zeros'"),
        ({"dealiasing": 0.0}, "greater than 0"),
        ({"tolerance": 0.0}, "greater than 0"),
        ({"num_dims": 4}, "less than or equal to 3"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"batch": 0}, "greater than 0"),
    ],
)
def test_bad_settings_are_explained(values, message):
    with pytest.raises(BadInputError, match=message):
        GrayScottRecipe.parse(values)


def test_without_start_frames_their_step_does_not_matter():
    recipe = GrayScottRecipe.parse({"num_start_frames": 0, "frame_interval": 0.75, "time_step": 0.25})
    assert recipe.time_step < recipe.start_time_step


def test_splits_come_in_their_own_order():
    assert GrayScottRecipe(splits=("ood_ic", "train")).splits == ("train", "ood_ic")


def test_the_solver_is_told_what_the_settings_say():
    recipe = GrayScottRecipe(num_frames=9, time_step=2.0, num_start_frames=0, dtype="float32")
    (shard, *_) = recipe.shards()
    options = recipe.solver_options(shard)
    assert set(options) <= set(inspect.signature(simulate).parameters)
    assert options["num_frames"] == 9
    assert options["time_step"] == 2.0
    assert options["start_time_step"] is None
    assert options["dtype"] is torch.float32
    assert "tolerance" not in options
    assert options["dealiasing"] == 1.0
    assert "stencil" not in options
    other = recipe.replace(method="rk4", stencil="order-2").solver_options(shard)
    assert other["stencil"] == "order-2"
    assert "dealiasing" not in other
    assert recipe.replace(method="auto", tolerance=1e-6).solver_options(shard)["tolerance"] == 1e-6


def test_settings_of_older_files_are_completed_with_what_was_done_then():
    recipe = GrayScottRecipe()
    settings = recipe.files_settings()
    older = {name: value for name, value in settings.items() if name not in ("method", "boundary")}
    assert GrayScottRecipe.complete_settings(older) == settings
    assert GrayScottRecipe.complete_settings({**settings, "method": "rk4"})["method"] == "rk4"
