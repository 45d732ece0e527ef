"""Symmetry chosen in the settings: the models it makes keep it through training, on the whole state."""

import math

import pytest
import torch

from pdenca.automaton import GradientInvariants, GroupKernels, VectorKernels
from pdenca.core import BadInputError
from pdenca.datasets import load_split
from pdenca.solvers import Grid
from pdenca.symmetry import C4, D2, D4, GROUPS, act, assert_equivariant, equivariance_residuals
from pdenca.tasks.augmentation import turned_at_random
from pdenca.tasks.emulation import EmulationSettings, learned_kernels, load_run, train_emulator
from pdenca.tasks.model_settings import ModelSettings
from pdenca.tasks.models import NeuralEmulator, build_automaton
from pdenca.tasks.perceptions import PERCEPTIONS, state_kinds
from pdenca.tasks.training_data import TrainingWindows

RATES = {
    "objective": "derivative",
    "fitter": "levenberg-marquardt",
    "num_steps": 2,
    "validate_every": 2,
    "num_windows": 4,
    "cells_per_window": 32,
}
FRAMES = {
    "objective": "rollout",
    "fitter": "first-order",
    "num_steps": 2,
    "validate_every": 2,
    "num_windows": 2,
    "learning_rate": 1e-3,
}
GATED = {"perception": "vector-kernels", "rule": "gated", "radius": 1, "standardise": False}
MODELS = {
    "isotropic": ({"radius": 2, "num_hidden_units": 4}, (RATES, FRAMES), D4),
    "emission": ({"radius": 1, "num_hidden_units": 4, "emission_radius": 1}, (RATES, FRAMES), D4),
    "crossed": (
        {
            "radius": 2,
            "num_hidden_units": 4,
            "emission_radius": 1,
            "crossed_kernels": True,
            "rule": "affine-mlp",
        },
        ({**RATES, "unit": "time"}, {**FRAMES, "unit": "time"}),
        D4,
    ),
    "told nothing": (
        {"radius": 1, "crossed_kernels": True, "rule": "affine-mlp", "parameters_as_input": False},
        (RATES, FRAMES),
        D4,
    ),
    "D4": ({"perception": "group-kernels", "radius": 2, "num_hidden_units": 4}, (RATES, FRAMES), D4),
    "D2": (
        {"perception": "group-kernels", "group": "D2", "radius": 1, "num_hidden_units": 4},
        (RATES, FRAMES),
        D2,
    ),
    "gradients": (
        {"perception": "gradient-invariants", "radius": 2, "num_hidden_units": 4},
        (RATES, FRAMES),
        D4,
    ),
    "chiral": (
        {"perception": "gradient-invariants", "group": "C4", "radius": 2, "num_hidden_units": 4},
        (RATES, FRAMES),
        C4,
    ),
    "vectors": (
        {**GATED, "num_hidden_units": 6, "num_hidden_vectors": 1, "num_hidden_channels": 1},
        ({**FRAMES, "learning_rate": 1e-4},),
        D4,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_trained_models_commute(name, dataset, tmp_path, generator):
    model, stages, group = MODELS[name]
    settings = EmulationSettings.parse(
        {"model": {**model, "steps_per_frame": 2}, "stages": stages, "validation_frames": 1}
    )
    emulator = load_run(train_emulator(dataset, tmp_path / "run", settings))
    untrained = build_automaton(settings.model, emulator.scales, seed=settings.seed)
    assert any(
        not torch.equal(after, before)
        for after, before in zip(emulator.automaton.parameters(), untrained.parameters(), strict=True)
    )
    header, frames = load_split(dataset, "test")[0]
    context = {key: value.double() for key, value in header.context(1).items()}
    step = emulator.bind(header.grid, context)
    state = emulator.codec.lift(frames[:1, :8].double())
    # hidden channels hold something, so that they are tested too
    hidden = torch.randn(state[:, 2:].shape, generator=generator, dtype=torch.float64)
    state = torch.cat((state[:, :2], 0.1 * hidden), 1)
    assert len(emulator.kinds) == 2 + settings.model.num_hidden_channels + settings.model.num_hidden_vectors
    shifts = [(3, 5)]
    assert_equivariant(step, group, state, emulator.kinds, num_steps=2, translations=shifts)
    if group is not D4:
        assert max(equivariance_residuals(step, D4, state, emulator.kinds, 2).values()) > 1e-9


def test_a_free_model_does_not_commute_and_exports_of_trained_ones_agree(dataset, tmp_path):
    settings = EmulationSettings.parse(
        {
            "model": {"perception": "group-kernels", "group": "C1", "radius": 1, "num_hidden_units": 4},
            "stages": [RATES],
            "validation_frames": 1,
        }
    )
    header, frames = load_split(dataset, "test")[0]
    context = {key: value.double() for key, value in header.context(1).items()}
    state = frames[:1, 3].double()
    free = load_run(train_emulator(dataset, tmp_path / "free", settings))
    with pytest.raises(AssertionError, match="does not commute"):
        assert_equivariant(free.bind(header.grid, context), D4, state)
    # constrained to D4 the same trained model commutes, and exported again it says the same
    free.automaton.perception = free.automaton.perception.constrained(D4)
    step = free.bind(header.grid, context)
    assert_equivariant(step, D4, state)
    expected = step(state)
    free.automaton.perception = free.automaton.perception.exported()
    torch.testing.assert_close(step(state), expected)


def test_products_of_gradients_learn_what_isotropic_kernels_cannot(make_scales, generator):
    """The rate |∇u|² of a growing front, fitted by least squares."""
    scales = make_scales(field_names=("h",), field_mean=(0.0,), field_std=(1.0,), rate_scale=(1.0,))
    grid = Grid.uniform(16, scales.spacing)
    state = torch.randn(2, 16, 16, 1, generator=generator, dtype=torch.float64)
    features = {}
    for name in ("isotropic-kernels", "gradient-invariants"):
        seen = PERCEPTIONS[name](ModelSettings(perception=name, radius=2), scales)
        features[name] = seen.perception.double()(state, grid).flatten(0, 2).detach()
        assert seen.centre.shape == seen.scale.shape == (seen.num_features,)
    from pdenca.automaton.lattice import first_differences

    rate = sum(part.square() for part in first_differences(state, grid)).flatten()

    def unexplained(columns):
        columns = torch.cat((columns, columns**2, torch.ones(len(columns), 1)), 1)
        left = rate - columns @ torch.linalg.lstsq(columns, rate[:, None]).solution[:, 0]
        return float(left.var() / rate.var())

    assert unexplained(features["gradient-invariants"]) < 1e-20
    assert unexplained(features["isotropic-kernels"]) > 0.5


def test_the_settings_choose_the_parts(make_scales):
    scales = make_scales()
    chosen = {
        "group-kernels": (GroupKernels, ModelSettings(perception="group-kernels", group="C2")),
        "gradient-invariants": (GradientInvariants, ModelSettings(perception="gradient-invariants")),
        "vector-kernels": (VectorKernels, ModelSettings(**GATED, num_hidden_vectors=2)),
    }
    for kind, model in chosen.values():
        automaton = build_automaton(model, scales)
        assert type(automaton.perception) is kind
        kinds = state_kinds(model, scales)
        assert kinds == ("scalar", "scalar") + ("vector",) * model.num_hidden_vectors
        state = torch.zeros(1, 2 + 2 * model.num_hidden_vectors, 8, 8, dtype=torch.float64)
        context = {name: torch.tensor([0.05]) for name in scales.parameter_names}
        assert automaton.bind(Grid.uniform(8, 1 / 32), context)(state).shape == state.shape
    # free kernels of reach 2 have 24 numbers for each field, those of C2 half as many
    free = ModelSettings(perception="group-kernels", group="C1", radius=2, sample_radius=0)
    half = ModelSettings(perception="group-kernels", group="C2", radius=2, sample_radius=0)
    numbers = [build_automaton(model, scales).num_parameters for model in (free, half)]
    assert numbers[0] - numbers[1] == 2 * 12


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"group": "D5"}, "no group 'D5'"),
        ({"group": "C4"}, "'isotropic-kernels' cannot have the symmetry C4"),
        ({"perception": "gradient-invariants", "group": "D2"}, "cannot have the symmetry D2"),
        ({"perception": "group-kernels", "radius": 4}, "at most 3 cells"),
        ({"perception": "group-kernels", "radius": 1, "sample_radius": 2}, "sample kernels reach 2"),
        ({"rule": "gated"}, "need each other"),
        ({"perception": "vector-kernels"}, "need each other"),
        ({"perception": "vector-kernels", "rule": "gated"}, "standardise = false"),
        ({"num_hidden_vectors": 1, "standardise": False}, "hidden vectors need vector kernels"),
        (
            {"perception": "fixed-kernels", "radius": 2},
            "radius plays no role with perception 'fixed-kernels'",
        ),
        ({"kernels": ["identity"]}, "kernels plays no role with perception 'isotropic-kernels'"),
        ({"rule": "products", "activation": "relu"}, "activation plays no role .* rule 'products'"),
        ({"num_products": 3}, "num_products plays no role .* rule 'mlp'"),
    ],
)
def test_settings_that_do_not_fit(values, message):
    with pytest.raises(BadInputError, match=message):
        ModelSettings.parse(values)


