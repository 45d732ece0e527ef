"""Kernels made from an equation's rate of change, for explicit steps without temporary tensors."""

from .compiled import CompiledMarch
from .denormals import flushed_denormals
from .fused import FusedMarch, has_numba
from .inplace import InPlaceMarch
from .program import OPERATIONS, Program
from .recorder import UntraceableError
from .tracing import trace_rate

__all__ = [
    "OPERATIONS",
    "CompiledMarch",
    "FusedMarch",
    "InPlaceMarch",
    "Program",
    "UntraceableError",
    "flushed_denormals",
    "has_numba",
    "trace_rate",
]
