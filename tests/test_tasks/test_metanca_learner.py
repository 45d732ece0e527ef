"""Rules that learn: they are shown examples while they write, and can be shown others."""

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.datasets.tables import Standardising, iris
from pdenca.tasks.metanca import build_rule, load_meta, load_meta_run, sample_networks, train_meta, writer
from pdenca.tasks.metanca.data import load_examples, of_other_data
from pdenca.tasks.metanca.evaluation import judge_networks
from pdenca.training import step_generator
from pdenca.training.objectives import LocalSteps, TaskNetworks

QUICK = {
    "data": '"iris"', "fold": "0", "networks": '["4-6-3"]', "permuted": "false", "rule.lesson_size": "30",
    "rule.num_steps": "4", "batch_size": "30", "num_steps": "4", "validate_every": "2", "num_samples": "2",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    settings = load_meta("learner", QUICK)
    out = tmp_path_factory.mktemp("learner") / "run"
    return train_meta(load_examples(settings, "train"), out, settings)


def test_a_run_is_read_back_and_shown_its_examples(run):
    model, settings, scale = load_meta_run(run)
    own, test = (load_examples(settings, split) for split in ("train", "test"))
    (found,) = judge_networks(model, settings, scale, test, [(4, 6, 3)], num_samples=2, lesson=own)
    assert found.trained
    with pytest.raises(BadInputError, match="usual cure: a lesson"):
        judge_networks(model, settings, scale, test, [(4, 6, 3)], num_samples=2)
    few = own.select(torch.arange(10))
    shown = writer(model, settings.rule, ((4, 6, 3),)).shown(scale(few)).lattice.lesson
    assert len(shown.labels) == 10, "all, where there are fewer than in training"


def test_what_is_written_depends_on_what_is_shown(run):
    model, settings, scale = load_meta_run(run)
    with torch.no_grad():
        model.rule.weights[-1].normal_(std=0.5, generator=torch.Generator().manual_seed(0))
    own = scale(load_examples(settings, "train"))
    others = own.select(torch.arange(len(own)).flip(0))
    others = type(own)(others.inputs, (others.labels + 1) % 3, others.classes)
    ends = []
    for shown in (own, own, others):
        bound = writer(model, settings.rule, ((4, 6, 3),)).shown(shown, seed=1)
        ends.append(bound.write(2, step_generator(0, "samples")))
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_a_rule_that_learns_samples_networks_of_its_lesson(run):
    with pytest.raises(BadInputError, match="usual cure: a lesson"):
        sample_networks(run, (4, 5, 3), 2)
    found = sample_networks(run, (4, 5, 3), 2, lesson=lambda settings: load_examples(settings, "train"))
    assert found.modules[0][0].weight.shape == (5, 4)


def test_a_task_in_another_order_is_another_task_of_the_same_examples():
    settings = load_meta("learner", {"rule.lesson_size": "40"})
    flowers = iris()
    scaled = Standardising.of(flowers)(flowers)
    model = build_rule(settings.rule, ())
    bound = writer(model, settings.rule, ((4, 5, 3),))

    def objective(permuted):
        return TaskNetworks(
            model, bound.lattice, bound.context, bound.begin, scaled.inputs, scaled.labels,
            activation=bound.activation, local_steps=LocalSteps(2), batch_size=50, lesson_size=40,
            permuted=permuted,
        )  # fmt: skip

    rows = torch.arange(50)
    plain, again, other = (objective(flag).task(rows, 3) for flag in (False, True, True))
    assert torch.equal(plain[0], scaled.inputs[rows])
    assert torch.equal(again[0], other[0])
    assert not torch.equal(again[0], plain[0])
    assert torch.equal(again[0].sort(1).values, plain[0].sort(1).values), "inputs have changed places"
    assert len({(int(a), int(b)) for a, b in zip(plain[1], again[1], strict=True)}) == 1, "all are setosa"
    # the lesson has the same order of inputs and classes as what is judged by
    shown, judged = again[2].lesson, plain[2].lesson
    order = [next(k for k in range(4) if torch.equal(again[0][:, j], plain[0][:, k])) for j in range(4)]
    assert torch.equal(shown.inputs, judged.inputs[:, order])
    names = {int(a): int(b) for a, b in zip(judged.labels, shown.labels, strict=True)}
    assert set(names) == {1, 2}, "none of what is judged by is shown"
    assert {*names.values(), int(again[1][0])} == {0, 1, 2}


def test_a_permuted_task_needs_a_lesson_and_no_pool(tmp_path):
    with pytest.raises(BadInputError, match="got a lesson of 0"):
        train_meta(iris(), tmp_path / "run", load_meta("iris", {"permuted": "true"}))


@pytest.mark.parametrize(
    ("data", "networks", "fold"),
    [
        ("iris", ("4-3", "4-30-3"), 0),
        ("letters-14", ("196-26", "196-30-26"), None),
        ("fashion-mnist", ("784-10", "784-30-10"), None),
    ],
)
def test_networks_of_other_data(data, networks, fold):
    found = of_other_data(load_meta("learner"), data)
    assert (found.data, found.networks, found.fold) == (data, networks, fold)


def test_a_rule_that_is_told_places_keeps_to_pixels():
    with pytest.raises(BadInputError, match="told places of pixels, iris has none"):
        of_other_data(load_meta("mnist-14"), "iris")


@pytest.mark.slow
def test_a_rule_learns_to_learn_the_irises(tmp_path):
    """Trained with inputs and classes in another order every time, it knows flowers it was never told of."""
    overrides = {
        "data": '"iris"', "fold": "0", "networks": '["4-10-3"]', "rule.lesson_size": "60",
        "batch_size": "40", "num_steps": "300", "validate_every": "50", "rule.num_steps": "15",
        "num_samples": "2",
    }  # fmt: skip
    settings = load_meta("learner", overrides)
    own, test = (load_examples(settings, split) for split in ("train", "test"))
    model, settings, scale = load_meta_run(train_meta(own, tmp_path / "run", settings))
    (found,) = judge_networks(model, settings, scale, test, [(4, 12, 3)], num_samples=10, lesson=own)
    assert found.accuracy > 0.85
