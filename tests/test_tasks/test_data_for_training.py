"""What training takes from a dataset: scales, windows, validation, cases, baselines."""

import math

import numpy as np
import pytest
import torch

from pdenca.automaton import Automaton, FixedKernels, HiddenChannels, Increment, PointwiseMLP
from pdenca.baselines import EquationsOnGrid
from pdenca.core import BadInputError, Emulator
from pdenca.datasets import load_split
from pdenca.evaluation import Case, pooled_vrmse
from pdenca.solvers import Grid
from pdenca.symmetry import D2
from pdenca.tasks.emulation import (
    Validation,
    baseline_rows,
    environment,
    learned_kernels,
    list_splits,
    load_cases,
    symmetry_residuals,
)
from pdenca.tasks.models import NeuralEmulator, build_automaton
from pdenca.tasks.rivals import equal_stencil
from pdenca.tasks.settings import load_experiment
from pdenca.tasks.training_data import TrainingWindows, measure_scales


@pytest.fixture(scope="session")
def training(dataset):
    """The two training files, (header, frames) each."""
    return load_split(dataset, "train")


@pytest.fixture
def draw(dataset):
    """Draw windows and say where they came from: (file, trajectory, first frame) each."""
    windows = TrainingWindows(dataset, None, torch.float64)
    content = [frames.double() for _, frames in load_split(dataset, "train")]

    def place(window):
        for number, frames in enumerate(content):
            for trajectory in range(len(frames)):
                for start in range(frames.shape[1] - len(window) + 1):
                    if torch.equal(frames[trajectory, start : start + len(window)], window):
                        return number, trajectory, start
        raise AssertionError("not a window of the training data")

    def run(count, num_frames, seed=0, **options):
        frames, context, starts = windows.draw(
            count, num_frames, torch.Generator().manual_seed(seed), **options
        )
        places = [place(window) for window in frames]
        assert [start for _, _, start in places] == starts
        return places, context

    return run


@pytest.mark.parametrize("regimes", [None, ("spots",)])
def test_scales_are_those_of_the_data(regimes, dataset, training):
    scales = measure_scales(dataset, regimes)
    chosen = [item for item in training if regimes is None or item[0].regime in regimes]
    # mean, standard deviation and rate come from the whole training split's statistics
    everything = np.concatenate([frames.numpy() for _, frames in training]).astype(np.float64)
    frames = np.concatenate([frames.numpy() for _, frames in chosen])
    axes = (0, 1, 3, 4)
    np.testing.assert_allclose(scales.field_mean, everything.mean(axes), rtol=1e-5)
    np.testing.assert_allclose(scales.field_std, everything.std(axes), rtol=1e-5)
    np.testing.assert_allclose(scales.rate_scale, np.diff(everything, axis=1).std(axes) / 10, rtol=1e-5)
    np.testing.assert_allclose(scales.field_low, frames.min(axes))
    np.testing.assert_allclose(scales.field_high, frames.max(axes))
    assert (scales.equation, scales.field_names) == ("gray-scott", ("A", "B"))
    assert scales.parameter_names == ("feed_rate", "kill_rate")
    pairs = {"maze": (0.029, 0.057), "spots": (0.030, 0.062)}
    assert scales.parameter_pairs == tuple(pairs[name] for name in regimes or ("maze", "spots"))
    np.testing.assert_allclose(scales.parameter_centre, np.mean(scales.parameter_pairs, 0), rtol=1e-12)
    # the spread, but never below a tenth of the mean: an unseen value must stay of order one
    np.testing.assert_allclose(scales.parameter_scale, 0.1 * np.mean(scales.parameter_pairs, 0), rtol=1e-12)
    assert (scales.spacing, scales.num_dims, scales.frame_interval) == (1 / 32, 2, 10.0)
    assert type(scales).from_json(scales.to_json()) == scales


def test_windows_come_from_the_files_in_turn(draw):
    places, context = draw(8, 5)
    assert [number for number, _, _ in places] == [0, 1] * 4
    feed = torch.tensor([0.029, 0.030] * 4, dtype=torch.float32).double()
    assert torch.equal(context["feed_rate"], feed)
    assert draw(8, 5)[0] == places
    assert draw(8, 5, seed=1)[0] != places


def test_windows_start_where_they_may(draw):
    places, _ = draw(60, 10, first=3)
    assert {start for _, _, start in places} == {3, 4, 5, 6}
    assert {trajectory for _, trajectory, _ in places} == {0, 1}


