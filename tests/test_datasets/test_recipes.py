"""Every recipe of the dict, covered on arrival: files, seeds, parameters, starts, and whether they live."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from pdenca.core import BadInputError
from pdenca.datasets import RECIPES, Recipe, file_name
from pdenca.datasets.recipes import PatternRecipe
from pdenca.datasets.recipes.gray_scott_well import BEYOND, HELD_OUT, PAIRS, REGION
from pdenca.datasets.shard import PURPOSES, SPLITS, Shard
from pdenca.solvers import REGIMES, equation_class, simulate
from pdenca.solvers.initial_conditions import blocks

RESULTS = Path(__file__).parents[2] / "docs" / "results"
PATTERNS = {name: recipe for name, recipe in RECIPES.items() if issubclass(recipe, PatternRecipe)}
every_recipe = pytest.mark.parametrize("name", RECIPES)
every_pattern = pytest.mark.parametrize("name", PATTERNS)


def whole(name: str, **settings) -> Recipe:
    """A recipe with all its splits."""
    return RECIPES[name](splits=RECIPES[name].available_splits, **settings)


def start(recipe: Recipe, shard: Shard, number: int = 0) -> torch.Tensor:
    """An initial state on the solver's grid."""
    grid = shard.grid.refined(recipe.solver_options(shard)["refine"])
    return recipe.initial_state(shard, grid, torch.Generator().manual_seed(shard.trajectory_seeds[number]))


def is_in_hull(point: dict[str, float], points: list[dict[str, float]]) -> bool:
    """Whether a point is a convex combination of others."""
    table = np.array([[other[key] for other in points] for key in point])
    scale = np.maximum(np.ptp(table, axis=1), 1e-12)
    equal = np.vstack([table / scale[:, None], np.ones(len(points))])
    target = np.append(np.array(list(point.values())) / scale, 1.0)
    return bool(linprog(np.zeros(len(points)), A_eq=equal, b_eq=target, bounds=(0, None)).success)


def test_a_hull_holds_its_inside_only():
    square = [{"x": float(x), "y": float(y)} for x in (0, 1) for y in (0, 1)]
    assert is_in_hull({"x": 0.2, "y": 0.7}, square)
    assert not is_in_hull({"x": 0.2, "y": 1.01}, square)


def test_each_split_has_a_purpose():
    assert tuple(PURPOSES) == SPLITS


@every_recipe
def test_a_recipe_knows_its_name_and_survives_json(name):
    recipe = whole(name)
    assert recipe.name == name
    assert RECIPES[name].from_json(recipe.to_json()) == recipe
    assert recipe.splits == recipe.available_splits
    assert whole(name, num_frames=5).replace(splits="all") == whole(name, num_frames=5)


@every_recipe
def test_files_are_told_apart_and_no_seed_is_used_twice(name):
    recipe = whole(name)
    shards = recipe.shards()
    assert {shard.split for shard in shards} == set(recipe.available_splits)
    files = [
        (shard.split, file_name(recipe.dataset_name, shard.regime, shard.parameters)) for shard in shards
    ]
    assert len(set(files)) == len(files)
    seeds = [seed for shard in shards for seed in shard.trajectory_seeds]
    assert len(set(seeds)) == len(seeds)


@every_recipe
def test_shards_are_what_the_settings_say(name):
    recipe = whole(name, num_cells=12, num_trajectories=3, num_frames=4, spacing=0.5)
    for shard in recipe.shards():
        cells, number, frames = recipe.size(shard.split)
        if shard.regime.startswith("pair-"):  # there are many of them, few trajectories each
            number = {"train": 2, "valid": 1}[shard.split]
        assert (shard.num_trajectories, shard.num_frames) == (number, frames)
        assert shard.grid.shape == (cells,) * recipe.num_dims
        fine, coarse = "ood_resolution_fine", "ood_resolution_coarse"
        spacing = {fine: 0.25, coarse: 1.0}.get(shard.split, 0.5)
        assert shard.grid.spacing == (spacing,) * recipe.num_dims
        assert (set(shard.grid.boundaries) == {recipe.boundary}) == (shard.split != "ood_bc")
        constants = recipe.equation(shard).parameters()
        assert shard.parameters
        assert all(constants[key] == value for key, value in shard.parameters.items())
        assert isinstance(recipe.equation(shard), equation_class(recipe.stored_equation(shard)))
        if shard.split == "ood_horizon":
            assert frames >= recipe.horizon_factor * 4


@pytest.mark.parametrize(
    "name", [name for name in RECIPES if "ood_resolution_fine" in RECIPES[name].available_splits]
)
def test_all_resolutions_are_solved_on_one_grid(name):
    recipe = whole(name, num_cells=16, refine=2)
    solved = {
        shard.grid.refined(recipe.solver_options(shard)["refine"]).spacing
        for shard in recipe.shards()
        if "resolution" in shard.split or shard.split == "train"
    }
    assert len(solved) == 1


