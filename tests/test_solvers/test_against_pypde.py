"""Another program, another author: the same problems by py-pde."""

import subprocess

import pytest

from pdenca.core.errors import BadInputError
from pdenca.solvers import GrayScott, Heat
from pdenca.solvers.verification import SHARED_CASES, SharedCase, compare_with_pypde
from pdenca.solvers.verification import pypde as module

pytest.importorskip("pde")


@pytest.mark.slow
def test_rates_and_solutions_are_those_of_pypde():
    found = list(compare_with_pypde())
    assert len(found) == 2 * len(SHARED_CASES)
    assert {measurement.equation for measurement in found} >= {
        "gray-scott",
        "brusselator",
        "schnakenberg",
        "allen-cahn",
        "cahn-hilliard",
    }
    for measurement in found:
        assert measurement.passed, measurement


def test_a_wrong_equation_and_a_wrong_wall_are_seen(monkeypatch):
    sign = {
        "a": "2e-3 * laplace(a) - a * b**2 + 0.03 * (1 + a)",
        "b": "1e-3 * laplace(b) + a * b**2 - 0.09 * b",
    }
    wrong = {
        "gray-scott, periodic": SharedCase(
            GrayScott(0.03, 0.06, diffusivity_a=2e-3, diffusivity_b=1e-3), "periodic", sign, None, 1.0, 1.0, 6
        ),
        "heat, held walls": SharedCase(
            Heat(0.1), "dirichlet(1)", {"T": "0.1 * laplace(T)"}, {"value": 1.01}, 1.0, 0.5, 6
        ),
    }
    monkeypatch.setattr(module, "SHARED_CASES", wrong)
    found = list(compare_with_pypde())
    assert len(found) == 4
    assert not any(measurement.passed for measurement in found)


def test_a_failing_program_is_told_in_one_sentence(monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "Traceback\nModuleNotFoundError: No module named 'pde'")
    monkeypatch.setattr(module.subprocess, "run", lambda *arguments, **options: failed)
    with pytest.raises(BadInputError, match="No module named 'pde'; usual cure: pip install py-pde"):
        list(compare_with_pypde())
