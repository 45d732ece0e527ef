"""Nonlinear maps that commute with rotations and reflections: invariants of vectors, and gated vectors.

All act on one cell at a time, channels last. Rotating a field moves the cells and turns the vectors; a map
that treats all cells alike and makes its decisions from invariants commutes with both.
"""

import itertools
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

ROOM: Final = 1e-12  # keeps the slope of a norm finite at zero


def inner_products(vectors: Float[Tensor, "... vector axis"]) -> Float[Tensor, "... pair"]:
    """Return v_i · v_j for all pairs i <= j, row by row: scalars under every rotation and reflection.

    Of the gradients of two concentrations they are |∇u|², ∇u·∇v and |∇v|².
    """
    count = vectors.shape[-2]
    pairs = [
        (vectors[..., i, :] * vectors[..., j, :]).sum(-1)
        for i, j in itertools.combinations_with_replacement(range(count), 2)
    ]
    return torch.stack(pairs, dim=-1) if pairs else vectors.new_zeros(*vectors.shape[:-2], 0)


def determinants(vectors: Float[Tensor, "... vector axis"]) -> Float[Tensor, "... set"]:
    """Return the determinants of all sets of as many vectors as there are axes: pseudoscalars.

    v_i in one dimension, v_i × v_j (i < j) in two, v_i · (v_j × v_k) in three. They change their sign under
    reflections: a rule that takes them for scalars commutes with rotations alone, which is the most that a
    process with a handedness allows.
    """
    num_dims = vectors.shape[-1]
    found = []
    for chosen in itertools.combinations(range(vectors.shape[-2]), num_dims):
        rows = [vectors[..., number, :] for number in chosen]
        found.append(_determinant(rows))
    return torch.stack(found, dim=-1) if found else vectors.new_zeros(*vectors.shape[:-2], 0)


def _determinant(rows: list[Tensor]) -> Tensor:
    if len(rows) == 1:
        return rows[0][..., 0]
    if len(rows) == 2:
        return rows[0][..., 0] * rows[1][..., 1] - rows[0][..., 1] * rows[1][..., 0]
    triple: Tensor = (rows[0] * torch.linalg.cross(rows[1], rows[2])).sum(-1)
    return triple


class GatedLayer(nn.Module):
    """A perceptron of scalars and vectors whose hidden units open and close vectors:

        u_k = Σ_j A_kj v_j,   h_k = tanh(Σ_j W_kj s_j + Σ_l N_kl |u_l| + b_k),
        s'_i = Σ_k P_ik h_k + Σ_j S_ij s_j + c_i,   v'_i = Σ_k G_ik h_k u_k + Σ_j V_ij v_j.

    Scalars decide, vectors are only ever scaled and added, so whatever the weights are, turning the input
    vectors turns the output vectors, for every rotation and reflection. P, S, c, G and V start at zero.

    Arguments:
        num_scalars: scalars in.
        num_vectors: vectors in.
        num_scalars_out: scalars out.
        num_vectors_out: vectors out.
        num_hidden: hidden units, and vectors u.
        chiral: let the hidden units also see the determinants of neighbours (u_k, u_k+1, ...): then the map
            commutes with rotations, but no longer with reflections.
        num_dims: space axes, needed if chiral.
        generator: source of the random weights A, W, N, b.

    Source: gated nonlinearities as in M. Weiler et al., 3D Steerable CNNs, arXiv 1807.02547, section 4.2.3.
    """

    def __init__(
        self,
        num_scalars: int,
        num_vectors: int,
        num_scalars_out: int,
        num_vectors_out: int,
        num_hidden: int,
        *,
        chiral: bool = False,
        num_dims: int = 2,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.chiral, self.num_dims = chiral, num_dims
        num_sets = max(0, num_hidden - num_dims + 1) if chiral else 0
        seen = num_scalars + num_hidden + num_sets

        def draw(*shape: int) -> nn.Parameter:
            inputs = max(1, shape[-1])
            return nn.Parameter(torch.randn(shape, generator=generator) / inputs**0.5)

        self.vector_mix = draw(num_hidden, num_vectors)
        self.hidden_weight = draw(num_hidden, seen)
        self.hidden_bias = nn.Parameter(torch.randn(num_hidden, generator=generator))
        self.scalar_weight = nn.Parameter(torch.zeros(num_scalars_out, num_hidden))
        self.scalar_skip = nn.Parameter(torch.zeros(num_scalars_out, num_scalars))
        self.scalar_bias = nn.Parameter(torch.zeros(num_scalars_out))
        self.vector_gate = nn.Parameter(torch.zeros(num_vectors_out, num_hidden))
        self.vector_skip = nn.Parameter(torch.zeros(num_vectors_out, num_vectors))

    def forward(
        self, scalars: Float[Tensor, "... scalar"], vectors: Float[Tensor, "... vector axis"]
    ) -> tuple[Float[Tensor, "... scalar_out"], Float[Tensor, "... vector_out axis"]]:
        """Return the new scalars and vectors."""
        mixed = torch.einsum("kj,...ja->...ka", self.vector_mix, vectors)
        norms = (mixed.square().sum(-1) + ROOM).sqrt()
        seen = [scalars, norms]
        if self.chiral:
            span = mixed.shape[-2] - self.num_dims + 1
            if span > 0:
                rows = [mixed[..., shift : shift + span, :] for shift in range(self.num_dims)]
                seen.append(_determinant(rows))
        hidden = torch.tanh(
            nn.functional.linear(torch.cat(seen, dim=-1), self.hidden_weight, self.hidden_bias)
        )
        scalars_out = nn.functional.linear(hidden, self.scalar_weight, self.scalar_bias)
        scalars_out = scalars_out + nn.functional.linear(scalars, self.scalar_skip)
        vectors_out = torch.einsum("ik,...ka->...ia", self.vector_gate, hidden[..., None] * mixed)
        vectors_out = vectors_out + torch.einsum("ij,...ja->...ia", self.vector_skip, vectors)
        return scalars_out, vectors_out
