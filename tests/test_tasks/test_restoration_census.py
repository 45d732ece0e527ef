"""The census of attractors, on restorers whose dynamics are known."""

import json
import math

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.datasets.digits import load_digits
from pdenca.tasks.digits.classifier import DigitClassifier
from pdenca.tasks.digits.restoration import (
    Damage,
    RestorerSettings,
    build_restorer,
    census_figure,
    describe_census,
    judge_restorer,
)
from pdenca.tasks.digits.restoration.census import FAMILIES, take_census
from pdenca.tasks.digits.restoration.ends import (
    LARGEST_TOLERANCE,
    LEAST_TOLERANCE,
    attractors_of,
    follow,
    grouped,
    tolerance_of,
)
from pdenca.tasks.digits.restoration.recovery import SHARES
from pdenca.tasks.digits.restoration.starts import draw_starts, untrained
from pdenca.tasks.digits.settings import NetworkSettings

SMALL = {"side": 28, "patch": 4, "num_channels": 4, "num_steps": 3}
GATED = {"hybrid": {"gate": {"read_side": 7, "write_side": 7}}}
GATE = {"kind": "gate", **SMALL, "gate": {"read_side": 7, "write_side": 7}}


@pytest.fixture(scope="module")
def digits():
    return load_digits("test", sample=True)


@pytest.fixture(scope="module")
def judge():
    torch.manual_seed(0)
    return DigitClassifier(NetworkSettings(kind="explicit", num_layers=1, num_channels=4)).eval()


def census(restorer, digits, judge, **options):
    return take_census(restorer, digits, Damage(), judge, num_starts=30, num_rounds=33, **options)


def forgetful():
    """Whatever a cell holds, it next holds the same."""
    model = build_restorer(RestorerSettings.parse({"kind": "ca", **SMALL})).eval()
    with torch.no_grad():
        model.body.automaton.rule.weight.zero_()
        model.body.automaton.rule.norm.bias.fill_(0.5)
    return model


def chaotic():
    """Cells that multiply what they and their neighbours hold, and saturate."""
    settings = RestorerSettings.parse({"kind": "ca", "cell": "saturating", "kernels": "full", **SMALL})
    model = untrained(settings, 1)
    with torch.no_grad():
        model.body.automaton.rule.output_weight *= 5
    return model


def seeing():
    """A state is what a cell is told, at once; those of a chaotic map would not stay."""
    model = build_restorer(
        RestorerSettings.parse({"kind": "ca", **SMALL, "injected": True, "keep_known": True})
    )
    with torch.no_grad():
        model.body.automaton.rule.weight[:, : -2 * 16] = 0  # of the state; what is seen is left
    return model.eval()


def test_a_rule_that_forgets_everything_has_one_valley(digits, judge):
    found = census(forgetful(), digits, judge)
    own = found.found
    assert own.num_valleys == 1
    assert own.num_outside == 0
    assert own.largest == ((1.0, 0.0),)
    assert own.kinds == {"fixed": 30}
    assert own.lyapunov == -torch.inf
    for recovery in (found.midway, found.at_end):
        assert all(recovery.returned[share] == (1.0, 0.0) for share in SHARES)
        assert (recovery.num_starts, recovery.num_images) == (30, 10)
    for name in FAMILIES:
        family = found.families[name]
        assert family.kinds == {"fixed": 10}
        assert family.settled_after <= 2
        assert family.num_valleys == family.num_classes_with_valley == 1
        assert family.held == family.purity == 1.0
    assert own.purity == 1.0
    assert found.intact is None
    told = "\n".join(describe_census(found))
    assert "30 starts followed for 33 rounds of 1 steps. 1 valley of two starts or more, 0 starts" in told
    assert "| random states | 10 fixed | 100 % |" in told
    assert "| half-way: back in their place | 100.0 ± 0.0 % |" in told
    assert len(census_figure(found).axes) == 3
    assert json.loads(json.dumps(found.to_dict()))["num_starts"] == 30


def explosive(kind):
    """Cells that add ever more of what they and their neighbours hold."""
    settings = RestorerSettings.parse(
        {"kind": kind, "cell": "residual", "kernels": "full", **SMALL, **GATED.get(kind, {})}
    )
    model = untrained(settings, 1)
    with torch.no_grad():
        model.body.automaton.rule.output_weight *= 1e4
    return model


@pytest.mark.parametrize("kind", ["ca", "hybrid"])
def test_a_rule_that_explodes_has_a_census_without_ends(digits, judge, kind):
    found = census(explosive(kind), digits, judge)
    own = found.found
    assert own.kinds == {"not finite": 30}
    assert (own.num_valleys, own.num_outside, found.noise_valleys) == (0, 30, 0)
    for recovery in (found.midway, found.at_end):
        assert recovery.num_starts == 0
        assert all(math.isnan(value) for pair in recovery.returned.values() for value in pair)
    # what is read off after the few steps of training is still something
    assert found.midway.num_images == 10
    assert all(0 <= share <= 1 for share, _ in found.midway.right.values())
    assert all(family.held == 0 for family in found.families.values())
    told = "\n".join(describe_census(found))
    assert "0 valleys of two starts or more, 30 starts" in told
    assert len(census_figure(found).axes) == 3
    intact = census(explosive(kind), digits, judge, before=explosive(kind)).intact
    assert (intact.share, intact.same_class, intact.at_rest) == ((0.0, 0.0), (0.0, 0.0), 0.0)


