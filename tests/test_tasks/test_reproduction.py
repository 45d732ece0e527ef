"""All experiments on restored digits in one go: what is kept, what is told, how claims are judged."""

import json

import pytest
from PIL import Image

from pdenca.core import BadInputError, FormatError
from pdenca.datasets.digits.families import load_family
from pdenca.tasks.digits.reproduction import STEM, ReproductionSettings, reproduce
from pdenca.tasks.digits.reproduction.claims import BATCHES, FAILS, HOLDS, OPEN, verdicts
from pdenca.tasks.digits.reproduction.goals import MISSING, goals
from pdenca.tasks.digits.reproduction.measured import BEFORE, WOUNDED, at_rest, change_of_digits
from pdenca.tasks.digits.reproduction.page import page
from pdenca.tasks.digits.reproduction.plan import (
    FROZEN,
    JOINT,
    JUDGES,
    LEARNING,
    MEMORY,
    MODELS,
    OURS,
    READER,
    SCHEMES,
    courses,
)
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


def changed(table, change):
    content = json.loads(table.read_text())
    change(content)
    table.write_text(json.dumps(content))


def test_tables_that_do_not_fit_are_refused(made, table, tmp_path):
    def attempt(path):
        reproduce(tmp_path / "new", QUICK, load, keep=path)

    with pytest.raises(BadInputError, match="shorter courses"):
        attempt(made / f"{STEM}.json")
    with pytest.raises(BadInputError, match="there is no file"):
        attempt(tmp_path / "none.json")
    changed(table, lambda content: content["facts"]["courses"]["ca"].update({"model.num_channels": "7"}))
    with pytest.raises(BadInputError, match=r"ca of .* in another way: model.num_channels = 7, now 16;"):
        attempt(table)
    table.write_text("{")
    with pytest.raises(FormatError, match="is damaged"):
        attempt(table)


def test_judges_of_another_course_are_refused(made, table, tmp_path):
    other = QUICK.replace(judge_overrides={**QUICK.judge_overrides, "network.num_channels": "5"})
    with pytest.raises(BadInputError, match=r"judge of .* was trained in another way: network.num_channels"):
        reproduce(tmp_path / "new", other, load, keep=table)


def test_attractors_counted_from_other_starts_are_refused(table, tmp_path):
    def count(content):
        content["results"].append({"key": {"part": "basins", "model": "ca", "seed": 0}, "found": {}})

    other = QUICK.replace(num_starts=300)
    reproduce(tmp_path / "fits", other, load, keep=table)  # nothing has been counted
    changed(table, count)
    with pytest.raises(BadInputError, match=r"census of .* in another way: num_starts = 1000, now 300"):
        reproduce(tmp_path / "new", other, load, keep=table)


def test_a_table_of_the_older_form_is_refused_in_a_sentence(table, tmp_path):
    def older(content):
        content["facts"]["courses"] = {"ca": {"experiment": "ca", "num_steps": "1000"}}

    changed(table, older)
    with pytest.raises(BadInputError, match="is of an older form"):
        reproduce(tmp_path / "new", QUICK, load, keep=table)


def test_courses_hold_every_setting_of_models_judges_and_schemes():
    found = courses(ReproductionSettings())
    assert set(found) >= {*MODELS, *JUDGES, *SCHEMES, "reader of letters", "letters, gate only", BEFORE}
    assert set(found) >= {"attractors, before", "attractors, gate only", "letters, attractors, gate only"}
    assert found["attractors, gate only"]["num_steps"] == "1500"
    assert found["attractors"]["rest"] == "0.03"  # of the experiment's file alone
    assert found["attractors"]["model.gate.read_channels"] == "16"
    assert found["gate only"]["trained"] == '"gate"'
    assert found["second judge"]["network.kind"] == '"implicit"'
    assert found["census"] == {"num_starts": "1000", "num_rounds": "200"}


def test_both_at_once_takes_as_long_as_one_after_the_other():
    settings = ReproductionSettings()
    first, then = MODELS[OURS][1]["num_steps"], LEARNING["num_steps"]
    assert (first, then, settings.scheme(JOINT)["num_steps"]) == ("10000", "3000", "13000")
    assert settings.scheme("everything")["num_steps"] == then


