"""The founding paper's study: its sweeps, what they vary, and trained models that stand beside runs."""

import csv
import shutil

import pytest
import torch

from pdenca.automaton import LayeredMLP
from pdenca.core import BadInputError
from pdenca.datasets import load_split
from pdenca.evaluation import EvaluationSettings, pooled_vrmse
from pdenca.solvers import Grid
from pdenca.tasks.emulation import evaluate_runs, train_emulator
from pdenca.tasks.models import build_automaton, build_model
from pdenca.tasks.pretrained import pretrained_folder
from pdenca.tasks.settings import EmulationSettings, load_experiment
from pdenca.tasks.stages import build_stage
from pdenca.tasks.sweep import SWEEPS, SweepSettings, list_combinations, load_sweep, plan_sweep, run_sweep
from pdenca.tasks.training_data import TrainingWindows, measure_scales
from pdenca.tasks.validation import Validation

STUDIES = [name for name in SWEEPS if name.startswith("founding-") and "-paper-" not in name]
STAGE = {"objective": "propagation", "fitter": "first-order", "batch_size": 2, "num_steps": 2}


def test_the_base_is_the_papers_model_on_four_trajectories():
    base, paper = load_experiment("founding-study"), load_experiment("founding-paper")
    assert base.model == paper.model.replace(steps_per_frame=8)
    assert (base.dtype, base.train_trajectories, base.validation_given) == ("float32", 4, 1)
    (stage,) = base.stages
    assert (stage.num_steps, stage.optimizer, stage.gradient) == (500, "nadam", "normalise")


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_varies_one_base(name):
    sweep = load_sweep(name)
    found = list_combinations(sweep)
    assert sweep.seeds[:3] == (0, 1, 2)
    assert sweep.experiment == "founding-study"
    assert sweep.evaluate.num_given == 1
    assert list(sweep.evaluate.references) == ["our rule"]
    assert len({item.name for item in found}) == len(found)
    base = load_experiment("founding-study")
    told = {(item.settings.replace(seed=0).to_json(), item.data, item.regimes) for item in found}
    assert len(told) == len(found) / len(sweep.seeds), "no two combinations are the same"
    for item in found:
        own = item.settings
        assert own.stages[0].num_steps >= 500
        assert (own.validation_interval, own.validation_windows) == (96.0, base.validation_windows)
        if "time_sampling" in item.choices:
            text = item.choices["time_sampling"]
            assert item.data.endswith(f"/t{text}")
            assert own.model.steps_per_frame == int(text)
            assert 96 % int(text) == 0
    windows = [f"{a}:{b}" if a < b else str(a) for a, b in sweep.evaluate.windows]
    assert sweep.figures.window in windows


def test_models_are_chosen_by_the_same_frames_whatever_the_interval(dataset):
    """Frames every 30 time units after one given frame, of data every 10: a model that does nothing."""
    scales = measure_scales(dataset)
    truth = torch.cat([frames for _, frames in load_split(dataset, "valid")]).double()
    still = build_model(load_experiment("founding-paper"), scales, torch.float64)
    std = torch.tensor(scales.field_std).double()
    wanted = truth[:, 3::3][:, :4]
    resting = truth[:, :1].expand_as(wanted)
    expected = [
        float(pooled_vrmse(resting[:, a - 1 : b], wanted[:, a - 1 : b], std)) for a, b in ((1, 1), (2, 4))
    ]
    validate = Validation(
        dataset, None, scales, 4, torch.float64, num_given=1, interval=30.0, windows=((1, 1), (2, 4), (5, 9))
    )
    assert validate(still) == pytest.approx((expected[0] * expected[1]) ** 0.5, rel=1e-6)
    # a model that adds as much in every step is three steps further at every frame
    with torch.no_grad():
        still.rule.output_bias[:2] = 0.001
    moved = truth[:, :1] + 0.03 * torch.arange(1, 5).view(1, -1, 1, 1, 1)
    own = [float(pooled_vrmse(moved[:, a - 1 : b], wanted[:, a - 1 : b], std)) for a, b in ((1, 1), (2, 4))]
    assert validate(still) == pytest.approx((own[0] * own[1]) ** 0.5, rel=1e-6)
    with pytest.raises(BadInputError, match="validation_interval is 25"):
        Validation(dataset, None, scales, 4, torch.float64, interval=25.0)
    with pytest.raises(BadInputError, match="usual cure: longer trajectories"):
        Validation(dataset, None, scales, 4, torch.float64, num_given=1, interval=160.0)


