"""First-order optimisers of well-kept libraries, with the gradient treatments usual for cellular automata."""

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

from pdenca.core import BadInputError, Learned

from ..objectives import Objective
from ..schedules import SCHEDULES
from .base import FitReport, trainable


def _soap(parameters: list[nn.Parameter], lr: float, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    # takes half a second, which most commands can do without
    from pytorch_optimizer import SOAP

    return SOAP(parameters, lr=lr, weight_decay=weight_decay)


OPTIMIZERS: Final[dict[str, Callable[..., torch.optim.Optimizer]]] = {
    "adam": torch.optim.Adam,
    "nadam": torch.optim.NAdam,
    "adamw": torch.optim.AdamW,
    "adagrad": torch.optim.Adagrad,
    "sgd": torch.optim.SGD,
    "soap": _soap,
}
GRADIENTS: Final = ("plain", "normalise", "clip")


class FirstOrder:
    """A first-order optimiser.

    ``soap`` is Adam in the eigenbases of Shampoo's preconditioners: along the inputs and the outputs of every
    layer together, not weight by weight. For the few thousand weights of a cellular automaton that is cheap
    beside the steps of the lattice.

    Arguments:
        automaton: the model.
        optimizer: ``adam``, ``nadam``, ``adamw``, ``adagrad``, ``sgd`` or ``soap``.
        learning_rate: at the start.
        schedule: how it changes over ``num_steps``: ``constant``, ``cosine``, ``exponential`` or
            ``one-cycle``.
        num_steps: length of the schedule.
        weight_decay: of ``adamw`` and ``soap``, decoupled; by default the optimiser's own, none for ``soap``.
        gradient: ``plain``; ``normalise`` divides each tensor's gradient by its norm (g / (‖g‖ + 1e-8), the
            founding papers' treatment); ``clip`` bounds the norm of all gradients together by 1.

    Raises:
        BadInputError: for an unknown optimiser, schedule or treatment.

    Source:
        SOAP: Vyas et al., arXiv 2409.11321, algorithm 3.
    """

    def __init__(
        self,
        automaton: nn.Module | Learned,
        *,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        schedule: str = "constant",
        num_steps: int = 1,
        gradient: str = "plain",
        weight_decay: float | None = None,
    ) -> None:
        for name, known in ((optimizer, OPTIMIZERS), (schedule, SCHEDULES), (gradient, GRADIENTS)):
            if name not in known:
                raise BadInputError(f"{name!r} is unknown; expected one of {', '.join(known)}")
        self.automaton, self.gradient = automaton, gradient
        self.learning_rate, self.schedule, self.num_steps = learning_rate, schedule, num_steps
        self.taken = 0
        parameters = list(trainable(automaton).values())
        told: dict[str, Any] = {} if weight_decay is None else {"weight_decay": weight_decay}
        self.optimizer: Any = OPTIMIZERS[optimizer](parameters, lr=learning_rate, **told)

    def step(self, objective: Objective, batch: Any) -> FitReport:  # noqa: ANN401
        """Take one step; if the loss or a gradient is not finite, the parameters are left as they are."""
        rate = self.learning_rate * SCHEDULES[self.schedule](self.taken, self.num_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss = objective.loss(batch)
        torch.autograd.backward(loss)
        gradients = [value.grad for value in trainable(self.automaton).values() if value.grad is not None]
        finite = bool(torch.isfinite(loss)) and all(bool(torch.isfinite(g).all()) for g in gradients)
        if not finite:
            return FitReport(float("nan"), rate)
        if self.gradient == "normalise":
            for values in gradients:
                values /= values.norm() + 1e-8
        elif self.gradient == "clip":
            torch.nn.utils.clip_grad_norm_(list(trainable(self.automaton).values()), 1.0)
        self.optimizer.step()
        self.taken += 1
        return FitReport(float(loss.detach()), rate)

    def lower_rate(self) -> None:
        """Halve the learning rate."""
        self.learning_rate /= 2

    def state(self) -> dict[str, Any]:
        """Return the optimiser's memory and the place in the schedule."""
        memory = self.optimizer.state_dict()["state"]
        return {
            "memory": {str(key): dict(value) for key, value in memory.items()},
            # SOAP counts its steps beside the parameters' memory
            "steps": [group.get("step") for group in self.optimizer.param_groups],
            "taken": self.taken,
            "learning_rate": self.learning_rate,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore :meth:`state`.

        The memory is put back as it is: ``load_state_dict`` would cast it to the parameters' type, and NAdam
        keeps a float32 product beside float64 parameters.
        """
        parameters = list(trainable(self.automaton).values())
        self.optimizer.state.clear()
        for number, memory in state["memory"].items():
            own = parameters[int(number)]
            self.optimizer.state[own] = {name: _beside(own, value) for name, value in memory.items()}
        for group, step in zip(self.optimizer.param_groups, state["steps"], strict=True):
            if step is not None:
                group["step"] = step
        self.taken, self.learning_rate = int(state["taken"]), float(state["learning_rate"])


def _beside(parameter: Tensor, memory: Any) -> Any:  # noqa: ANN401  # whatever an optimiser keeps
    """Return what is kept of a parameter on its device; counts of steps stay where they are."""
    return memory.to(parameter.device) if isinstance(memory, Tensor) and memory.ndim else memory
