"""Rules for series of images: what is read, trained, followed, damaged and drawn."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from pdenca import plots
from pdenca.automaton import Automaton, FixedKernels, HiddenChannels, Increment, LocalRule
from pdenca.core import BadInputError, FormatError
from pdenca.datasets.images import import_images
from pdenca.solvers import Grid
from pdenca.tasks.images import (
    DAMAGES,
    DRAWINGS,
    EXPERIMENTS,
    build_image_rule,
    draw_series,
    draw_strip,
    follow,
    held_at,
    load_image_experiment,
    load_image_run,
    random_ages,
    read_series_file,
    regrow,
    train_images,
)
from pdenca.tasks.images.training import build_objective
from pdenca.training.checkpoint import load_tree

QUICK = {
    "num_steps": "4", "validate_every": "2", "steps_per_interval": "3", "hold_steps": "4", "num_copies": "2",
    "batch_size": "1", "validated_hold": "6", "rule.num_hidden": "2", "rule.num_units": "6",
}  # fmt: skip


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    path = tmp_path_factory.mktemp("series") / "pictures.hdf5"
    return read_series_file(draw_series("pictures", path, num_cells=18))


@pytest.fixture(scope="module")
def run(series, tmp_path_factory):
    out = tmp_path_factory.mktemp("images") / "run"
    return train_images(series, out, load_image_experiment("pictures", QUICK))


def active(series):
    """Return a rule that does something."""
    rule = build_image_rule(load_image_experiment("pictures", QUICK), series)
    with torch.no_grad():
        weight = rule.rule.output_weight
        weight.copy_(0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    return rule


def test_drawings_are_read_back(series):
    assert series.channels == ("red", "green", "blue", "alpha")
    assert series.times == (0.0, 1.0, 2.0)
    assert series.grid.boundaries == ("zeros", "zeros")
    assert series.frames.shape == (1, 3, 4, 18, 18)
    assert series.num_steps(5) == (5, 5)
    assert 0.1 < float(series.seen(-1).double().mean()) < 0.5
    rows, columns = series.box(-1)
    assert bool(series.seen(-1)[rows, columns].any())
    outside = series.seen(-1).clone()
    outside[rows, columns] = False
    assert not bool(outside.any())


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_drawing_changes(name, tmp_path):
    series = read_series_file(draw_series(name, tmp_path / "file.hdf5", num_cells=20, seed=1))
    for frame in range(2):
        assert float((series.frames[0, frame + 1] - series.frames[0, frame]).abs().max()) > 0.1
    if name == "sprout":
        assert int((series.frames[0, 0] != 0).sum()) == 4


def test_longer_gaps_take_more_steps(tmp_path, generator):
    frames = torch.rand(4, 12, 12, generator=generator).numpy()
    path = import_images(frames, tmp_path / "file.hdf5", times=[0.0, 1.0, 3.0, 3.5], spacing=1.0)
    series = read_series_file(path)
    assert series.num_steps(4) == (8, 16, 4)


def test_cells_outside_of_the_mask_do_not_count(tmp_path, generator):
    frames = torch.rand(3, 10, 10, generator=generator)
    mask = torch.zeros(10, 10)
    mask[2:8, 2:8] = 1
    losses = []
    for offset in (0.0, 0.5):
        other = frames.clone()
        other[1:, 0] += offset  # a row of the images that lies outside
        path = tmp_path / f"{offset}.hdf5"
        series = read_series_file(
            import_images(other.numpy(), path, interval=1.0, spacing=1.0, mask=mask.numpy())
        )
        assert int(series.mask.sum()) == 36
        settings = load_image_experiment("growth", {**QUICK, "overflow_weight": "0", "noise": "0"})
        objective = build_objective(build_image_rule(settings, series), series, settings)
        losses.append(float(objective.loss(objective.batch(0)).detach()))
    assert losses[0] == losses[1] > 0


def test_a_run_is_read_back_and_followed(run, series):
    model, settings = load_image_run(run, series)
    course = follow(
        model, series, settings.steps_per_interval, hold=(2, 5), generator=torch.Generator().manual_seed(0)
    )
    assert course.steps == (3, 6, 8, 11)
    assert course.wanted == (1, 2, 2, 2)
    assert course.shown.shape == (4, 4, 18, 18)
    assert json.loads(json.dumps(course.to_dict()))["errors"] == list(course.errors)


def test_errors_are_those_of_the_box(series):
    rule = active(series)
    rule.update.fire_rate = 1.0
    course = follow(rule, series, 3)
    state = rule.advance(rule.codec.lift(series.frames[:, :1]), {}, series.grid, 3)
    rows, columns = series.box(1)
    missing = (state[0, :4] - series.frames[0, 1]).square().detach()
    assert course.errors[0] == pytest.approx(float(missing[:, rows, columns].mean()), rel=1e-5)
    assert course.whole[0] == pytest.approx(float(missing.mean()), rel=1e-5)
    assert course.errors[0] > course.whole[0]


def test_a_run_that_was_cut_short_ends_as_an_undisturbed_one(run, series, tmp_path):
    settings = load_image_experiment("pictures", QUICK)
    seen = []

    def stop(now):
        seen.append(now.step)
        if now.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_images(series, tmp_path / "run", settings, progress=stop, checkpoint_seconds=0.0)
    train_images(series, tmp_path / "run", settings, resume=True)
    ends = [load_tree(folder / "best.safetensors")["parameters"] for folder in (run, tmp_path / "run")]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    with pytest.raises(BadInputError, match="already holds a training run"):
        train_images(series, tmp_path / "run", settings)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_done_where_something_is_seen(damage, series):
    state = torch.cat((series.frames[:, -1], torch.ones(1, 2, 18, 18)), dim=1)
    live = series.seen(-1)
    generator = torch.Generator().manual_seed(1)
    hurt = DAMAGES[damage](state.expand(5, -1, -1, -1), 0.3, series, generator)
    changed = (hurt != state).any(1)
    assert bool(changed.flatten(1).any(1).all())
    if damage == "erase":
        lost = (changed & live).flatten(1).sum(1) / live.sum()
        assert bool((lost >= 0.29).all())
        assert bool((lost <= 0.32).all())


def test_a_mirror_that_shows_the_same_is_no_damage(series):
    """The last picture, a star, is its own mirror image from left to right, but not upside down."""
    drawn = DRAWINGS["pictures"](3, 20, 0)[None]
    wanted = drawn[:, -1]
    sides, ends = ((wanted - wanted.flip(axis)).square().sum() for axis in (-2, -1))
    assert sides < 0.01 * ends
    for turned in (False, True):  # whichever axis it is
        frames = drawn.mT if turned else drawn
        own = replace(series, frames=frames, grid=Grid.uniform(20, 1.0))
        state = frames[:, -1].expand(9, -1, -1, -1)
        hurt = DAMAGES["flip"](state, 1.0, own, torch.Generator().manual_seed(0))
        lost = own.error(hurt, -1)
        half = own.error(DAMAGES["flip"](state, 0.25, own, torch.Generator().manual_seed(0)), -1)
        assert float(lost.min()) > 0.02
        assert float(half.median()) > 3e-3, "more than counts as back"


def test_damage_comes_at_random_times_of_the_hold(series):
    rule = active(series)
    ages = random_ages(40, 200, seed=3)
    assert ages == random_ages(40, 200, seed=3) != random_ages(40, 200, seed=4)
    assert set(ages) == set(range(1, 41))
    some = [7, 2, 2, 105]
    states = held_at(rule, series, 3, some, torch.Generator().manual_seed(0))
    for age, state in zip(some, states, strict=True):
        end = follow(rule, series, 3, hold=(age,), generator=torch.Generator().manual_seed(0)).state[0]
        assert torch.equal(state, end)
    # trials take them in turn
    found = regrow(rule, series, states, share=0.0, num_trials=6, steps=(1,))
    errors = [float(series.error(rule.codec.observe(state[None]), -1)) for state in states]
    assert found.hurt.tolist() == [errors[number % 4] for number in range(6)]
    assert found.before == max(errors)
    with pytest.raises(BadInputError, match="at least one"):
        held_at(rule, series, 3, [])


def test_every_step_of_the_hold_counts(series):
    """A rule that shows something else at every odd step is not seen at even ones."""

    class Blink(LocalRule):
        def forward(self, features, parameters):
            return -2 * features

    rule = Automaton(FixedKernels(4, ("identity",)), Blink(), Increment(), HiddenChannels(4, 0))
    still = replace(series, frames=series.frames[:, -1:].expand(-1, 3, -1, -1, -1))
    course = follow(rule, still, 2, hold=(2, 4, 6))
    assert course.errors == (0, 0, 0, 0, 0)
    odd = still.error(-still.frames[:, -1], -1)
    assert course.peak == pytest.approx(float(odd))
    assert course.to_dict()["peak"] == course.peak
    assert follow(rule, still, 2).peak == 0, "what comes before the last frame's time is no hold"


def test_means_and_sizes_of_the_error(series):
    rule = active(series)
    course = follow(rule, series, 3, hold=(4,), generator=torch.Generator().manual_seed(0))
    for look, (frame, seen) in enumerate(zip(course.wanted, course.shown, strict=True)):
        missing = seen - series.frames[0, frame]
        assert course.means[look] == pytest.approx(float(seen.mean()), rel=1e-5)
        assert course.wanted_means[look] == pytest.approx(float(series.frames[0, frame].mean()), rel=1e-5)
        assert course.absolute[look] == pytest.approx(float(missing.abs().mean()), rel=1e-5)


def test_oblong_cells_leave_no_run(series, tmp_path):
    oblong = replace(series, grid=Grid((18, 18), (1.0, 2.0), series.grid.boundaries))
    with pytest.raises(BadInputError, match="same spacing"):
        train_images(oblong, tmp_path / "run", load_image_experiment("pictures", QUICK))
    assert not (tmp_path / "run").exists()


def test_every_series_loses_its_own_cells(series):
    """Of two series with pictures in different places, each is damaged where it shows something."""
    frames = torch.zeros(2, 2, 1, 12, 12)
    frames[0, :, :, 1:4, 1:4] = 1
    frames[1, :, :, 8:11, 7:10] = 1
    both = replace(
        series, frames=frames, times=(0.0, 1.0), channels=("intensity",), grid=Grid.uniform(12, 1.0)
    )
    told = {"damaged": "1", "most_damage": "1", "noise": "0", "reset": "0", "batch_size": "4"}
    settings = load_image_experiment("pictures", {**QUICK, **told})
    objective = build_objective(build_image_rule(settings, both), both, settings)
    lost = torch.zeros(2, dtype=torch.long)
    for step in range(8):
        batch = objective.batch(step)
        states = objective.starts(batch)
        assert torch.equal(states, objective.starts(batch))
        for place, entry in enumerate(batch[0].tolist()):
            own = entry // 2
            before = frames[own, -1, 0] > 0
            lost[own] += (before & (states[place, -1, 0] == 0)).sum()
            assert torch.equal(states[place, :-1, 0] > 0, before.expand(2, -1, -1))
    assert lost.min() > 10
    none = load_image_experiment("pictures", {**QUICK, **told, "damaged": "0"})
    batch = (objective := build_objective(build_image_rule(none, both), both, none)).batch(0)
    assert bool((objective.starts(batch)[:, -1, 0].sum((-2, -1)) == 9).all())


def test_the_penalty_may_be_told_in_units_of_the_distance(series):
    """Whatever the size of a distance's numbers, it leaves the penalty the same weight."""

    def shares(unit, name):
        told = {"distance.name": name, "overflow_unit": unit, "overflow_weight": "0.5"}
        settings = load_image_experiment("pictures", {**QUICK, **told})
        weight = build_objective(build_image_rule(settings, series), series, settings).overflow_weight
        distance = settings.distance.build()
        return weight, weight / float(distance(series.frames[:, 0], series.frames[:, 1]))

    for name in ("mean-squared", "euclidean", "texture"):
        assert shares("absolute", name)[0] == 0.5
        assert shares("first-distance", name)[1] == pytest.approx(0.5)
    still = replace(series, frames=series.frames[:, :1].expand(-1, 3, -1, -1, -1))
    settings = load_image_experiment("pictures", {**QUICK, "overflow_unit": "first-distance"})
    with pytest.raises(BadInputError, match="cannot be a unit"):
        build_objective(build_image_rule(settings, still), still, settings)


