"""The sparse fit: what it finds in data whose equation is known, and what it does with it."""

import math

import pytest
import torch

from pdenca.baselines import EquationsOnGrid, SparsePolynomial, Term, choose_fit, polynomial_library
from pdenca.baselines.sparse_polynomial import evaluate_terms
from pdenca.core import BadInputError, Emulator
from pdenca.solvers import GrayScott, Grid, laplacian, simulate

GRID = Grid.uniform(32, 1 / 64)
FEEDS, KILLS = (0.02, 0.03, 0.04, 0.055), (0.05, 0.06, 0.058, 0.062)
CONTEXT = {
    "feed_rate": torch.tensor(FEEDS, dtype=torch.float64),
    "kill_rate": torch.tensor(KILLS, dtype=torch.float64),
}
A, B = 0, 1
TRUE = {
    (A, Term((1, 2))): -1.0,
    (A, Term((0, 0), "feed_rate")): 1.0,
    (A, Term((1, 0), "feed_rate")): -1.0,
    (A, Term((0, 0), None, A)): 2e-5,
    (B, Term((1, 2))): 1.0,
    (B, Term((0, 1), "feed_rate")): -1.0,
    (B, Term((0, 1), "kill_rate")): -1.0,
    (B, Term((0, 0), None, B)): 1e-5,
}


@pytest.fixture(scope="module")
def windows():
    """Seven frames, finely spaced, in the course of pattern formation, of four parameter sets."""
    generator = torch.Generator().manual_seed(5)
    x, y = torch.meshgrid(*GRID.coordinates(), indexing="ij")
    start = torch.tensor([0.9, 0.05], dtype=torch.float64).view(1, 2, 1, 1).repeat(4, 1, 32, 32)
    for number in range(8):  # the fields have bumps at different places, so that their products differ
        centre = 0.5 * torch.rand(4, 2, 1, 1, generator=generator, dtype=torch.float64)
        near = [
            torch.sin(2 * math.pi * (axis - centre[:, number])).square() for number, axis in enumerate((x, y))
        ]
        start[:, number % 2] += (-0.2, 0.2)[number % 2] * torch.exp(-8 * (near[0] + near[1]))
    frames = simulate(
        GrayScott(**CONTEXT),
        GRID,
        start,
        num_frames=100,
        frame_interval=0.25,
        time_step=0.25,
        method="etdrk4",
    )
    return torch.cat([frames[:, first : first + 7] for first in (20, 50, 90)]), {
        name: values.repeat(3) for name, values in CONTEXT.items()
    }


def fits(windows, **options):
    frames, context = windows
    return SparsePolynomial.fit(frames, context, GRID, 0.25, stencil="order-12", **options)


def test_the_library_has_every_product_once():
    terms = polynomial_library(2, ("f",), 2)
    assert len(terms) == len(set(terms)) == 6 * 2 + 2
    names = [term.name(("A", "B")) for term in terms]
    assert names == [
        "1",
        "B",
        "A",
        "B^2",
        "A B",
        "A^2",
        "f",
        "f B",
        "f A",
        "f B^2",
        "f A B",
        "f A^2",
        "∇²A",
        "∇²B",
    ]


def test_terms_are_what_their_names_say():
    state = torch.rand(2, 2, 32, 32, dtype=torch.float64)
    given = {"f": torch.tensor([2.0, 3.0], dtype=torch.float64)}
    terms = (Term((1, 2)), Term((0, 1), "f"), Term((0, 0)), Term((0, 0), None, 1))
    product, fed, one, curved = evaluate_terms(terms, state, given, GRID, "order-4")
    torch.testing.assert_close(product, state[:, 0] * state[:, 1] ** 2)
    torch.testing.assert_close(fed, state[:, 1] * given["f"].view(2, 1, 1))
    assert bool((one == 1).all())
    torch.testing.assert_close(curved, laplacian(state, GRID, "order-4")[:, 1])


def test_fine_data_show_the_coefficients_of_gray_scott(windows):
    found = fits(windows)[-1]
    for (field, term), value in TRUE.items():
        assert found.coefficient(field, term) == pytest.approx(value, rel=0.02), (field, term)
    assert found.num_parameters == len(TRUE)


