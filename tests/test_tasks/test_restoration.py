"""Restorers of digits: their shapes, what is local in them and what is not, training and judging."""

import os
import signal
import subprocess
import sys

import pytest
import torch

from pdenca.core import BadInputError, FormatError, InTurn
from pdenca.datasets.digits import Digits, load_digits, split_digits
from pdenca.equilibrium import solve
from pdenca.tasks.digits.classifier import DigitClassifier
from pdenca.tasks.digits.restoration import (
    EXPERIMENTS,
    Damage,
    LaplaceFill,
    RestorationSettings,
    RestorerSettings,
    build_restorer,
    describe,
    film_strip,
    judge_restorer,
    load_restoration,
    load_restorer,
    train_restorer,
)
from pdenca.tasks.digits.restoration.fills import training_free
from pdenca.tasks.digits.restoration.judging import DOUBLE_RANGE
from pdenca.tasks.digits.restoration.training import mean_squared_error, prototypes
from pdenca.tasks.digits.settings import NetworkSettings
from pdenca.training import Restoration
from pdenca.training.checkpoint import load_tree, parameters_equal

SMALL = {
    "kind": "hybrid",
    "side": 28,
    "patch": 2,
    "num_channels": 4,
    "num_steps": 3,
    "cell": "residual",
    "num_hidden": 6,
    "injected": True,
    "gate": {"first_step": 2, "read_side": 7, "write_side": 7, "num_hidden": 5, "dropout": 0.3},
}
SETTINGS = RestorationSettings.parse(
    {
        "model": SMALL,
        "num_valid": 20,
        "num_steps": 8,
        "validate_every": 4,
        "batch_size": 16,
        "noise": 0.05,
        "num_judged_steps": 2,
        "learning_rate": 1e-2,
    }
)
KINDS = {
    "post": {"kind": "hybrid", "gate": {"num_hidden": 4}},
    "late": {"kind": "hybrid", "gate": {"num_hidden": 4, "first_step": 5}},
    "ca": {"kind": "ca", "injected": True},
    "gate": {"kind": "gate", "gate": {"num_hidden": 4}, "num_steps": 2},
    "patches": SMALL,
    "auto-encoder": {"kind": "auto-encoder", "num_code": 3},
    "u-net": {"kind": "u-net", "width": 2, "told_mask": False},
}


@pytest.fixture(scope="module")
def digits():
    whole = load_digits("train", sample=True)
    return Digits(whole.images[:100], whole.labels[:100])


@pytest.fixture(scope="module")
def damaged(digits):
    whole = digits.images[:3].float() / 255
    return Damage()(whole, torch.Generator().manual_seed(0))


def restorer(seed=0, **settings):
    model = build_restorer(RestorerSettings.parse(settings), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():  # what starts at zero hides what it would do
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1, generator=generator)
    return model.eval()


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_restores_and_has_a_gradient(name, damaged):
    model = restorer(**KINDS[name])
    film = model.film(*damaged)
    assert film.shape == (3, model.num_steps, 28, 28)
    assert torch.equal(model(*damaged), film[:, -1])
    assert torch.equal(model.film(*damaged, 1), film[:, -1:])
    film[:, -1].square().sum().backward()
    assert all(value.grad is not None and value.grad.any() for value in model.parameters())


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("hybrid", {"automaton": 2032, "gate": 1312032, "encoder": 32, "read_out": 17}),
        ("ca", {"automaton": 2032, "gate": 0, "encoder": 32, "read_out": 17}),
        ("gate", {"automaton": 0, "gate": 1312032, "encoder": 32, "read_out": 17}),
    ],
)
def test_the_recipe_has_the_sizes_that_the_post_names(name, counts):
    body = build_restorer(load_restoration(name).model).body
    found = {
        part: sum(value.numel() for value in module.parameters()) if module is not None else 0
        for part in counts
        for module in [getattr(body, part)]
    }
    assert found == counts  # "about 2 k" and "about 1 M"


