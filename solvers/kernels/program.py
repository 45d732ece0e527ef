"""A rate of change taken apart into pointwise arithmetic, from which kernels are made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor


@dataclass(frozen=True)
class Operation:
    """One kind of arithmetic in a point.

    Arguments:
        source: Python text with the operands as {0}, {1}, ...
        function: the same on tensors; it takes ``out``.
    """

    source: str
    function: Callable[..., Any]


# maxima and minima hand on a NaN of either operand, as torch does
OPERATIONS: Final[dict[str, Operation]] = {
    "abs": Operation("abs({0})", torch.abs),
    "add": Operation("{0} + {1}", torch.add),
    "cos": Operation("math.cos({0})", torch.cos),
    "cosh": Operation("math.cosh({0})", torch.cosh),
    "div": Operation("{0} / {1}", torch.div),
    "eq": Operation("{0} == {1}", torch.eq),
    "exp": Operation("math.exp({0})", torch.exp),
    "expm1": Operation("math.expm1({0})", torch.expm1),
    "ge": Operation("{0} >= {1}", torch.ge),
    "gt": Operation("{0} > {1}", torch.gt),
    "le": Operation("{0} <= {1}", torch.le),
    "log": Operation("math.log({0})", torch.log),
    "log1p": Operation("math.log1p({0})", torch.log1p),
    "lt": Operation("{0} < {1}", torch.lt),
    "maximum": Operation("({0} if {0} > {1} or {0} != {0} else {1})", torch.maximum),
    "minimum": Operation("({0} if {0} < {1} or {0} != {0} else {1})", torch.minimum),
    "mul": Operation("{0} * {1}", torch.mul),
    "ne": Operation("{0} != {1}", torch.ne),
    "neg": Operation("-{0}", torch.neg),
    "pow": Operation("{0} ** {1}", torch.pow),
    "sin": Operation("math.sin({0})", torch.sin),
    "sinh": Operation("math.sinh({0})", torch.sinh),
    "sqrt": Operation("math.sqrt({0})", torch.sqrt),
    "sub": Operation("{0} - {1}", torch.sub),
    "tanh": Operation("math.tanh({0})", torch.tanh),
    "where": Operation("({1} if {0} else {2})", torch.where),
}
"""Name in torch -> what a kernel does for it."""

COMPARISONS: Final = frozenset({"eq", "ge", "gt", "le", "lt", "ne"})


@dataclass(frozen=True)
class Input:
    """What a program reads in each point.

    Arguments:
        name: of its register.
        kind: "value", "laplacian", "first" or "second".
        axis: of a first or second derivative; 0 otherwise.
        field: index of the field.
    """

    name: str
    kind: str
    axis: int
    field: int


@dataclass(frozen=True)
class Instruction:
    """``result = operation(*operands)``, all registers called by their names."""

    result: str
    operation: str
    operands: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """The rate of change of every field in one point, as a list of instructions.

    Its text depends on the form of the equation alone, not on the values of its constants, so that one
    compiled kernel serves all of them.

    Arguments:
        inputs: the fields and their derivatives that it reads.
        constants: register -> float64 tensor (1,), or (batch,) for one value per trajectory.
        instructions: in order.
        outputs: registers of the rates of change, one per field.
    """

    inputs: tuple[Input, ...]
    constants: dict[str, Tensor]
    instructions: tuple[Instruction, ...]
    outputs: tuple[str, ...]

    def without_dead_code(self) -> "Program":
        """Return the program without what does not reach an output."""
        needed, kept = set(self.outputs), []
        for instruction in reversed(self.instructions):
            if instruction.result in needed:
                needed.update(instruction.operands)
                kept.append(instruction)
        return Program(
            tuple(item for item in self.inputs if item.name in needed),
            {name: value for name, value in self.constants.items() if name in needed},
            tuple(reversed(kept)),
            self.outputs,
        )


class Workspace:
    """Evaluates a program on whole tensors, without allocating anything after construction.

    Arguments:
        program: what is evaluated.
        example: a tensor like one field, ``"batch *space"``: gives shape, dtype and device.
    """

    def __init__(self, program: Program, example: Tensor) -> None:
        self._constants = {
            name: value.to(example).reshape(-1, *(1,) * (example.ndim - 1)) if len(value) > 1 else value[0]
            for name, value in program.constants.items()
        }
        # a scalar on the CPU combines with a tensor on any device
        self._constants = {
            name: value.to(example.dtype) if value.ndim == 0 else value
            for name, value in self._constants.items()
        }
        self._program = program
        self._buffers: dict[str, Tensor] = {}
        last_use = {
            name: number
            for number, instruction in enumerate(program.instructions)
            for name in instruction.operands
        }
        last_use.update(dict.fromkeys(program.outputs, len(program.instructions)))
        free: dict[bool, list[Tensor]] = {True: [], False: []}
        for number, instruction in enumerate(program.instructions):
            logical = instruction.operation in COMPARISONS
            pool = free[logical]
            dtype = torch.bool if logical else example.dtype
            self._buffers[instruction.result] = (
                pool.pop() if pool else torch.empty(example.shape, dtype=dtype, device=example.device)
            )
            for name in set(instruction.operands):
                if last_use[name] == number and name in self._buffers:
                    buffer = self._buffers[name]
                    free[buffer.dtype == torch.bool].append(buffer)

    def run(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """Return the rates of change, ``"batch *space"`` each, valid until the next run.

        Arguments:
            inputs: register -> tensor, for each input of the program.
        """
        registers = {**self._constants, **inputs, **self._buffers}
        for instruction in self._program.instructions:
            OPERATIONS[instruction.operation].function(
                *(registers[name] for name in instruction.operands), out=registers[instruction.result]
            )
        return [registers[name] for name in self._program.outputs]