def test_kernels_of_a_group_are_shown_with_their_derivatives(make_scales):
    scales = make_scales()
    settings = EmulationSettings.parse(
        {"model": {"perception": "group-kernels", "group": "D1-1", "radius": 1}, "stages": [RATES]}
    )
    emulator = NeuralEmulator("d1", build_automaton(settings.model, scales), settings, scales)
    found = learned_kernels(emulator)
    assert [name for name, _, _ in found] == ["sample A", "sample B", "transport A", "transport B"]
    _, image, moments = found[2]
    # the start: a Laplacian of diffusion number 0.05; no odd order along axis 1
    assert moments == {"δx^1": 0, "δx^2": 0.05, "δy^2": 0.05, "δx^1 δy^2": 0, "δx^2 δy^2": 0}
    assert image == pytest.approx(0.05 * torch.tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]]).numpy())


def test_groups_of_other_dimensions_are_refused(make_scales):
    with pytest.raises(BadInputError, match=r"acts on 2 axes, the data have 1; usual cure: .*line"):
        build_automaton(ModelSettings(perception="group-kernels"), make_scales(num_dims=1))
    line = ModelSettings(perception="group-kernels", group="line")
    assert build_automaton(line, make_scales(num_dims=1)).perception.group is GROUPS["line"]


