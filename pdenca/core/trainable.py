"""What the training loop and its objectives need of a model, whatever it is made of."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from .step import Codec, Context, Emulator, Step


@runtime_checkable
class FrameCodec(Codec, Protocol):
    """A codec that says how many given frames it needs.

    The observed fields of the newest frame come first among the channels of its states.
    """

    @property
    def num_given(self) -> int:
        """How many frames, at least 1, :meth:`lift` reads; it takes the last ones of those it is given."""
        ...


@runtime_checkable
class Learned(Protocol):
    """Anything with learned parameters, such as a torch module: all that loop and fitters ask of a model."""

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Return the parameters, as of any torch module."""
        ...

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """Return the parameters by name, as of any torch module."""
        ...


@runtime_checkable
class Trainable(Emulator, Learned, Protocol):
    """A model with learned parameters that advances states by steps, some of which make a stored frame.

    Automata take several steps per frame; a network that predicts a whole frame takes one.
    """

    @property
    def codec(self) -> FrameCodec:
        """How given frames become a state, and how a state is observed."""
        ...

    @property
    def time_step(self) -> float:
        """Physical time of one step."""
        ...

    @property
    def steps_per_frame(self) -> int:
        """Steps per stored frame."""
        ...

    @property
    def num_parameters(self) -> int:
        """Number of learned numbers."""
        ...

    def sample_masks(
        self,
        num_steps: int,
        batch: int,
        lattice: Any,  # noqa: ANN401  # a Grid, which lives on a higher floor
        generator: torch.Generator | None,
        like: Tensor,
    ) -> Tensor | None:
        """Draw what is random in ``num_steps`` steps; None if nothing is."""
        ...

    def advance(
        self,
        state: Tensor,
        context: Context,
        lattice: Any,  # noqa: ANN401
        num_steps: int,
        masks: Tensor | None = None,
        watch: Callable[[Tensor], None] | None = None,
    ) -> Tensor:
        """Take ``num_steps`` steps; ``watch`` is shown every new state, channels last."""
        ...

    def bind(self, lattice: Any, context: Context, generator: torch.Generator | None = None) -> Step:  # noqa: ANN401
        """Return the Step that advances one stored frame."""
        ...

    def compile_steps(self) -> None:
        """Compile what a step does; falls back to the ordinary one where there is no compiler."""
        ...