def test_what_shortens_a_course_comes_last():
    short = ReproductionSettings(overrides={"num_steps": "4"})
    assert all(short.scheme(name)["num_steps"] == "4" for name in SCHEMES)
    assert all(short.course_of(name)["num_steps"] == "4" for name in MODELS)


def test_letters_and_pictures_go_through_in_a_quick_size(tmp_path):
    settings = ReproductionSettings.parse(
        {
            **json.loads(QUICK.to_json()),
            "parts": ["letters", "pictures"],
            "models": [OURS, MEMORY],
            "num_starts": 6,
            "num_rounds": 33,
            "overrides": {
                "num_steps": "2", "validate_every": "1", "num_valid": "20", "batch_size": "4",
                "model.num_channels": "4", "model.num_hidden": "4", "model.gate.num_hidden": "4",
            },
            "judge_overrides": {**QUICK.judge_overrides, "network.num_channels": "4", "num_valid": "20"},
        }
    )  # fmt: skip
    phases = set()
    reproduce(tmp_path, settings, few, progress=lambda phase, *_: phases.add(phase))
    for scheme in (*SCHEMES, *(f"{MEMORY}, {frozen}" for frozen in FROZEN)):
        assert f"train letters, {scheme}-0" in phases
        saved = json.loads((tmp_path / "runs" / f"letters, {scheme}-0" / "settings.json").read_text())
        assert saved["num_steps"] == 2
    text = (tmp_path / f"{STEM}.md").read_text()
    assert "## Letters after digits" in text
    assert "| backward transfer | beside digits alone |" in text
    (joint,) = (line for line in text.splitlines() if line.startswith(f"| {JOINT} |"))
    assert joint.split("|")[-3].strip() == ""  # no transfer, as nothing was learned before
    assert joint.split("|")[-2].strip() != ""
    results = json.loads((tmp_path / f"{STEM}.json").read_text())["results"]
    keys = [item["key"] for item in results]
    assert {"part": "letters", "family": "letters", "model": BEFORE, "data": "mnist", "seed": 0} in keys
    (census,) = (item["found"] for item in results if item["key"]["model"] == "letters, gate only"
                 and item["key"]["part"] == "basins")  # fmt: skip
    assert census["batches"] == 2
    assert 0 <= census["intact"]["share"][0] <= 1
    assert f"| {MEMORY}, gate only |" in text
    assert f"on our model `{MEMORY}`, not the post's, digits change by" in text
    assert f"{MEMORY}-0: done; {OURS}-0: done" in text
    for file in ("film-memory.png", "landscape-attractors.png", "regrow-attractors.gif", "returns.png"):
        assert f"](digits-restore-{file})" in text
    with Image.open(tmp_path / "digits-restore-regrow-attractors.gif") as movie:
        assert movie.n_frames > 3
    assert (tmp_path / "digits-restore-regrow-attractors.gif").stat().st_size < 1e6


def few(family, split):
    whole = load(family, split)
    return type(whole)(whole.images[:150], whole.labels[:150], whole.classes)


def test_a_family_without_files_is_told():
    def refuse(family, split):
        return load_family(family, split, "/nowhere")

    with pytest.raises(BadInputError, match="emnist"):
        refuse("emnist-letters", "train")
    with pytest.raises(BadInputError, match="family"):
        ReproductionSettings.parse({"family": "lettres"})


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
    for experiment, settings in (*JUDGES.values(), READER):
        load_digit_experiment(experiment, dict(settings))
    for changes in SCHEMES.values():
        load_restoration(MODELS[OURS][0], dict(changes))


def test_the_equal_u_net_has_as_many_numbers_as_ours():
    sizes = [
        build_restorer(load_restoration(MODELS[name][0], dict(MODELS[name][1])).model).num_parameters
        for name in ("u-net-equal", OURS)
    ]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)


