"""The grid of a sweep: made right, named well, and refused before anything is trained."""

import re
from pathlib import Path

import pytest

from pdenca.core import BadInputError
from pdenca.tasks.settings import load_experiment
from pdenca.tasks.sweep import SWEEPS, SweepSettings, list_combinations, load_sweep
from pdenca.tasks.sweep.plan import run_name

STEPS = {"name": "steps", "place": "model.steps_per_frame", "values": [1, 2, 4]}
NOISE = {"name": "noise", "place": ["stages.0.noise", "stages.1.noise"], "values": [0.0, 1e-3]}
RULE = {
    "name": "rule",
    "bundles": {"own": {}, "small": {"model": {"rule": "mlp", "num_hidden_units": "8"}, "model.skip": False}},
}


def sweep(**changes) -> SweepSettings:
    return SweepSettings.parse({"experiment": "mlp", "data": "somewhere", **changes})


def test_every_combination_with_every_seed():
    asked = sweep(axes=[STEPS, NOISE, RULE], seeds=[0, 3], settings={"stages.0.num_steps": 7})
    found = list_combinations(asked)
    assert len(found) == len({item.name for item in found}) == 3 * 2 * 2 * 2
    assert found[0].name == "steps=1,noise=0.0,rule=own,seed=0"
    assert found[1].name == "steps=1,noise=0.0,rule=own,seed=3"
    assert found[-1].name == "steps=4,noise=0.001,rule=small,seed=3"
    assert found[-1].label == "steps = 4, noise = 0.001, rule = small, seed = 3"
    overrides = {
        "stages.0.num_steps": "7",
        "model.steps_per_frame": "4",
        "stages.0.noise": "0.001",
        "stages.1.noise": "0.001",
        "model.rule": "mlp",
        "model.num_hidden_units": "8",
        "model.skip": "false",
        "seed": "3",
    }
    assert found[-1].settings == load_experiment("mlp", overrides)
    assert all(item.settings.stages[0].num_steps == 7 for item in found)


def test_a_grid_without_axes_is_its_seeds():
    assert [item.name for item in list_combinations(sweep(seeds=[2, 1]))] == ["seed=2", "seed=1"]


def test_an_axis_counts_more_than_what_is_for_all():
    asked = sweep(axes=[RULE], settings={"model.skip": True, "model": {"radius": 4}})
    own, small = list_combinations(asked)
    assert (own.settings.model.skip, small.settings.model.skip) == (True, False)
    assert own.settings.model.radius == small.settings.model.radius == 4


def test_experiment_data_and_regimes_are_places_too():
    models = {"name": "what", "place": "experiment", "values": ["mlp", "founding-paper"]}
    where = {"name": "where", "place": "data", "values": ["here", "there"]}
    patterns = {"name": "patterns", "place": "regimes", "values": ["maze", ["maze", "spots"]]}
    found = list_combinations(sweep(axes=[models, where, patterns], regimes=["worms"]))
    assert [(item.model, item.data, item.regimes) for item in found[:2]] == [
        ("mlp", "here", ("maze",)),
        ("mlp", "here", ("maze", "spots")),
    ]
    assert found[-1].settings == load_experiment("founding-paper")
    assert found[1].choices == {"what": "mlp", "where": "here", "patterns": "maze+spots"}
    assert list_combinations(sweep(regimes=["worms"]))[0].regimes == ("worms",)


def test_what_is_excluded_is_left_out():
    asked = sweep(axes=[STEPS, NOISE], exclude=[{"steps": 4, "noise": 0.001}, {"steps": 1}])
    names = [item.name for item in list_combinations(asked)]
    assert names == ["steps=2,noise=0.0,seed=0", "steps=2,noise=0.001,seed=0", "steps=4,noise=0.0,seed=0"]
    with pytest.raises(BadInputError, match="exclude leaves nothing"):
        list_combinations(sweep(axes=[STEPS], exclude=[{"steps": n} for n in (1, 2, 4)]))