def test_windows_are_turned_each_by_its_own_element(generator):
    frames = torch.rand(40, 3, 2, 6, 6, generator=generator, dtype=torch.float64)
    field = torch.rand(40, 6, 6, generator=generator, dtype=torch.float64)
    context = {"feed_rate": torch.arange(40.0), "kill_rate": field}
    moved, told = turned_at_random(
        frames, context, Grid.uniform(6, 1.0), D4, torch.Generator().manual_seed(1)
    )
    assert torch.equal(told["feed_rate"], context["feed_rate"])
    used = set()
    for number in range(40):
        (element,) = [e for e in D4 if torch.equal(act(e, frames[number]), moved[number])]
        assert torch.equal(act(element, field[number][None, None])[0, 0], told["kill_rate"][number])
        used.add(element.name)
    assert used == {element.name for element in D4}


def test_augmented_training_and_fewer_trajectories(dataset, tmp_path):
    """Both settings change what is learned; what cannot use them says so."""
    model = {"perception": "group-kernels", "group": "C1", "radius": 1, "num_hidden_units": 4}
    found = {}
    for name, stage, extra in (
        ("plain", RATES, {}),
        ("augmented", {**RATES, "augment": "D4"}, {}),
        ("one", RATES, {"train_trajectories": 1}),
    ):
        settings = EmulationSettings.parse(
            {"model": model, "stages": [stage], "validation_frames": 1, "dtype": "float64", **extra}
        )
        run = train_emulator(dataset, tmp_path / name, settings)
        found[name] = torch.cat([value.flatten() for value in load_run(run).automaton.parameters()])
    assert not torch.equal(found["plain"], found["augmented"])
    assert not torch.equal(found["plain"], found["one"])
    with pytest.raises(BadInputError, match="no group 'D3'"):
        EmulationSettings.parse({"model": model, "stages": [{**RATES, "augment": "D3"}]})
    stage = {"objective": "propagation", "fitter": "first-order", "num_steps": 1, "augment": "D4"}
    with pytest.raises(BadInputError, match="augment plays no role"):
        EmulationSettings.parse({"model": model, "stages": [stage]})


def test_only_the_first_trajectories_are_drawn(dataset):
    frames = [item.double() for _, item in load_split(dataset, "train")]
    windows = TrainingWindows(dataset, None, torch.float64, 1)
    drawn, _, _ = windows.draw(24, 2, torch.Generator().manual_seed(0))
    firsts = [item[:1] for item in frames]
    for window in drawn:
        assert any(
            torch.equal(window, first[0, start : start + 2]) for first in firsts for start in range(15)
        )
    whole, _ = windows.trajectories()
    assert torch.equal(whole, torch.cat(firsts))
    with pytest.raises(BadInputError, match="train_trajectories is 3, but a training file has only 2"):
        TrainingWindows(dataset, None, torch.float64, 3)
    assert math.isfinite(float(whole.sum()))