def restored(model, seed, accuracy, psnr=20.0, batches=BATCHES, second=None, **more):
    verdicts = {"judge": {"accuracy": accuracy}, "second judge": {"accuracy": second or accuracy}}
    found = {"verdicts": verdicts, "psnr_of_mean": psnr, "psnr": [psnr, psnr, psnr], "batches": batches}
    return Measured({"part": "models", "model": model, "seed": seed, **more}, found)


REST, MOVE = {"fixed": 9, "moving": 1}, {"fixed": 5, "moving": 5}


def counted(
    seed, untrained, valleys, classes, returned, stay=1.0, *, held=0.9, kinds=REST, null=REST, batches=BATCHES
):
    returns = {"returned": {"0.0": [stay, 0], "0.3": [returned, 0]}}
    noise = {"num_valleys": valleys, "num_classes_with_valley": classes, "held": held, "kinds": kinds}
    return Measured(
        {"part": "basins", "model": "hybrid", "seed": seed},
        {
            "untrained": {"num_valleys": untrained, "kinds": null},
            "found": {"kinds": kinds},
            "families": {"noise": noise},
            "midway": returns,
            "at_end": returns,
            "batches": batches,
        },
    )


def judged(*results):
    return [verdict for _, _, verdict in verdicts(results)]


def overlay(*gains, batches=BATCHES):
    return [
        *(restored("ca", seed, 0.5, 20.0, batches) for seed in range(len(gains))),
        *(restored("hybrid", seed, 0.5, 20.0 + gain, batches) for seed, gain in enumerate(gains)),
    ]


def wounded(*right, batches=BATCHES):
    pairs = [
        (
            restored("hybrid", n, 0.9, batches=batches),
            restored("hybrid", n, x, batches=batches, variant=WOUNDED),
        )
        for n, x in enumerate(right)
    ]
    return [item for pair in pairs for item in pair]


def test_claims_hold_only_if_every_seed_says_so():
    # 3.1 dB: 2.04 times; 2.9 dB: 1.95 times
    for gains, verdict in (((3.1, 4), HOLDS), ((3.1, 2.9), OPEN), ((2.9, 1), FAILS)):
        assert judged(*overlay(*gains)) == [verdict]
    for right, verdict in (((0.83,), HOLDS), ((0.83, 0.81), OPEN), ((0.81,), FAILS)):
        assert judged(*wounded(*right)) == [verdict]
    # before training, ten valleys, return
    assert judged(counted(0, 12, 10, 10, 0.95)) == [HOLDS, HOLDS, HOLDS]
    assert judged(counted(0, 1, 10, 9, 0.8)) == [FAILS, FAILS, FAILS]
    assert judged(counted(0, 5, 3, 10, 0.8, stay=0.5)) == [OPEN, FAILS, OPEN]
    assert judged() == []


def test_ten_valleys_have_to_hold_most_random_states():
    assert judged(counted(0, 12, 10, 10, 0.95, held=0.4))[1] == FAILS


def test_where_most_ends_move_nothing_can_be_told():
    assert judged(counted(0, 12, 10, 10, 0.95, kinds=MOVE)) == [HOLDS, OPEN, OPEN]
    assert judged(counted(0, 12, 10, 10, 0.95, null=MOVE)) == [OPEN, HOLDS, HOLDS]
    assert judged(counted(0, 1, 3, 3, 0.1, kinds=MOVE, null=MOVE)) == [OPEN, OPEN, OPEN]
    told = [words for _, words, _ in verdicts([counted(0, 1, 3, 3, 0.1, kinds=MOVE, null=MOVE)])]
    assert all("where most ends still move there is no place to be counted" in words for words in told)
    assert (at_rest(REST), at_rest(MOVE), at_rest({"periodic": 3}), at_rest({})) == (0.9, 0.5, 1.0, 0.0)


def test_a_part_of_the_training_does_not_judge_all_of_it():
    for results, verdict in (
        (overlay(3.1, batches=1000), [HOLDS]),  # that it can is shown
        (overlay(2.9, batches=1000), [OPEN]),
        (wounded(0.83, batches=1000), [OPEN]),
        ([counted(0, 12, 10, 10, 0.95, batches=1000)], [HOLDS, OPEN, OPEN]),
    ):
        told = verdicts(results)
        assert [claim[2] for claim in told] == verdict
        assert "after 1,000 of the post's 40,000 batches" in told[-1][1]