def test_the_auto_encoder_has_a_million_numbers():
    assert build_restorer(load_restoration("auto-encoder").model).num_parameters == pytest.approx(
        1e6, rel=0.05
    )


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_one(name, damaged):
    settings = load_restoration(name)
    assert settings.damage == Damage()
    assert build_restorer(settings.model).film(*damaged, 1).shape == (3, 1, 28, 28)


def test_known_pixels_are_kept_if_asked(damaged):
    image, known = damaged
    kept = restorer(**KINDS["ca"], keep_known=True)(image, known)
    assert torch.equal(kept[known > 0], image[known > 0])
    free = restorer(**KINDS["ca"])(image, known)
    assert not torch.equal(free[known > 0], image[known > 0])
    assert torch.equal(free[known == 0], kept[known == 0])


def test_the_automaton_is_local_and_the_gate_is_not(damaged):
    image, known = damaged
    moved = image.clone()
    moved[:, 2, 2] += 0.5
    reach = {}
    for kind, more in (("ca", {}), ("hybrid", {"gate": {"num_hidden": 4}})):
        model = restorer(kind=kind, num_steps=3, **more)
        changed = (model(moved, known) - model(image, known)).abs().amax(0) > 1e-7
        reach[kind] = changed.nonzero().max().item()
    assert reach == {"ca": 5, "hybrid": 27}


def test_the_gate_acts_in_the_steps_it_is_told(damaged):
    body = restorer(kind="hybrid", num_steps=9, gate={"first_step": 3, "every": 2, "num_hidden": 4}).body
    told = body.lift(torch.stack(damaged, 1))
    gated = [isinstance(body.step(number, told), InTurn) for number in range(1, 10)]
    assert gated == [number in (3, 5, 7, 9) for number in range(1, 10)]


def test_rounds_go_on_where_the_steps_end(damaged):
    body = restorer(kind="hybrid", num_steps=7, gate={"first_step": 3, "every": 2, "num_hidden": 4}).body
    with torch.no_grad():
        body.gate.write.weight.normal_()
        seen = torch.stack(damaged, 1)
        states = dict(body.states(seen, 11))
        turn = body.round(body.lift(seen))
        for number in (3, 5, 9):  # after the gate
            torch.testing.assert_close(turn(states[number]), states[number + 2])
        assert not torch.allclose(turn(states[4]), states[6])


def test_a_wound_takes_its_share_of_cells_in_all_channels_and_what_they_see(damaged):
    model = restorer(kind="ca", num_steps=6, side=28, patch=2, injected=True)
    body = model.body
    wound = body.wound(len(damaged[0]), 0.3, 3, torch.Generator().manual_seed(0))
    assert (wound.alive == 0).flatten(1).sum(1).tolist() == [round(0.3 * 14**2)] * len(damaged[0])
    assert not torch.equal(wound.alive[0], wound.alive[1])
    with torch.no_grad():
        seen = torch.stack(damaged, 1)
        whole, hurt = dict(body.states(seen, 6)), dict(body.states(seen, 6, wound))
        assert torch.equal(whole[2], hurt[2])
        torch.testing.assert_close(hurt[3], whole[3] * wound.alive)
        told = body.lift(seen) * wound.alive
        torch.testing.assert_close(hurt[4], body.step(4, told)(hurt[3]))


def test_known_pixels_are_not_put_back_under_a_wound(damaged):
    image, known = damaged
    model = restorer(kind="ca", num_steps=4, side=28, patch=2, keep_known=True)
    wound = model.body.wound(len(image), 0.5, 2, torch.Generator().manual_seed(0))
    under = (model.body.on_image(wound.alive) == 0) & (known > 0) & (image > 0)
    with torch.no_grad():
        film = model.film(image, known, wound=wound)
    assert under.any()
    assert torch.equal(film[:, 0][under], image[under])
    assert not torch.isclose(film[:, 1][under], image[under]).any()
    kept = (model.body.on_image(wound.alive) > 0) & (known > 0)
    assert torch.equal(film[:, 3][kept], image[kept])


