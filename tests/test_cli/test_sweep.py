"""`pdenca sweep`: plan, run, run again, figures, and what it refuses."""

import csv

import pytest

from pdenca.tasks.sweep import emulation_jobs

SETTINGS = """
experiment = "founding-paper"
data = "{data}"
seeds = [0]

[settings]
validation_frames = 5
stages = [{{objective = "propagation", fitter = "first-order", num_steps = 1, batch_size = 2}}]

[[axes]]
name = "steps"
place = "model.steps_per_frame"
values = [1, {last}]

[evaluate]
splits = ["test"]
num_bootstrap = 10

[figures]
window = "1"
"""


@pytest.fixture
def asked(dataset, tmp_path):
    """Write a file of settings."""

    def write(last=2, data=dataset):
        path = tmp_path / "grid.toml"
        path.write_text(SETTINGS.format(data=data, last=last), encoding="utf-8")
        return path

    return write


def test_from_the_plan_to_the_figures(call, asked, tmp_path, monkeypatch):
    out = tmp_path / "out"
    plan = call("sweep", asked(), "--out", out, "--plan")
    assert plan.exit_code == 0, plan.output
    assert plan.stdout == "to do     steps=1,seed=0\nto do     steps=2,seed=0\n2 runs: 2 to do\n"
    assert not out.exists()

    done = call("sweep", asked(), "--out", out, "--workers", 1)
    assert done.exit_code == 0, done.output
    for sentence in ("steps = 1, seed = 0: pooled_vrmse ", "; 1 left\n", "; 0 left\n"):
        assert sentence in done.stderr
    assert f"{out}: 2 runs, 0 failed\n" in done.stdout
    assert f"next: pdenca sweep {asked()} --out {out} --figures" in done.stdout
    with (out / "table.csv").open(newline="", encoding="utf-8") as file:
        assert {line["steps"] for line in csv.DictReader(file)} == {"", "1", "2"}
    assert "2 runs: 2 done" in call("sweep", asked(), "--out", out, "--plan").stdout

    train = emulation_jobs.train_emulator

    def fail(data, run, settings, **options):
        if "steps=3" in run.name:
            raise RuntimeError("out of luck")
        return train(data, run, settings, **options)

    monkeypatch.setattr(emulation_jobs, "train_emulator", fail)
    larger = call("sweep", asked(3), "--out", out, "--workers", 1)
    assert f"{out}: 2 runs, 1 of them already there, 1 failed\n" in larger.stdout
    assert "  steps=3,seed=0: RuntimeError: out of luck\n" in larger.stdout
    assert "steps = 3, seed = 0: failed, RuntimeError: out of luck; 0 left" in larger.stderr
    plan = call("sweep", asked(3), "--out", out, "--plan").stdout
    assert "failed    steps=3,seed=0 (RuntimeError: out of luck)\n2 runs: 1 done, 1 failed\n" in plan

    drawn = call("sweep", asked(3), "--out", out, "--figures")
    assert drawn.stdout.split() == [str(out / "figures" / "pooled_vrmse-lines.png")]
    assert (out / "figures" / "pooled_vrmse-lines.png").stat().st_size > 10_000


def test_what_is_refused(refused, asked, tmp_path):
    out = ("--out", tmp_path / "out")
    assert "combination steps = 0, seed = 0: setting 'model.steps_per_frame' got 0" in refused(
        "sweep", asked(0), *out
    )
    assert "nowhere is not a dataset" in refused("sweep", asked(data="nowhere"), *out)
    assert "did you mean 'founding-paper-steps'" in refused("sweep", "founding-paper-stes", *out)
    assert "two things" in refused("sweep", asked(), *out, "--plan", "--figures")
    assert "no table.csv yet" in refused("sweep", asked(), *out, "--figures")
    path = asked()
    path.write_text(path.read_text().replace("[figures]", "[figure]"))
    assert "unknown setting 'figure': did you mean 'figures'" in refused("sweep", path, *out)
    assert not (tmp_path / "out").exists()


def test_ctrl_c_says_how_to_go_on(call, asked, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(emulation_jobs, "train_emulator", interrupt)
    done = call("sweep", asked(), "--out", tmp_path / "out", "--workers", 1)
    assert done.exit_code == 130
    assert "interrupted; run the same command again" in done.stderr
