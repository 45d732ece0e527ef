"""A rule without its smallest weights."""

import copy
from typing import TypeVar

import torch
from torch import nn

from pdenca.core import BadInputError

M = TypeVar("M", bound=nn.Module)


def pruned(rule: M, share: float | int) -> M:
    """Return a copy whose smallest weights are 0, so many of all that are not 0 already.

    Arguments:
        rule: an automaton, or any other module.
        share: of its parameters other than 0, taken together whatever layer they are of.

    Raises:
        BadInputError: for a share outside of 0 to 1.
    """
    if not 0 <= share <= 1:
        raise BadInputError(f"expected a share of the weights from 0 to 1, got {share}")
    found = copy.deepcopy(rule)
    with torch.no_grad():
        sizes = torch.cat([parameter.abs().flatten() for parameter in found.parameters()])
        present = sizes[sizes > 0].sort().values
        count = round(share * len(present))
        if count:
            limit = present[count - 1]
            for parameter in found.parameters():
                parameter[parameter.abs() <= limit] = 0
    return found
