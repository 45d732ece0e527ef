"""Numbers too small for full precision, which processors handle many times slower than others."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Take numbers below the smallest normal one (1e-38 in float32, 2e-308 in float64) as 0 inside the block.

    A field that decays towards 0 reaches that range after a while, and most processors then need two to four
    times as long for each step. Acts on the calling thread, CPU only; afterwards what was set before is
    restored.
    """
    # the interpreter's own arithmetic shows how the processor is set
    was_flushing = sys.float_info.min / _TWO == 0.0
    if not was_flushing:
        torch.set_flush_denormal(True)
    try:
        yield
    finally:
        if not was_flushing:
            torch.set_flush_denormal(False)


_TWO = float("2")  # not written out, else the compiler of Python divides once and for all