def test_training_wounds_at_random_and_judging_does_not(damaged):
    model = restorer(kind="ca", num_steps=4, largest_wound=0.9)
    model.train()
    torch.manual_seed(0)
    films = [model(*damaged) for _ in range(2)]
    assert not torch.allclose(*films)
    model.eval()
    assert torch.equal(model(*damaged), model(*damaged))


def test_training_looks_late_at_random_and_judging_does_not(damaged):
    model = restorer(kind="hybrid", num_steps=2, gate={"num_hidden": 4, "every": 2}, largest_delay=9)
    seen = torch.stack(damaged, 1)
    with torch.no_grad():
        early, late = dict(model.body.states(seen, 6)), dict(model.body.states(seen, 2, num_before=4))
        torch.testing.assert_close(late[2], early[6])
    torch.manual_seed(0)
    delays = [model.body.random_delay() for _ in range(200)]
    assert {*delays} == {0, 2, 4, 6, 8}  # whole rounds of the gate
    assert 70 < delays.count(0) < 130
    model.train()
    assert len({float(model(*damaged).detach().sum()) for _ in range(10)}) > 1
    model.eval()
    assert torch.equal(model(*damaged), model(*damaged))


def test_networks_have_no_cells_to_wound_and_no_steps(damaged):
    model = restorer(kind="u-net", width=2)
    with pytest.raises(BadInputError, match="answers at once"):
        model.film(*damaged, num_steps=3)
    with pytest.raises(BadInputError, match="no gate"):
        model.without_gate()


def test_without_its_gate_a_hybrid_is_its_automaton(damaged):
    model = restorer(kind="hybrid", num_steps=3, gate={"num_hidden": 4})
    with torch.no_grad():
        bare = model.without_gate()
        assert not torch.allclose(bare(*damaged), model(*damaged))
        model.body.gate.write.weight.zero_()
        torch.testing.assert_close(bare(*damaged), model(*damaged))


def test_a_lattice_runs_on_beyond_its_steps(damaged):
    model = restorer(kind="ca", num_steps=3)
    with torch.no_grad():
        torch.testing.assert_close(model.film(*damaged, num_steps=5)[:, :3], model.film(*damaged))


def test_a_gated_step_can_be_solved_for_its_equilibrium(damaged):
    body = restorer(kind="hybrid", num_steps=1, injected=True, gate={"num_hidden": 4}).double().body
    with torch.no_grad():
        # so little that the normalisation no longer brings it to size 1: a contraction
        body.automaton.rule.weight.mul_(1e-3)
        body.gate.write.weight.mul_(0.1)
    seen = torch.stack(damaged, 1).double()
    with torch.no_grad():
        told = body.lift(seen)
        step = body.step(1, told)
        found = solve(step, body.encoder(told), method="anderson", tolerance=1e-10, max_evaluations=200)
        assert found.converged.all()
        torch.testing.assert_close(step(found.state), found.state, rtol=1e-8, atol=1e-9)


def test_the_same_seed_makes_the_same_model_and_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    first, second, other = (build_restorer(RestorerSettings.parse(SMALL), seed) for seed in (5, 5, 6))
    assert torch.equal(before, torch.random.get_rng_state())
    assert parameters_equal(dict(first.named_parameters()), dict(second.named_parameters()))
    assert not torch.equal(first.body.encoder.weight, other.body.encoder.weight)


def test_the_loss_is_the_mean_over_the_judged_steps(digits):
    model = restorer(**SMALL)
    objective = Restoration(
        model, digits.images, Damage(), batch_size=10, noise=0.1, num_judged_steps=2, seed=3
    )
    damaged, known, whole, step = objective.batch(7)
    assert step == 7
    with torch.no_grad():
        film = model.film(damaged, known)[:, -2:]
    expected = sum(float((film[:, number] - whole).square().mean()) for number in range(2)) / 2
    assert float(objective.loss(objective.batch(7)).detach()) == pytest.approx(expected, rel=1e-5)
    assert not torch.equal(objective.batch(8)[0], damaged)
    # noise is on what is told to be known, too
    assert float((damaged - whole)[known > 0].std()) == pytest.approx(0.1, rel=0.1)


