"""From settings to automata, from run folders to emulators."""

import json

import pytest
import torch

from pdenca.automaton import Automaton, FixedKernels, HiddenChannels, Increment, PointwiseMLP
from pdenca.core import BadInputError, Emulator, FormatError
from pdenca.solvers import Grid
from pdenca.tasks.models import (
    SCALES,
    SETTINGS,
    NeuralEmulator,
    build_automaton,
    load_run,
    read_run,
)
from pdenca.tasks.regime_switch import RegimeSwitch
from pdenca.tasks.settings import load_experiment
from pdenca.training.checkpoint import save_tree
from pdenca.training.loop import BEST

GRID = Grid.uniform(8, 1 / 32)
CONTEXT = {"feed_rate": torch.tensor([0.03, 0.03]), "kill_rate": torch.tensor([0.06, 0.05])}


@pytest.mark.parametrize(
    ("name", "overrides", "expected"),
    [
        ("founding-paper", {}, 776),
        # kernels of 5, 3 and 1 moments from each of two fields to each, and what each of two parameters adds
        # to them; network (2 + 1) x 16, (16 + 1) x 2 for rate and what each parameter adds, skip 2 x 6
        ("mlp", {}, 9 * 4 * 3 + 48 + 102 + 12),
        ("mlp", {"model.crossed_kernels": "false"}, 9 * 2 + 48 + 102 + 12),
        ("mlp", {"model.parameters_as_input": "false"}, 9 * 4 + 48 + 34 + 4),
        ("mlp", {"model.sample_radius": "0", "model.radius": "1"}, 2 * 4 * 3 + 48 + 102 + 12),
        ("mlp", {"model.emission_radius": "0"}, 8 * 4 * 3 + 48 + 102 + 12),
        ("mlp", {"model.skip": "false", "model.hidden_bias": "false"}, 9 * 4 * 3 + 32 + 102),
        # fields and parameters side by side: (4 + 1) x 16, (16 + 1) x 2, skip 4 x 2
        ("mlp", {"model.rule": "mlp"}, 9 * 4 * 3 + 80 + 34 + 8),
        # products: 3 x 6 maps of 4 inputs with bias, 2 x 6 outputs
        ("polynomial", {}, 12 + 72 + 18 + 12),
        ("polynomial", {"model.num_products": "3"}, 12 + 36 + 9 + 6),
    ],
)
def test_numbers_of_parameters(name, overrides, expected, make_scales):
    assert build_automaton(load_experiment(name, overrides).model, make_scales()).num_parameters == expected


def test_the_parts_are_those_of_the_settings(make_scales):
    overrides = {"model.fire_rate": "0.5", "model.steps_per_frame": "4", "model.radius": "2"}
    automaton = build_automaton(load_experiment("mlp", overrides).model, make_scales())
    assert (automaton.time_step, automaton.steps_per_frame) == (2.5, 4)
    assert automaton.context_names == ("feed_rate", "kill_rate")
    assert automaton.update.fire_rate == 0.5
    assert automaton.perception.radius == 2
    assert automaton.perception.reference_spacing == 1 / 32
    assert automaton.codec == HiddenChannels(2)
    founding = build_automaton(load_experiment("founding-paper").model, make_scales())
    assert founding.codec == HiddenChannels(2, 6)
    assert founding.context_names == ()


@pytest.mark.parametrize("name", ["mlp", "polynomial", "founding-paper"])
def test_the_start_is_of_the_seed(name, make_scales):
    model = load_experiment(name).model
    first, again, other = (build_automaton(model, make_scales(), seed=seed) for seed in (1, 1, 2))
    single = build_automaton(model, make_scales(), seed=1, dtype=torch.float32)
    assert {value.dtype for value in single.state_dict().values()} == {torch.float32}
    for key, value in first.state_dict().items():
        assert value.dtype == torch.float64
        assert torch.equal(value, again.state_dict()[key])
        torch.testing.assert_close(single.state_dict()[key].double(), value)
    assert any(not torch.equal(value, other.state_dict()[key]) for key, value in first.state_dict().items())


