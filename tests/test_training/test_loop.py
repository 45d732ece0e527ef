"""The loop: best by validation, divergences made visible, and resuming as if nothing had happened."""

import csv
import math
import os
from collections import Counter

import pytest
import torch

from pdenca.core import BadInputError, FormatError, NonFiniteError
from pdenca.solvers import Grid
from pdenca.training import (
    FirstOrder,
    FitReport,
    PropagatedPairs,
    RolloutMatching,
    Stage,
    Training,
)
from pdenca.training.checkpoint import load_tree, save_tree
from pdenca.training.fitters.base import flatten, trainable
from pdenca.training.loop import BEST, COLUMNS, LAST, METRICS, metrics_text


def vector(automaton):
    return flatten(trainable(automaton).values()).detach().clone()


class Count:
    """A made-up objective and fitter in one: every step adds 1 to all parameters, or fails as told.

    ``plan`` says what happens at the n-th call of ``step`` (counted from 0): a loss to report.
    """

    def __init__(self, automaton, plan=None, converged_at=None):
        self.automaton, self.plan, self.converged_at = automaton, plan or {}, converged_at
        self.calls, self.rate, self.accepted, self.batches = 0, 1.0, [], []

    def build(self, automaton):
        return self, self

    def batch(self, step):
        self.batches.append(step)
        return step

    def loss(self, batch):
        raise NotImplementedError

    def accept(self, batch):
        self.accepted.append(batch)

    def step(self, objective, batch):
        outcome = self.plan.get(self.calls, 1.0)
        self.calls += 1
        with torch.no_grad():
            for value in trainable(self.automaton).values():
                value.add_(1.0)
        return FitReport(outcome, self.rate, converged=batch == self.converged_at)

    def lower_rate(self):
        self.rate /= 2

    def state(self):
        return {"rate": self.rate, "accepted": list(self.accepted)}

    def load_state(self, state):
        if "rate" in state:
            self.rate, self.accepted = state["rate"], list(state["accepted"])


def scores(values):
    """A validation that gives these scores, one after the other, then the last one again and again."""
    left = list(values)
    return lambda automaton: left.pop(0) if len(left) > 1 else left[0]


def events(training):
    return [row["event"] for row in training.rows if row["event"]]


def test_the_best_parameters_are_kept(automaton, tmp_path):
    start = vector(automaton)
    fake = Count(automaton)
    stage = Stage("counting", 6, fake.build, validate_every=2)
    training = Training(automaton, [stage], scores([9.0, 5.0, 3.0, 4.0]), tmp_path)
    assert training.run() == 3.0  # start 9, step 2: 5, step 4: 3, step 6: 4
    torch.testing.assert_close(vector(automaton), start + 4)
    best, last = load_tree(tmp_path / BEST), load_tree(tmp_path / LAST)
    assert best["validation"] == 3.0
    assert torch.equal(flatten(best["parameters"].values()), start + 4)
    assert torch.equal(flatten(last["parameters"].values()), start + 6)
    assert fake.batches == fake.accepted == [0, 1, 2, 3, 4, 5]


def test_the_table_of_a_run(automaton, tmp_path):
    stages = [
        Stage("first", 3, Count(automaton).build, validate_every=2),
        Stage("second", 2, Count(automaton).build, 10),
    ]
    seen = []
    training = Training(automaton, stages, scores([4.0, 3.0, math.nan, 2.0]), tmp_path, seen.append)
    training.run()
    rows = list(csv.DictReader((tmp_path / METRICS).read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["step"], row["stage"]) for row in rows] == [
        ("0", "start"),
        ("1", "first"),
        ("2", "first"),
        ("3", "first"),
        ("4", "second"),
        ("5", "second"),
    ]
    assert [row["validation"] for row in rows] == ["4.0", "", "3.0", "nan", "", "2.0"]
    assert [row["loss"] for row in rows] == ["", *["1.0"] * 5]  # empty where nothing was measured
    assert [row["event"] for row in rows] == ["", "", "", "validation roll-out diverged", "", ""]
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)
    assert (tmp_path / METRICS).read_text() == metrics_text(training.rows)
    assert [(item.stage, item.stage_index, item.step, item.num_steps) for item in seen] == [
        ("first", 0, 1, 3),
        ("first", 0, 2, 3),
        ("first", 0, 3, 3),
        ("second", 1, 1, 2),
        ("second", 1, 2, 2),
    ]
    assert [item.validation for item in seen[:2]] == [None, 3.0]


