"""The study of image series: its parts, kept results, the page."""

import json
from itertools import pairwise

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.tasks.images import read_series_file
from pdenca.tasks.images.reproduction import STEM, ImageReproductionSettings, measures, reproduce_images
from pdenca.tasks.images.reproduction import page as pages
from pdenca.tasks.images.reproduction import work as working
from pdenca.tasks.images.reproduction.plan import CHANGES, GROWN, MODELS, OTHER, PARTS, courses
from pdenca.tasks.measuring import Measured, Table, read_table, worst

QUICK = ImageReproductionSettings.parse(
    {
        "seeds": [0],
        "num_cells": 18,
        "hold": 5,
        "num_trials": 5,
        "overrides": {
            "num_steps": "2", "validate_every": "1", "validated_hold": "2", "steps_per_interval": "2",
            "hold_steps": "2", "num_copies": "2", "rule.num_hidden": "1", "rule.num_units": "4",
        },
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("images")
    with pytest.MonkeyPatch.context() as patch:
        names = ("pictures", "turned in training", "branching")
        patch.setattr(working, "MODELS", {name: MODELS[name] for name in names})
        patch.setattr(working, "DAMAGED", ("pictures",))
        patch.setattr(working, "BASINS", ("pictures",))
        patch.setattr(working, "TURNED", ("pictures", "turned in training"))
        patch.setattr(working, "GROWING", ("branching",))
        patch.setattr(working, "DAMAGES", {"erase": None})
        for module in (measures, pages):
            patch.setattr(module, "LOOKS", (1, 3))
        for module in (measures, working, pages):
            patch.setattr(module, "LATER", 101)
        reproduce_images(out, QUICK)
    return out


def found(out, part):
    results = json.loads((out / f"{STEM}.json").read_text())["results"]
    return {item["key"]["model"]: item["found"] for item in results if item["key"]["part"] == part}


def test_all_parts_are_measured_and_told(made):
    text = (made / f"{STEM}.md").read_text()
    assert "Not measured yet" not in text
    for title in (
        *("Goals", "Reach and hold", "Regrowth", "How much damage", "Turned", "Other starts"),
        *("The smallest change", "Fewer"),
    ):
        assert f"## {title}" in text
    for name in ("courses", "regrowth", "basin", "symmetry", "pruning", "pictures-0", "branching-0"):
        assert (made / f"{STEM}-{name}.png").is_file()
        assert f"{STEM}-{name}.png" in text


def test_what_is_measured_fits_together(made):
    course = found(made, "courses")["pictures"]
    assert course["wanted"] == [1, *6 * [2]]
    assert course["steps"] == [2, 4, 5, 6, 7, 8, 9]
    assert len(course["nothing_done"]) == 7
    assert min(course["nothing_done"]) > 0.05
    assert min(course["seen"]) > 0.1  # the goal's targets cover a tenth of the lattice
    assert course["peak"] >= max(course["errors"][1:])
    assert len(course["means"]) == len(course["absolute"]) == 7
    regrown = found(made, "regrowth")["pictures"]
    assert regrown["trials"] == 5
    assert len(regrown["ages"]) == 5
    assert {1, 2, 3, 4, 5} >= set(regrown["ages"])
    assert len(regrown["errors"]) == 2
    basin = found(made, "basin")["pictures"]
    assert len(basin["back"]) == len(basin["shares"]) == 6
    assert basin["hurt"][0] < basin["hurt"][-1], "the larger the disc the worse"
    turned = found(made, "symmetry")
    assert [len(item["errors"]) for item in turned.values()] == [9, 9]
    still = found(made, "courses")["turned in training"]["nothing_done"]
    assert still[0] >= course["nothing_done"][0], "the largest of all eight ways"
    grown = found(made, "starts")["branching"]["starts"]
    assert len({item["nothing_done"] for item in grown.values()}) == 4
    drawn = [read_series_file(path) for path in sorted(made.glob("series/branching-*/branching.hdf5"))]
    begun = [series.frames[:, GROWN] for series in drawn]
    assert len(drawn) == 4
    assert all(not torch.equal(one, other) for one, other in pairwise(begun))
    pictures = {path.parent.name: read_series_file(path) for path in made.glob("series/*/pictures.hdf5")}
    other = pictures.pop(f"pictures-2-18-{OTHER}").frames[:, 0]
    (trained,) = pictures.values()
    assert not (trained.frames == other[:, None]).flatten(2).all(-1).any()
    # nothing is broken where nothing was reached
    assert "refused" in found(made, "changes")["pictures"]
    assert "Of 1 seeds the outcome is not reached" in (made / f"{STEM}.md").read_text()


def test_what_is_there_is_kept_and_another_course_is_refused(made, monkeypatch):
    monkeypatch.setattr(working, "MODELS", {"pictures": MODELS["pictures"]})
    before = (made / "runs" / "pictures-0" / "best.safetensors").stat().st_mtime_ns
    reproduce_images(made, QUICK.replace(parts=("courses",)))
    assert (made / "runs" / "pictures-0" / "best.safetensors").stat().st_mtime_ns == before
    longer = QUICK.replace(parts=("courses",), overrides={**QUICK.overrides, "num_steps": "3"})
    with pytest.raises(BadInputError, match="trained with other settings"):
        reproduce_images(made, longer)


def test_what_is_kept_brings_its_strips_along(made, tmp_path, monkeypatch):
    """On a fresh machine nothing is trained or drawn for it, and the page still shows it."""
    results = json.loads((made / f"{STEM}.json").read_text())["results"]
    table = Table(tuple(Measured(item["key"], item["found"]) for item in results), {}, "")
    monkeypatch.setattr(working, "read_table", lambda path, told: table)
    settings = QUICK.replace(parts=("courses",), models=("pictures",))
    written = reproduce_images(tmp_path / "other", settings, keep=made / f"{STEM}.json").read_text()
    assert f"![pictures]({STEM}-pictures-0.png)" in written
    assert (tmp_path / "other" / f"{STEM}-pictures-0.png").is_file()
    assert not (tmp_path / "other" / "runs").exists()


def course(seed, errors, peak=0.0, hold=10):
    told = {"steps": [2, 4, 14], "wanted": [1, 2, 2], "errors": errors, "nothing_done": [0.3, 0.4, 0.4]}
    told |= {"peak": worst((*errors[1:], peak)), "seen": [0.05, 0.2, 0.3], "hold": hold, "parameters": 7}
    return Measured({"part": "courses", "model": "pictures", "seed": seed}, told)


def told(results):
    facts = {
        "command": "c", "processor": "p", "threads": 1, "torch": "t", "seconds": {"train pictures-0": 120.0},
        "settings": {"num_cells": 64}, "courses": courses(64),
    }  # fmt: skip
    return pages.page(results, facts)


def test_goals_are_counted_by_the_worst_frame():
    text = told([course(0, [9e-4, 8e-4, 1.9e-3]), course(1, [5e-4, 2e-3, 3e-3])])
    row = next(line for line in text.splitlines() if line.startswith("| pictures |"))
    assert row.endswith("| 1 of 2 | 1 of 2 |")
    assert "| 2.0 | 0.0014 [0.0009, 0.002] | 0.0024 [0.0019, 0.003] | 10 | 0.4 |" in row
    assert f"Not measured yet: {', '.join(PARTS[1:])}." in text


def test_what_diverges_is_never_kept():
    text = told([course(seed, [9e-4, 8e-4, float("nan") if seed else 1e-3]) for seed in range(3)])
    row = next(line for line in text.splitlines() if line.startswith("| pictures |"))
    assert "| diverged [0.001, diverged] |" in row
    assert row.endswith("| 3 of 3 | 1 of 3 |")


def test_a_step_between_two_looks_counts():
    text = told([course(0, [1e-4, 1e-4, 1e-4], peak=2.1e-3), course(1, [1e-4, 1e-4, 1e-4], peak=1.9e-3)])
    row = next(line for line in text.splitlines() if line.startswith("| pictures |"))
    assert row.endswith("| 2 of 2 | 1 of 2 |")
    assert "Targets cover of the lattice: pictures 20 to 30 %." in text


def test_goals_are_told_seed_by_seed():
    def regrown(seed, back, trials=100):
        numbers = {"hold": 9, "trials": trials, "before": 0, "hurt": 1, "errors": 6 * [0.1], "back": back}
        key = {"part": "regrowth", "model": "pictures", "damage": "erase", "seed": seed}
        return Measured(key, numbers)

    held = [course(0, [9e-4, 8e-4, 1e-3], hold=10_000), course(1, [2e-3, 8e-4, 1e-3], hold=9_999)]
    text = told([*held, regrown(0, 0.95), regrown(1, 1.0, trials=99)])
    rows = [line for line in text.splitlines() if "of 2 |" in line][:5]
    assert [row.split(" | ", 1)[1] for row in rows] == [
        "0.0009 | 0.002 | 1 of 2 |",
        "0.001 | not measured | 1 of 2 |",
        "95 % | not measured | 1 of 2 |",
        "2.0 min | not measured | 1 of 2 |",
        "20 % | 20 % | 2 of 2 |",
    ]


def test_courses_tell_all_settings(tmp_path):
    """A default that changes makes other rules, and a table of an older form does not say which it has."""
    now = courses(64)
    assert now["without noise"]["noise"] == "0.0"
    assert now["pictures"]["rule.num_hidden"] == "12"
    assert "seed" not in now["pictures"]
    results = [{"key": {"part": "courses", "model": "pictures", "seed": 0}, "found": {}}]
    older = {"series": now["pictures"]["series"], "experiment": "pictures"}
    for before in (older, {**now["pictures"], "noise": "0.5"}):
        facts = {"seconds": {}, "processor": "p", "courses": {"pictures": before}}
        path = tmp_path / f"{STEM}.json"
        path.write_text(json.dumps({"facts": {**facts, "settings": {"overrides": {}}}, "results": results}))
        with pytest.raises(BadInputError, match=r"pictures of .* was trained in another way") as caught:
            read_table(path, now)
        assert len(str(caught.value)) < 400
    facts["courses"]["pictures"] = now["pictures"]
    path.write_text(json.dumps({"facts": {**facts, "settings": {"overrides": {}}}, "results": results}))
    assert read_table(path, now).results


def test_changes_are_told_with_their_sizes():
    def change(seed, size):
        found = {goal: {"size": size, "error": 0.03, "again": 0.04, "random": 0.01} for goal in CHANGES}
        return Measured({"part": "changes", "model": "pictures", "seed": seed}, found)

    text = told([change(0, 0.25), change(1, float("inf")), change(2, 0.5)])
    for words in CHANGES.values():
        assert f"| pictures | {words} | 0.5 [0.25, inf] | 0.03 [0.03, 0.03] |" in text
    assert "not reached" not in text