def test_a_share_of_the_windows_starts_early(draw):
    places, _ = draw(12, 5, first=2, early_share=1.0, early_frames=3)
    assert [start for _, _, start in places[::2]] == [2, 3, 4, 2, 3, 4]
    assert [start for _, _, start in places[1::2]] == [3, 4, 2, 3, 4, 2]  # the second file begins one later
    places, _ = draw(40, 5, first=0, early_share=0.5, early_frames=2)
    assert [start for _, _, start in places[::2]][1::2] == [0, 1] * 5
    # while the first file has a window anywhere, the second has an early one
    assert [start for _, _, start in places[1::2]][::2] == [0, 1] * 5


def test_windows_that_do_not_exist_are_refused(draw):
    with pytest.raises(BadInputError, match=r"no window of 10 frames starts at frame 7 or later; usual cure"):
        draw(4, 10, first=7)
    with pytest.raises(BadInputError, match="16 frames per trajectory, windows need 17"):
        draw(4, 17)


def test_whole_trajectories(dataset, training):
    frames, context = TrainingWindows(dataset, None, torch.float64).trajectories()
    assert torch.equal(frames, torch.cat([frames for _, frames in training]).double())
    assert torch.allclose(context["kill_rate"], torch.tensor([0.057, 0.057, 0.062, 0.062]).double())
    only, _ = TrainingWindows(dataset, ("spots",), torch.float32).trajectories()
    assert torch.equal(only, training[1][1])


def test_the_spread_of_all_trajectories_at_each_time(dataset, training):
    found = TrainingWindows(dataset, None, torch.float64).spread()
    whole = torch.cat([frames for _, frames in training]).double().numpy()
    np.testing.assert_allclose(found.numpy(), np.sqrt(whole.var((3, 4)).mean(0)), rtol=1e-6)


def drift(by):
    rule = PointwiseMLP(2, 0, 2, 1)
    with torch.no_grad():
        rule.output_bias.fill_(by)
    perception = FixedKernels(2, ("identity",))
    return Automaton(perception, rule, Increment(), HiddenChannels(2), time_step=10.0).double()


def test_validation_by_hand(dataset):
    scales = measure_scales(dataset)
    validate = Validation(dataset, None, scales, 30, torch.float64)
    # an automaton that does nothing is persistence after four given frames
    truth = torch.cat([frames for _, frames in load_split(dataset, "valid")]).double()
    prediction = truth[:, 3:4].expand(-1, 12, -1, -1, -1)
    std = torch.tensor(scales.field_std).double()
    scores = [
        float(pooled_vrmse(prediction[:, window], truth[:, 4:][:, window], std))
        for window in (slice(0, 1), slice(5, 12))
    ]
    assert validate(drift(0.0)) == pytest.approx(math.sqrt(scores[0] * scores[1]), rel=1e-6)
    assert validate(drift(0.01)) > validate(drift(0.0))
    assert math.isnan(validate(drift(math.nan)))


def test_short_validations_use_the_frames_there_are(dataset):
    scales = measure_scales(dataset)
    validate = Validation(dataset, ("maze",), scales, 1, torch.float64)
    truth = load_split(dataset, "valid", ("maze",))[0][1].double()
    std = torch.tensor(scales.field_std).double()
    expected = float(pooled_vrmse(truth[:, 3:4], truth[:, 4:5], std))
    assert validate(drift(0.0)) == pytest.approx(expected, rel=1e-6)


def test_splits_and_cases(dataset):
    assert list_splits(dataset) == ("test",)
    cases = list(load_cases(dataset, ["test", "train"], None, 1))
    assert [(case.split, case.regime) for case in cases] == [
        ("test", "maze"),
        ("test", "spots"),
        ("train", "maze"),
        ("train", "spots"),
    ]
    assert {len(case.truth) for case in cases} == {1}
    assert all(value.shape == (1,) for value in cases[2].context.values())
    assert [case.regime for case in load_cases(dataset, ["test"], ("spots",))] == ["spots"]


def emulator(name, make_scales, **overrides):
    settings = load_experiment(name, overrides)
    return NeuralEmulator(name, build_automaton(settings.model, make_scales()), settings, make_scales())