def test_a_converged_stage_ends_early_and_is_validated(automaton, tmp_path):
    start = vector(automaton)
    stages = [
        Stage("first", 50, Count(automaton, converged_at=3).build, 100),
        Stage("second", 2, Count(automaton).build, 100),
    ]
    seen = []
    Training(automaton, stages, scores([9.0, 1.0, 5.0]), tmp_path, seen.append).run()
    torch.testing.assert_close(vector(automaton), start + 4)
    assert [item.message for item in seen] == [None, None, None, "converged", None, None]


def test_the_start_may_be_the_best(automaton, tmp_path):
    start = vector(automaton)
    training = Training(automaton, [Stage("worse", 3, Count(automaton).build)], scores([1.0, 2.0]), tmp_path)
    assert training.run() == 1.0
    assert torch.equal(vector(automaton), start)


def test_validations_that_are_not_finite_are_never_the_best(automaton, tmp_path):
    training = Training(
        automaton, [Stage("hopeless", 3, Count(automaton).build)], scores([math.nan, math.inf]), tmp_path
    )
    with pytest.raises(NonFiniteError, match="no validation roll-out of this run stayed finite"):
        training.run()
    assert not (tmp_path / BEST).exists()
    assert events(training) == ["validation roll-out diverged"] * 4


@pytest.mark.parametrize("loss", [math.nan, math.inf, 2000.0])
def test_a_divergence_is_logged_and_undone(loss, automaton, tmp_path):
    start = vector(automaton)
    fake = Count(automaton, {13: loss})
    seen = []
    training = Training(
        automaton, [Stage("wild", 16, fake.build, 100)], scores([2.0, 1.0]), tmp_path, seen.append
    )
    training.run()
    assert events(training) == ["diverged at step 13, back to step 10 with a lower rate"]
    assert [item.message for item in seen if item.message] == events(training)
    # steps 10 to 12 are taken twice, and the state of the objective and the fitter goes back with them
    assert fake.batches == [*range(14), *range(10, 16)]
    assert fake.accepted == list(range(16))
    assert (fake.rate, training.divergences) == (0.5, 1)
    torch.testing.assert_close(vector(automaton), start + 16)


def test_a_large_but_harmless_loss_is_no_divergence(automaton, tmp_path):
    training = Training(
        automaton, [Stage("calm", 3, Count(automaton, {1: 900.0}).build)], scores([2.0, 1.0]), tmp_path
    )
    training.run()
    assert events(training) == []


def test_a_lucky_mini_batch_does_not_make_the_next_one_a_divergence(automaton, tmp_path):
    # a classifier near its end: losses of single batches spread over four orders of magnitude
    fake = Count(automaton, {number: 1e-4 for number in range(3, 40, 7)})
    training = Training(automaton, [Stage("noisy", 40, fake.build, 100)], scores([2.0, 1.0]), tmp_path)
    training.run()
    assert events(training) == []
    fake = Count(automaton, {4: 1e-4, 11: 1e-4, 39: 2000.0})
    training = Training(automaton, [Stage("wild", 42, fake.build, 100)], scores([2.0, 1.0]), tmp_path / "b")
    training.run()
    assert events(training) == ["diverged at step 39, back to step 30 with a lower rate"]


def test_a_state_that_fails_at_once_is_not_fallen_back_to(automaton, tmp_path):
    # step 10 fails from the very state a snapshot was just taken of: only an earlier one can help
    fake = Count(automaton, {10: math.nan})
    training = Training(automaton, [Stage("wild", 12, fake.build, 100)], scores([2.0, 1.0]), tmp_path)
    training.run()
    assert events(training) == ["diverged at step 10, back to step 0 with a lower rate"]
    assert fake.accepted == list(range(12))


