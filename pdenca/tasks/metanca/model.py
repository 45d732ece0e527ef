"""The rule with all it needs to write networks."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.automaton import (
    Automaton,
    FactoredCodes,
    FeedForward,
    HiddenChannels,
    Increment,
    LayeredMLP,
    Leaky,
    Lesson,
    LessonPerception,
    LocalRule,
    Perception,
    WeightAttention,
    WeightPerception,
)
from pdenca.automaton.rule import ACTIVATIONS
from pdenca.core import device_of
from pdenca.datasets.tables import Examples
from pdenca.training import step_generator

from .codes import NUM_OF_LAYER, columns_of_neurons, position_codes
from .settings import WeightRuleSettings

CODES = "codes"
MODULES: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU, "silu": nn.SiLU}

States = Float[Tensor, "sample channel cell"]


@dataclass(frozen=True, eq=False)
class Writer:
    """A rule bound to networks: it draws their weights and updates them by local steps.

    Arguments:
        automaton: the rule.
        lattice: the networks.
        codes: what it is told of every weight; None: nothing.
        settings: of the rule.
    """

    automaton: Automaton
    lattice: FeedForward
    codes: Float[Tensor, "1 code cell"] | None
    settings: WeightRuleSettings

    @property
    def context(self) -> dict[str, Tensor]:
        """What the automaton is bound with."""
        return {} if self.codes is None else {CODES: self.codes}

    @property
    def activation(self) -> Callable[[Tensor], Tensor]:
        """Of the networks."""
        return ACTIVATIONS[self.settings.task_activation]

    def begin(self, num_samples: int, generator: torch.Generator) -> States:
        """Draw states before the first local step: exchangeable, every weight like every other.

        They are drawn where the generator is and live where the rule does.
        """
        shape = (num_samples, 1 + self.settings.num_hidden, self.lattice.num_cells)
        states = torch.randn(shape, generator=generator)
        states[:, 1:] *= self.settings.hidden_spread
        return states.to(device_of(self.automaton))

    def shown(self, examples: Examples, seed: int = 0) -> "Writer":
        """Return a writer whose weights are shown examples, if the rule wants any; else this one.

        Arguments:
            examples: to draw the lesson from, standardised. Where they are fewer than the rule was trained to
                see, all are shown: what a weight hears of a lesson is a mean over it.
            seed: of the draw.
        """
        count = self.settings.lesson_size
        if not count:
            return self
        rows = torch.randperm(len(examples), generator=step_generator(seed, "lesson"))[:count]
        lesson = Lesson(examples.inputs[rows], examples.labels[rows], self.activation)
        return replace(self, lattice=replace(self.lattice, lesson=lesson))

    @torch.no_grad()
    def advance(self, states: States, num_steps: int, generator: torch.Generator) -> States:
        """Take local steps; nothing is differentiated."""
        bound = self.automaton.bind(self.lattice, self.context, generator, num_steps=num_steps)
        found: Tensor = bound(states)
        return found

    def write(self, num_samples: int, generator: torch.Generator, num_steps: int | None = None) -> States:
        """Draw states and take the local steps that the rule was trained for, or so many."""
        steps = self.settings.num_steps if num_steps is None else num_steps
        return self.advance(self.begin(num_samples, generator), steps, generator)

    def weights(self, states: States) -> Float[Tensor, "sample cell"]:
        """Return the weights of the networks in these states."""
        return states[:, 0] * self.lattice.weight_scale.to(states)

    def scores(
        self, states: States, inputs: Float[Tensor, "example input"], network: int
    ) -> Float[Tensor, "sample example output"]:
        """Return what one of the networks says of some inputs."""
        return self.lattice.outputs(self.weights(states), inputs, network, self.activation)

    def modules(self, states: States, network: int) -> list[nn.Sequential]:
        """Return one of the networks as ordinary modules, one per sample."""
        found = []
        for own in self.weights(states.detach()):
            parts: list[nn.Module] = []
            for layer in self.lattice.layers_of(network):
                matrix = own[layer.cells].view(layer.num_sources, layer.num_targets)
                inputs = layer.num_sources - int(self.lattice.biases)
                linear = nn.Linear(inputs, layer.num_targets, bias=self.lattice.biases)
                with torch.no_grad():
                    linear.weight.copy_(matrix[:inputs].T)
                    if self.lattice.biases:
                        linear.bias.copy_(matrix[-1])
                parts += [linear, MODULES[self.settings.task_activation]()]
            found.append(nn.Sequential(*parts[:-1]))
        return found


def build_rule(settings: WeightRuleSettings, image_shape: tuple[int, ...], seed: int = 0) -> Automaton:
    """Build an automaton among weights, at random.

    Arguments:
        settings: of the rule.
        image_shape: of the inputs, which decides how long the codes are; () for no image.
        seed: of its parameters.
    """
    generator = torch.Generator().manual_seed(seed)
    channels = 1 + settings.num_hidden
    perception: Perception
    if settings.perception == "attention":
        perception = WeightAttention(channels, settings.num_heads, settings.head_size, generator=generator)
    else:
        perception = WeightPerception(channels, settings.perception == "mean")
    if settings.lesson_size:
        perception = LessonPerception(perception)
    waves = settings.num_waves
    positions = (4 if image_shape else 2) * waves + 2 * waves
    length = {"none": 0, "layers": NUM_OF_LAYER, "positions": NUM_OF_LAYER + positions}[settings.codes]
    factored = settings.factored_codes
    rule: LocalRule = LayeredMLP(
        perception.num_features,
        settings.code_units[-1] if factored else length,
        channels,
        settings.units,
        told=() if factored else settings.code_units,
        activation=settings.activation,
        output=settings.output,
        generator=generator,
    )
    if factored:
        columns = columns_of_neurons(waves, bool(image_shape))
        rule = FactoredCodes(
            rule, *columns, settings.code_units, activation=settings.activation, generator=generator
        )
    names = (CODES,) if length else ()
    return Automaton(
        perception,
        rule,
        Leaky(settings.leak, settings.fire_rate) if settings.leak else Increment(settings.fire_rate),
        HiddenChannels(1, settings.num_hidden),
        context_names=names,
    )


def writer(
    automaton: Automaton,
    settings: WeightRuleSettings,
    networks: tuple[tuple[int, ...], ...],
    image_shape: tuple[int, ...] = (),
) -> Writer:
    """Bind a rule to networks of any widths, where it lives.

    Raises:
        BadInputError: for networks that are none, or that the images do not go into.
    """
    lattice = FeedForward(networks, settings.biases)
    codes = None
    if settings.codes == "positions":
        codes = position_codes(lattice, settings.num_waves, image_shape)
    elif settings.codes == "layers":
        codes = position_codes(lattice)[:, :NUM_OF_LAYER]
    return Writer(automaton, lattice, None if codes is None else codes.to(device_of(automaton)), settings)