def test_coming_to_rest_is_part_of_the_loss(digits):
    model = restorer(**SMALL)
    told = {"batch_size": 10, "num_judged_steps": 2, "seed": 3}
    plain, resting = (Restoration(model, digits.images, Damage(), rest=rest, **told) for rest in (0.0, 0.5))
    damaged, known, _, _ = batch = resting.batch(7)
    with torch.no_grad():
        states = dict(model.body.states(model.seen(damaged, known), 3))
        motion = [
            float((states[n] - states[n - 1]).square().mean() / states[n].square().mean()) for n in (2, 3)
        ]
        expected = float(plain.loss(batch)) + 0.5 * sum(motion) / 2
        assert float(resting.loss(batch)) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(BadInputError, match="no state that could rest"):
        RestorationSettings.parse({"model": KINDS["u-net"], "rest": 0.1})
    with pytest.raises(BadInputError, match="answers at once"):
        restorer(**KINDS["u-net"]).film(damaged, known, watch=lambda before, after: None)


def test_saturating_cells_stay_within_one(damaged):
    model = restorer(kind="ca", cell="saturating", num_steps=3, num_hidden=6)
    with torch.no_grad():
        states = dict(model.body.states(torch.stack(damaged, 1), 30))
    assert all(float(state.abs().max()) <= 1 for state in states.values())
    assert float(states[30].std()) > 0


def test_what_is_dropped_out_depends_on_the_step_alone(digits):
    model = restorer(**SMALL).train()
    objective = Restoration(model, digits.images, Damage(), batch_size=10, seed=3)
    losses = [float(objective.loss(objective.batch(step)).detach()) for step in (1, 2, 1)]
    assert losses[0] == losses[2]
    model.eval()
    assert float(objective.loss(objective.batch(1)).detach()) != losses[0]


PROGRAM = """
import sys
from pathlib import Path
from pdenca.datasets.digits import Digits, load_digits, split_digits
from pdenca.tasks.digits.restoration import RestorationSettings, train_restorer
whole = load_digits("train", sample=True)
train_restorer(
    Digits(whole.images[:100], whole.labels[:100]), Path(sys.argv[1]),
    RestorationSettings.from_json(sys.argv[2]),
    progress=lambda at: print(at.step, flush=True), checkpoint_seconds=0.0,
)
"""


def test_a_killed_run_resumes_to_the_same_model(digits, tmp_path):
    whole = train_restorer(digits, tmp_path / "whole", SETTINGS)
    arguments = [sys.executable, "-P", "-c", PROGRAM, str(tmp_path / "killed"), SETTINGS.to_json()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(3):
            assert process.stdout.readline(), "the run ended before it could be killed"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(BadInputError, match="usual cure: --resume"):
        train_restorer(digits, tmp_path / "killed", SETTINGS)
    with pytest.raises(BadInputError, match="other settings or data"):
        train_restorer(digits, tmp_path / "killed", SETTINGS.replace(seed=9), resume=True)
    killed = train_restorer(digits, tmp_path / "killed", SETTINGS, resume=True)
    trees = [load_tree(run / "best.safetensors") for run in (whole, killed)]
    assert parameters_equal(*(tree["parameters"] for tree in trees))
    assert trees[0]["validation"] == trees[1]["validation"]

    model, settings = load_restorer(whole)
    assert settings == SETTINGS
    # it is the best one that is loaded, and better than nothing
    untrained = judge_restorer("new", build_restorer(SETTINGS.model), digits, Damage(), {})
    trained = judge_restorer("run", model, digits, Damage(), {})
    assert trained.psnr[0] > untrained.psnr[0] + 1
    with pytest.raises(FormatError, match="holds no run of a restorer of digits"):
        load_restorer(tmp_path)


def test_a_gate_alone_is_trained_on_a_frozen_automaton(digits, tmp_path):
    whole, letters = tmp_path / "digits", tmp_path / "letters"
    train_restorer(digits, whole, SETTINGS)
    settings = SETTINGS.replace(trained="gate", seed=1)
    other = Digits(255 - digits.images, digits.labels)
    with pytest.raises(BadInputError, match="--start"):
        train_restorer(other, letters, settings)
    assert not letters.exists()
    train_restorer(other, letters, settings, start=whole)
    before, after = (dict(load_restorer(run)[0].named_parameters()) for run in (whole, letters))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("body.gate.") for name in changed)
    # the run is whole without the one that it began with
    whole.rename(tmp_path / "gone")
    kept = dict(load_restorer(letters)[0].named_parameters())
    assert parameters_equal(kept, after)
    assert all(value.requires_grad for value in kept.values())


