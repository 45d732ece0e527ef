"""What all tests share: shape and type checks, one thread, no window system, seeded generators."""

import os

os.environ["MPLBACKEND"] = "Agg"  # before anything imports matplotlib

import hypothesis
import pytest
import torch
from jaxtyping import install_import_hook

# Every annotated function of pdenca checks its arguments while the tests run, tensors by their shapes. This
# must come before the first import of pdenca. beartype knows `Self` only when it decorates whole classes, and
# jaxtyping decorates method by method, so `Self` is left unchecked.
CHECKER = (
    "beartype.beartype(conf=beartype.BeartypeConf(hint_overrides=beartype.FrozenDict("
    "{__import__('typing').Self: __import__('typing').Any})))"
)
install_import_hook("pdenca", CHECKER)

# a busy machine must not fail a test, and a failure must come again
hypothesis.settings.register_profile("pdenca", deadline=None, derandomize=True)
hypothesis.settings.load_profile("pdenca")

torch.set_num_threads(1)  # the tests' tensors are small: more threads only wait for each other


@pytest.fixture
def generator() -> torch.Generator:
    """A CPU generator with the same seed for every test."""
    return torch.Generator().manual_seed(20240426)


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """Both floating point types that pdenca promises to work in."""
    return request.param


@pytest.fixture
def small_state(generator: torch.Generator) -> torch.Tensor:
    """Random fields in [0, 1): 2 trajectories, 2 channels, 8 x 8 cells, float64."""
    return torch.rand(2, 2, 8, 8, generator=generator, dtype=torch.float64)
