"""Follows torch's elementary operations from the state to the rate of change."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .program import COMPARISONS, OPERATIONS, Input, Instruction, Program


class UntraceableError(Exception):
    """The rate of change is more than arithmetic on the fields and their derivatives; the text says where."""


# whatever torch's operations take and return
_Value = Any
# one register per channel, or a single one without the axis of channels
_Registers = tuple[str, ...] | str

_WRITTEN_OUT = frozenset(
    {
        "addcdiv",
        "addcmul",
        "clamp",
        "clamp_max",
        "clamp_min",
        "reciprocal",
        "relu",
        "rsqrt",
        "rsub",
        "sigmoid",
        "square",
    }
)
_SAME = frozenset({"alias", "clone", "detach", "contiguous", "lift_fresh"})
_NEW = frozenset({"zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"})


class Recorder(TorchDispatchMode):
    """Sees every elementary operation of torch while it is active; follows those that depend on the state.

    Arguments:
        state: a state ``"batch channel *space"``.
    """

    def __init__(self, state: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.state = state
        self._known: dict[int, tuple[Tensor, _Registers]] = {}
        self._inputs: list[Input] = []
        self._instructions: list[Instruction] = []
        self._constants: dict[str, Tensor] = {}
        self._paused = False
        self._offered: dict[tuple[str, int], Tensor] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say no: the mark for torch's compiler would import it, which takes a second."""
        return False

    def record(self, rate: Callable[[Tensor], Tensor]) -> Program:
        """Return what ``rate`` does with the state.

        Raises:
            UntraceableError: if it is more than arithmetic in each point.
        """
        self.add_input("value", 0, lambda: self.state)
        with self:
            result = rate(self.state)
        if id(result) not in self._known:
            outputs: _Registers = tuple(
                self._operands((result,), tuple(result.shape), True)[c][0] for c in range(result.shape[1])
            )
        else:
            outputs = self._known[id(result)][1]
        if isinstance(outputs, str) or len(outputs) != self.state.shape[1]:
            raise UntraceableError("its rate has another shape than the state")
        program = Program(tuple(self._inputs), self._constants, tuple(self._instructions), outputs)
        return program.without_dead_code()

    def add_input(self, kind: str, axis: int, evaluate: Callable[[], Tensor]) -> Tensor:
        """Return the values of an input, the same tensor whenever it is asked for."""
        if (kind, axis) not in self._offered:
            self._paused = True
            values = evaluate()
            self._paused = False
            names = [f"{kind}{axis}_{field}" for field in range(values.shape[1])]
            self._inputs += [Input(name, kind, axis, field) for field, name in enumerate(names)]
            self._know(values, tuple(names))
            self._offered[kind, axis] = values
        return self._offered[kind, axis]

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Do one operation and note it."""
        kwargs = kwargs or {}
        if self._paused:
            return func(*args, **kwargs)
        flat = [leaf for arg in (*args, *kwargs.values()) for leaf in _leaves(arg)]
        follows = any(isinstance(leaf, Tensor) and id(leaf) in self._known for leaf in flat)
        name = func.overloadpacket.__name__  # type: ignore[attr-defined]
        in_place = name.endswith("_") and not name.endswith("__")
        if follows and in_place:
            self._refuse_shared(args[0])
        result = func(*args, **kwargs)
        if follows and name not in _NEW:
            self._follow(name.rstrip("_") if in_place else name, args, kwargs, result)
        return result

    def _follow(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: _Value) -> None:
        if name in {"unbind", "select", "slice", "stack", "cat", "unsqueeze", "squeeze"}:
            self._follow_channels(name, args, kwargs, result)
        elif name in _SAME or (
            name in {"_to_copy", "view", "expand", "_unsafe_view"} and _is_same(args[0], result)
        ):
            self._know(result, self._known[id(args[0])][1])
        elif name in {"_to_copy", "copy"}:
            raise UntraceableError(f"it uses torch's {name!r}")
        else:
            self._follow_arithmetic(name, args, kwargs, result)

    def _follow_channels(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: _Value,
    ) -> None:
        """Taking channels apart and putting them together."""
        if name in {"stack", "cat"}:
            parts, dim = args[0], args[1] if len(args) > 1 else kwargs.get("dim", 0)
            if dim % result.ndim != 1:
                raise UntraceableError(f"it uses torch's {name!r} along another axis than the channels")
            registers: list[str] = []
            for part in parts:
                shape = tuple(part.shape)
                channels = 1 if name == "stack" else shape[1]
                registers += [row[0] for row in self._operands((part,), shape, name == "cat")[:channels]]
            self._know(result, tuple(registers))
            return
        source: Tensor = args[0]
        known = self._known[id(source)][1]
        dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % (source.ndim + (name == "unsqueeze"))
        if name == "slice" and _is_same(source, result):
            self._know(result, known)
        elif dim != 1 or (name == "unsqueeze") != isinstance(known, str):
            raise UntraceableError(f"it uses torch's {name!r} along another axis than the channels")
        elif name == "unbind":
            for part, register in zip(result, known, strict=True):
                self._know(part, register)
        elif name == "select":
            self._know(result, known[args[2]])
        elif name == "slice":
            self._know(result, tuple(known[slice(*args[2:])]))
        elif name == "unsqueeze":
            self._know(result, (str(known),))
        else:
            self._know(result, known[0] if source.shape[1] == 1 else known)

    def _follow_arithmetic(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: _Value,
    ) -> None:
        if name not in OPERATIONS.keys() | _WRITTEN_OUT:
            raise UntraceableError(f"it uses torch's {name!r}")
        if not isinstance(result, Tensor) or result.ndim - self.state.ndim not in (-1, 0):
            raise UntraceableError(f"it uses torch's {name!r}")
        has_channels = result.ndim == self.state.ndim
        space = (len(self.state), *self.state.shape[2:])
        if (result.shape[0], *result.shape[1 + has_channels :]) != space:
            raise UntraceableError(f"it uses torch's {name!r}, which changes the shape")
        if result.dtype != (torch.bool if name in COMPARISONS else self.state.dtype):
            raise UntraceableError(f"its {name!r} is not computed in the precision of the state")
        rows = self._operands(args, tuple(result.shape), has_channels)
        registers = tuple(self._emit_named(name, row, args, kwargs) for row in rows)
        self._know(result, registers if has_channels else registers[0])

    def _emit_named(self, name: str, row: list[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Write one operation of torch in terms of :data:`OPERATIONS`."""
        if name in {"add", "sub", "rsub"}:
            first, second = row[:2]
            alpha = args[2] if len(args) > 2 else kwargs.get("alpha", 1)
            if alpha != 1:
                factor = self._constant(float(alpha))
                if name == "rsub":
                    first = self._emit("mul", first, factor)
                else:
                    second = self._emit("mul", second, factor)
            return self._emit("sub", second, first) if name == "rsub" else self._emit(name, first, second)
        if set(kwargs) - {"value", "min", "max"}:
            raise UntraceableError(f"it uses torch's {name!r} with {', '.join(kwargs)}")
        if name == "pow" and not isinstance(args[1], Tensor) and args[1] in range(1, 9):
            power = row[0]
            for _ in range(int(args[1]) - 1):
                power = self._emit("mul", power, row[0])
            return power
        if name == "square":
            return self._emit("mul", row[0], row[0])
        if name in {"addcmul", "addcdiv"}:
            product = self._emit("mul" if name == "addcmul" else "div", row[1], row[2])
            if kwargs.get("value", 1) != 1:
                product = self._emit("mul", product, self._constant(float(kwargs["value"])))
            return self._emit("add", row[0], product)
        if name == "sigmoid":
            one = self._constant(1.0)
            return self._emit(
                "div", one, self._emit("add", one, self._emit("exp", self._emit("neg", row[0])))
            )
        if name in {"reciprocal", "rsqrt"}:
            below = row[0] if name == "reciprocal" else self._emit("sqrt", row[0])
            return self._emit("div", self._constant(1.0), below)
        if name == "relu":
            return self._emit("maximum", row[0], self._constant(0.0))
        if name in {"clamp", "clamp_min", "clamp_max"}:
            return self._emit_clamp(name, row[0], args, kwargs)
        return self._emit(name, *row)

    def _emit_clamp(self, name: str, register: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        if name == "clamp":
            low = args[1] if len(args) > 1 else kwargs.get("min")
            high = args[2] if len(args) > 2 else kwargs.get("max")
        else:
            low, high = (args[1], None) if name == "clamp_min" else (None, args[1])
        for bound, operation in ((low, "maximum"), (high, "minimum")):
            if isinstance(bound, Tensor):
                raise UntraceableError("it uses torch's 'clamp' between tensors")
            if bound is not None:
                register = self._emit(operation, register, self._constant(float(bound)))
        return register

    def _emit(self, operation: str, *operands: str) -> str:
        name = f"t{len(self._instructions)}"
        self._instructions.append(Instruction(name, operation, operands))
        return name

    def _constant(self, value: float | Tensor) -> str:
        name = f"c{len(self._constants)}"
        self._constants[name] = torch.as_tensor(value, dtype=torch.float64).reshape(-1).clone()
        return name

    def _operands(
        self, values: tuple[Any, ...], shape: tuple[int, ...], has_channels: bool
    ) -> list[list[str]]:
        """The registers of some arguments, one row per channel of the result."""
        channels = shape[1] if has_channels else 1
        rows: list[list[str]] = [[] for _ in range(channels)]
        for value in values:
            if value is None:
                continue
            for channel, register in enumerate(self._spread(value, shape, has_channels, channels)):
                rows[channel].append(register)
        return rows

    def _spread(self, value: _Value, shape: tuple[int, ...], has_channels: bool, channels: int) -> list[str]:
        """One register per channel of the result."""
        if isinstance(value, (int, float)):
            return [self._constant(float(value))] * channels
        if not isinstance(value, Tensor):
            raise UntraceableError(f"it computes with {type(value).__name__}")
        if id(value) in self._known:
            known = self._known[id(value)][1]
            if isinstance(known, str) == has_channels:
                raise UntraceableError("it mixes tensors with and without the axis of channels")
            registers = [known] if isinstance(known, str) else list(known)
            return registers * channels if len(registers) == 1 else registers
        value = value.detach()
        self._paused = True
        try:
            value = value.reshape((1,) * (len(shape) - value.ndim) + tuple(value.shape))
            first = value[(..., *(slice(0, 1),) * (len(shape) - 1 - has_channels))]
            if not bool((value == first).all()):
                raise UntraceableError("it has constants that vary in space")
            per_channel = first.reshape(len(first), -1)
            # the constant of one value per channel and trajectory, or fewer
            return [
                self._constant(per_channel[:, channel if per_channel.shape[1] > 1 else 0])
                for channel in range(channels)
            ]
        finally:
            self._paused = False

    def _know(self, tensor: Tensor, registers: _Registers) -> None:
        self._known[id(tensor)] = (tensor, registers)

    def _refuse_shared(self, target: Tensor) -> None:
        """In-place work is followed only on a tensor that nothing else looks at."""
        place = target.untyped_storage().data_ptr()
        others = [
            tensor
            for tensor, _ in self._known.values()
            if tensor is not target and tensor.untyped_storage().data_ptr() == place
        ]
        is_input = any(target is tensor for tensor in self._offered.values())
        if others or is_input or target._is_view() or id(target) not in self._known:
            raise UntraceableError("it changes parts of tensors in place")


def _leaves(value: _Value) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _is_same(source: Tensor, result: Tensor) -> bool:
    return source.shape == result.shape and source.dtype == result.dtype
