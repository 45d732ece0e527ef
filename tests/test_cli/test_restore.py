"""`pdenca digits restore`: trained, judged, drawn, and refused in one sentence."""

import json

import pytest
from PIL import Image

QUICK = [
    "--sample", "--set", "num_steps=4", "--set", "validate_every=2", "--set", "num_valid=50",
    "--set", "batch_size=8", "--set", "model.num_steps=3", "--set", "model.num_hidden=8",
    "--set", "model.gate.first_step=2", "--set", "model.gate.num_hidden=8",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(call, tmp_path_factory):
    out = tmp_path_factory.mktemp("restore") / "run"
    result = call("digits", "restore", "train", "--out", out, "--seed", 1, *QUICK)
    assert result.exit_code == 0, result.output
    assert "trained, best mean squared error on held-out digits" in result.stdout
    assert f"next: pdenca digits restore evaluate {out} --sample" in result.stdout
    return out


@pytest.fixture(scope="module")
def judge(call, tmp_path_factory):
    out = tmp_path_factory.mktemp("judge") / "reader"
    quick = ["--set", "num_epochs=1", "--set", "num_valid=100", "--set", "network.num_channels=4"]
    result = call("digits", "classify", "train", "--model", "explicit", "--sample", "--out", out, *quick)
    assert result.exit_code == 0, result.output
    return out


def test_a_run_is_judged(call, run, judge):
    result = call("digits", "restore", "evaluate", run, "--sample", "--judge", judge, "--fills")
    assert result.exit_code == 0, result.output
    assert "70 % of the pixels blanked, 500 test images" in result.stdout
    rows = [line.split(" | ")[0].removeprefix("| ") for line in result.stdout.splitlines()[3:]]
    assert rows == ["run", "damaged input", "Laplace fill", "Hopfield retrieval"]
    assert "| reader |" in result.stdout
    assert "| model | mask | known pixels |" in result.stdout
    assert "| run | told | kept |" in result.stdout
    assert "| damaged input | not used | kept |" in result.stdout
    (hopfield,) = (line for line in result.stdout.splitlines() if "Hopfield" in line)
    # two products with 1,000 memories of 784 numbers, and one with their sum
    assert hopfield.split(" | ")[4] == f"{3 * 2 * 1000 * 784 / 1e6:.3g}"


def test_the_numbers_come_as_json(call, run):
    found = json.loads(call("digits", "restore", "evaluate", run, "--sample", "--json").stdout)
    assert found["damage"] == "70 % of the pixels blanked"
    (model,) = found["models"]
    assert model["num_images"] == 500
    assert len(model["psnr_by_step"]) == 3


def test_cells_are_wounded_gates_removed_and_steps_added(call, run):
    options = ("--without-gate", "--wound", 0.3, "--steps", 5, "--json")
    found = json.loads(call("digits", "restore", "evaluate", run, "--sample", *options).stdout)["models"]
    assert [item["name"] for item in found] == [
        "run",
        "run without its gate",
        "run, 30 % of the cells zeroed",
    ]
    whole, bare, hurt = found
    assert [len(item["psnr_by_step"]) for item in found] == [5, 5, 5]
    assert bare["num_parameters"] < whole["num_parameters"]
    assert hurt["psnr_by_step"][0] == whole["psnr_by_step"][0]
    assert hurt["psnr_by_step"][1] < whole["psnr_by_step"][1]


def test_a_run_is_judged_and_drawn_on_other_damage(call, refused, run, tmp_path):
    other = ("--sample", "--damage", "blocks", "--share", 0.4)
    found = json.loads(call("digits", "restore", "evaluate", run, *other, "--json").stdout)
    assert found["damage"] == "40 % blanked in blocks of 7 x 7 pixels"
    assert (found["models"][0]["mask"], found["models"][0]["known_pixels"]) == ("told", "kept")
    less = json.loads(call("digits", "restore", "evaluate", run, "--sample", "--share", 0.1, "--json").stdout)
    assert less["damage"] == "10 % of the pixels blanked"
    assert less["models"][0]["psnr"][0] > found["models"][0]["psnr"][0]
    pictures = [tmp_path / "same.png", tmp_path / "other.png"]
    for picture, options in zip(pictures, (("--sample",), other), strict=True):
        assert call("digits", "restore", "show", run, *options, "--png", picture).exit_code == 0
    assert pictures[0].read_bytes() != pictures[1].read_bytes()
    assert "--share" in refused("digits", "restore", "evaluate", run, "--sample", "--share", 0.99)


def test_options_that_nothing_would_heed_are_refused(call, refused, run, judge, tmp_path):
    network = tmp_path / "network"
    quick = ["--sample", "--set", "num_steps=2", "--set", "validate_every=1", "--set", "num_valid=50"]
    quick += ["--model", "auto-encoder", "--set", "model.num_code=2", "--set", "batch_size=8"]
    assert call("digits", "restore", "train", "--out", network, *quick).exit_code == 0
    evaluate = ("digits", "restore", "evaluate", network, "--sample")
    for option, needed in (
        (("--steps", 3), "--steps needs a model made of cells"),
        (("--wound", 0.3), "--wound needs a model made of cells"),
        (("--without-gate",), "--without-gate needs a hybrid"),
    ):
        assert needed in refused(*evaluate, *option)
    same = judge.rename(tmp_path / judge.name)
    try:
        (tmp_path / "more").mkdir()
        (tmp_path / "more" / judge.name).symlink_to(same)
        judges = ("--judge", same, "--judge", tmp_path / "more" / judge.name)
        assert "two judges have the same name" in refused(*evaluate, *judges)
    finally:
        same.rename(judge)


def test_a_gate_learns_letters_and_digits_are_replayed(call, refused, run, tmp_path):
    out = tmp_path / "letters"
    learn = ("digits", "restore", "train", "--out", out, "--data", "letters", *QUICK)
    learn += ("--set", "trained=gate", "--set", "replay=0.5")
    assert "usual cure: both or neither" in refused(*learn, "--start", run)
    assert "--replay-dir is the folder" in refused(*learn, "--start", run, "--replay-dir", tmp_path)
    assert "usual cure: --start RUN" in refused(*learn, "--replay-data", "mnist")
    result = call(*learn, "--start", run, "--replay-data", "mnist")
    assert result.exit_code == 0, result.output
    assert f"evaluate {out} --data letters --sample" in result.stdout
    for data, number in (("mnist", 500), ("letters", 260)):
        told = call("digits", "restore", "evaluate", out, run, "--sample", "--data", data)
        assert told.exit_code == 0, told.output
        assert f"{number} test images" in told.stdout


def test_a_run_is_drawn(call, run, tmp_path):
    picture = tmp_path / "film.png"
    result = call("digits", "restore", "show", run, "--sample", "--digits", 2, "--png", picture)
    assert result.exit_code == 0, result.output
    with Image.open(picture) as image:
        assert image.width > image.height > 300


def test_a_run_is_not_overwritten_but_resumed(call, refused, run):
    assert "--resume" in refused("digits", "restore", "train", "--out", run, "--seed", 1, *QUICK)
    result = call("digits", "restore", "train", "--out", run, "--seed", 1, *QUICK, "--resume")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--model", "memry"], "did you mean 'memory'?"),
        (["--set", "damage.share=2"], "less than or equal to 0.95"),
        (["--set", "damage.kind=rain"], "'pixels', 'blocks', 'strokes' or 'noise'"),
        (["--set", "model.width=3"], "width plays no role"),
        (["--set", "model.num_steps=1", "--set", "model.gate.first_step=1"], "a wound comes after a step"),
        (
            ["--model", "ca", "--set", "model.num_steps=1", "--set", "rest=0.1"],
            "rest weighs how a state moves from one step to the next",
        ),
        (["--set", "num_valid=5000"], "1 to 999 can be held out, got 5000"),
    ],
)
def test_what_does_not_fit_is_told(refused, tmp_path, arguments, named):
    assert named in refused("digits", "restore", "train", "--sample", "--out", tmp_path / "run", *arguments)
    assert not (tmp_path / "run").exists()