def test_names_hang_on_the_combination_alone():
    small, large = sweep(axes=[STEPS]), sweep(axes=[{**STEPS, "values": [8, 4]}], seeds=[1, 0])
    assert {item.name for item in list_combinations(small)} & {
        item.name for item in list_combinations(large)
    } == {"steps=4,seed=0"}


def test_names_are_folders_and_differ():
    plain, slash, dash = (run_name({"a": text}, 0) for text in ("b-c", "b/c", "b c"))
    assert plain == "a=b-c,seed=0"
    assert len({plain, slash, dash}) == 3
    assert "/" not in slash
    assert " " not in dash
    long = [run_name({"a": "x" * 300 + end}, 0) for end in "yz"]
    assert len(set(long)) == 2
    assert max(map(len, long)) < 140
    capitals = {"name": "a", "bundles": {"d4": {}, "D4": {}}}
    with pytest.raises(BadInputError, match="differ in capitals only"):
        list_combinations(sweep(axes=[capitals]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": [1]}, "unknown setting 'seed': did you mean 'seeds'"),
        ({"seeds": []}, "'seeds' got .*at least one seed"),
        ({"seeds": [1, 1]}, "each once"),
        ({"seeds": [-1]}, "'seeds.0' got -1"),
        ({"axes": [{**STEPS, "value": [1]}]}, "unknown setting 'axes.0.value': did you mean 'values'"),
        ({"axes": [{"name": "steps", "place": "model.radius"}]}, "axis 'steps' has no values"),
        ({"axes": [{"name": "steps", "values": [1]}]}, "axis 'steps' has no place"),
        ({"axes": [{"name": "steps"}]}, "a place with values, or bundles"),
        ({"axes": [{**STEPS, "bundles": {"a": {}}}]}, "and not both"),
        ({"axes": [{**STEPS, "values": [1, 2, 1]}]}, "the value 1 twice"),
        ({"axes": [{**STEPS, "values": [{"a": 1}]}]}, "has a table among its values; usual cure: bundles"),
        ({"axes": [{**STEPS, "values": ["", "a"]}]}, "an empty value"),
        ({"axes": [{**STEPS, "name": "value"}]}, "the name of another column"),
        ({"axes": [{**STEPS, "name": "a b"}]}, "'axes.0.name' got 'a b'"),
        ({"axes": [{**STEPS, "place": "seed"}]}, "sets the seed .*seeds = "),
        ({"axes": [STEPS, STEPS]}, "two axes are called 'steps'"),
        ({"axes": [STEPS, {**STEPS, "name": "more"}]}, "'steps' and 'more' both set 'model.steps_per_frame'"),
        ({"settings": {"data": "x"}}, "'data' is no setting of all runs; usual cure: data = "),
        ({"settings": {"seed": 1}}, "'seed' is no setting of all runs; usual cure: seeds = "),
        ({"axes": [STEPS], "exclude": [{"step": 1}]}, "unknown axis 'step': did you mean 'steps'"),
        ({"axes": [STEPS], "exclude": [{"steps": 3}]}, "unknown value of axis 'steps' '3'.*1, 2, 4"),
        ({"axes": [STEPS], "exclude": [{}]}, "an empty entry"),
        ({"evaluate": {"split": ["test"]}}, "unknown setting 'evaluate.split': did you mean 'splits'"),
        ({"evaluate": {"splits": []}}, "no split to score on"),
        ({"evaluate": {"example_frames": [1]}}, "leave out example_frames"),
        ({"evaluate": {"windows": [[3, 2]]}}, "window .3, 2. must satisfy"),
        ({"figures": {"metrics": ["pooled_vrms"]}}, "unknown metric .*did you mean 'pooled_vrmse'"),
        ({"axes": [STEPS], "figures": {"across": "step"}}, "unknown axis 'step': did you mean 'steps'"),
    ],
)
def test_settings_that_make_no_grid_are_refused(changes, message):
    with pytest.raises(BadInputError, match=message):
        sweep(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"axes": [NOISE, {**STEPS, "values": [1, 0]}], "seeds": [5]},
            "combination noise = 0.0, steps = 0, seed = 5: setting 'model.steps_per_frame' got 0",
        ),
        (
            {"axes": [{**STEPS, "place": "model.steps_per_fram"}]},
            "combination steps = 1, seed = 0: unknown setting .*did you mean 'steps_per_frame'",
        ),
        (
            {"axes": [{"name": "what", "place": "experiment", "values": ["mlp", "mpl"]}]},
            "combination what = mpl, seed = 0: no experiment 'mpl': did you mean 'mlp'",
        ),
        (
            {"axes": [{"name": "pair", "bundles": {"far": {"model.sample_radius": 4}}}]},
            "combination pair = far, seed = 0: .*the sample kernels reach 4 cells",
        ),
        ({"settings": {"stages.7.noise": 0.1}}, "combination seed = 0: .*there are stages 0 to 2, got '7'"),
        (
            {"axes": [{"name": "where", "place": "data", "values": [3]}]},
            "combination where = 3.*got 'mlp' and 3",
        ),
        ({"axes": [{"name": "what", "place": "regimes", "values": [[1]]}]}, "combination what = 1.*regimes"),
    ],
)
def test_a_combination_that_is_wrong_is_named(changes, message):
    with pytest.raises(BadInputError, match=message):
        list_combinations(sweep(**changes))


