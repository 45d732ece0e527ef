"""Phases and measurements that are made once, across sittings."""

import pytest

from pdenca.core import FormatError
from pdenca.tasks.measuring import NOTHING, Measuring
from pdenca.tasks.phases import FILE, Phases

KEY = {"part": "models", "model": "memory", "seed": 0}


def measured(folder, values):
    """Sit down once more, and measure the key: the next of the values."""
    measuring = Measuring(folder, NOTHING, None)
    measuring.measure(KEY, lambda tell: {"value": next(values)})
    return [item.found["value"] for item in measuring.results()]


def test_what_is_measured_is_measured_once(tmp_path):
    values = iter((1, 2))
    assert measured(tmp_path, values) == [1]
    assert measured(tmp_path, values) == [1]


def test_a_result_that_is_gone_is_measured_again(tmp_path):
    values = iter((1, 2))
    measured(tmp_path, values)
    (tmp_path / "results" / "models, memory, 0.json").unlink()
    assert measured(tmp_path, values) == [2]
    assert Phases(tmp_path, None).finished == ["models, memory, 0"]


def test_a_phase_that_fails_is_not_finished_and_its_time_counts(tmp_path):
    phases = Phases(tmp_path, None)
    with pytest.raises(ZeroDivisionError):
        phases.run("divide", lambda tell: 1 / 0)
    again = Phases(tmp_path, None)
    assert again.finished == []
    assert "divide" in again.seconds
    told = []
    again.run("divide", lambda tell: told.append("done"))
    assert told == ["done"]
    assert Phases(tmp_path, None).finished == ["divide"]


def test_damaged_records_are_told(tmp_path):
    measured(tmp_path, iter((1,)))
    (tmp_path / "results" / "models, memory, 0.json").write_text("{")
    with pytest.raises(FormatError, match=r"models, memory, 0\.json is damaged"):
        measured(tmp_path, iter((1,)))
    (tmp_path / FILE).write_text("[]")
    with pytest.raises(FormatError, match="usual cure: delete it"):
        Phases(tmp_path, None)