@pytest.mark.parametrize(("radius", "stencil"), [(1, "order-2"), (3, "order-6"), (5, "order-10")])
@pytest.mark.parametrize("steps", [5, 10])
def test_the_rivals_see_as_many_cells_as_often(radius, stencil, steps, make_scales):
    parts = {"radius": radius, "sample_radius": 1, "emission_radius": 0, "steps_per_frame": steps}
    model = emulator("mlp", make_scales, **{f"model.{name}": str(value) for name, value in parts.items()})
    rows = baseline_rows([model], make_scales())
    assert {"persistence", "spatial-mean", "equations, spectral (resolution floor)"} < set(rows)
    assert {"equations, order-2", "equations, order-4", "equations, order-6", f"equations, {stencil}"} < set(
        rows
    )
    rival = rows[f"equations, {stencil}, {model.evaluations_per_frame} evaluations"]
    assert rival.radius == model.radius
    assert all(isinstance(row, Emulator) for row in rows.values())


@pytest.mark.parametrize(("radius", "stencil"), [(1, "order-2"), (3, "order-2"), (5, "order-4")])
def test_rivals_with_a_biharmonic_look_twice_as_far_as_their_stencil(radius, stencil, make_scales):
    parts = {"radius": radius, "sample_radius": 1, "emission_radius": 0}
    model = emulator("mlp", make_scales, **{f"model.{name}": str(value) for name, value in parts.items()})
    scales = make_scales(equation="swift-hohenberg")
    assert equal_stencil([model], scales) == stencil
    assert f"equations, {stencil}, {model.evaluations_per_frame} evaluations" in baseline_rows(
        [model], scales
    )


def test_a_model_without_neighbours_still_has_a_rival(make_scales):
    lonely = emulator("founding-paper", make_scales, **{"model.kernels": '["identity"]'})
    assert lonely.radius == 0
    assert "equations, order-2" in baseline_rows([lonely], make_scales())


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_pictures_of_learned_kernels(num_dims, make_scales):
    settings = load_experiment("mlp")
    scales = make_scales(num_dims=num_dims)
    automaton = build_automaton(settings.model, scales)
    with torch.no_grad():
        automaton.perception.transport[1] = 2.0
    found = learned_kernels(NeuralEmulator("mlp", automaton, settings, scales))
    assert [name for name, _, _ in found] == ["sample A", "sample B", "transport A", "transport B"]
    assert all(taps.ndim == 2 for _, taps, _ in found)
    assert found[0][1].sum() == pytest.approx(1.0)
    moments = found[2][2]
    assert moments["δx^2"] == pytest.approx(0.05)
    assert moments["δx^4"] == pytest.approx(0.1)
    assert ("δx^2 δy^2" in moments) == (num_dims > 1)


def test_fixed_kernels_have_no_pictures(make_scales):
    assert learned_kernels(emulator("founding-paper", make_scales)) == []


def test_symmetry_residuals_are_those_of_the_grid():
    """Walls along one axis: turning the domain by a quarter is no symmetry of it, and no model's fault."""
    channel = Grid((8, 8), (1.0, 1.0), ("periodic", "no-flux"))
    line = Grid.uniform(8, 1.0, num_dims=1)
    for grid, names in ((channel, {element.name for element in D2}), (line, {"identity", "flip axis 0"})):
        generator = torch.Generator().manual_seed(0)
        truth = torch.rand(1, 6, 1, *grid.shape, generator=generator, dtype=torch.float64)
        told = {"diffusivity": torch.tensor([0.5], dtype=torch.float64)}
        case = Case("test", "some", truth, grid, told, 0.1, ("u",), (1.0,))
        (found,) = symmetry_residuals({"equations": EquationsOnGrid("heat", 0.1)}, case).values()
        assert set(found) == names
        assert max(found.values()) < 1e-12


def test_symmetry_residuals_tell_the_turned_from_the_straight(dataset, make_scales):
    case = next(iter(load_cases(dataset, ["test"])))
    crooked = emulator("founding-paper", make_scales, **{"model.kernels": '["identity", "gradient"]'})
    with torch.no_grad():
        crooked.automaton.rule.output_weight.fill_(0.01)
    found = symmetry_residuals({"mlp": emulator("mlp", make_scales), "crooked": crooked}, case)
    assert len(found["mlp"]) == 8
    assert max(found["mlp"].values()) < 1e-13
    assert max(found["crooked"].values()) > 1e-6


def test_the_environment_is_recorded():
    found = environment()
    assert found["torch"] == torch.__version__
    assert {"pdenca", "python", "platform", "processor", "threads", "cpu_cores"} <= set(found)