def test_a_run_goes_on_from_the_parameters_of_another_of_the_same_model(digits, tmp_path):
    train_restorer(digits, tmp_path / "first", SETTINGS)
    still = SETTINGS.replace(learning_rate=1e-12, gradient="plain", weight_decay=0.0)
    train_restorer(digits, tmp_path / "next", still, start=tmp_path / "first")
    first, following = (load_restorer(tmp_path / name)[0] for name in ("first", "next"))
    for name, value in first.named_parameters():
        torch.testing.assert_close(following.get_parameter(name), value, rtol=0, atol=1e-6)
    larger = SETTINGS.replace(model=SETTINGS.model.replace(num_channels=5))
    with pytest.raises(BadInputError, match="another model"):
        train_restorer(digits, tmp_path / "larger", larger, start=tmp_path / "first")
    # resumed with another start: other data
    train_restorer(digits, tmp_path / "second", SETTINGS.replace(seed=3))
    with pytest.raises(BadInputError, match="other settings or data"):
        train_restorer(digits, tmp_path / "next", still, start=tmp_path / "second", resume=True)


def test_a_share_of_every_batch_is_replayed(digits):
    old, new = torch.full((30, 28, 28), 255, dtype=torch.uint8), torch.zeros(40, 28, 28, dtype=torch.uint8)
    objective = Restoration(
        restorer(), new, Damage(share=0.5), batch_size=10, replayed=(old, 255 - old), replay=0.3
    )
    damaged, _, target, _ = objective.batch(0)
    assert damaged.flatten(1).any(1).sum() == 3
    assert not target.any()  # of what is replayed, too
    for wrong in ({"replay": 0.3}, {"replayed": (old, old)}):
        with pytest.raises(BadInputError, match="both or"):
            Restoration(restorer(), new, Damage(), batch_size=10, **wrong)


def test_replay_keeps_what_training_on_other_images_forgets(digits, tmp_path):
    train_restorer(digits, tmp_path / "old", SETTINGS.replace(num_steps=40, validate_every=20))
    other = Digits(255 - digits.images, digits.labels)
    errors = {}
    for replay in (0.0, 0.5):
        settings = SETTINGS.replace(num_steps=40, validate_every=40, replay=replay)
        run = tmp_path / f"new {replay}"
        train_restorer(other, run, settings, start=tmp_path / "old", replayed=digits if replay else None)
        model = load_restorer(run)[0]
        errors[replay] = mean_squared_error(model, digits, SETTINGS, digits.images)
    assert errors[0.5] < 0.8 * errors[0.0]


def test_prototypes_are_the_images_nearest_to_the_mean_of_their_class(digits):
    found = prototypes(digits)
    for number in range(10):
        own = digits.images[digits.labels == number].double()
        distances = (own - own.mean(0)).square().sum((1, 2))
        assert torch.equal(found[number].double(), own[distances.argmin()])
    with pytest.raises(BadInputError, match="class 3"):
        prototypes(digits.select((digits.labels != 3).nonzero()[:, 0]))


def test_a_memory_learns_the_prototypes(digits, tmp_path):
    settings = SETTINGS.replace(target="prototype", num_steps=60, validate_every=30, noise=0.0)
    train_restorer(digits, tmp_path / "run", settings)
    model = load_restorer(tmp_path / "run")[0]
    kept, _ = split_digits(digits, settings.num_valid, settings.seed)
    targets = prototypes(kept)[digits.labels]
    to_prototypes = mean_squared_error(model, digits, settings, targets)
    before = mean_squared_error(build_restorer(settings.model, 0), digits, settings, targets)
    assert to_prototypes < 0.7 * before