def test_a_rule_that_changes_nothing_has_as_many_ends_as_starts(digits, judge):
    found = census(build_restorer(RestorerSettings.parse(GATE)).eval(), digits, judge)
    own = found.found
    assert (own.num_valleys, own.num_outside) == (0, 30)
    assert own.tolerance == LEAST_TOLERANCE
    for recovery in (found.midway, found.at_end):
        assert recovery.returned[0.0] == (1.0, 0.0)
        assert recovery.returned[0.3] == (0.0, 0.0)
    assert own.lyapunov == pytest.approx(0, abs=1e-6)
    assert all(family.kinds == {"fixed": 10} for family in found.families.values())
    assert all(family.held == 0 for family in found.families.values())
    assert found.noise_valleys == 0


def test_the_null_model_is_none_that_does_nothing(digits, judge):
    settings = RestorerSettings.parse(GATE)
    null, other = untrained(settings, 3), untrained(settings, 3)
    weight = null.body.gate.write.weight
    assert float(weight.detach().std()) == pytest.approx(weight[0].numel() ** -0.5, rel=0.7)
    assert all(map(torch.equal, null.parameters(), other.parameters()))
    starts = draw_starts(null, null.body, digits, Damage(), 30, 0)
    with torch.no_grad():
        moved = null.body.round(starts.told)(starts.states)
    assert not torch.allclose(moved, starts.states, atol=1e-2)
    # what starts as no weight but an offset stays zero
    rule = untrained(
        RestorerSettings.parse({"kind": "ca", "cell": "residual", **SMALL}), 0
    ).body.automaton.rule
    assert rule.output_weight.any()
    assert not rule.output_bias.any()


def test_the_null_model_starts_from_its_own_encoder(digits, judge):
    model = forgetful()
    with torch.no_grad():
        model.body.encoder.weight.mul_(100)
    found, usual = census(model, digits, judge), census(forgetful(), digits, judge)
    assert repr(found.untrained) == repr(usual.untrained)  # a NaN is not equal to itself
    assert sum(found.untrained.kinds.values()) == 30


def test_in_chaos_no_place_is_the_same(digits, judge):
    model = chaotic()
    found = census(model, digits, judge)
    assert found.found.kinds == {"moving": 30}
    assert found.found.lyapunov > 0.05
    assert found.found.tolerance == LEAST_TOLERANCE
    assert (found.found.num_valleys, found.found.num_outside) == (0, 30)
    assert all(share == 0 for share, _ in found.at_end.returned.values())
    assert all(found.midway.returned[share][0] == 0 for share in SHARES[1:])
    assert all(family.held == 0 for family in found.families.values())


def test_only_ends_at_rest_say_what_is_near(digits):
    model = chaotic()
    starts = draw_starts(model, model.body, digits, Damage(), 12, 0)
    with torch.no_grad():
        ends = follow(model.body, starts, 40)
        assert float(ends.drift.median()) > 0.5
        assert tolerance_of(ends) == LEAST_TOLERANCE
        mixed = torch.where(torch.arange(12) < 3, 1e-3, ends.drift)
        size = float(ends.states.double().flatten(1).square().mean(1).sqrt().median())
        resting = replaced(ends, kinds=("fixed",) * 3 + ("moving",) * 9, drift=mixed)
        assert tolerance_of(resting) == pytest.approx(1e-2 / size)
        assert tolerance_of(replaced(resting, drift=mixed * 1e3)) == LARGEST_TOLERANCE


def test_ends_that_grow_do_not_make_the_others_one():
    rows = torch.arange(8, dtype=torch.float64).repeat_interleave(2)
    states = (1 + 0.1 * rows).view(16, 1, 1, 1).expand(16, 2, 3, 3)
    assert grouped(states, 1e-3).num_valleys == 8
    huge = torch.cat((states, torch.full((1, 2, 3, 3), 1e9, dtype=torch.float64)))
    assert grouped(huge, 1e-3).num_valleys == 8
    assert grouped(huge, 0.11).num_valleys == 1


def replaced(item, **changes):
    return type(item)(**{**vars(item), **changes})


def test_where_cells_see_the_image_each_has_an_end_of_its_own(digits, judge):
    found = census(seeing(), digits, judge)
    # noise sees nothing: all of its starts end in the same state
    assert (found.found.num_valleys, found.found.num_outside) == (1, 20)
    assert found.families["noise"].num_valleys == 1
    assert found.families["noise"].held == 1.0
    assert found.families["damaged"].held == 0.0


def test_cells_that_were_hit_are_told_nothing_any_more(digits, judge):
    found = census(seeing(), digits, judge)
    # what is seen brings every state back, and so it would if cells that were hit still saw it
    for recovery in (found.midway, found.at_end):
        assert recovery.returned[0.0] == (1.0, 0.0)
        assert recovery.returned[0.6][0] == pytest.approx(1 / 3)  # noise, which sees nothing anyway