def test_inputs_and_rates_are_scaled_by_the_data(make_scales):
    automaton = build_automaton(load_experiment("mlp", {"model.rule": "mlp"}).model, make_scales())
    rule = automaton.rule.reaction
    assert rule.feature_centre.tolist() == [0.5, 0.2]
    assert rule.feature_scale.tolist() == [0.3, 0.1]
    assert rule.parameter_centre.tolist() == [0.03, 0.06]
    assert rule.parameter_scale.tolist() == [0.003, 0.006]
    assert rule.rate_scale.tolist() == [0.02, 0.01]
    # with all weights 0 but the output bias, the rate is the bias in units of the data's rate
    with torch.no_grad():
        for value in automaton.parameters():
            value.zero_()
        rule.rule.output_bias.fill_(1.0)
        rate = automaton.rate(torch.rand(2, 2, 8, 8).double(), CONTEXT, GRID)
    expected = torch.tensor([0.02, 0.01]).double().view(1, 2, 1, 1).expand(2, 2, 8, 8)
    torch.testing.assert_close(rate, expected, rtol=1e-7, atol=1e-12)


def test_only_the_identity_has_a_mean(make_scales):
    overrides = {
        "model.kernels": '["gradient", "identity", "laplacian"]',
        "model.num_hidden_channels": "0",
        "model.standardise": "true",
    }
    automaton = build_automaton(load_experiment("founding-paper", overrides).model, make_scales())
    assert automaton.rule.feature_centre.tolist() == [0, 0, 0, 0, 0.5, 0.2, 0, 0]
    assert automaton.rule.feature_scale.tolist() == [0.3, 0.1] * 4
    constant = torch.tensor([0.5, 0.2]).double().view(1, 2, 1, 1).expand(1, 2, 8, 8)
    gathered = automaton.perception.gather(constant.movedim(1, -1), GRID)
    features = automaton.perception.combine(gathered, 1.0)
    torch.testing.assert_close(features, automaton.rule.feature_centre.expand_as(features), atol=1e-7, rtol=0)


def make_run(folder, make_scales, name="mlp"):
    """A folder with an untrained model, changed so that it is recognised."""
    settings, scales = load_experiment(name, {"seed": "4"}), make_scales()
    automaton = build_automaton(settings.model, scales, seed=4)
    with torch.no_grad():
        for value in automaton.parameters():
            value.add_(0.125)
    folder.mkdir()
    (folder / SETTINGS).write_text(settings.to_json())
    (folder / SCALES).write_text(scales.to_json())
    parameters = dict(automaton.named_parameters())
    save_tree(folder / BEST, {"parameters": parameters, "validation": 1.0})
    return automaton, settings, scales


@pytest.mark.parametrize("name", ["mlp", "polynomial", "founding-paper"])
def test_a_run_is_loaded_as_it_was(name, make_scales, tmp_path):
    automaton, settings, scales = make_run(tmp_path / "run", make_scales, name)
    emulator = load_run(tmp_path / "run")
    assert isinstance(emulator, Emulator)
    assert (emulator.name, emulator.settings, emulator.scales) == ("run", settings, scales)
    assert emulator.num_parameters == automaton.num_parameters
    assert emulator.evaluations_per_frame == 10
    assert emulator.radius == (1 if name == "founding-paper" else 3)
    state = emulator.codec.lift(torch.rand(2, 1, 2, 8, 8).double())
    with torch.no_grad():
        expected = automaton.bind(GRID, CONTEXT)(state)
        assert torch.equal(emulator.bind(GRID, CONTEXT)(state), expected)
        single = load_run(tmp_path / "run", torch.float32)
        assert single.bind(GRID, CONTEXT)(state.float()).dtype == torch.float32


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(FormatError, match=r"is not a training run: it has no settings\.json; usual cure"):
        load_run(tmp_path)