@every_pattern
def test_unseen_parameters_are_in_the_hull_or_out_of_it(name):
    recipe = whole(name)
    trained = list(map(dict, recipe.points("train").values()))
    for split, inside in (("ood_params_interp", True), ("ood_params_extrap", False)):
        if split in recipe.splits:
            points = list(map(dict, recipe.points(split).values()))
            assert len(points) >= 2
            assert all(point not in trained for point in points)
            assert [is_in_hull(point, trained) for point in points] == [inside] * len(points)


@every_pattern
def test_starts_are_of_the_kind_the_split_is_for(name):
    recipe = whole(name, num_cells=12)
    shards = {shard.split: shard for shard in reversed(recipe.shards())}
    first, second = (start(recipe, shards["train"]) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert first.dtype == torch.float64
    assert first.shape[:2] == (1, len(recipe.equation(shards["train"]).fields))
    if "ood_ic" in shards:
        assert recipe.start_of("ood_ic") != recipe.start_of("train")
        assert not torch.allclose(first, start(recipe, shards["ood_ic"]))


@every_pattern
def test_unknown_regimes_name_the_nearest(name):
    first = next(iter(PATTERNS[name].trained))
    with pytest.raises(BadInputError, match=f"did you mean '{first}'"):
        PATTERNS[name].parse({"regimes": [first + "x"]})
    for regimes, message in (((), "at least one"), ((first, first), "each once")):
        with pytest.raises(BadInputError, match=message):
            PATTERNS[name].parse({"regimes": regimes})
    assert list(PATTERNS[name](regimes=(first,)).points("ood_ic")) == [first]


@every_pattern
def test_the_card_tells_the_equation_and_what_is_hard(name):
    recipe = PATTERNS[name]
    assert recipe.trained
    assert len(recipe.hard) > 80
    told = recipe().card_values()
    assert all(text for name, text in told.items() if name != "constants")


@every_recipe
def test_a_few_cells_stay_finite_in_every_split(name):
    recipe = whole(name, num_cells=12, num_frames=2, batch=1, refine=1)
    seen = set()
    for shard in recipe.shards():
        if shard.split in ("ood_domain_4x", "ood_horizon") or shard.split in seen:
            continue
        seen.add(shard.split)
        options = recipe.solver_options(shard)
        frames = simulate(recipe.equation(shard), shard.grid, start(recipe, shard), **options)
        assert frames.shape[1] == 2
        assert torch.isfinite(frames).all()


@pytest.mark.slow
@every_recipe
def test_trajectories_live(name):
    """A pattern is there after 20 frames and still changes, in a box of 48 x 48 cells; but for one."""
    recipe = whole(name, num_cells=48, num_frames=21, num_trajectories=1, refine=1)
    wanted = ("train", "ood_ic", "ood_params", "ood_params_interp", "ood_params_extrap")
    for shard in recipe.shards():
        if shard.split in wanted:
            options = recipe.solver_options(shard)
            frames = simulate(recipe.equation(shard), shard.grid, start(recipe, shard), **options)[0]
            spread = frames[-1].flatten(1).std(1).max()
            change = (frames[-1] - frames[-2]).square().mean().sqrt()
            dies = (shard.split, shard.regime) == ("ood_ic", "gliders")  # as the cards say
            assert (float(spread) > 0.02) != dies, (shard.split, shard.regime)
            assert float(change) > 1e-5, (shard.split, shard.regime)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RECIPES if RECIPES[name]().method != "euler"])
def test_halving_the_time_step_changes_little(name):
    """The default steps cost less than 5e-4 standard deviations of a field, in the first five frames.

    The Well's own step, 1 from the start, costs up to 1.4e-3. Steps of Euler's are wanted that coarse.
    """
    allowed = 3e-3 if name == "gray-scott-well-original" else 5e-4
    recipe = whole(name, num_cells=48, num_frames=6, num_trajectories=1, refine=1)
    for shard in recipe.shards():
        if shard.split in ("train", "ood_params_extrap"):
            options = recipe.solver_options(shard)
            half = {**options, "time_step": options["time_step"] / 2}
            if options["start_time_step"]:
                half["start_time_step"] = options["start_time_step"] / 2
            state = start(recipe, shard)
            equation = recipe.equation(shard)
            coarse, fine = (simulate(equation, shard.grid, state, **kind)[0] for kind in (options, half))
            error = (coarse - fine).square().flatten(2).mean(2).sqrt()[1:]
            spread = fine.flatten(2).std(2)[1:].clamp(min=1e-2)
            assert float((error / spread).max()) < allowed, (shard.split, shard.regime)


