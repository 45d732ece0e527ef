"""Hundreds of random maps with known answers: no flag may be wrong, whatever the method."""

import pytest
import torch

from pdenca.equilibrium import SOLVERS, solve, stability_of

KINDS = ("stable", "unstable", "contraction", "shift", "lifted", "nan", "domain")
NUM_ENTRIES = 6


class RandomMaps:
    """One map per sample: linear ones inside and outside the unit circle, contractions, and hopeless ones.

    The spectral radii stay out of 0.98 ... 1.02, where a verdict would be a matter of taste.
    """

    def __init__(self, kinds, generator):
        def randn(*shape):
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        def rand(count):
            return torch.rand(count, generator=generator, dtype=torch.float64)

        count = len(kinds)
        self.kinds = torch.tensor(kinds)
        weight = randn(count, NUM_ENTRIES, NUM_ENTRIES)
        self.radius = torch.where(self.kinds == 0, 0.1 + 0.88 * rand(count), 1.02 + 2 * rand(count))
        radii = torch.linalg.eigvals(weight).abs().amax(1)
        norms = torch.linalg.matrix_norm(weight, 2)
        factor = torch.where(self.kinds == 2, (0.1 + 0.85 * rand(count)) / norms, self.radius / radii)
        self.weight, self.bias = weight * factor[:, None, None], randn(count, NUM_ENTRIES)
        self.start = randn(count, NUM_ENTRIES)

    def __call__(self, state):
        affine = (self.weight @ state[..., None])[..., 0] + self.bias
        values = affine.clone()
        for kind, map in (
            (2, lambda z, a, b: torch.tanh(a)),
            (3, lambda z, a, b: z + b),
            (4, lambda z, a, b: z + 0.1 * (1 + z * z)),  # z² + 1 = 0 has no real root
            (5, lambda z, a, b: z * float("nan")),
            (6, lambda z, a, b: torch.sqrt(-1 - z * z)),
        ):
            rows = (self.kinds == kind).nonzero().flatten()
            if len(rows):  # row by row, so that no NaN of one map meets another one
                values = values.index_copy(0, rows, map(state[rows], affine[rows], self.bias[rows]))
        return values


def check(count, seed):
    """Search with every method for the fixed points of ``count`` maps and return the number found of each."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.randint(0, len(KINDS), (count,), generator=generator).tolist()
    maps = RandomMaps(kinds, generator)
    identity = torch.eye(NUM_ENTRIES, dtype=torch.float64)
    inverse = torch.linalg.inv(identity - maps.weight)
    solution = (inverse @ maps.bias[..., None])[..., 0]
    condition = torch.linalg.matrix_norm(inverse, 2)
    rolled = maps.start
    for _ in range(400):
        rolled = maps(rolled)
    found_of = {}
    for method in SOLVERS:
        found = solve(maps, maps.start, method=method, tolerance=1e-9, max_evaluations=200)
        judged = stability_of(maps, found.state)
        for number, kind in enumerate(kinds):
            name, verdict = KINDS[kind], judged[number].verdict
            if not bool(found.converged[number]):
                assert found.reason[number] != "converged"
                continue
            state, size = found.state[number], float(found.state[number].norm())
            where = f"{method}, map {number}: {name}, radius {float(maps.radius[number]):.3f}"
            assert name in {"stable", "unstable", "contraction"}, where
            assert float(found.residuals[number]) <= 1e-9, where
            assert verdict == ("unstable" if name == "unstable" else "stable"), where
            if name == "contraction":
                torch.testing.assert_close(state, rolled[number], rtol=0, atol=1e-6)
            else:
                error = float((state - solution[number]).norm())
                assert error <= 1.1e-9 * float(condition[number]) * size, where
                assert judged[number].spectral_radius == pytest.approx(float(maps.radius[number]), rel=1e-6)
        found_of[method] = {
            name: float(found.converged[maps.kinds == kind].double().mean())
            for kind, name in enumerate(KINDS)
            if kind in kinds
        }
    return found_of


def check_shares(found_of):
    for method, share in found_of.items():
        for hopeless in KINDS[3:]:
            assert share[hopeless] == 0
        assert share["contraction"] > 0.9, (method, share)
        assert share["stable"] > (0.7 if method == "picard" else 0.95), (method, share)
    assert found_of["picard"]["unstable"] == 0
    assert found_of["newton-krylov"]["unstable"] > 0.95


def test_three_hundred_random_maps():
    check_shares(check(300, seed=1))


@pytest.mark.slow
def test_a_thousand_random_maps():
    check_shares(check(1000, seed=2))
