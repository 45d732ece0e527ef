"""Settings of experiments: read, overridden, refused with a hint."""

import pytest

from pdenca.core import BadInputError
from pdenca.tasks.settings import (
    EXPERIMENTS,
    EmulationSettings,
    ModelSettings,
    StageSettings,
    load_experiment,
)


@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_the_experiments_that_come_along(name):
    settings = load_experiment(name)
    assert settings == load_experiment(EXPERIMENTS[name])
    assert EmulationSettings.from_json(settings.to_json()) == settings
    assert settings.stages


def test_overrides_of_every_kind():
    overrides = {
        "seed": "7",
        "model.radius": "2",
        "model.rule": "mlp",
        "model.activation": "'relu'",
        "model.skip": "false",
        "stages.0.num_steps": "3",
        "stages.1.noise": "1e-2",
    }
    settings = load_experiment("mlp", overrides)
    plain = load_experiment("mlp")
    assert (settings.seed, settings.model.radius, settings.model.rule) == (7, 2, "mlp")
    assert (settings.model.activation, settings.model.skip) == ("relu", False)
    assert (settings.stages[0].num_steps, settings.stages[1].noise) == (3, 0.01)
    assert settings.stages[2:] == plain.stages[2:]
    assert settings.stages[1].replace(noise=plain.stages[1].noise) == plain.stages[1]
    assert load_experiment("mlp") == plain


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('seed = 3\n[[stages]]\nobjective = "rollout"\nfitter = "lbfgs"\nnum_steps = 2\n')
    stage = StageSettings(objective="rollout", fitter="lbfgs", num_steps=2)
    assert load_experiment(path) == EmulationSettings(stages=(stage,), seed=3)
    assert load_experiment(str(path), {"model.radius": "1"}).model == ModelSettings(radius=1)


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("mpl", {}, "no experiment 'mpl'.*did you mean 'mlp'"),
        (
            "nothing-like-it",
            {},
            "expected one of mlp, mlp-far, .* or a TOML file",
        ),
        ("mlp", {"model.radus": "2"}, "unknown setting 'model.radus': did you mean 'radius'"),
        ("mlp", {"stages.0.num_step": "2"}, "did you mean 'num_steps'"),
        ("mlp", {"sede": "2"}, "did you mean 'seed'"),
        ("mlp", {"model.radius": "7"}, "'model.radius' got 7"),
        ("mlp", {"model.radius": "two"}, "'model.radius' got 'two'"),
        ("mlp", {"model.rule": "lookup"}, "'model.rule' got 'lookup'"),
        ("mlp", {"stages.9.num_steps": "2"}, "there are stages 0 to 2, got '9'"),
        ("mlp", {"stages.first.num_steps": "2"}, "there are stages 0 to 2, got 'first'"),
        ("mlp", {"stages.0": "2"}, "names a stage, not a setting of it"),
        ("mlp", {"model.radius.more": "2"}, "'radius' is a value, not a group"),
        ("mlp", {"model.sample_radius": "2", "model.radius": "1"}, "reach 2 cells, further than"),
        ("mlp", {"model.num_hidden_channels": "2"}, "hidden channels have no data"),
        ("founding-paper", {"model.standardise": "true"}, "hidden channels have no data"),
        ("mlp", {"stages.0.objective": "rollout"}, "fits the derivative objective, not rollout"),
        ("mlp", {"stages.1.fitter": "lbfgs", "stages.1.batch_size": "4"}, "lbfgs needs the same batch"),
        ("mlp", {"stages.1.objective": "propagation"}, "gauss-newton needs a sum of squares"),
        ("mlp", {"stages.1.overflow_weight": "0.1"}, "overflow_weight plays no role in a stage"),
        ("mlp", {"stages.1.crop_margin": "5"}, "crop_margin plays no role in a stage"),
        ("founding-paper", {"model.crossed_kernels": "true"}, "only isotropic kernels can be crossed"),
        ("founding-paper", {"stages.0.unit": "time"}, "unit plays no role in a stage"),
        ("founding-paper", {"stages.0.distance.name": "euclid"}, "there is no distance 'euclid'"),
        ("founding-paper", {"stages.0.distance": "spectral"}, "'stages.0.distance' got 'spectral'"),
        (
            "founding-paper",
            {"stages.0.distance.name": "spectral", "stages.0.distance.blur": "2"},
            "blur plays no role in the distance spectral; leave it out",
        ),
        (
            "founding-paper",
            {"stages.0.distance.name": "sinkhorn", "stages.0.distance.blr": "2"},
            "unknown setting 'stages.0.distance.blr': did you mean 'blur'",
        ),
        ("mlp", {"model.perception": "fixed-kernels"}, "emission kernels need isotropic kernels"),
        ("mlp", {"stages": "[]"}, "at least one stage"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_hint(name, overrides, message):
    with pytest.raises(BadInputError, match=message):
        load_experiment(name, overrides)


def test_a_file_that_is_no_toml(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("seed = ")
    with pytest.raises(BadInputError, match=r"own\.toml is not a valid TOML file"):
        load_experiment(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match="UnicodeDecodeError"):
        load_experiment(path)


@pytest.mark.parametrize(
    "change",
    [
        "stages.0.horizon=2",
        "stages.0.overflow_weight=1",
        "stages.1.learning_rate=0.1",
        "stages.1.optimizer=sgd",
        "stages.0.distance={name = 'spectral'}",
        "stages.1.distance={name = 'spectral'}",
    ],
)
def test_a_setting_that_would_be_ignored_is_refused(change):
    place, value = change.split("=", 1)
    with pytest.raises(BadInputError, match="plays no role"):
        load_experiment("mlp", {place: value})