def test_a_bundle_does_not_leak_into_the_next_combination():
    """A list that one place sets and another one reaches into is a copy every time."""
    stages = [{"objective": "derivative", "fitter": "lbfgs", "num_steps": 1}]
    steps = {"name": "steps", "place": "stages.0.num_steps", "values": [5, 6]}
    rest = {"name": "rest", "place": "stages.0.num_windows", "values": [24]}
    asked = sweep(settings={"stages": stages}, axes=[steps, rest])
    assert [item.settings.stages[0].num_steps for item in list_combinations(asked)] == [5, 6]
    assert stages[0]["num_steps"] == 1
    assert asked.settings["stages"][0]["num_steps"] == 1


@pytest.mark.parametrize("name", [name for name in SWEEPS if name.startswith("founding-paper")])
def test_the_sweeps_of_the_founding_paper(name):
    found = list_combinations(load_sweep(name))
    assert len(found) == 9 * 3
    paper = load_experiment("founding-paper")
    for item in found:
        (text,) = item.choices.values()
        assert item.settings.model == paper.model.replace(steps_per_frame=int(text))
        assert item.settings.stages == paper.stages
    if name.endswith("time-sampling"):
        assert {item.data.rpartition("/t")[2]: item.choices["time_sampling"] for item in found} == {
            text: text for text in ("1", "2", "4", "6", "8", "12", "16", "24", "32")
        }


def test_the_grid_of_the_guide(tmp_path):
    guide = Path(__file__).parent.parent.parent / "docs" / "guide.md"
    (text,) = re.findall(r"```toml\n(experiment = .*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "grid.toml").write_text(text, encoding="utf-8")
    found = list_combinations(load_sweep(tmp_path / "grid.toml"))
    assert len(found) == 4 * 2 * 3
    assert found[-1].name == "steps_per_frame=10,rule=small,seed=2"
    assert found[-1].settings.model.num_hidden_units == 4
    assert found[-1].settings.stages[2].num_steps == 16


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(BadInputError, match="did you mean 'founding-paper-steps'"):
        load_sweep("founding-paper-step")
    (tmp_path / "bad.toml").write_text("axes = [")
    with pytest.raises(BadInputError, match="not a valid TOML file"):
        load_sweep(tmp_path / "bad.toml")