def test_every_divergence_lowers_the_rate_further(automaton, tmp_path):
    fake = Count(automaton, {12: math.nan, 15: math.nan, 18: math.nan})
    training = Training(automaton, [Stage("wild", 14, fake.build, 100)], scores([2.0, 1.0]), tmp_path)
    training.run()
    assert len(events(training)) == 3
    assert fake.rate == 1 / 8


def test_too_many_divergences_stop_the_run_and_are_on_record(automaton, tmp_path):
    fake = Count(automaton, {number: math.nan for number in range(1, 50)})
    training = Training(automaton, [Stage("wild", 14, fake.build, 100)], scores([2.0, 1.0]), tmp_path)
    with pytest.raises(NonFiniteError, match="diverged 11 times, last in stage 'wild' at step 0; usual"):
        training.run()
    assert (tmp_path / METRICS).read_text().count("diverged at step") == Training.MOST_DIVERGENCES


def test_an_existing_run_is_not_overwritten(automaton, tmp_path):
    def make():
        return Training(automaton, [Stage("one", 1, Count(automaton).build)], scores([2.0, 1.0]), tmp_path)

    make().run()
    before = (tmp_path / LAST).read_bytes()
    with pytest.raises(BadInputError, match="already holds a training run; usual cure: --resume"):
        make().run()
    assert (tmp_path / LAST).read_bytes() == before
    # a finished run has nothing left to do
    again = make()
    assert again.run(resume=True) == 1.0
    assert len(again.rows) == 2


def test_a_damaged_checkpoint_is_refused(automaton, tmp_path):
    Training(automaton, [Stage("one", 1, Count(automaton).build)], scores([2.0, 1.0]), tmp_path).run()
    (tmp_path / LAST).write_bytes((tmp_path / LAST).read_bytes()[:-20])
    with pytest.raises(FormatError, match="is damaged"):
        Training(automaton, [], scores([1.0]), tmp_path).run(resume=True)


def test_a_checkpoint_of_a_version_that_kept_less_is_refused(automaton, tmp_path):
    def make(max_seconds):
        stages = [Stage("one", 5, Count(automaton).build)]
        return Training(automaton, stages, scores([2.0, 1.0]), tmp_path, max_seconds=max_seconds)

    make(0.0).run()
    tree = load_tree(tmp_path / LAST)
    tree["within"]["now"].pop("fitter")
    save_tree(tmp_path / LAST, tree)
    before = (tmp_path / LAST).read_bytes()
    with pytest.raises(FormatError, match="lacks 'fitter', which this version keeps"):
        make(None).run(resume=True)
    assert (tmp_path / LAST).read_bytes() == before


def test_a_checkpoint_of_another_model_is_refused(automaton, tmp_path):
    Training(automaton, [Stage("one", 1, Count(automaton).build)], scores([2.0, 1.0]), tmp_path).run()
    automaton.rule.reaction.output_bias.requires_grad_(False)
    with pytest.raises(BadInputError, match="belongs to another model"):
        Training(automaton, [], scores([1.0]), tmp_path).run(resume=True)


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0)])
def test_empty_stages_are_refused(numbers, automaton):
    with pytest.raises(BadInputError, match="needs at least one step and a validation interval"):
        Stage("empty", numbers[0], Count(automaton).build, numbers[1])


# ---------------------------------------------------------------------------------------------------------
# Resuming: runs interrupted at any step, with real fitters, real randomness and a real divergence


class InterruptionError(Exception):
    """Stands in for whatever ends a process."""


class Watch:
    """Raises at the n-th training step counted over all stages, by way of the progress callback."""

    def __init__(self, at=None):
        self.at, self.count = at, 0

    def __call__(self, progress):
        self.count += 1
        if self.count == self.at:
            raise InterruptionError


GRID = Grid.uniform(5, 1.0)
STD = torch.tensor([0.3, 0.3], dtype=torch.float64)