def test_validation_may_be_told_in_a_run(dataset, tmp_path):
    told = {"stages": [STAGE], "validation_given": 1, "validation_interval": 30.0, "validation_frames": 4}
    settings = load_experiment("founding-paper", told)
    assert EmulationSettings.from_json(settings.to_json()) == settings
    run = train_emulator(dataset, tmp_path / "run", settings)
    assert (run / "best.safetensors").is_file()
    for wrong, message in (
        ({"validation_windows": [[3, 2]]}, "ends before it begins"),
        ({"validation": "equilibrium", "validation_given": 1}, "validation_given plays no role"),
    ):
        with pytest.raises(BadInputError, match=message):
            load_experiment("founding-paper", wrong)


def test_further_layers(make_scales):
    further = {
        "model.hidden_bias": True,
        "model.skip": True,
        "model.spread": 1.0,
        "model.further_units": [16],
    }
    settings = load_experiment("founding-paper", further)
    model = build_automaton(settings.model, make_scales())
    assert isinstance(model.rule, LayeredMLP)
    assert [tuple(weight.shape) for weight in model.rule.weights] == [(32, 16), (16, 32), (8, 16)]
    state = torch.rand(1, 8, 6, 6, dtype=torch.float64)
    assert torch.equal(model.advance(state, {}, Grid.uniform(6, 1 / 32), 3), state), "it begins at rest"
    with pytest.raises(BadInputError, match=r"spread plays no role .* of further layers"):
        load_experiment("founding-paper", {**further, "model.spread": 0.1})
    with pytest.raises(BadInputError, match="further_units plays no role"):
        load_experiment("polynomial", {"model.further_units": [4]})


def stage_of(dataset, **told):
    settings = load_experiment("founding-paper", {"stages": [{**STAGE, **told}]})
    scales = measure_scales(dataset)
    model = build_model(settings, scales, torch.float64)
    windows = TrainingWindows(dataset, None, torch.float64)
    objective, _ = build_stage(
        model, number=0, item=settings.stages[0], windows=windows, scales=scales, settings=settings
    )
    return objective, windows.trajectories()[0], scales


def test_uniform_noise_is_in_what_is_given_and_in_what_is_wanted(dataset):
    plain, frames, scales = stage_of(dataset)
    assert torch.equal(plain.pool.frames, frames)
    objective, _, _ = stage_of(dataset, uniform_noise=0.25)
    low, high = min(scales.field_low), max(scales.field_high)
    drawn = (objective.pool.frames - 0.75 * frames) / 0.25
    assert float(drawn.min()) == pytest.approx(low, abs=0.01 * (high - low))
    assert float(drawn.max()) == pytest.approx(high, abs=0.01 * (high - low))
    assert float(drawn.mean()) == pytest.approx((low + high) / 2, abs=0.01 * (high - low))
    given, wanted, _ = objective.pool.draw(torch.tensor([0, 1]))
    assert torch.equal(given[1, :2], wanted[0]), "what is wanted of one pair is given in the next"
    alone, _, _ = stage_of(dataset, uniform_noise=1.0)
    assert not torch.allclose(alone.pool.frames[:, 0], frames[:, 0])
    for told in ({"uniform_noise": 1.5}, {"objective": "rollout", "uniform_noise": 0.5}):
        with pytest.raises(BadInputError, match="uniform_noise"):
            stage_of(dataset, **told)