def test_the_region_holds_what_is_trained_and_the_map_lives_in_it():
    def is_in_region(feed: float, kill: float) -> bool:
        feeds, lows, highs = zip(*REGION, strict=True)
        low, high = np.interp(feed, feeds, lows), np.interp(feed, feeds, highs)
        return bool(feeds[0] <= feed <= feeds[-1] and low <= kill <= high)

    regimes = [(regime.feed_rate, regime.kill_rate) for regime in REGIMES.values()]
    assert all(itertools.starmap(is_in_region, (*PAIRS, *HELD_OUT, *regimes)))
    assert not any(itertools.starmap(is_in_region, BEYOND))
    assert len(PAIRS) >= 30
    with (RESULTS / "gray-scott-map.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    inside = [row for row in rows if is_in_region(float(row["feed_rate"]), float(row["kill_rate"]))]
    assert len(inside) > 30
    assert all(float(row["std_b"]) > 0.02 for row in inside)
    assert sum(float(row["std_b"]) < 1e-3 for row in rows) > 100  # most of the plane is dead


def test_the_pairs_of_the_recipe_were_measured_to_live():
    with (RESULTS / "gray-scott-pairs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    measured = {(float(row["feed_rate"]), float(row["kill_rate"])) for row in rows}
    assert {*PAIRS, *HELD_OUT, *BEYOND} <= measured
    assert all(float(row["std_b"]) > 0.02 for row in rows)


@pytest.mark.parametrize("name", ["gray-scott-founding", "equation"])
def test_every_trajectory_shows_another_drawing(name):
    told = {"initial_condition": "blocks", "num_test_trajectories": 3} if name == "equation" else {}
    recipe = RECIPES[name](num_trajectories=6, num_cells=64, splits=("train", "test"), **told)
    shard = next(shard for shard in recipe.shards() if shard.split == "train")
    grid = shard.grid
    drawn = blocks(grid, torch.Generator(), 6, patterns=(0, 1, 2, 3, 0, 1))
    seeds = shard.trajectory_seeds
    for number in range(6):
        state = recipe.initial_state(shard, grid, torch.Generator().manual_seed(seeds[number]))
        assert torch.equal(state, drawn[number : number + 1])
    if name == "equation":  # some of them
        some = recipe.replace(initial_options={"patterns": (3, 1)})
        state = some.initial_state(shard, grid, torch.Generator().manual_seed(seeds[2]))
        assert torch.equal(state[0], drawn[3])


def test_the_founding_recipe_takes_the_papers_steps():
    recipe = RECIPES["gray-scott-founding"](splits="all", num_domain_frames=513)
    shards = {shard.split: shard for shard in recipe.shards()}
    assert dict(shards["train"].parameters) == {"feed_rate": 0.0623, "kill_rate": 0.06268}
    sizes = {split: recipe.size(split) for split in shards}
    assert sizes["train"] == (64, 4, 129)
    assert sizes["ood_domain"][::2] == (128, 513)  # 4096 time units
    assert sizes["ood_horizon"][2] == 258
    assert len(RECIPES["gray-scott-founding"](regimes=[f"pair{n}" for n in range(1, 10)]).shards()) == 27
    equation, grid = recipe.equation(shards["train"]), shards["train"].grid
    state = start(recipe, shards["train"])
    options = recipe.replace(frame_interval=1.0, num_frames=2).solver_options(shards["train"])
    after = simulate(equation, grid, state, **{**options, "num_frames": 2})[0, 1]
    a, b = state[0]
    kernel = torch.tensor([[0.25, 0.5, 0.25], [0.5, -3.0, 0.5], [0.25, 0.5, 0.25]], dtype=torch.float64)
    spread = torch.nn.functional.conv2d(
        torch.nn.functional.pad(state.transpose(0, 1), (1, 1, 1, 1), mode="circular"), kernel[None, None]
    )[:, 0]
    expected = torch.stack(
        (
            a + 0.1 * spread[0] - a * b**2 + 0.0623 * (1 - a),
            b + 0.05 * spread[1] + a * b**2 - (0.0623 + 0.06268) * b,
        )
    )
    torch.testing.assert_close(after, expected, rtol=0, atol=1e-12)


def test_the_original_layout_has_both_families_in_every_file():
    recipe = RECIPES["gray-scott-well-original"](num_trajectories=4, num_cells=16)
    assert [recipe.size(split)[1] for split in ("train", "valid", "test")] == [4, 2, 2]
    full = recipe.replace(num_trajectories=160)
    assert [full.size(split)[1] for split in ("train", "valid", "test")] == [160, 20, 20]
    shard = next(shard for shard in recipe.shards() if shard.regime == "maze")
    assert file_name(recipe.dataset_name, shard.regime, shard.parameters) == (
        "gray_scott_reaction_diffusion_maze_F_0.029_k_0.057.hdf5"
    )
    is_negative = [bool(start(recipe, shard, number).min() < -1e-3) for number in range(4)]
    assert is_negative == [False, False, True, True]  # only Fourier noise has negative concentrations