class Exploding:
    """A quadratic (p - target of the step)², too steep for the rate at which its descent begins."""

    def __init__(self, automaton):
        self.automaton, self.memory = automaton, torch.zeros(1)

    def batch(self, step):
        return step

    def loss(self, batch):
        away = flatten(trainable(self.automaton).values()) - math.cos(batch) - self.memory
        return away.square().sum() / 10

    def accept(self, batch):
        self.memory = self.memory + 0.01  # something that must be saved and restored

    def state(self):
        return {"memory": self.memory}

    def load_state(self, state):
        self.memory = state["memory"].clone()


@pytest.fixture
def make_training(generator, automaton, monkeypatch):
    """The same run each time: three stages, a stateful pool, noise, firing at random, a divergence."""
    frames = torch.rand(2, 4, 2, 5, 5, generator=generator, dtype=torch.float64)
    context = {"feed_rate": torch.tensor([0.1, 0.2], dtype=torch.float64)}
    start = {name: value.detach().clone() for name, value in trainable(automaton).items()}
    automaton.update.fire_rate = 0.7
    monkeypatch.setattr(os, "fsync", lambda file: None)  # no power is lost here, and there are many saves

    def exploding(model):
        return Exploding(model), FirstOrder(model, optimizer="sgd", learning_rate=32.0)

    def rollouts(model):
        objective = RolloutMatching(
            model,
            frames,
            context,
            GRID,
            field_std=STD,
            low=0 * STD,
            high=STD,
            batch_size=1,
            noise=0.1,
            seed=3,
        )
        return objective, FirstOrder(model, optimizer="adam", learning_rate=1e-2)

    def pairs(model):
        objective = PropagatedPairs(
            model, frames, context, GRID, field_std=STD, low=0.0, high=1.0, batch_size=3, noise=0.1, seed=4
        )
        options = {"schedule": "exponential", "num_steps": 4, "gradient": "normalise"}
        return objective, FirstOrder(model, optimizer="nadam", learning_rate=1e-2, **options)

    stages = [
        Stage("exploding", 12, exploding, 3),
        Stage("rollouts", 2, rollouts, 2),
        Stage("pairs", 4, pairs, 2),
    ]

    def validate(model):
        return float((vector(model) - 0.2).square().mean())

    def make(folder, progress=None, checkpoint_seconds=0.0):
        with torch.no_grad():
            for name, value in trainable(automaton).items():
                value.copy_(start[name])
        return Training(automaton, stages, validate, folder, progress, checkpoint_seconds)

    return make


def without_seconds(rows):
    return [
        {key: repr(value) for key, value in row.items() if key != "seconds"} for row in rows
    ]  # repr: NaN equals NaN


@pytest.fixture
def undisturbed(make_training, tmp_path):
    """Final parameters, best file and rows of a run that nothing interrupts."""
    watch = Watch()
    training = make_training(tmp_path / "undisturbed", watch)
    training.run()
    return training, vector(training.model), watch.count


def test_the_run_that_is_interrupted_below_has_it_all(undisturbed):
    training, _, calls = undisturbed
    kinds = Counter(event.split()[0] for event in events(training))
    assert kinds["diverged"] >= 2
    assert {row["stage"] for row in training.rows} == {"start", "exploding", "rollouts", "pairs"}
    assert calls > 18 + len(events(training))


def resumed_run(make_training, folder, at, checkpoint_seconds):
    with pytest.raises(InterruptionError):
        make_training(folder, Watch(at), checkpoint_seconds).run()
    training = make_training(folder, None, checkpoint_seconds)
    training.run(resume=True)
    return training