def test_the_penalty_in_units_of_the_first_distance(dataset):
    told = {"overflow_weight": 0.5, "overflow_unit": "first-distance"}
    plain, frames, scales = stage_of(dataset, overflow_weight=0.5)
    assert plain.overflow_weight == 0.5
    change = (frames[:, 1] - frames[:, 0]) / torch.tensor(scales.field_std).double().view(-1, 1, 1)
    objective, _, _ = stage_of(dataset, **told)
    norm = change.square().flatten(1).mean(1).sqrt().mean()
    assert objective.overflow_weight == pytest.approx(0.5 * float(norm))
    euclidean, _, _ = stage_of(dataset, **told, distance={"name": "euclidean"})
    assert euclidean.overflow_weight == pytest.approx(0.5 * float(norm) * change[0].numel() ** 0.5)


@pytest.fixture(scope="module")
def rival(dataset, tmp_path_factory):
    """A trained model that is no run of the sweep."""
    settings = load_experiment("founding-paper", {"stages": [STAGE], "seed": "5"})
    return train_emulator(dataset, tmp_path_factory.mktemp("rival") / "run", settings, regimes=("maze",))


def sweep_beside(dataset, references):
    return SweepSettings.parse(
        {
            "experiment": "founding-paper",
            "data": str(dataset),
            "regimes": ["maze"],
            "settings": {"validation_frames": 5, "stages": [STAGE]},
            "axes": [{"name": "steps", "place": "model.steps_per_frame", "values": [1, 2]}],
            "evaluate": {
                "splits": ["test"],
                "windows": [[1, 1], [2, 4]],
                "num_bootstrap": 20,
                "references": references,
            },
        }
    )


def test_trained_models_stand_beside_a_sweep(dataset, rival, tmp_path):
    out = tmp_path / "out"
    asked = sweep_beside(dataset, {"our rule": str(rival), "shipped": "gray-scott"})
    assert run_sweep(asked, out, num_workers=1).failed == {}
    with (out / "table.csv").open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if not line["run"]]
    assert {line["model"] for line in lines} == {"persistence", "our rule", "shipped"}
    settings = EvaluationSettings(windows=((1, 1), (2, 4)), num_bootstrap=20)
    runs = {"our rule": rival, "shipped": pretrained_folder("gray-scott")}
    direct = evaluate_runs(
        runs, dataset, ["test"], settings, with_baselines=["persistence"], regimes=["maze"]
    )
    expected = {(r.model, r.metric, r.window): repr(r.value) for r in direct.rows if r.regime == "all"}
    found = {
        (line["model"], line["metric"], line["window"]): line["value"]
        for line in lines
        if line["regime"] == "all" and line["value"]
    }
    assert found == {key: value for key, value in expected.items() if key in found}
    assert {key[0] for key in found} == {"persistence", "our rule", "shipped"}
    # another model under the same name is scored again, and nothing is trained
    before = (out / "runs" / "steps=1,seed=0" / "metrics.csv").read_bytes()
    other = tmp_path / "other"
    shutil.copytree(out / "runs" / "steps=2,seed=0", other)
    again = sweep_beside(dataset, {"our rule": str(other)})
    assert [item.state for item in plan_sweep(again, out)] == ["done", "done"]
    run_sweep(again, out, num_workers=1)
    with (out / "table.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))

    def errors(name, key):
        return [line["value"] for line in table if line[key] == name and line["regime"] == "all"]

    assert errors("our rule", "model") == errors("steps=2,seed=0", "run")
    assert (out / "runs" / "steps=1,seed=0" / "metrics.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ({"our rule": "nowhere"}, "reference nowhere holds no trained model"),
        ({"persistence": "gray-scott"}, "'persistence' is a baseline"),
        ({"ours": ""}, "needs a name and a run"),
    ],
)
def test_references_that_are_none(dataset, tmp_path, references, message):
    with pytest.raises(BadInputError, match=message):
        run_sweep(sweep_beside(dataset, references), tmp_path / "out", num_workers=1)
    assert not (tmp_path / "out").exists()
