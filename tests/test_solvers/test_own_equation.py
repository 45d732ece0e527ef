"""A user's own equation, as a subclass and as a function, works wherever one of ours does."""

import dataclasses
import pickle
import sys
from typing import ClassVar

import pytest
import torch

from pdenca.core.errors import BadInputError
from pdenca.core.field import Field
from pdenca.solvers import (
    GrayScott,
    Grid,
    ReactionDiffusion,
    RungeKutta,
    SpectralETDRK4,
    dispersion,
    equation_class,
    equation_from_name,
    reaction_diffusion,
    simulate,
)

FUNCTION = """
from pdenca.solvers import reaction_diffusion

def growth(prey, hunter, birth, death):
    meals = prey * hunter / (1 + prey)
    return birth * prey * (1 - prey) - meals, meals - death * hunter

hunting = reaction_diffusion("hunting", ("prey", "hunter"), (1.0, 0.5), growth, birth=1.0, death=0.3)
"""


@dataclasses.dataclass(frozen=True, eq=False)
class Hunting(ReactionDiffusion):
    """The same equation, written as a class."""

    name: ClassVar[str] = "hunting"
    fields: ClassVar[tuple[Field, ...]] = (Field("prey"), Field("hunter"))

    birth: float = 1.0
    death: float = 0.3

    def parameters(self):
        return {"birth": self.birth, "death": self.death}

    def diffusivities(self):
        return (1.0, 0.5)

    def reaction(self, state):
        prey, hunter = state.unbind(1)
        meals = prey * hunter / (1 + prey)
        return torch.stack((self.birth * prey * (1 - prey) - meals, meals - self.death * hunter), dim=1)


def _gray_scott(a, b, feed_rate, kill_rate):
    conversion = a * b**2
    return feed_rate * (1 - a) - conversion, conversion - (feed_rate + kill_rate) * b


@pytest.fixture
def from_function():
    return reaction_diffusion(
        "mine", ("A", Field("B")), (2e-3, 1e-3), _gray_scott, feed_rate=0.03, kill_rate=0.06
    )


@pytest.fixture
def ours():
    return GrayScott(0.03, 0.06, 2e-3, 1e-3)


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "my_hunting.py").write_text(FUNCTION)
    monkeypatch.syspath_prepend(tmp_path)
    yield "my_hunting"
    sys.modules.pop("my_hunting", None)


def test_a_function_makes_the_same_equation_as_a_class(from_function, ours, small_state):
    assert isinstance(from_function, ReactionDiffusion)
    assert from_function.name == "mine"
    assert [field.name for field in from_function.fields] == ["A", "B"]
    assert from_function.parameters() == {"feed_rate": 0.03, "kill_rate": 0.06}
    assert from_function.diffusivities() == (2e-3, 1e-3)
    torch.testing.assert_close(from_function.reaction(small_state), ours.reaction(small_state))
    torch.testing.assert_close(from_function.budget(small_state), ours.budget(small_state))
    grid = Grid.uniform(8, 0.1)
    for build in (lambda e: RungeKutta(e, grid, 0.1), lambda e: SpectralETDRK4(e, grid, 0.1)):
        torch.testing.assert_close(
            build(from_function)(small_state), build(ours)(small_state), rtol=1e-6, atol=1e-7
        )
    frames = simulate(from_function, grid, small_state, num_frames=2, frame_interval=1.0, time_step=0.1)
    expected = simulate(ours, grid, small_state, num_frames=2, frame_interval=1.0, time_step=0.1)
    torch.testing.assert_close(frames, expected, rtol=1e-6, atol=1e-7)
    k = torch.linspace(0, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(dispersion(from_function, (1.0, 0.0), k), dispersion(ours, (1.0, 0.0), k))


def test_its_constants_can_be_replaced(from_function, ours, small_state):
    changed = {"feed_rate": torch.tensor([0.02, 0.05]), "diffusivity_B": 4e-3}
    found = from_function.with_parameters(changed)
    assert found.diffusivities() == (2e-3, 4e-3)
    expected = ours.with_parameters({"feed_rate": changed["feed_rate"], "diffusivity_b": 4e-3})
    torch.testing.assert_close(found.reaction(small_state), expected.reaction(small_state))
    grid = Grid.uniform(8, 0.1)
    step, ours_step = (SpectralETDRK4(e, grid, 0.1) for e in (found, expected))
    # the linear parts differ, and with them the error of a step
    torch.testing.assert_close(step(small_state), ours_step(small_state), rtol=1e-5, atol=1e-6)
    with pytest.raises(BadInputError, match="has no parameter 'feedrate': did you mean 'feed_rate'"):
        from_function.with_parameters({"feedrate": 1.0})


def test_rates_may_be_numbers_and_single_fields_need_no_tuple():
    growth = reaction_diffusion("growth", ("u",), (1.0,), lambda u, r: r * u, r=2.0)
    state = torch.rand(2, 1, 4, dtype=torch.float64)
    torch.testing.assert_close(growth.reaction(state), 2 * state)
    steady = reaction_diffusion("steady", ("u", "v"), (1.0, 1.0), lambda u, v: (0.5, u))
    both = torch.rand(2, 2, 4, dtype=torch.float64)
    torch.testing.assert_close(
        steady.reaction(both), torch.stack((torch.full_like(both[:, 0], 0.5), both[:, 0]), 1)
    )


def test_it_can_be_sent_to_another_process(from_function, small_state):
    arrived = pickle.loads(pickle.dumps(from_function.with_parameters({"feed_rate": 0.05})))
    assert arrived.parameters() == {"feed_rate": 0.05, "kill_rate": 0.06}
    torch.testing.assert_close(arrived.reaction(small_state), GrayScott(0.05, 0.06).reaction(small_state))


def test_both_kinds_are_found_by_module_and_name(own_module, small_state):
    from_function = equation_from_name(f"{own_module}:hunting", {"death": 0.4})
    as_class = equation_from_name(f"{__name__}:Hunting", {"death": 0.4})
    assert equation_class(f"{__name__}:Hunting") is Hunting
    assert from_function.parameters() == as_class.parameters()
    grid = Grid.uniform(8, 0.5)
    for method in ("rk4", "etdrk4"):
        found, expected = (
            simulate(
                equation, grid, small_state, num_frames=3, frame_interval=0.1, time_step=0.01, method=method
            )
            for equation in (from_function, as_class)
        )
        torch.testing.assert_close(found, expected)
        assert float((found[:, -1] - found[:, 0]).abs().max()) > 0.01


def test_refusals(small_state):
    with pytest.raises(BadInputError, match=r"one diffusivity for each, got fields .* and 1 diffusivities"):
        reaction_diffusion("mine", ("u", "v"), (1.0,), _gray_scott)
    with pytest.raises(BadInputError, match="fields of different names"):
        reaction_diffusion("mine", ("u", "u"), (1.0, 1.0), _gray_scott)
    with pytest.raises(BadInputError, match="diffusivity_u: the diffusivity of a field and a parameter"):
        reaction_diffusion("mine", ("u",), (1.0,), _gray_scott, diffusivity_u=1.0)
    with pytest.raises(BadInputError, match="rate: every equation has an attribute of that name"):
        reaction_diffusion("mine", ("u",), (1.0,), _gray_scott, rate=1.0)
    short = reaction_diffusion("short", ("u", "v"), (1.0, 1.0), lambda u, v: (u,))
    with pytest.raises(BadInputError, match="'short' returned 1 rates for 2 fields"):
        short.reaction(small_state)