def learned(model, seed, accuracy, data="mnist", family="letters"):
    return Measured(
        {"part": "letters", "family": family, "model": model, "seed": seed, "data": data},
        {"verdicts": {"judge": {"accuracy": accuracy}}},
    )


def intact(seed, share, still=1.0):
    found = {
        "intact": {"share": [share, 0.01], "same_class": [0.99, 0.01], "at_rest": still, "tolerance": 1e-3}
    }
    return Measured({"part": "basins", "model": "letters, gate only", "seed": seed}, found)


def test_the_change_of_digits_is_what_they_gain_by_letters():
    own = [
        learned(BEFORE, 0, 0.97),
        learned(BEFORE, 1, 0.96),
        learned("gate only", 0, 0.9),
        learned("gate only", 1, 0.97),
    ]
    assert change_of_digits(own, "gate only") == pytest.approx({0: -7, 1: 1})


def test_old_valleys_are_intact_if_starts_end_where_they_did():
    kept = [learned(BEFORE, 0, 0.97), learned("gate only", 0, 0.96)]
    lost = [learned(BEFORE, 0, 0.97), learned("gate only", 0, 0.9)]
    ((_, words, verdict),) = verdicts(kept)
    assert verdict == OPEN  # the ends have not been compared
    assert "not measured" in words
    assert "on our model `memory`, not the post's" in words
    assert judged(*kept, intact(0, 0.95)) == [HOLDS]
    assert judged(*kept, intact(0, 0.5)) == [FAILS]
    assert judged(*kept, intact(0, 0.95, still=0.2)) == [OPEN]
    assert judged(*lost, intact(0, 0.95)) == [FAILS]
    assert judged(*(learned(item.key["model"], 0, 0.9, family="fashion-mnist") for item in kept)) == []


def test_goals_tell_every_seed_and_what_is_missed_or_missing():
    fills = [restored(name, 0, 0.95, 18.0) for name in ("Laplace fill", "Hopfield retrieval")]
    for item in fills:
        del item.key["seed"]
    own = [restored(OURS, 0, 0.98, 22.0), restored(OURS, 1, 0.98, 21.0, second=0.965)]
    own += [restored(OURS, 0, 0.96, 21.5, variant=WOUNDED), restored(OURS, 1, 0.90, 20.0, variant=WOUNDED)]
    rows = {
        line.split(" | ")[0].strip("| "): line for line in goals([*fills, *own], {"train memory-0": 1800.0})
    }

    def row(start):
        (found,) = (line for name, line in rows.items() if start in name)
        return found

    assert "| 0: 22.00 dB; 1: 21.00 dB | for 1 of 2 seeds |" in row("21.5 dB")
    assert "| 0: 98.00 %; 1: 96.50 % | for 1 of 2 seeds |" in row("97 % or more")
    assert row("hybrid above the Laplace fill").endswith("| yes |")
    assert "| 0: 2.00 points; 1: 8.00 points | for 1 of 2 seeds |" in row("zeroed half-way")
    assert f"| {MISSING} |" in row("U-Net of equal size")
    assert f"| {MISSING} |" in row("counted again after letters")
    assert "| 0: 30 minutes | yes |" in row("under an hour")
    less = [learned(BEFORE, 0, 0.97), learned("gate only", 0, 0.9)]
    less += [learned("gate only, digits replayed", 0, 0.96)]
    (line,) = (line for line in goals(less, {}) if "the best scheme" in line)
    assert "0: -1.00 points (gate only, digits replayed) | yes |" in line


def test_a_page_without_measurements_is_short():
    facts = {"command": "x", "processor": "y", "threads": 1, "torch": "z", "seconds": {}}
    assert "## " not in page([], facts)
    assert spread([3.0, 1.0, 2.0], "{:g}") == "2 [1, 3]"
    assert spread([], "{:g}") == ""
