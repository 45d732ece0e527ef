"""A network that predicts a whole stored frame, as a model that the training loop knows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError, Context
from pdenca.solvers.grid import Grid

from .body import FrameBody, count_parameters
from .history import FrameHistory


@final
class FrameNetwork(nn.Module):
    """The last frame plus what a network makes of the last frames and the equation's parameters:

        u(t + Δt) = u(t) + change_scale · body((u - u0) / u_scale of the last frames, (p - p0) / p_scale).

    Parameters enter as constant channels (or as fields, where they vary in space). One step is one frame.

    Arguments:
        body: the network itself.
        codec: how many frames it sees.
        context_names: parameters of the equation that it is told, in its input order.
        frame_interval: physical time between frames.
        field_centre, field_scale: u0 and u_scale, one per field.
        parameter_centre, parameter_scale: p0 and p_scale, one per parameter.
        change_scale: unit of the answer, one per field: how much it changes in a frame.

    Raises:
        BadInputError: for an interval that is not positive.
    """

    def __init__(
        self,
        body: FrameBody,
        codec: FrameHistory,
        *,
        context_names: Sequence[str],
        frame_interval: float,
        field_centre: Float[Tensor, " field"],
        field_scale: Float[Tensor, " field"],
        parameter_centre: Float[Tensor, " parameter"],
        parameter_scale: Float[Tensor, " parameter"],
        change_scale: Float[Tensor, " field"],
    ) -> None:
        super().__init__()
        if not frame_interval > 0:
            raise BadInputError(f"the frame interval must be positive, got {frame_interval}")
        self.body, self.codec = body, codec
        self.context_names, self.time_step, self.steps_per_frame = tuple(context_names), frame_interval, 1
        self.field_centre: Tensor
        self.field_scale: Tensor
        self.parameter_centre: Tensor
        self.parameter_scale: Tensor
        self.change_scale: Tensor
        self.register_buffer("field_centre", field_centre)
        self.register_buffer("field_scale", field_scale)
        self.register_buffer("parameter_centre", parameter_centre)
        self.register_buffer("parameter_scale", parameter_scale)
        self.register_buffer("change_scale", change_scale)
        self._run: Callable[..., Tensor] = self._run_eagerly

    @property
    def num_parameters(self) -> int:
        """Number of learned real numbers; a complex one counts as two."""
        return count_parameters(self)

    @property
    def radius(self) -> int | None:
        """How far (cells) a predicted cell can look; None: over the whole domain."""
        return self.body.radius

    def cast(self, dtype: torch.dtype) -> "FrameNetwork":
        """Change the floating point type it works in, in place; a body of single precision keeps its own."""
        for name, buffer in self.named_buffers(recurse=False):
            setattr(self, name, buffer.to(dtype))
        if not self.body.single_precision:
            self.body.to(dtype)
        return self

    def forward(
        self, state: Float[Tensor, "batch channel *space"], context: Context, lattice: Grid
    ) -> Float[Tensor, "batch channel *space"]:
        """Return the state one frame later."""
        axes = (1,) * lattice.num_dims
        repeat = self.codec.num_frames
        centre, scale = (
            value.repeat(repeat).view(-1, *axes) for value in (self.field_centre, self.field_scale)
        )
        features = torch.cat([(state - centre) / scale, *self._told(context, state, lattice)], 1)
        if self.body.single_precision:
            features = features.float()
        change = self._run(features, lattice).to(state.dtype) * self.change_scale.view(-1, *axes)
        newest = self.codec.observe(state) + change
        older = state[:, : state.shape[1] - self.codec.num_observed]
        return torch.cat((newest, older), 1)

    def _run_eagerly(self, features: Tensor, lattice: Grid) -> Tensor:
        result: Tensor = self.body(features, lattice)
        return result

    def _told(self, context: Context, state: Tensor, lattice: Grid) -> list[Tensor]:
        """Return one constant channel per parameter, of order one."""
        batch, space = state.shape[0], tuple(lattice.shape)
        channels = []
        for number, name in enumerate(self.context_names):
            if name not in context:
                raise BadInputError(
                    f"the network needs the parameter {name!r}, the context has {sorted(context) or 'none'}; "
                    "usual cure: pass the parameters of the data's file"
                )
            value = context[name].to(state)
            if tuple(value.shape) not in ((batch,), (batch, *space)):
                raise BadInputError(
                    f"parameter {name!r} has shape {tuple(value.shape)}; expected ({batch},) or "
                    f"{(batch, *space)}"
                )
            scaled = (value - self.parameter_centre[number]) / self.parameter_scale[number]
            scaled = scaled.view(batch, *(scaled.shape[1:] or (1,) * len(space)))
            channels.append(scaled.expand(batch, *space)[:, None])
        return channels

    def advance(
        self,
        state: Float[Tensor, "batch channel *space"],
        context: Context,
        lattice: Grid,
        num_steps: int,
        masks: Tensor | None = None,
        watch: Callable[[Tensor], None] | None = None,
    ) -> Float[Tensor, "batch channel *space"]:
        """Predict ``num_steps`` frames.

        Arguments:
            state: the last frames, the newest first.
            context: parameter values.
            lattice: the domain.
            num_steps: number of frames.
            masks: None, nothing is random.
            watch: called with every new state, channels last.
        """
        for _ in range(num_steps):
            state = self(state, context, lattice)
            if watch is not None:
                watch(state.movedim(1, -1))
        return state

    # Any: see the contract of Trainable
    def sample_masks(
        self,
        num_steps: int,
        batch: int,
        lattice: Any,  # noqa: ANN401
        generator: torch.Generator | None,
        like: Tensor,
    ) -> Tensor | None:
        """Return None: nothing is random."""
        return None

    def bind(
        self,
        lattice: Any,  # noqa: ANN401  # the contract of Emulator
        context: Context,
        generator: torch.Generator | None = None,
    ) -> "BoundNetwork":
        """Return the Step that predicts the next frame.

        Raises:
            BadInputError: if the lattice is no grid.
        """
        if not isinstance(lattice, Grid):
            raise BadInputError(f"a network of frames binds to a Grid, got {type(lattice).__name__}")
        return BoundNetwork(self, lattice, context)

    def compile_steps(self) -> None:
        """Compile the body with ``torch.compile``; falls back to the ordinary one without a compiler."""
        from pdenca.core.compiling import compiled_or_eager

        self._run = compiled_or_eager(self._run_eagerly)


@final
@dataclass(frozen=True, eq=False)
class BoundNetwork:
    """A network that knows its grid and parameters: a Step of one stored frame."""

    network: FrameNetwork
    lattice: Grid
    context: Context

    @property
    def time_step(self) -> float:
        """Physical time of one application."""
        return self.network.time_step

    @property
    def deterministic(self) -> bool:
        """Always."""
        return True

    def __call__(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return the state one frame later."""
        return self.network.advance(state, self.context, self.lattice, 1)
