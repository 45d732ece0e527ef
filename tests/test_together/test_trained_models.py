"""What trained models keep and how they score: symmetry, the results table, beating the solvers."""

import pytest
import torch

from pdenca.datasets import GrayScottRecipe, generate
from pdenca.evaluation import EvaluationSettings, Results
from pdenca.solvers import Grid
from pdenca.symmetry import D4, assert_equivariant
from pdenca.tasks.emulation import (
    evaluate_runs,
    list_splits,
    load_cases,
    load_experiment,
    load_run,
    train_emulator,
)

NAMES = ("mlp", "polynomial", "founding-paper")


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("name", NAMES)
def test_trained_models_commute_with_turns_mirrors_and_shifts(name, boundary, trained, dataset):
    emulator = load_run(trained(name))
    case = next(iter(load_cases(dataset, ["test"])))
    state = emulator.codec.lift(case.truth[:, :4].double())
    grid = Grid(case.grid.shape, case.grid.spacing, (boundary, boundary))
    step = emulator.automaton.bind(grid, case.context, num_steps=1)
    shifts = ((3, -5),) if boundary == "periodic" else ()
    assert_equivariant(step, D4, state, num_steps=20, translations=shifts)
    with torch.no_grad():
        assert not torch.allclose(step(state), state, rtol=0, atol=1e-6)


def test_all_models_and_their_rivals_are_scored_alike(trained, dataset, tmp_path):
    runs = {name: trained(name) for name in NAMES}
    settings = EvaluationSettings(num_bootstrap=20, windows=((1, 1), (6, 8)))
    seen = []
    results = evaluate_runs(
        runs, dataset, None, settings, tmp_path / "out", lambda *progress: seen.append(progress)
    )
    models = {row.model for row in results.rows}
    rivals = models - set(NAMES)
    assert {
        "persistence",
        "spatial-mean",
        "equations, order-6",
        "equations, spectral (resolution floor)",
    } < rivals
    most = max(load_run(folder).evaluations_per_frame for folder in runs.values())
    assert f"equations, order-6, {most} evaluations" in rivals
    assert {"equations, spectral, largest step", "polynomial sparse fit"} < rivals

    def keys(model):
        return {
            (row.split, row.regime, row.window)
            for row in results.rows
            if (row.model, row.metric) == (model, "pooled_vrmse")
        }

    expected = {("test", regime, window) for regime in ("maze", "spots", "all") for window in ("1", "6:8")}
    assert all(keys(model) == expected for model in models)
    assert repr(Results.load(tmp_path / "out").rows) == repr(results.rows)  # repr: NaN equals NaN
    assert len(seen) == 2 * 8 * len(models)


@pytest.mark.slow
def test_several_runs_under_one_name_are_a_network_per_regime(dataset, smaller, tmp_path):
    settings = smaller("founding-paper", **{"stages.0.num_steps": "2"})
    folders = {
        name: train_emulator(dataset, tmp_path / name, settings, regimes=(name,))
        for name in ("maze", "spots")
    }
    protocol = EvaluationSettings(num_bootstrap=5, windows=((1, 1),))
    results = evaluate_runs({"switch": list(folders.values()), **folders}, dataset, ["test"], protocol, None)
    values = {(row.model, row.regime): row.value for row in results.rows if row.metric == "pooled_vrmse"}
    for regime, other in (("maze", "spots"), ("spots", "maze")):
        assert values["switch", regime] == values[regime, regime] != values[other, regime]


@pytest.mark.slow
def test_the_mlp_beats_the_solver_of_its_price(tmp_path):
    recipe = GrayScottRecipe(
        num_cells=48,
        num_trajectories=4,
        num_valid_trajectories=1,
        num_test_trajectories=2,
        num_frames=31,
        regimes=("maze", "spots"),
        splits=("train", "valid", "test", "ood_ic"),
    )
    data = generate(recipe, tmp_path / "data").out
    run = train_emulator(data, tmp_path / "mlp", load_experiment("mlp", {"validation_frames": "12"}))
    settings = EvaluationSettings(num_bootstrap=50, windows=((1, 1), (6, 12), (13, 26)))
    results = evaluate_runs({"mlp": run}, data, None, settings)
    scores = {
        (row.model, row.split, row.window): row.value
        for row in results.rows
        if (row.metric, row.regime) == ("pooled_vrmse", "all")
    }
    rival = "equations, order-6, 10 evaluations"
    for window in ("1", "6:12"):
        assert scores["mlp", "test", window] < scores[rival, "test", window], (window, scores)
    for split in list_splits(data):
        for window in ("1", "6:12", "13:26"):
            ours = scores["mlp", split, window]
            assert ours < scores["persistence", split, window], (split, window, scores)
