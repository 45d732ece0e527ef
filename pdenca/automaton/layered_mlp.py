"""A rule of several hidden layers."""

import itertools
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError

from .lattice import Lattice
from .rule import ACTIVATIONS, RuleInHalves, known_activation


class LayeredMLP(RuleInHalves):
    """Hidden layers one after the other, for rules that have much to tell apart:

        proposal = s ψ(W_n φ(... φ(W_1 [x, q] + b_1) ...) + b_n),   q = φ(V_m ... φ(V_1 p + c_1) ... + c_m),

    and q = p without layers of its own for p, which cost little: an automaton makes W_1's part of q once for
    all its steps. The last layer starts at zero, so an untrained automaton leaves every state as it is.

    Arguments:
        num_features: size of x.
        num_parameters: size of p.
        num_channels: size of the proposal.
        hidden: units of each hidden layer, one layer or more.
        told: units of the layers V, none or more.
        activation: φ, one of ``tanh``, ``relu``, ``silu``, ``linear``.
        output: ψ, likewise; ``tanh`` bounds what one step can do.
        scale: s.
        generator: source of the random start.

    Raises:
        BadInputError: for an unknown activation, without hidden layers, or for layers V without parameters.
    """

    def __init__(
        self,
        num_features: int,
        num_parameters: int,
        num_channels: int,
        hidden: Sequence[int],
        *,
        told: Sequence[int] = (),
        activation: str = "silu",
        output: str = "linear",
        scale: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name in (activation, output):
            known_activation(name)
        if not hidden or min(hidden) < 1:
            raise BadInputError(f"expected units of one hidden layer or more, got {list(hidden)}")
        if told and (min(told) < 1 or not num_parameters):
            raise BadInputError(
                f"expected units of layers for the rule's parameters, got {list(told)} for {num_parameters} "
                "parameters; usual cure: no such layers"
            )
        self.activation: Callable[[Tensor], Tensor] = ACTIVATIONS[activation]
        self.output: Callable[[Tensor], Tensor] = ACTIVATIONS[output]
        self.scale = scale
        self.told_weights, self.told_biases = random_layers([num_parameters, *told], generator)
        sizes = [num_features + (told[-1] if told else num_parameters), *hidden]
        self.weights, self.biases = random_layers(sizes, generator)
        self.weights.append(nn.Parameter(torch.zeros(num_channels, sizes[-1])))
        self.biases.append(nn.Parameter(torch.zeros(num_channels)))
        self.num_features = num_features

    def prepare(
        self, parameters: Float[Tensor, "*cells_or_1 parameter"], lattice: Lattice | None = None
    ) -> Float[Tensor, "*cells_or_1 hidden"]:
        """Return W_1's part of q, and b_1."""
        current = parameters
        for weight, bias in zip(self.told_weights, self.told_biases, strict=True):
            current = self.activation(nn.functional.linear(current, weight, bias))
        return nn.functional.linear(current, self.weights[0][:, self.num_features :], self.biases[0])

    def decide(
        self, features: Float[Tensor, "*cells feature"], prepared: Float[Tensor, "*cells_or_1 hidden"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return the proposal of every cell."""
        return self.answer(nn.functional.linear(features, self.first_map), prepared)

    @property
    def first_map(self) -> Float[Tensor, "heard feature"]:
        """W_1's part of x."""
        part: Tensor = self.weights[0][:, : self.num_features]
        return part

    def answer(
        self, heard: Float[Tensor, "*cells hidden"], prepared: Float[Tensor, "*cells_or_1 hidden"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return the proposal of every cell, given W_1 x."""
        current = heard + prepared
        for weight, bias in zip(list(self.weights)[1:], list(self.biases)[1:], strict=True):
            current = nn.functional.linear(self.activation(current), weight, bias)
        proposal = self.output(current)
        return proposal if self.scale == 1 else self.scale * proposal

    @property
    def told_map(self) -> tuple[Tensor, Tensor] | None:
        """W_1's part of q, and b_1; None with layers V."""
        return None if len(self.told_weights) else (self.weights[0][:, self.num_features :], self.biases[0])


def random_layers(
    sizes: Sequence[int], generator: torch.Generator | None
) -> tuple[nn.ParameterList, nn.ParameterList]:
    """Return weights and biases of layers of these sizes, as He et al., ICCV (2015), eq. 10, draw them."""
    weights, biases = nn.ParameterList(), nn.ParameterList()
    for before, after in itertools.pairwise(sizes):
        weights.append(nn.Parameter(torch.randn(after, before, generator=generator) * (2 / before) ** 0.5))
        biases.append(nn.Parameter(torch.zeros(after)))
    return weights, biases