def test_a_restorer_is_judged(digits):
    model = restorer(**SMALL)
    judge = DigitClassifier(NetworkSettings(kind="explicit", num_channels=4, num_layers=1))
    few = Digits(digits.images[:40], digits.labels[:40])
    found = judge_restorer("ours", model, few, Damage(), {"judge": judge})
    assert found.psnr_by_step[-1] == pytest.approx(found.psnr[0])
    assert len(found.psnr_by_step) == 3
    assert found.psnr[1] < found.psnr[0] < found.psnr[2]
    assert found.psnr_of_mean < found.psnr[0]  # Jensen
    assert found.num_parameters == model.num_parameters
    assert found.flops > 0
    verdict = found.verdicts["judge"]
    assert verdict.low <= verdict.accuracy <= verdict.high
    harmonic = judge_restorer("fill", LaplaceFill(), few, Damage(), {"judge": judge})
    assert harmonic.psnr[0] > 15
    assert harmonic.flops is None
    table = describe([found, harmonic])
    assert len(table) == 4
    assert f"{harmonic.psnr[0] + DOUBLE_RANGE:.2f}" in table[3]


def test_what_needs_no_training_depends_on_the_damage(digits):
    blanked = training_free(digits, Damage())
    assert list(blanked) == ["damaged input", "Laplace fill", "Hopfield retrieval"]
    assert blanked["Hopfield retrieval"].memories.shape == (100, 28, 28)
    assert float(blanked["Hopfield retrieval"].memories.max()) == 1
    assert "Laplace fill" not in training_free(digits, Damage(kind="noise"))


def test_what_is_exact_is_counted_apart(digits):
    few = Digits(digits.images[:40], digits.labels[:40])
    truth = few.images.float() / 255

    def half(damaged, known):
        restored = truth.clone()
        restored[::2] = 0
        return restored

    found = judge_restorer("half", half, few, Damage(share=0.3), {})
    assert found.num_exact == 20
    expected = -10 * torch.log10(truth[::2].double().square().mean((1, 2)))
    assert found.psnr[0] == pytest.approx(float(expected.mean()))


def test_a_film_has_a_row_per_digit(digits):
    figure = film_strip(restorer(**SMALL), digits, Damage(), 2)
    titles = [axes.get_title().strip("\u200b") for axes in figure.axes]
    assert titles == 2 * ["true", "damaged", "step 1", "step 2", "step 3"]
    with pytest.raises(BadInputError, match="expected 1 to 100"):
        film_strip(restorer(**SMALL), digits, Damage(), 101)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"side": 30, "patch": 4}, "not made of patches"),
        ({"gate": {"first_step": 11}}, "there are 10"),
        ({"side": 28}, "writes at 16 places along a side of 28 cells"),
        ({"kind": "ca", "gate": {"every": 2}}, "gate plays no role"),
        ({"kind": "u-net", "num_steps": 3}, "num_steps plays no role"),
        ({"num_hidden": 3}, "num_hidden plays no role"),
        ({"width": 3}, "width plays no role"),
        ({"kind": "gate", "multiplier": 3}, "multiplier plays no role"),
    ],
)
def test_what_does_not_fit_is_refused(values, message):
    with pytest.raises(BadInputError, match=message):
        RestorerSettings.parse(values)


def test_more_judged_steps_than_there_are_are_refused(digits):
    with pytest.raises(BadInputError, match="the model has 1 steps"):
        RestorationSettings.parse({"model": {"kind": "u-net"}, "num_judged_steps": 2})
    with pytest.raises(BadInputError, match="at least one step"):
        Restoration(restorer(**SMALL), digits.images, Damage(), batch_size=10, num_judged_steps=0)
    with pytest.raises(BadInputError, match="a batch holds 1 to 100"):
        Restoration(restorer(**SMALL), digits.images, Damage(), batch_size=101)
    with pytest.raises(BadInputError, match="no digit to restore"):
        judge_restorer("none", LaplaceFill(), Digits(digits.images[:0], digits.labels[:0]), Damage(), {})
