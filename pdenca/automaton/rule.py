"""Local rules: how a cell decides on its change, the same weights in every cell.

A rule is pointwise: it sees one cell's features and parameters and proposes a change (per unit time).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError

from .lattice import Lattice
from .weighing import weighed_linear

ACTIVATIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "silu": nn.functional.silu,
    "linear": lambda x: x,
}


class LocalRule(ABC, nn.Module):
    """(features, parameters) of a cell -> its proposal.

    What a rule makes of the parameters alone does not change from step to step. A rule to which that matters,
    since its parameters are many and differ from cell to cell, splits itself in two, so that an automaton
    does the first half once for all its steps:

        rule(features, parameters) = rule.decide(features, rule.prepare(parameters)).
    """

    @abstractmethod
    def forward(
        self, features: Float[Tensor, "*cells feature"], parameters: Float[Tensor, "*cells_or_1 parameter"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return the proposed change; ``parameters`` broadcast against the features."""

    def prepare(
        self, parameters: Float[Tensor, "*cells_or_1 parameter"], lattice: Lattice | None = None
    ) -> Tensor:
        """Return what :meth:`decide` needs to know of the parameters: here they themselves.

        Arguments:
            parameters: of the cells.
            lattice: where these lie, for rules that can save work if many parameters are the same; None: it
                is not known. It must not change what is returned.
        """
        return parameters

    def decide(self, features: Float[Tensor, "*cells feature"], prepared: Tensor) -> Tensor:
        """Return the proposed change, given the prepared parameters."""
        proposal: Tensor = self(features, prepared)
        return proposal

    @property
    def first_map(self) -> Float[Tensor, "heard feature"] | None:
        """The linear map that is all a rule hears of the features, before anything else is done with them.

        Such a rule splits once more, so that a perception which has a faster way to the mapped features, see
        :meth:`~pdenca.automaton.Perception.heard`, need not lay them out:

            rule.decide(features, prepared) = rule.answer(first_map @ features, prepared).

        None: the rule hears the features themselves.
        """
        return None

    def answer(self, heard: Float[Tensor, "*cells heard"], prepared: Tensor) -> Tensor:
        """Return the proposed change, given the mapped features and the prepared parameters.

        Raises:
            BadInputError: if the rule has no first map.
        """
        raise BadInputError(f"a {type(self).__name__} hears the features themselves; usual cure: decide")

    @property
    def told_map(self) -> tuple[Tensor, Tensor] | None:
        """Weight and offset of :meth:`prepare`, if it is an affine map of the parameters; None: it is not."""
        return None


