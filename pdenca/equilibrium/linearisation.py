"""Products with the Jacobian J = ∂f/∂z at a state, without forming it."""

import functools
import warnings

import torch
from torch import Tensor

from pdenca.core import BadInputError

from .rows import RowMap, Rows

_CURE = (
    "usual cure: no torch.no_grad, .detach() or rounding inside the step; a frozen model is frozen by "
    "requires_grad_(False) on its parameters"
)


@functools.cache
def _load_forward_mode() -> None:
    """Let torch import its rules of forward mode, which warns of its own use of torch.jit."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script`", DeprecationWarning)
        torch.func.jvp(torch.sin, (torch.zeros(1),), (torch.zeros(1),))


class Linearisation:
    """J at one state per sample: J v in forward mode, Jᵀ w in reverse mode.

    Forward mode needs no memory beyond one application. Steps with an operation that knows only reverse mode
    get J v by two backward passes, v ↦ ∂(Jᵀu · v)/∂u. The graph of one application is kept from the first
    product that needs it on.

    Arguments:
        map: f.
        points: where, one row per sample.
    """

    def __init__(self, map: RowMap, points: Rows) -> None:
        _load_forward_mode()
        self.map, self.points = map, points.detach()
        self._forward_mode = True
        self._checked = False
        self._graph: tuple[Tensor, Tensor] | None = None
        self._double: tuple[Tensor, Tensor] | None = None

    def times(self, vectors: Rows) -> Rows:
        """Return J v of every sample.

        Raises:
            BadInputError: if f changes with z but says that it has no derivative.
        """
        if self._forward_mode:
            try:
                image: Tensor = torch.func.jvp(self.map, (self.points,), (vectors,))[1].detach()
            except (NotImplementedError, RuntimeError):  # an error of the step itself comes again below
                self._forward_mode = False
                image = self._times_twice_backward(vectors)
        else:
            image = self._times_twice_backward(vectors)
        if not self._checked and bool(vectors.any()):
            self._checked = True
            if not bool(image.any()):
                self._refuse_detached(vectors)
        return image

    def transposed_times(self, vectors: Rows) -> Rows:
        """Return Jᵀ w of every sample.

        Raises:
            BadInputError: if f changes with z but says that it has no derivative.
        """
        leaf, values = self._recorded()
        if not values.requires_grad:
            self._refuse_detached(vectors)
            return torch.zeros_like(vectors)
        return _pulled(values, leaf, vectors)

    def _recorded(self) -> tuple[Tensor, Tensor]:
        if self._graph is None:
            with torch.enable_grad():
                leaf = self.points.clone().requires_grad_()
                self._graph = leaf, self.map(leaf)
        return self._graph

    def _times_twice_backward(self, vectors: Rows) -> Rows:
        if self._double is None:
            leaf, values = self._recorded()
            if not values.requires_grad:
                return torch.zeros_like(vectors)
            with torch.enable_grad():
                dual = torch.zeros_like(values).requires_grad_()
                (pulled,) = torch.autograd.grad(
                    values, leaf, dual, create_graph=True, allow_unused=True, materialize_grads=True
                )
            self._double = dual, pulled
        dual, pulled = self._double
        return _pulled(pulled, dual, vectors) if pulled.requires_grad else torch.zeros_like(vectors)

    def _refuse_detached(self, vectors: Rows) -> None:
        """Raise if f moves along ``vectors``, although nothing connects it with its argument.

        A derivative that is zero by its value is none of this: a ReLU has one wherever it is off.
        """
        if self._recorded()[1].requires_grad:
            return
        with torch.no_grad():
            scale = torch.finfo(vectors.dtype).eps ** 0.25 * (1 + self.points.abs().amax())
            step = scale * vectors / vectors.abs().amax().clamp(min=torch.finfo(vectors.dtype).tiny)
            change = self.map(self.points + step) - self.map(self.points - step)
        # at a flat place a central difference is of third order; a derivative is not
        if bool(change.abs().amax() > 0.01 * step.abs().amax()):
            raise BadInputError(
                f"the step changes with its state but has no derivative to show for it; {_CURE}"
            )


def _pulled(values: Tensor, leaf: Tensor, vectors: Rows) -> Rows:
    (result,) = torch.autograd.grad(
        values, leaf, vectors, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return result.detach()
