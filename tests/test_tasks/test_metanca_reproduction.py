"""All experiments on rules that write networks in one go."""

import json

import pytest
from PIL import Image

from pdenca.core import BadInputError
from pdenca.tasks.measuring import Measured
from pdenca.tasks.metanca import load_meta
from pdenca.tasks.metanca.data import load_examples
from pdenca.tasks.metanca.reproduction import STEM, MetaReproductionSettings, reproduce_meta
from pdenca.tasks.metanca.reproduction.page import page
from pdenca.tasks.metanca.reproduction.plan import LASTING, MODELS, RIVALS, TAUGHT, UNSEEN, architectures

QUICK = MetaReproductionSettings.parse(
    {
        "parts": ["robustness", "stability"],
        "seeds": [0],
        "num_samples": 3,
        "num_updates": 12,
        "overrides": {
            "num_steps": "2", "validate_every": "1", "rule.num_steps": "2", "networks": '["4-10-3"]',
            "rule.units": "[4]", "rule.num_hidden": "1", "batch_size": "16",
        },
    }
)  # fmt: skip


def load(settings, split):
    return load_examples(settings, split, sample=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("metanca")
    reproduce_meta(out, QUICK, load)
    return out


def test_parts_are_measured_and_told(made):
    text = (made / f"{STEM}.md").read_text()
    assert "## Robustness" in text
    assert "4-10-3, updated 12 times" in text
    content = json.loads((made / f"{STEM}.json").read_text())
    assert len(content["results"]) == 2 * len(LASTING)
    course = next(item["found"] for item in content["results"] if item["key"]["part"] == "robustness")
    assert course["updates"] == list(range(111))
    assert course["zero_outs"][:3] == [10, 15, 20]
    for part in ("stability", "robustness"):
        with Image.open(made / f"metanca-{part}.png") as image:
            assert image.width > 1000


def test_rules_and_rivals_write_all_architectures(tmp_path):
    shorter = {**QUICK.overrides, "networks": '["784-30-10"]', "rule.code_units": "[8, 4]"}
    told = {"parts": ["architectures"], "overrides": shorter, "num_samples": 2, "gradient_epochs": 6}
    reproduce_meta(tmp_path, QUICK.replace(**told), load)
    found = {
        item["key"]["model"]: {network["network"]: network for network in item["found"]["networks"]}
        for item in json.loads((tmp_path / f"{STEM}.json").read_text())["results"]
        if item["key"]["part"] == "architectures"
    }
    assert set(found) == {name for name, (data, _) in MODELS.items() if data == "mnist"} | set(RIVALS)
    assert all(len(networks) == 18 for networks in found.values())
    adam, copied, random = (found[name] for name in RIVALS)
    (source,) = [name for name, network in copied.items() if network["trained"]]
    assert copied[source]["accuracy"] == adam[source]["accuracy"] > 0.6
    assert max(network["accuracy"] for network in random.values()) < 0.3
    assert [name for name, network in found["six networks"].items() if network["trained"]] == ["784-30-10"]
    assert 0 < found["random"]["784-10"]["deviation"] < 0.2
    text = (tmp_path / f"{STEM}.md").read_text()
    assert "| *mean of 4 with 2 layers that no rule was trained on* |" in text
    assert "| six networks | untrained |" in text
    with Image.open(tmp_path / "metanca-architectures.png") as image:
        assert image.width > 1000


def test_a_rule_is_taught_what_it_was_never_trained_on(tmp_path):
    shorter = {name: value for name, value in QUICK.overrides.items() if name != "networks"}
    shorter |= {"networks": '["196-10", "196-5-10"]', "rule.lesson_size": "130"}  # more than irises there are
    told = {"parts": ["learning"], "overrides": shorter, "num_samples": 2}
    reproduce_meta(tmp_path, QUICK.replace(**told), load)
    found = {
        item["key"]["data"]: item["found"]
        for item in json.loads((tmp_path / f"{STEM}.json").read_text())["results"]
    }
    assert list(found) == sorted(TAUGHT)
    assert [item["network"] for item in found["iris"]["networks"]] == ["4-3", "4-5-3", "4-10-3"]
    assert (found["iris"]["shown"], found["mnist-14"]["shown"]) == (120, 130)
    assert found["iris"]["linear"]["all"] > 0.6
    assert "| iris, 120 of 120 | 4-10-3 |" in (tmp_path / f"{STEM}.md").read_text()


def test_what_is_done_is_kept(made):
    phases = []
    reproduce_meta(made, QUICK, load, progress=lambda phase, *_: phases.append(phase))
    assert not phases
    other = QUICK.replace(overrides={**QUICK.overrides, "learning_rate": "0.5"})
    with pytest.raises(BadInputError, match="trained with other settings"):
        reproduce_meta(made, other, load)


def test_every_course_is_one():
    for experiment, told in MODELS.values():
        load_meta(experiment, dict(told))


def test_only_what_is_asked_for_is_trained(tmp_path):
    reproduce_meta(tmp_path, QUICK.replace(parts=["signals"], models=["irises, alone"]), load)
    content = json.loads((tmp_path / f"{STEM}.json").read_text())
    assert [item["key"]["model"] for item in content["results"]] == ["irises, alone"]
    with pytest.raises(BadInputError, match="there is no model 'flowers'; expected some of irises"):
        QUICK.replace(models=["flowers"])


def test_architectures_are_of_all_depths_and_widths():
    found = architectures(196, 10)
    assert found[0] == (196, 10)
    assert (196, 30, 10) in found
    assert (196, 100, 100, 100, 10) in found
    assert (196, 50, 30, 10) in found
    assert len(found) == 18
    assert not set(UNSEEN) & set(load_meta("iris").networks)


def network(name, accuracy, trained):
    told = {"lowest": accuracy, "disagreement": 0.1, "similarity": 0.5}
    return {"network": name, "accuracy": accuracy, "trained": trained, **told}


def test_the_page_says_what_was_measured():
    facts = {
        "command": "x", "processor": "p", "threads": 1, "torch": "2", "seconds": {"a": 60.0},
        "settings": {"num_samples": 3},
    }  # fmt: skip
    course = {
        "zero_outs": [10, 15],
        "updates": list(range(21)),
        "accuracy": [0.3] * 10 + [0.9, 0.4, 0.5, 0.6, 0.7, 0.88, 0.2, 0.5, 0.6, 0.7, 0.91],
        "lowest_accuracy": [0.1] * 21,
        "cross_entropy": [2.0] * 12 + [1.0, 1.05, 1.1, 1.2] + [1.0] * 5,
        "every": 5,
        "trained_for": 10,
        "best_after": [10, 12, 14],
        "stays": [1, 2, 3],
    }
    results = [
        *(
            Measured(
                {"part": "folds", "model": "irises", "fold": fold, "seed": 0},
                {"networks": [network("4-10-3", right, True)]},
            )
            for fold, right in enumerate((0.9, 1.0))
        ),
        Measured(
            {"part": "signals", "model": "irises", "signals": "no codes", "seed": 0},
            {"networks": [network("4-3", 1 / 3, True)]},
        ),
        Measured({"part": "stability", "model": "irises", "seed": 0}, course),
        Measured({"part": "robustness", "model": "irises", "seed": 0}, course),
        Measured(
            {"part": "architectures", "model": "one network", "seed": 0},
            {"networks": [network("196-10", 0.8, False), network("196-30-10", 0.9, True)]},
        ),
    ]
    text = page(results, facts)
    assert "Not measured yet: learning." in text
    assert "| irises | 4-10-3 | yes | 2 | 95.00 | 95.00 [90.00, 100.00] | 90.0 | 10.00 % | 0.500 |" in text
    assert "| irises | no codes | 33.3 |" in text
    assert "| irises | 12 | 2 | 90.0 | 91.0 | 10.0 |" in text
    assert "| irises | 90.0 | 20.0 | 88.0 | 91.0 | 2.0 |" in text
    assert "| irises: mean 95.0 %, lowest 90.0 %, 2 runs | reached |" in text
    assert "| irises: 2 updates | not reached |" in text
    assert "| irises: 2.0 points lost | reached |" in text
    assert "| 196-10 | 80.0 |" in text
    assert "| 196-30-10 | **90.0** |" in text
