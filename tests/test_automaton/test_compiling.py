"""Compiling: the same result where it works, a warning and the ordinary march where it does not."""

import shutil
import subprocess
import sys
import warnings

import pytest
import torch
from torch._dynamo.exc import TorchDynamoException

from pdenca.solvers import Grid

GRID = Grid.uniform(8, 1.0)
FEED = {"feed_rate": torch.tensor([0.03, 0.05], dtype=torch.float64)}


class BrokenCompiler:
    """Stands in for torch.compile: fails when the compiled function is called, as without a C++ compiler."""

    def __init__(self, error):
        self.error, self.calls = error, 0

    def __call__(self, function):
        def compiled(*arguments):
            self.calls += 1
            raise self.error

        return compiled


class InductorError(TorchDynamoException):
    """What torch raises around a failed compiler run."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InductorError("InvalidCxxCompiler: no working C++ compiler\nlong\ntrace"), "InvalidCxxCompiler: no"),
        (OSError("no space left"), "no space left"),
        (InductorError(), "InductorError"),
    ],
)
def test_without_a_working_compiler_it_warns_once_and_marches_on(
    error, reason, monkeypatch, make_isotropic, small_state
):
    automaton = make_isotropic()
    with torch.no_grad():
        expected = automaton.advance(small_state, FEED, GRID, 3)
        broken = BrokenCompiler(error)
        monkeypatch.setattr(torch, "compile", broken)
        automaton.compile_steps()
        with pytest.warns(RuntimeWarning, match=f"not compiled, running eagerly instead: {reason}") as caught:
            assert torch.equal(automaton.advance(small_state, FEED, GRID, 3), expected)
        assert "trace" not in str(caught[0].message)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert torch.equal(automaton.advance(small_state, FEED, GRID, 3), expected)
    assert broken.calls == 1


def test_other_errors_are_not_taken_for_a_missing_compiler(monkeypatch, make_isotropic, small_state):
    automaton = make_isotropic()
    monkeypatch.setattr(torch, "compile", BrokenCompiler(ValueError("a defect")))
    automaton.compile_steps()
    with pytest.raises(ValueError, match="a defect"):
        automaton.advance(small_state, FEED, GRID, 3)


# a program of its own: torch's compiler cannot follow the shape checks that run inside the tests
PROGRAM = """
import torch
from pdenca.automaton import *
from pdenca.solvers import Grid

torch.manual_seed(0)
rule = TransportReaction(PointwiseMLP(2, 1, 2, 5))
automaton = Automaton(
    IsotropicKernels(2), rule, Increment(), HiddenChannels(2), context_names=("feed_rate",)
).double()
with torch.no_grad():
    for value in automaton.parameters():
        value.normal_(std=0.3)
state, context = torch.rand(2, 2, 8, 8).double(), {"feed_rate": torch.tensor([0.03, 0.05])}
results = []
for compiled in (False, True):
    if compiled:
        automaton.compile_steps()
    automaton.zero_grad()
    after = automaton.advance(state, context, Grid.uniform(8, 1.0), 4)
    after.square().sum().backward()
    results.append([after.detach(), *(value.grad.clone() for value in automaton.parameters())])
for eager, fast in zip(*results, strict=True):
    torch.testing.assert_close(fast, eager)
print(len(torch._dynamo.utils.counters["stats"]) > 0 and "compiled")
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_steps_give_the_same_states_and_gradients():
    command = [sys.executable, "-P", "-W", "error::RuntimeWarning", "-c", PROGRAM]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "compiled"
