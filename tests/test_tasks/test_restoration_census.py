"""The census of attractors, on restorers whose dynamics are known."""

import json

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.datasets.digits import load_digits
from pdenca.tasks.digits.classifier import DigitClassifier
from pdenca.tasks.digits.restoration import Damage, RestorerSettings, build_restorer, describe_census
from pdenca.tasks.digits.restoration.census import FAMILIES, SHARES, take_census
from pdenca.tasks.digits.settings import NetworkSettings

SMALL = {"side": 28, "patch": 4, "num_channels": 4, "num_steps": 3}


@pytest.fixture(scope="module")
def digits():
    return load_digits("test", sample=True)


@pytest.fixture(scope="module")
def judge():
    torch.manual_seed(0)
    return DigitClassifier(NetworkSettings(num_channels=4)).eval()


def census(restorer, digits, judge, **options):
    return take_census(restorer, digits, Damage(), judge, num_starts=30, num_rounds=40, **options)


def test_a_rule_that_forgets_everything_has_one_valley(digits, judge):
    model = build_restorer(RestorerSettings.parse({"kind": "ca", **SMALL})).eval()
    with torch.no_grad():
        model.body.automaton.rule.weight.zero_()
        model.body.automaton.rule.norm.bias.fill_(0.5)
    found = census(model, digits, judge)
    assert found.num_valleys == 1
    assert found.num_outside == 0
    assert found.largest == ((1.0, 0.0),)
    assert found.lyapunov == -torch.inf
    assert all(found.returned[share] == (1.0, 0.0) for share in SHARES)
    for name in FAMILIES:
        family = found.families[name]
        assert family.kinds == {"fixed": 10}
        assert family.settled_after <= 2
        assert family.num_valleys == 1
    assert found.purity == 1.0
    told = "\n".join(describe_census(found))
    assert "30 starts followed for 40 rounds of 1 steps: 1 valley of two starts or more, 0 starts" in told
    assert "| random states | 10 fixed |" in told
    assert "| back in their place | 100.0 ± 0.0 % |" in told
    assert json.loads(json.dumps(found.to_dict()))["num_starts"] == 30


def test_a_rule_that_changes_nothing_has_as_many_ends_as_starts(digits, judge):
    model = build_restorer(
        RestorerSettings.parse({"kind": "gate", **SMALL, "gate": {"read_side": 7, "write_side": 7}})
    )
    found = census(model.eval(), digits, judge)
    assert (found.num_valleys, found.num_outside) == (0, 30)
    assert found.returned[0.0] == (1.0, 0.0)
    assert found.returned[0.3] == (0.0, 0.0)
    assert found.lyapunov == pytest.approx(0, abs=1e-6)
    assert all(family.kinds == {"fixed": 10} for family in found.families.values())
    # untrained gates of the same shape change nothing either
    assert found.untrained_valleys == found.noise_valleys == 0


def test_where_cells_see_the_image_each_has_an_end_of_its_own(digits, judge):
    settings = {"kind": "ca", **SMALL, "injected": True}
    model = build_restorer(RestorerSettings.parse(settings)).eval()
    with torch.no_grad():
        weight = model.body.automaton.rule.weight
        weight[:, : -2 * 16] = 0  # of the state; what is seen is left
    found = census(model, digits, judge)
    # noise sees nothing: all of its starts end in the same state
    assert (found.num_valleys, found.num_outside) == (1, 20)
    assert found.families["noise"].num_valleys == 1
    # what is seen brings every one of them back
    assert found.returned[0.6] == (1.0, 0.0)


@pytest.mark.slow
def test_the_same_seed_takes_the_same_census(digits, judge):
    model = build_restorer(RestorerSettings.parse({"kind": "ca", **SMALL})).eval()
    first, again, other = (census(model, digits, judge, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_what_has_no_attractors_is_refused(digits, judge):
    network = build_restorer(RestorerSettings.parse({"kind": "u-net", "width": 2}))
    with pytest.raises(BadInputError, match="no attractors"):
        census(network, digits, judge)
    model = build_restorer(RestorerSettings.parse({"kind": "ca", **SMALL}))
    with pytest.raises(BadInputError, match="expected 6 to 1500"):
        take_census(model, digits, Damage(), judge, num_starts=5)
