"""All experiments on restored digits in one go: what is kept, what is told, how claims are judged."""

import json

import pytest

from pdenca.core import BadInputError, FormatError
from pdenca.datasets.digits.families import load_family
from pdenca.tasks.digits.reproduction import STEM, ReproductionSettings, reproduce
from pdenca.tasks.digits.reproduction.claims import FAILS, HOLDS, OPEN, verdicts
from pdenca.tasks.digits.reproduction.measured import BEFORE, WOUNDED, backward_transfer
from pdenca.tasks.digits.reproduction.page import page
from pdenca.tasks.digits.reproduction.plan import JUDGES, MODELS, OURS, SCHEMES
from pdenca.tasks.digits.restoration import build_restorer, load_restoration
from pdenca.tasks.digits.settings import load_digit_experiment
from pdenca.tasks.measuring import Measured, spread

QUICK = ReproductionSettings.parse(
    {
        "parts": ["models"],
        "seeds": [0],
        "models": ["ca"],
        "overrides": {
            "num_steps": "2", "validate_every": "1", "num_valid": "50", "batch_size": "8",
            "model.num_steps": "2",
        },
        "judge_overrides": {"num_epochs": "1", "num_valid": "100", "network.num_channels": "4"},
    }
)  # fmt: skip


def load(family, split):
    return load_family(family, split, sample=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("reproduction")
    reproduce(out, QUICK, load)
    return out


def test_everything_is_measured_and_told(made):
    text = (made / f"{STEM}.md").read_text()
    for row in ("| damaged input |", "| Laplace fill |", "| ca | 1 | 2 |", f"| ca, {WOUNDED} | 1 | 2 |"):
        assert row in text
    assert "On whole test images the judges are right: judge" in text
    assert "| ca | 21.1 |" in text
    assert "Not measured yet: hybrid, hybrid-late, gate, auto-encoder" in text
    assert "- *ca*: " in text
    assert "| blind | no |" in text
    content = json.loads((made / f"{STEM}.json").read_text())
    keys = [item["key"] for item in content["results"]]
    assert {"part": "models", "model": "ca", "seed": 0} in keys
    assert all(seconds >= 0 for seconds in content["facts"]["seconds"].values())


def test_what_is_done_is_kept(made):
    before = {path: path.stat().st_mtime_ns for path in (made / "results").iterdir()}
    phases = []
    reproduce(made, QUICK, load, progress=lambda phase, *_: phases.append(phase))
    assert before == {path: path.stat().st_mtime_ns for path in (made / "results").iterdir()}
    assert not phases


def test_another_course_is_refused(made):
    other = QUICK.replace(overrides={**QUICK.overrides, "learning_rate": "0.5"})
    with pytest.raises(BadInputError, match="trained with other settings"):
        reproduce(made, other, load)


@pytest.fixture
def table(made, tmp_path):
    """The table as if its models had been trained on their full courses."""
    content = json.loads((made / f"{STEM}.json").read_text())
    content["facts"]["settings"]["overrides"] = {}
    path = tmp_path / "table.json"
    path.write_text(json.dumps(content))
    return path


def test_what_another_folder_has_measured_is_taken_from_its_table(made, table, tmp_path):
    phases, out = [], tmp_path / "new"
    reproduce(out, QUICK, load, keep=table, progress=lambda phase, *_: phases.append(phase))
    assert not phases
    assert not (out / "runs").exists()
    before, after = (json.loads((folder / f"{STEM}.json").read_text()) for folder in (made, out))
    assert after["results"] == before["results"]
    assert after["facts"]["seconds"] == before["facts"]["seconds"]
    assert (out / f"{STEM}.md").read_text() == (made / f"{STEM}.md").read_text()


def test_tables_that_do_not_fit_are_refused(made, table, tmp_path):
    def attempt(path):
        reproduce(tmp_path / "new", QUICK, load, keep=path)

    with pytest.raises(BadInputError, match="shorter courses"):
        attempt(made / f"{STEM}.json")
    with pytest.raises(BadInputError, match="there is no file"):
        attempt(tmp_path / "none.json")
    content = json.loads(table.read_text())
    content["facts"]["courses"]["ca"]["num_steps"] = "7"
    table.write_text(json.dumps(content))
    with pytest.raises(BadInputError, match=r"ca of .* was trained in another way"):
        attempt(table)
    table.write_text("{")
    with pytest.raises(FormatError, match="is damaged"):
        attempt(table)


def test_a_damaged_result_is_named(made, tmp_path):
    path = made / "results" / "models, ca, 0.json"
    kept = path.read_text()
    try:
        path.write_text(kept[:40])
        with pytest.raises(FormatError, match=r"models, ca, 0\.json is damaged"):
            reproduce(made, QUICK, load)
    finally:
        path.write_text(kept)


@pytest.mark.parametrize(
    ("values", "message"),
    [({"models": ["memry"]}, "no model 'memry'"), ({"models": ["ca"]}, "letters are learned by 'memory'")],
)
def test_settings_that_do_not_fit_are_refused(values, message):
    with pytest.raises(BadInputError, match=message):
        ReproductionSettings.parse(values)


def test_every_course_and_judge_is_one():
    for experiment, course in MODELS.values():
        load_restoration(experiment, dict(course))
    for experiment, settings in JUDGES.values():
        load_digit_experiment(experiment, dict(settings))
    for changes in SCHEMES.values():
        load_restoration(MODELS[OURS][0], dict(changes))


def test_the_equal_u_net_has_as_many_numbers_as_ours():
    sizes = [
        build_restorer(load_restoration(MODELS[name][0], dict(MODELS[name][1])).model).num_parameters
        for name in ("u-net-equal", OURS)
    ]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)