def test_a_rule_that_does_nothing_does_not_grow_back(series):
    rule = build_image_rule(load_image_experiment("pictures", {**QUICK, "rule.leak": "0"}), series)
    state = rule.codec.lift(series.frames[:, 2:])
    found = regrow(rule, series, state, num_trials=23, steps=(2, 4))
    assert found.before == 0
    assert found.errors.shape == (23, 2)
    assert found.back == 0
    assert torch.equal(found.errors[:, -1], found.hurt)
    none = regrow(rule, series, state, share=0.0, num_trials=3, steps=(2,))
    assert none.back == 1
    with pytest.raises(BadInputError, match="erase, noise, paste, flip"):
        regrow(rule, series, state, "crush")


def test_frames_and_what_a_rule_shows_are_drawn(run, series, tmp_path):
    model, settings = load_image_run(run, series)
    figure = draw_strip(model, series, settings.steps_per_interval, hold=12)
    assert len(figure.axes) == 2 * 5
    with Image.open(plots.save(figure, tmp_path / "strip.png")) as image:
        assert image.width > 500


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_fit_the_drawings(name, series):
    model = build_image_rule(load_image_experiment(name), series)
    assert model.num_parameters > 1000


def test_settings_that_do_not_fit_leave_nothing(series, tmp_path):
    settings = load_image_experiment("pictures", {**QUICK, "batch_size": "7"})
    with pytest.raises(BadInputError, match="2 entries"):
        train_images(series, tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()
    with pytest.raises(BadInputError, match="no distance 'euclid'"):
        load_image_experiment("pictures", {"distance.name": "euclid"})


def test_another_file_or_folder_is_told(run, tmp_path, generator):
    frames = torch.rand(3, 10, 10, generator=generator).numpy()
    grey = read_series_file(import_images(frames, tmp_path / "grey.hdf5", interval=1.0, spacing=1.0))
    with pytest.raises(BadInputError, match="trained on the channels red, green, blue, alpha"):
        load_image_run(run, grey)
    with pytest.raises(FormatError, match="a rule for a series of images"):
        load_image_run(tmp_path, grey)


def test_frames_that_show_nothing_are_told(tmp_path):
    frames = torch.zeros(3, 10, 10)
    frames[0, 4, 4] = 1
    series = read_series_file(
        import_images(frames.numpy(), tmp_path / "dark.hdf5", interval=1.0, spacing=1.0)
    )
    with pytest.raises(BadInputError, match="nothing but the background"):
        series.seen(2)
