"""The demo: settings, what is skipped, what is refused; the whole of it is slow."""

import json
import signal
import time

import pytest

from pdenca.datasets import GrayScottRecipe
from pdenca.tasks.demo import DemoSettings
from pdenca.tasks.settings import EXPERIMENTS, load_experiment


def test_settings_are_those_of_a_recipe_and_of_experiments():
    for settings in (DemoSettings(), DemoSettings.quick(seed=5)):
        recipe = settings.recipe()
        assert isinstance(recipe, GrayScottRecipe)
        assert recipe.num_cells == settings.num_cells
        assert recipe.seed == settings.seed
        assert {"mlp", "polynomial", "founding-paper"} == set(settings.models) <= EXPERIMENTS.keys()
        for model in settings.models:
            load_experiment(model, settings.training.get(model, {}))
        assert any(last <= settings.num_domain_frames - 4 for _, last in settings.evaluation.windows[1:])


def test_a_folder_of_something_else(refused, tmp_path):
    (tmp_path / "mine").write_text("x")
    assert "holds no demo" in refused("demo", "--out", tmp_path)
    (tmp_path / "demo.json").write_text("{}")
    assert "other settings" in refused("demo", "--out", tmp_path, "--quick")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.json", "mine"]


@pytest.mark.slow
def test_quick_demo_killed_and_finished(program, call, tmp_path):
    out = tmp_path / "demo"
    running = program("demo", "--quick", "--out", out)
    deadline = time.monotonic() + 600
    while not (out / "runs" / "mlp").is_dir() and time.monotonic() < deadline and running.poll() is None:
        time.sleep(0.05)
    assert (out / "runs" / "mlp").is_dir()
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130, stderr
    assert f"run `pdenca demo --out {out} --quick` again" in stderr
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.hdf5")}
    assert before
    done = call("demo", "--quick", "--out", out)
    assert done.exit_code == 0, done.output
    assert f"report: {out / 'report.html'}" in done.stdout
    assert "pooled_vrmse, split test" in done.stdout
    assert "factor of the reference" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.hdf5")} == before
    phases = json.loads((out / "phases.json").read_text(encoding="utf-8"))
    assert phases["finished"] == list(phases["seconds"])
    assert phases["finished"][-2:] == ["evaluate", "report"]
    again = call("demo", "--quick", "--out", out)
    assert again.exit_code == 0
    assert json.loads((out / "phases.json").read_text(encoding="utf-8")) == phases