def restored(model, seed, accuracy, psnr=20.0, **more):
    found = {"verdicts": {"judge": {"accuracy": accuracy}}, "psnr_of_mean": psnr}
    return Measured({"part": "models", "model": model, "seed": seed, **more}, found)


def counted(seed, untrained, valleys, classes, returned, stay=1.0):
    return Measured(
        {"part": "basins", "model": "hybrid", "seed": seed},
        {
            "untrained_valleys": untrained,
            "families": {"noise": {"num_valleys": valleys}},
            "num_classes_with_valley": classes,
            "returned": {"0.0": [stay, 0], "0.3": [returned, 0]},
        },
    )


def test_claims_hold_only_if_every_seed_says_so():
    def judged(*results):
        return [verdict for _, _, verdict in verdicts(results)]

    def overlay(*gains):
        return judged(
            *(restored("ca", seed, 0.5, 20.0) for seed in range(len(gains))),
            *(restored("hybrid", seed, 0.5, 20.0 + gain) for seed, gain in enumerate(gains)),
        )

    # 3.1 dB: 2.04 times; 2.9 dB: 1.95 times
    assert (overlay(3.1, 4), overlay(3.1, 2.9), overlay(2.9, 1)) == ([HOLDS], [OPEN], [FAILS])

    def wounded(*right):
        pairs = [
            (restored("hybrid", n, 0.9), restored("hybrid", n, x, variant=WOUNDED))
            for n, x in enumerate(right)
        ]
        return judged(*(item for pair in pairs for item in pair))

    assert (wounded(0.83), wounded(0.83, 0.81), wounded(0.81)) == ([HOLDS], [OPEN], [FAILS])
    # before training, ten valleys, return
    assert judged(counted(0, 12, 10, 10, 0.95)) == [HOLDS, HOLDS, HOLDS]
    assert judged(counted(0, 1, 10, 9, 0.8)) == [FAILS, FAILS, FAILS]
    assert judged(counted(0, 5, 3, 10, 0.8, stay=0.5)) == [OPEN, FAILS, OPEN]
    assert judged() == []


def test_backward_transfer_is_what_digits_gain_by_letters():
    def learned(model, seed, accuracy, data="mnist"):
        return Measured(
            {"part": "letters", "model": model, "seed": seed, "data": data},
            {"verdicts": {"judge": {"accuracy": accuracy}}},
        )

    own = [
        learned(BEFORE, 0, 0.97),
        learned(BEFORE, 1, 0.96),
        learned("gate only", 0, 0.9),
        learned("gate only", 1, 0.97),
    ]
    assert backward_transfer(own, "gate only") == pytest.approx([-7, 1])
    (claim,) = verdicts(own)
    assert claim[2] == OPEN


def test_a_page_without_measurements_is_short():
    facts = {"command": "x", "processor": "y", "threads": 1, "torch": "z", "seconds": {}}
    assert "## " not in page([], facts)
    assert spread([3.0, 1.0, 2.0], "{:g}") == "2 [1, 3]"
    assert spread([], "{:g}") == ""