@pytest.mark.parametrize(
    ("checkpoint_seconds", "every"),
    [(0.0, 3), (1e9, 5), pytest.param(0.0, 1, marks=pytest.mark.slow)],
    ids=["checkpoint at every step", "checkpoints at ends of stages", "at every step indeed"],
)
def test_a_run_interrupted_at_any_step_ends_the_same(
    checkpoint_seconds, every, make_training, undisturbed, tmp_path
):
    reference, expected, calls = undisturbed
    for at in range(2 % every + 1, calls + 1, every):
        folder = tmp_path / str(at)
        training = resumed_run(make_training, folder, at, checkpoint_seconds)
        assert torch.equal(vector(training.model), expected), at
        assert without_seconds(training.rows) == without_seconds(reference.rows), at
        for name in (BEST, LAST):
            ours, theirs = load_tree(folder / name), load_tree(tmp_path / "undisturbed" / name)
            assert ours["parameters"].keys() == theirs["parameters"].keys()
            for key, value in ours["parameters"].items():
                assert torch.equal(value, theirs["parameters"][key]), (at, name, key)


def test_a_run_may_be_interrupted_again_and_again(make_training, undisturbed, tmp_path):
    _, expected, calls = undisturbed
    folder = tmp_path / "often"
    for attempt in range(calls):
        try:
            make_training(folder, Watch(4)).run(resume=attempt > 0)
        except InterruptionError:
            continue
        break
    assert attempt > 5
    final = make_training(folder)
    final.run(resume=True)
    assert torch.equal(vector(final.model), expected)


def test_the_time_of_earlier_sittings_counts(make_training, tmp_path):
    training = resumed_run(make_training, tmp_path / "run", 9, 0.0)
    seconds = [row["seconds"] for row in training.rows]
    assert seconds == sorted(seconds)
    assert training.seconds >= seconds[-1] > 0


def test_a_stage_on_a_plateau_ends(automaton, tmp_path):
    stages = [
        Stage("first", 50, Count(automaton).build, 1, patience=2),
        Stage("second", 3, Count(automaton).build),
    ]
    seen = []
    validations = scores([9.0, 5.0, 4.0, 3.99, 3.98, 2.0, 1.0, 0.5])
    training = Training(automaton, stages, validations, tmp_path, seen.append)
    assert training.run() == 0.5
    first = [now for now in seen if now.stage == "first"]
    # 3.99 and 3.98 are lower than 4, but by less than one per cent
    assert [now.step for now in first] == [1, 2, 3, 4]
    assert first[-1].message == "no better by 1% in 2 validations, stage ended"
    assert training.rows[4]["event"] == first[-1].message
    assert [now.step for now in seen if now.stage == "second"] == [1, 2, 3]


def test_patience_goes_on_where_it_was_after_a_resume(automaton, tmp_path):
    stages = [Stage("one", 50, Count(automaton).build, 1, patience=3)]
    left = [9.0, 5.0, 5.0, 5.0]

    def cut_short(model):
        if not left:
            raise KeyboardInterrupt
        return left.pop(0)

    with pytest.raises(KeyboardInterrupt):
        Training(automaton, stages, cut_short, tmp_path, checkpoint_seconds=0.0).run()
    again = Training(automaton, stages, scores([5.0]), tmp_path)
    assert again.run(resume=True) == 5.0
    assert again.total_steps == 4  # the fourth validation is the third without a gain


def test_a_time_budget_ends_a_run_which_a_larger_one_continues(automaton, tmp_path):
    def stages():
        return [Stage("one", 3, Count(automaton).build), Stage("two", 5, Count(automaton).build)]

    seen = []
    short = Training(
        automaton, stages(), lambda model: 1.0, tmp_path, seen.append, checkpoint_seconds=0.0, max_seconds=0.0
    )
    assert short.run() == 1.0
    assert short.total_steps == 0
    assert seen[-1].message == "the time budget of 0 s ended at step 0 of one"
    assert short.rows[-1]["event"] == seen[-1].message
    # the same budget: nothing more is done
    same = Training(automaton, stages(), lambda model: 1.0, tmp_path, max_seconds=0.0)
    same.run(resume=True)
    assert same.total_steps == 0
    longer = Training(automaton, stages(), lambda model: 1.0, tmp_path, max_seconds=1e6)
    longer.run(resume=True)
    assert longer.total_steps == 8


def test_patience_of_nothing_is_refused(automaton):
    with pytest.raises(BadInputError, match="patience of at least 1, got 0"):
        Stage("one", 3, Count(automaton).build, patience=0)
