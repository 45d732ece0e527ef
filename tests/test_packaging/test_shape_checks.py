"""The shapes in the signatures are checked while the tests run."""

import pytest
import torch
from jaxtyping import TypeCheckError

from pdenca.core import LastFrame, rollout


def test_a_wrong_shape_is_refused():
    with pytest.raises(TypeCheckError, match="observe"):
        LastFrame().observe(torch.zeros(3))


def test_a_wrong_type_is_refused():
    with pytest.raises(TypeCheckError, match="typechecking parameter 'step'"):
        rollout(torch.nn.Identity(), torch.zeros(1, 1, 4), num_steps=1)


def test_the_mapped_folders_are_checked_too():
    from pdenca.symmetry.actions import act
    from pdenca.symmetry.groups import C4

    with pytest.raises(TypeCheckError, match="state"):
        act(C4.identity, torch.zeros(8))
