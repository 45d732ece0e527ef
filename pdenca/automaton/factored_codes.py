"""What a rule among weights hears of the two neurons that a weight connects."""

from collections.abc import Callable, Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError

from .feed_forward import FeedForward
from .lattice import Lattice
from .layered_mlp import random_layers
from .rule import ACTIVATIONS, LocalRule, RuleInHalves, known_activation


@final
class FactoredCodes(RuleInHalves):
    """A rule whose parameters p are codes of a weight's source and target, which are heard as a product:

        proposal = rule(x, q),   q = f(p_source) ∘ g(p_target),

    f and g with hidden layers φ(V ... ) and a linear layer in the end. For a rule that is linear in q, the
    codes can say any matrix of rank ``units[-1]`` in each of its hidden units.

    Weight by weight this is a function like any other. But a layer of m sources and n targets has m n weights
    and only m + n different codes, so on a :class:`~pdenca.automaton.FeedForward` lattice f and g are called
    once per neuron and not once per weight, as long as the weights of a neuron do have the same code.

    Arguments:
        rule: what hears q, of ``units[-1]`` numbers.
        source, target: columns of p that are the code of each; both may hear the same one.
        units: of the layers of f, and of g; the last is the size of q.
        activation: φ, one of ``tanh``, ``relu``, ``silu``, ``linear``.
        generator: source of the random start.

    Raises:
        BadInputError: for an unknown activation, without layers, or without a code of source or target.
    """

    def __init__(
        self,
        rule: LocalRule,
        source: Sequence[int],
        target: Sequence[int],
        units: Sequence[int],
        *,
        activation: str = "silu",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not units or min(units) < 1 or not source or not target:
            raise BadInputError(
                f"expected units of one layer or more and codes of sources and targets, got {list(units)}, "
                f"{list(source)} and {list(target)}"
            )
        self.rule, self.source, self.target = rule, list(source), list(target)
        self.activation: Callable[[Tensor], Tensor] = ACTIVATIONS[known_activation(activation)]
        self.of_source = _Layers([len(source), *units], self.activation, generator)
        self.of_target = _Layers([len(target), *units], self.activation, generator)

    def prepare(
        self, parameters: Float[Tensor, "*cells_or_1 parameter"], lattice: Lattice | None = None
    ) -> Tensor:
        """Return what the rule inside makes of q; on networks, q is made neuron by neuron."""
        prepared = self._by_neuron(parameters, lattice) if isinstance(lattice, FeedForward) else None
        if prepared is not None:
            return prepared
        told = self.of_source(parameters[..., self.source]) * self.of_target(parameters[..., self.target])
        return self.rule.prepare(told, lattice)

    def decide(self, features: Float[Tensor, "*cells feature"], prepared: Tensor) -> Tensor:
        """Return the proposal of every cell, given the prepared parameters."""
        return self.rule.decide(features, prepared)

    @property
    def first_map(self) -> Float[Tensor, "heard feature"] | None:
        """That of the rule inside."""
        return self.rule.first_map

    def answer(self, heard: Float[Tensor, "*cells heard"], prepared: Tensor) -> Tensor:
        """Return what the rule inside answers."""
        return self.rule.answer(heard, prepared)

    def _by_neuron(self, parameters: Tensor, lattice: FeedForward) -> Tensor | None:
        # None: not all weights of a neuron have the same code, as when codes were permuted
        layers = lattice.layers
        codes = [lattice.matrix(parameters, layer) for layer in layers]
        for code in codes:
            of_source, of_target = (code == first for first in (code[:, :, :1], code[:, :1]))
            if not bool(of_source.flatten(0, 2).all(0)[self.source].all()):
                return None
            if not bool(of_target.flatten(0, 2).all(0)[self.target].all()):
                return None
        left = self.of_source(torch.cat([code[:, :, 0, self.source] for code in codes], dim=1))
        right = self.of_target(torch.cat([code[:, 0, :, self.target] for code in codes], dim=1))
        pairs = zip(
            left.split([layer.num_sources for layer in layers], dim=1),
            right.split([layer.num_targets for layer in layers], dim=1),
            strict=True,
        )
        affine = self.rule.told_map
        if affine is None:
            products = [(source[:, :, None] * target[:, None]).flatten(1, 2) for source, target in pairs]
            return self.rule.prepare(torch.cat(products, dim=1), lattice)
        # Σ_r W_hr f_ir g_jr is a product of matrices: q itself, longer than all else, need not be laid out
        weight, offset = affine
        heard = [
            (source @ (target[:, :, None] * weight).flatten(1, 2).mT)
            .unflatten(2, (-1, len(weight)))
            .flatten(1, 2)
            for source, target in pairs
        ]
        return torch.cat(heard, dim=1) + offset


class _Layers(nn.Module):
    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[[Tensor], Tensor],
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.weights, self.biases = random_layers(sizes, generator)

    def forward(self, codes: Tensor) -> Tensor:
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            codes = nn.functional.linear(self.activation(codes) if number else codes, weight, bias)
        return codes
