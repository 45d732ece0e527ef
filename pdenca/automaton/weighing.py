"""Linear maps that the equation's parameters weigh."""

import torch
from jaxtyping import Float
from torch import Tensor


def weighed_linear(
    inputs: Float[Tensor, "*cells input"],
    maps: Float[Tensor, "input weight output"],
    weights: Float[Tensor, "*cells_or_1 weight"],
) -> Float[Tensor, "*cells output"]:
    """Return Σ_w weights_w Σ_i inputs_i maps_(i, w): one linear map per weight, summed.

    Where every trajectory has weights of its own, the same in all its cells, its maps are summed once for all
    cells. Sums over an axis as short as that of the weights are what costs most otherwise.

    Arguments:
        inputs: channels last.
        maps: one map per weight.
        weights: broadcastable over the cells.
    """
    if inputs.ndim > 2 and weights[..., 0].numel() == len(weights):
        summed = torch.einsum("bw,iwo->bio", weights.flatten(0, -2), maps)
        mixed: Tensor = (inputs.flatten(1, -2) @ summed).unflatten(1, inputs.shape[1:-1])
        return mixed
    parts: Tensor = (inputs @ maps.flatten(1)).unflatten(-1, maps.shape[1:])
    return (weights[..., None] * parts).sum(-2)