def test_known_pixels_are_not_put_back_over_cells_that_were_hit(digits):
    class Counting(DigitClassifier):
        """Sees a 1 if all of an image is ink, and else a 0."""

        def forward(self, images):
            full = (images > 0.5).flatten(1).all(1).float()
            return torch.stack((torch.full_like(full, 0.5), full), 1)

    model = seeing()
    with torch.no_grad():
        model.body.read_out.weight.zero_()
        model.body.read_out.bias.zero_()
    ink = type(digits)(torch.full_like(digits.images, 255), torch.ones_like(digits.labels))
    found = take_census(
        model,
        ink,
        Damage(share=0.0),
        Counting(NetworkSettings(kind="explicit", num_layers=1)),
        num_starts=30,
        num_rounds=40,
    )
    for recovery in (found.midway, found.at_end):
        assert recovery.right[0.0] == (1.0, 0.0)  # known pixels alone
        assert recovery.right[0.1] == (0.0, 0.0)


def test_the_answer_after_damage_half_way_is_that_of_the_evaluation(digits, judge):
    model = seeing()
    found = census(model, digits, judge)
    few = type(digits)(digits.images[:10], digits.labels[:10])
    drawn = draw_starts(model, model.body, digits, Damage(), 30, 0)
    rows = (drawn.classes >= 0).nonzero()[:, 0]
    with torch.no_grad():
        answers = judge(model(drawn.damaged[rows], drawn.known[rows]).clamp(0, 1)).argmax(1)
    assert found.midway.right[0.0][0] == pytest.approx(float((answers == few.labels).double().mean()))
    assert judge_restorer("x", model, few, Damage(), {"judge": judge}).num_images == 10


def test_ends_are_compared_with_those_of_before(digits, judge):
    same = census(forgetful(), digits, judge, before=forgetful()).intact
    assert (same.share, same.same_class, same.at_rest) == ((1.0, 0.0), (1.0, 0.0), 1.0)
    other = forgetful()
    with torch.no_grad():
        other.body.automaton.rule.norm.bias.fill_(-0.5)
    found = census(forgetful(), digits, judge, before=other)
    assert found.intact.share == (0.0, 0.0)
    assert "0.0 ± 0.0 % of the same starts end where they ended before" in "\n".join(describe_census(found))
    moving = census(chaotic(), digits, judge, before=chaotic()).intact
    assert moving.at_rest == 0.0
    with pytest.raises(BadInputError, match="of another shape"):
        census(forgetful(), digits, judge, before=chaotic())


@pytest.mark.slow
def test_the_same_seed_takes_the_same_census(digits, judge):
    model = build_restorer(RestorerSettings.parse({"kind": "ca", **SMALL})).eval()
    first, again, other = (census(model, digits, judge, seed=seed) for seed in (1, 1, 2))
    assert repr(first) == repr(again)
    assert repr(first) != repr(other)


def test_what_diverges_has_no_attractors_that_could_be_counted(digits, judge):
    model = chaotic()
    starts = draw_starts(model, model.body, digits, Damage(), 6, 0)
    with torch.no_grad():
        ends = follow(model.body, starts, 33)
        lost = replaced(ends, kinds=("not finite",) * 6)
        found, seen, labels = attractors_of(model.body, judge, starts, lost, 0)
    assert (found.kinds, found.num_valleys, found.num_outside) == ({"not finite": 6}, 0, 6)
    assert math.isnan(found.lyapunov)
    assert math.isnan(found.purity)
    assert seen.tolist() == labels.tolist() == [-1] * 6


def test_what_has_no_attractors_is_refused(digits, judge):
    network = build_restorer(RestorerSettings.parse({"kind": "u-net", "width": 2}))
    with pytest.raises(BadInputError, match="no attractors"):
        census(network, digits, judge)
    model = build_restorer(RestorerSettings.parse({"kind": "ca", **SMALL}))
    with pytest.raises(BadInputError, match="expected 6 to 1500"):
        take_census(model, digits, Damage(), judge, num_starts=5)


class Swap:
    """Two pictures after one another for ever: which comes first, the start decides."""

    time_step, deterministic = 1.0, True

    def __call__(self, state):
        sign = -state.flatten(1).sum(1).sign().view(-1, 1, 1, 1)
        return sign * torch.ones_like(state)

    def select(self, rows):
        return self


def test_a_cycle_is_one_valley_and_is_found_again_in_any_phase(digits, judge):
    model = build_restorer(RestorerSettings.parse({"kind": "ca", **SMALL})).eval()
    model.body.step = lambda number, told: Swap()
    found = census(model, digits, judge, before=model)
    assert found.found.kinds == {"periodic": 30}
    assert (found.found.num_valleys, found.found.num_outside) == (1, 0)
    for recovery in (found.midway, found.at_end):
        assert set(recovery.returned.values()) == {(1.0, 0.0)}
    assert found.intact.share == (1.0, 0.0)