def test_runs_that_cannot_be_compared_are_refused(call, refused, run, judge, tmp_path):
    other = tmp_path / "other"
    told = ["--seed", 1, *QUICK, "--set", "damage.share=0.3"]
    assert call("digits", "restore", "train", "--out", other, *told).exit_code == 0
    message = refused("digits", "restore", "evaluate", run, other, "--sample")
    assert "the RUNs restore different damage: 30 % of the pixels blanked; 70 %" in message
    assert "same name" in refused("digits", "restore", "evaluate", run, run, "--sample")
    assert "holds no run of a restorer" in refused("digits", "restore", "evaluate", tmp_path, "--sample")
    assert "is not of a restorer of digits" in refused("digits", "restore", "evaluate", judge, "--sample")
    assert "expected .png" in refused("digits", "restore", "show", run, "--sample", "--png", "film.bmp")


def test_the_valleys_of_a_run_are_counted(call, refused, run, judge, tmp_path):
    picture = tmp_path / "basins.png"
    basins = (
        "digits",
        "restore",
        "basins",
        run,
        "--sample",
        "--judge",
        judge,
        "--starts",
        12,
        "--rounds",
        33,
    )
    result = call(*basins, "--png", picture, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert sum(family["num_starts"] for family in found["families"].values()) == 12
    with Image.open(picture) as image:
        assert image.width > 600
    assert "expected .png" in refused(*basins, "--png", "basins.bmp")
    assert "holds no run of" in refused("digits", "restore", "basins", run, "--sample", "--judge", tmp_path)