def test_a_run_that_has_not_got_far(make_scales, tmp_path):
    make_run(tmp_path / "run", make_scales)
    (tmp_path / "run" / BEST).unlink()
    with pytest.raises(FormatError, match="there is no checkpoint"):
        load_run(tmp_path / "run")


@pytest.mark.parametrize("file", [SETTINGS, SCALES])
@pytest.mark.parametrize("content", ["", "[1, 2]", '{"seed": 1, "sede": 2}', "{", "null", "\udcff"])
def test_damaged_settings(file, content, make_scales, tmp_path):
    make_run(tmp_path / "run", make_scales)
    (tmp_path / "run" / file).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(FormatError, match=f"{file} is damaged"):
        read_run(tmp_path / "run")


def test_parameters_of_another_model(make_scales, tmp_path):
    make_run(tmp_path / "run", make_scales)
    for change in ({"radius": 2}, {"rule": "products"}):
        settings = json.loads((tmp_path / "run" / SETTINGS).read_text())
        settings["model"].update(change)
        (tmp_path / "run" / SETTINGS).write_text(json.dumps(settings))
        with pytest.raises(FormatError, match=r"does not fit .*settings\.json"):
            load_run(tmp_path / "run")


def member(make_scales, name, pair, bias, **changes):
    """An emulator that adds ``bias`` per unit time, trained at one pair of parameters."""
    rule = PointwiseMLP(2, 0, 2, 1)
    with torch.no_grad():
        rule.output_bias.fill_(bias)
    codec = changes.pop("codec", HiddenChannels(2))
    automaton = Automaton(FixedKernels(2, ("identity",)), rule, Increment(), codec)
    scales = make_scales(parameter_pairs=(pair,), **changes)
    return NeuralEmulator(name, automaton.double(), load_experiment("founding-paper"), scales)


def test_a_switch_takes_the_network_of_the_nearest_parameters(make_scales):
    # in raw numbers the feed rates would decide alone; in units of their spread both count alike
    pairs = {"low": (0.01, 0.0600), "high": (0.09, 0.0601)}
    members = [
        member(make_scales, name, pair, bias)
        for (name, pair), bias in zip(pairs.items(), (1, 2), strict=True)
    ]
    switch = RegimeSwitch(members)
    assert switch.kinds == members[0].kinds
    assert isinstance(switch, Emulator)
    state = switch.codec.lift(torch.zeros(2, 1, 2, 8, 8).double())

    def run(feed, kill):
        context = {"feed_rate": torch.as_tensor(feed), "kill_rate": torch.as_tensor(kill)}
        with torch.no_grad():
            return float(switch.bind(GRID, context)(state).unique())

    assert run([0.01, 0.01], [0.06, 0.06]) == 1
    assert run([0.09, 0.08], [0.0601, 0.0601]) == 2
    assert run([0.04, 0.04], [0.0601, 0.0601]) == 2
    fields = torch.full((2, 8, 8), 0.09), torch.full((2, 8, 8), 0.0601)
    assert run(*fields) == 2
    with pytest.raises(BadInputError, match="need different networks; usual cure: one regime per batch"):
        run([0.01, 0.09], [0.06, 0.0601])


def test_what_cannot_be_switched(make_scales):
    with pytest.raises(BadInputError, match="at least one network"):
        RegimeSwitch([])
    one = member(make_scales, "one", (0.03, 0.06), 1.0)
    both = NeuralEmulator("both", one.automaton, one.settings, make_scales())
    with pytest.raises(BadInputError, match="both was trained on 2 parameter sets"):
        RegimeSwitch([one, both])
    other = member(make_scales, "other", (0.01, 0.06), 1.0, codec=HiddenChannels(2, 3))
    with pytest.raises(BadInputError, match="same channels"):
        RegimeSwitch([one, other])
    with pytest.raises(BadInputError, match="context lacks kill_rate, which decide the network"):
        RegimeSwitch([one]).bind(GRID, {"feed_rate": torch.zeros(2)})