def test_higher_thresholds_keep_fewer_terms_and_the_first_keeps_more_than_the_truth(windows):
    counts = [fit.num_parameters for fit in fits(windows)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > len(TRUE)


def test_the_fit_marches_like_the_equation_that_it_found(windows):
    found = fits(windows)[-1]
    assert isinstance(found, Emulator)
    exact = EquationsOnGrid.converged_in_time("gray-scott", 0.25, "order-12")
    state = windows[0][:4, 0]
    step = found.bind(GRID, CONTEXT)
    assert (step.time_step, step.deterministic, step.evaluations_per_frame) == (0.25, True, 4)
    torch.testing.assert_close(step(state), exact.bind(GRID, CONTEXT)(state), rtol=0, atol=1e-4)
    moved = (exact.bind(GRID, CONTEXT)(state) - state).abs().max()
    assert moved > 5e-3
    # true coefficients: the same steps to rounding
    coefficients = torch.zeros_like(found.coefficients)
    for (field, term), value in TRUE.items():
        coefficients[found.terms.index(term), field] = value
    same = SparsePolynomial(found.terms, coefficients, 0.25, "order-12")
    torch.testing.assert_close(
        same.bind(GRID, CONTEXT)(state), exact.bind(GRID, CONTEXT)(state), rtol=0, atol=1e-12
    )
    assert (same.num_parameters, same.radius) == (8, 6)
    assert same.formula(("A", "B"))[1] == "∂B/∂t = +1 A B^2 -1 feed_rate B -1 kill_rate B +1e-05 ∇²B"
    varying = {name: value.view(4, 1, 1).expand(4, 32, 32) for name, value in CONTEXT.items()}
    torch.testing.assert_close(same.bind(GRID, varying)(state), same.bind(GRID, CONTEXT)(state))
    assert same.bind(GRID, CONTEXT)(state.float()).dtype == torch.float32


def test_steps_stay_below_the_limit_of_diffusion():
    terms = polynomial_library(1, (), 1)
    coefficients = torch.tensor([[0.0], [0.0], [1.0]], dtype=torch.float64)
    model = SparsePolynomial(terms, coefficients, 1.0, "order-2", max_time_step=10.0)
    grid = Grid.uniform(8, 0.25)
    step = model.bind(grid, {})
    assert step.steps_per_frame == math.ceil(8 / 0.25**2 / (0.5 * 2.785))
    noise = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    assert step(noise).std() < 1e-3 * noise.std()


def test_validation_chooses():
    terms = polynomial_library(1, (), 1)

    def model(*values):
        return SparsePolynomial(terms, torch.tensor(values, dtype=torch.float64)[:, None], 1.0)

    rich, poor, empty = model(1.0, 2.0, 3.0), model(1.0, 0.0, 0.0), model(0.0, 0.0, 0.0)
    score = {rich: 0.5, poor: 0.5, empty: math.nan}.__getitem__
    assert choose_fit([rich, poor, empty], score) is poor
    assert choose_fit([rich, empty], score) is rich
    assert choose_fit([rich, empty], lambda fit: math.nan) is empty
    asked = []
    choose_fit([poor, model(1.0, 0.0, 0.0)], lambda fit: asked.append(fit) or 1.0)
    assert len(asked) == 1


def test_what_cannot_be_fitted_is_refused(windows):
    found = fits(windows)[-1]
    for make, message in (
        (
            lambda: fits((windows[0][:, :5], windows[1])),
            "a window has 7 frames for its time difference, got 5",
        ),
        (lambda: choose_fit([], lambda fit: 1.0), "no fit to choose from"),
        (lambda: found.bind(GRID, {"feed_rate": CONTEXT["feed_rate"]}), "needs the parameter 'kill_rate'"),
        (lambda: found.coefficient(0, Term((9, 9))), "the library of 32 terms has no"),
        (lambda: SparsePolynomial(found.terms, found.coefficients[:3], 1.0), "32 terms and 3 rows"),
        (lambda: SparsePolynomial(found.terms, found.coefficients, 0.0), "frame_interval must be positive"),
        (lambda: SparsePolynomial(found.terms, found.coefficients, 1.0, "order-3"), "order-3"),
        (lambda: SparsePolynomial(found.terms, found.coefficients, 1.0, max_time_step=0.0), "max_time_step"),
    ):
        with pytest.raises(BadInputError, match=message):
            make()