class RuleInHalves(LocalRule):
    """A local rule that splits itself in two: what it makes of the parameters, and what then decides."""

    def forward(
        self, features: Float[Tensor, "*cells feature"], parameters: Float[Tensor, "*cells_or_1 parameter"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return the proposal of every cell."""
        return self.decide(features, self.prepare(parameters))

    @abstractmethod
    def prepare(
        self, parameters: Float[Tensor, "*cells_or_1 parameter"], lattice: Lattice | None = None
    ) -> Tensor:
        """Return what :meth:`decide` needs to know of the parameters."""

    @abstractmethod
    def decide(self, features: Float[Tensor, "*cells feature"], prepared: Tensor) -> Tensor:
        """Return the proposed change, given the prepared parameters."""


class PointwiseMLP(LocalRule):
    """One hidden layer, the usual rule of neural cellular automata:

        proposal = W2 φ(W1 x + V1 p + b1) + [W3 x + V3 p] + b2.

    The output layer starts at zero, so an untrained automaton leaves every state as it is.

    Arguments:
        num_features: size of x.
        num_parameters: size of p.
        num_channels: size of the proposal.
        num_hidden: hidden units.
        activation: φ, one of ``tanh``, ``relu``, ``silu``, ``linear``.
        hidden_bias: whether b1 exists.
        skip: whether the linear path W3, V3 exists.
        spread: standard deviation of the first layer's weights at the start.
        generator: source of the first layer's random weights.

    Raises:
        BadInputError: for an unknown activation.
    """

    def __init__(
        self,
        num_features: int,
        num_parameters: int,
        num_channels: int,
        num_hidden: int,
        *,
        activation: str = "tanh",
        hidden_bias: bool = True,
        skip: bool = True,
        spread: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.activation = known_activation(activation)
        total = num_features + num_parameters
        self.num_features = num_features
        self.hidden_weight, self.hidden_bias = _random_layer(
            total, num_hidden, hidden_bias, spread, generator
        )
        self.output_weight = nn.Parameter(torch.zeros(num_channels, num_hidden))
        self.output_bias = nn.Parameter(torch.zeros(num_channels))
        self.skip_weight = nn.Parameter(torch.zeros(num_channels, total)) if skip else None

    def forward(
        self, features: Float[Tensor, "*cells feature"], parameters: Float[Tensor, "*cells_or_1 parameter"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return the proposal of every cell."""
        hidden = ACTIVATIONS[self.activation](
            _affine(features, parameters, self.hidden_weight, self.hidden_bias)
        )
        proposal = nn.functional.linear(hidden, self.output_weight, self.output_bias)
        if self.skip_weight is not None:
            proposal = proposal + _affine(features, parameters, self.skip_weight, None)
        return proposal


class ParameterAffineMLP(LocalRule):
    """One hidden layer that sees the features alone; the parameters weigh its outputs:

        proposal = Σ_j p_j [W_j φ(W1 x + b1) + S_j x + c_j],   p_0 = 1.

    Most equations are affine in their constants, and then so is their rate: two parameters are determined by
    three sets of values, and values between and beyond them follow. No feature multiplies another one. The
    output layer starts at zero.

    Arguments:
        num_features: size of x.
        num_parameters: size of p.
        num_channels: size of the proposal.
        num_hidden: hidden units.
        activation: φ, one of ``tanh``, ``relu``, ``silu``, ``linear``.
        hidden_bias: whether b1 exists.
        skip: whether the linear path S exists.
        spread: standard deviation of the first layer's weights and bias at the start.
        generator: source of the first layer's random weights.

    Raises:
        BadInputError: for an unknown activation.
    """

    def __init__(
        self,
        num_features: int,
        num_parameters: int,
        num_channels: int,
        num_hidden: int,
        *,
        activation: str = "tanh",
        hidden_bias: bool = True,
        skip: bool = True,
        spread: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.activation = known_activation(activation)
        self.num_features, self.num_channels = num_features, num_channels
        outputs = (1 + num_parameters) * num_channels
        self.hidden_weight, self.hidden_bias = _random_layer(
            num_features, num_hidden, hidden_bias, spread, generator
        )
        self.output_weight = nn.Parameter(torch.zeros(outputs, num_hidden))
        self.output_bias = nn.Parameter(torch.zeros(outputs))
        self.skip_weight = nn.Parameter(torch.zeros(outputs, num_features)) if skip else None

    def forward(
        self, features: Float[Tensor, "*cells feature"], parameters: Float[Tensor, "*cells_or_1 parameter"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return the proposal of every cell."""
        hidden = ACTIVATIONS[self.activation](
            nn.functional.linear(features, self.hidden_weight, self.hidden_bias)
        )
        weights = torch.cat((parameters.new_ones(*parameters.shape[:-1], 1), parameters), dim=-1)
        proposal = weighed_linear(hidden, self._maps(self.output_weight), weights)
        if self.skip_weight is not None:
            proposal = proposal + weighed_linear(features, self._maps(self.skip_weight), weights)
        return proposal + weights @ self.output_bias.view(-1, self.num_channels)

    def _maps(self, weight: Tensor) -> Float[Tensor, "input weight channel"]:
        return weight.view(-1, self.num_channels, weight.shape[-1]).movedim(-1, 0)


class ProductRule(LocalRule):
    """Products of three 1 x 1 maps, a cubic polynomial of features and parameters:

        proposal = W [(A1 x + B1 p + a1) ∘ (A2 x + B2 p + a2) ∘ (A3 x + B3 p + a3)].

    With three products it contains the Gray-Scott reaction exactly (A·B·B, (F + k)·B·1, F·(1 - A)·1).

    Arguments:
        num_features: size of x.
        num_parameters: size of p.
        num_channels: size of the proposal.
        num_products: number of products.
        generator: source of the random start; W starts at zero.

    Source: the Π-block of Rao et al., PeRCNN, Nature Machine Intelligence 5 (2023).
    """

    def __init__(
        self,
        num_features: int,
        num_parameters: int,
        num_channels: int,
        num_products: int,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        total = num_features + num_parameters
        self.num_features = num_features
        self.factor_weight = nn.Parameter(0.5 * torch.randn(3, num_products, total, generator=generator))
        self.factor_bias = nn.Parameter(0.5 * torch.randn(3, num_products, generator=generator))
        self.output_weight = nn.Parameter(torch.zeros(num_channels, num_products))

    def forward(
        self, features: Float[Tensor, "*cells feature"], parameters: Float[Tensor, "*cells_or_1 parameter"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return the proposal of every cell."""
        first, second, third = (
            _affine(features, parameters, weight, bias)
            for weight, bias in zip(self.factor_weight, self.factor_bias, strict=True)
        )
        return nn.functional.linear(first * second * third, self.output_weight)


class Standardised(LocalRule):
    """A rule that sees inputs of order one and answers in units of the data's rate of change.

        proposal = rate_scale · rule((x - x0) / x_scale, (p - p0) / p_scale)

    The numbers come from the training data and are not learned: badly scaled inputs are what makes
    first-order training stall.

    Arguments:
        rule: the rule inside.
        feature_centre, feature_scale: x0 and x_scale, one per feature.
        parameter_centre, parameter_scale: p0 and p_scale, one per parameter.
        rate_scale: unit of the proposal, one per channel (field units per time).
    """

    def __init__(
        self,
        rule: LocalRule,
        feature_centre: Tensor,
        feature_scale: Tensor,
        parameter_centre: Tensor,
        parameter_scale: Tensor,
        rate_scale: Tensor,
    ) -> None:
        super().__init__()
        self.rule = rule
        self.feature_centre: Tensor
        self.feature_scale: Tensor
        self.parameter_centre: Tensor
        self.parameter_scale: Tensor
        self.rate_scale: Tensor
        self.register_buffer("feature_centre", feature_centre)
        self.register_buffer("feature_scale", feature_scale)
        self.register_buffer("parameter_centre", parameter_centre)
        self.register_buffer("parameter_scale", parameter_scale)
        self.register_buffer("rate_scale", rate_scale)

    def forward(
        self, features: Float[Tensor, "*cells feature"], parameters: Float[Tensor, "*cells_or_1 parameter"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return the proposal of every cell."""
        scaled: Tensor = self.rule(
            (features - self.feature_centre) / self.feature_scale,
            (parameters - self.parameter_centre) / self.parameter_scale,
        )
        return scaled * self.rate_scale


class TransportReaction(LocalRule):
    """Reaction-diffusion form: features [sampled | transport], proposal = transport + reaction(sampled, p).

    The neighbourhood enters linearly and the nonlinearity is pointwise, which keeps a rule fitted to rates
    stable when it is rolled out.

    Arguments:
        reaction: rule on the sampled part of the features.
        num_transported: how many of the features, the last ones, are transport; None: half of them.
    """

    def __init__(self, reaction: LocalRule, num_transported: int | None = None) -> None:
        super().__init__()
        self.reaction, self.num_transported = reaction, num_transported

    def forward(
        self, features: Float[Tensor, "*cells feature"], parameters: Float[Tensor, "*cells_or_1 parameter"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return transport plus reaction."""
        transport, reaction = self.parts(features, parameters)
        return transport + reaction

    def parts(
        self, features: Float[Tensor, "*cells feature"], parameters: Float[Tensor, "*cells_or_1 parameter"]
    ) -> tuple[Float[Tensor, "*cells channel"], Float[Tensor, "*cells channel"]]:
        """Return transport and reaction apart."""
        count = self.num_transported or features.shape[-1] // 2
        return features[..., -count:], self.reaction(features[..., :-count], parameters)


class InjectedActivation(LocalRule):
    """An activation of what was perceived and what is injected, the cell of an implicit network:

        proposal_i = φ(x_i + p_i).

    Nothing is learned or mixed here (a bias belongs to what injects p), so for an activation that does not
    stretch (ReLU, tanh) the whole step stretches no more than the perception does.

    Arguments:
        activation: φ, one of ``tanh``, ``relu``, ``silu``, ``linear``.

    Raises:
        BadInputError: for an unknown activation.
    """

    def __init__(self, activation: str = "relu") -> None:
        super().__init__()
        self.activation = known_activation(activation)

    def forward(
        self, features: Float[Tensor, "*cells channel"], parameters: Float[Tensor, "*cells_or_1 channel"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return the proposal of every cell."""
        return ACTIVATIONS[self.activation](features + parameters)


def _affine(features: Tensor, parameters: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    # the parameters of a trajectory are the same in all its cells: their part is computed once and broadcast
    size = features.shape[-1]
    if not parameters.shape[-1]:
        return nn.functional.linear(features, weight, bias)
    mapped = nn.functional.linear(features, weight[:, :size])
    return mapped + nn.functional.linear(parameters, weight[:, size:], bias)


def known_activation(activation: str) -> str:
    """Return the name of an activation.

    Raises:
        BadInputError: for one that is unknown.
    """
    if activation not in ACTIVATIONS:
        raise BadInputError(f"activation {activation!r} is unknown; expected one of {list(ACTIVATIONS)}")
    return activation


def _random_layer(
    num_inputs: int, num_outputs: int, bias: bool, spread: float, generator: torch.Generator | None
) -> tuple[nn.Parameter, nn.Parameter | None]:
    """Return weight and bias, normally distributed with this standard deviation."""
    weight = nn.Parameter(spread * torch.randn(num_outputs, num_inputs, generator=generator))
    return weight, nn.Parameter(spread * torch.randn(num_outputs, generator=generator)) if bias else None
