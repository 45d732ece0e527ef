"""The automaton: perceive, decide, update, the same in every cell and at every step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pdenca.core import BadInputError, Context
from pdenca.solvers.grid import Grid

from .codec import HiddenChannels
from .emission import Emission
from .lattice import Lattice
from .perception import Gathered, Perception, spacing_of
from .rule import LocalRule, TransportReaction
from .update import Update

Told = tuple[Tensor, Tensor]
"""What a rule is told of every cell, and what it makes of that once for all steps."""

CELLS_AT_ONCE = 2**16
"""Cells that are advanced together on a CPU: more no longer fit its caches, which halves the speed."""


class Automaton(nn.Module):
    """A neural cellular automaton on a grid, or on a graph if its perception reads one.

        features = perception(state),  proposal = rule(features, parameters)
        state <- update(state, proposal)

    With an emission the rule's two parts, transport and reaction, are told apart, and the second is handed to
    the neighbours before both are added: proposal = transport + emission(reaction).

    It knows no domain: :meth:`bind` gives it a grid, parameter values and randomness and returns a Step, so
    another domain, spacing or parameter set is just another bind.

    Arguments:
        perception: what a cell sees.
        rule: how it decides.
        update: how the decision becomes the next state.
        codec: how observed fields become the state's channels.
        emission: how the products of the reaction spread within a step; None: they stay in their cell.
        context_names: what the rule is told, in its input order: parameters of an equation, or feature maps
            that are injected into every step.
        time_step: physical time of one automaton step.
        steps_per_frame: automaton steps per stored frame.

    Raises:
        BadInputError: for a time step or count that is not positive, or an emission beside a rule that does
            not tell transport and reaction apart.
    """

    def __init__(
        self,
        perception: Perception,
        rule: LocalRule,
        update: Update,
        codec: HiddenChannels,
        *,
        emission: Emission | None = None,
        context_names: Sequence[str] = (),
        time_step: float = 1.0,
        steps_per_frame: int = 1,
    ) -> None:
        super().__init__()
        if time_step <= 0 or steps_per_frame < 1:
            raise BadInputError(
                f"the time step must be positive and a frame at least one step, got {time_step} and "
                f"{steps_per_frame}"
            )
        if emission is not None and not isinstance(rule, TransportReaction):
            raise BadInputError(
                f"an emission needs a rule with a transport and a reaction, got {type(rule).__name__}; usual "
                "cure: TransportReaction"
            )
        if emission is not None and perception.lattice_kind is not Grid:
            raise BadInputError(
                f"an emission spreads on a Grid, got a perception of a {perception.lattice_kind.__name__}; "
                "usual cure: no emission"
            )
        self.perception, self.rule, self.update, self.codec = perception, rule, update, codec
        self.emission = emission
        self.context_names = tuple(context_names)
        self.time_step, self.steps_per_frame = float(time_step), int(steps_per_frame)
        # not bound: a copy of the automaton must take its own steps
        self._step: Callable[..., Tensor] = type(self)._step_eagerly

    @property
    def num_parameters(self) -> int:
        """Number of learned numbers."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    @property
    def radius(self) -> int:
        """How far a step looks (cells), the emission's second look included."""
        if self.emission is None:
            return self.perception.radius
        sampled = getattr(self.perception, "sample_radius", self.perception.radius)
        return max(self.perception.radius, sampled + self.emission.radius)

    @property
    def has_rates(self) -> bool:
        """Whether data tell the rate of every channel: no hidden channels, and all cells fire."""
        return not self.codec.num_hidden and self.update.deterministic

    @property
    def evaluations_per_step(self) -> int:
        """How often a step reads a neighbourhood: twice with an emission."""
        return 1 if self.emission is None else 2

    def forward(self, gathered: Gathered, parameters: Tensor, spacing: float) -> Tensor:
        """Return the proposal of cells whose neighbourhood was gathered: pointwise, so without emission."""
        proposal: Tensor = self.rule(self.perception.combine(gathered, spacing, parameters), parameters)
        return proposal

    def stack_context(self, context: Context, state: Tensor, grid: Lattice) -> Tensor:
        """Return what the rule is told, channels last, broadcastable over the cells.

        Arguments:
            context: name -> a parameter, (batch,) or (batch, *space), or an injected feature map,
                (batch, feature, *space), which contributes one column per feature; (1, feature, *space): the
                same for the whole batch.
            state: the state they go with, for batch size, dtype and device.
            grid: the domain.

        Raises:
            BadInputError: if a name is missing or its value has another shape.
        """
        batch, axes = state.shape[0], grid.num_dims
        columns = []
        for name in self.context_names:
            if name not in context:
                raise BadInputError(
                    f"the rule needs the parameter {name!r}, the context has {sorted(context) or 'none'}; "
                    "usual cure: pass the parameters of the data's file"
                )
            value = context[name].to(state)
            if tuple(value.shape) == (batch,):
                value = value.view(batch, *(1,) * axes, 1)
            elif tuple(value.shape) == (batch, *grid.shape):
                value = value[..., None]
            elif (
                value.ndim == axes + 2
                and value.shape[0] in (1, batch)
                and tuple(value.shape[2:]) == tuple(grid.shape)
            ):
                value = value.movedim(1, -1)
            else:
                raise BadInputError(
                    f"parameter {name!r} has shape {tuple(value.shape)}; expected ({batch},) or "
                    f"{(batch, *grid.shape)}, or {(batch, 'features', *grid.shape)} of a feature map"
                )
            columns.append(value)
        if not columns:
            return state.new_zeros(*(1,) * (axes + 1), 0)
        if len(columns) == 1:  # as it is, without a copy in every step
            return columns[0]
        cells = torch.broadcast_shapes(*(column.shape[:-1] for column in columns))
        return torch.cat([column.expand(*cells, -1) for column in columns], dim=-1)

    def rate(
        self, state: Float[Tensor, "batch channel *space"], context: Context, lattice: Lattice
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the change per unit time of one step in which every cell fires."""
        return (self.advance(state, context, lattice, 1) - state) / self.time_step

    def advance(
        self,
        state: Float[Tensor, "batch channel *space"],
        context: Context,
        lattice: Lattice,
        num_steps: int,
        masks: Float[Tensor, "step batch *space 1"] | None = None,
        watch: Callable[[Tensor], None] | None = None,
    ) -> Float[Tensor, "batch channel *space"]:
        """Take ``num_steps`` steps; pure in the parameters, no hidden state.

        The layout is changed to channels last once, before the first step, and back after the last.

        Arguments:
            state: the state.
            context: parameter values.
            lattice: the domain.
            num_steps: number of steps.
            masks: firing masks, one per step, from :meth:`sample_masks`; None: every cell fires.
            watch: called with every new state (channels last), e.g. to sum up a penalty.

        Returns:
            The state ``num_steps`` steps later.
        """
        told = self.tell(context, state, lattice)
        return self.advance_told(state, told, lattice, num_steps, masks, watch)

    def tell(self, context: Context, state: Tensor, lattice: Lattice) -> Told:
        """Return what the rule is told in every step, and what it makes of that once."""
        parameters = self.stack_context(context, state, lattice)
        return parameters, self.rule.prepare(parameters, lattice)

    def advance_told(
        self,
        state: Float[Tensor, "batch channel *space"],
        told: Told,
        lattice: Lattice,
        num_steps: int,
        masks: Float[Tensor, "step batch *space 1"] | None = None,
        watch: Callable[[Tensor], None] | None = None,
    ) -> Float[Tensor, "batch channel *space"]:
        """Take steps as :meth:`advance` does, given what :meth:`tell` has made of the context."""
        parameters, prepared = told
        current = state.movedim(1, -1).contiguous()
        for number in range(num_steps):
            mask = None if masks is None else masks[number]
            current = self._step(self, current, parameters, prepared, lattice, mask)
            if watch is not None:
                watch(current)
        return current.movedim(-1, 1)

    def _step_eagerly(
        self, current: Tensor, parameters: Tensor, prepared: Tensor, lattice: Lattice, mask: Tensor | None
    ) -> Tensor:
        first = self.rule.first_map
        proposal: Tensor
        if self.emission is not None:
            assert isinstance(self.rule, TransportReaction), "checked when it was made"
            assert isinstance(lattice, Grid), "checked when it was bound to it"
            features = self.perception(current, lattice, parameters)
            transport, reaction = self.rule.parts(features, parameters)
            proposal = transport + self.emission(reaction, lattice, parameters)
        elif first is None:
            proposal = self.rule.decide(self.perception(current, lattice, parameters), prepared)
        else:
            proposal = self.rule.answer(self.perception.heard(current, lattice, first, parameters), prepared)
        following: Tensor = self.update(current, proposal, mask, self.time_step)
        return following

    def sample_masks(
        self, num_steps: int, batch: int, lattice: Lattice, generator: torch.Generator | None, like: Tensor
    ) -> Tensor | None:
        """Draw the firing masks of ``num_steps`` steps, None if every cell always fires.

        Raises:
            BadInputError: if the automaton is stochastic and there is no generator.
        """
        if self.update.deterministic or not num_steps:
            return None
        if generator is None:
            raise BadInputError(
                f"an automaton with fire rate {self.update.fire_rate} draws random masks; "
                "usual cure: pass a torch.Generator"
            )
        return torch.stack(
            [self.update.sample_mask(batch, lattice, generator, like) for _ in range(num_steps)]
        )

    # Any: an Emulator may be bound to any lattice; this one checks that it got its perception's kind
    def bind(
        self,
        lattice: Any,  # noqa: ANN401
        context: Context,
        generator: torch.Generator | None = None,
        *,
        num_steps: int | None = None,
    ) -> "BoundAutomaton":
        """Return the Step that takes ``num_steps`` automaton steps, one stored frame by default.

        Arguments:
            lattice: the grid; any size, spacing and boundary. Or whatever the perception reads, as a Graph.
            context: parameter values, (batch,) or (batch, *space) each.
            generator: source of firing masks, needed if the fire rate is below 1.
            num_steps: automaton steps per application.

        Raises:
            BadInputError: if the lattice is not what the perception reads, or a grid without square cells, or
                the generator is missing.
        """
        kind = self.perception.lattice_kind
        if not isinstance(lattice, kind):
            raise BadInputError(
                f"an automaton with {type(self.perception).__name__} binds to a {kind.__name__}, got "
                f"{type(lattice).__name__}"
            )
        spacing_of(lattice)
        if not self.update.deterministic and generator is None:
            self.sample_masks(1, 1, lattice, generator, torch.empty(0))
        steps = self.steps_per_frame if num_steps is None else num_steps  # none at all is a number, too
        return BoundAutomaton(self, lattice, context, steps, generator)

    def compile_steps(self) -> None:
        """Compile the step with ``torch.compile``: slower to start (half a minute), faster to run.

        Falls back to the ordinary step, and says so once, where there is no working compiler.
        """
        from pdenca.core.compiling import compiled_or_eager

        self._step = compiled_or_eager(type(self)._step_eagerly)


@dataclass(frozen=True, eq=False)
class BoundAutomaton:
    """An automaton that knows its grid and parameters: a Step of ``num_steps`` automaton steps."""

    automaton: Automaton
    lattice: Any  # of its perception's kind, as ``bind`` has checked; a Grid for those who ask for a Grid
    context: Context
    num_steps: int
    generator: torch.Generator | None = None

    @property
    def time_step(self) -> float:
        """Physical time of one application."""
        return self.automaton.time_step * self.num_steps

    @property
    def deterministic(self) -> bool:
        """Whether every cell fires in every step."""
        return self.automaton.update.deterministic

    def select(self, trajectories: Int[Tensor, " chosen"]) -> "BoundAutomaton":
        """Return the same Step for some trajectories of the batch, in this order."""
        told = {
            # what the whole batch is told is told to any part of it
            name: value if len(value) == 1 else value[trajectories.to(value.device)]
            for name, value in self.context.items()
        }
        return replace(self, context=told)

    def __call__(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return the state ``time_step`` later."""
        batch = state.shape[0]
        masks = self.automaton.sample_masks(self.num_steps, batch, self.lattice, self.generator, state)

        size = max(1, CELLS_AT_ONCE // self.lattice.num_cells)
        counts = {value.shape[:1] for value in self.context.values()}
        apart = counts in (set(), {(1,)}, {(batch,)})
        if batch <= size or not apart or torch.is_grad_enabled() or state.device.type != "cpu":
            return self.automaton.advance(state, self.context, self.lattice, self.num_steps, masks)
        shared = None if (batch,) in counts else self.automaton.tell(self.context, state, self.lattice)

        def advance(piece: slice) -> Tensor:
            told = shared
            if told is None:
                own = {name: value[piece] for name, value in self.context.items()}
                told = self.automaton.tell(own, state[piece], self.lattice)
            fired = None if masks is None else masks[:, piece]
            return self.automaton.advance_told(state[piece], told, self.lattice, self.num_steps, fired)

        return torch.cat([advance(slice(start, start + size)) for start in range(0, batch, size)])
