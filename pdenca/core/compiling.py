"""torch.compile with a clean way back."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def compiled_or_eager(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Compile ``function``; if the first call finds no working compiler, warn once and run it as it is.

    The failure of a missing compiler shows at the first call, not when ``torch.compile`` is called.
    """
    chosen: list[Callable[..., Any]] = [torch.compile(function)]

    def run(*arguments: Any) -> Tensor:  # noqa: ANN401
        if chosen[0] is function:
            return function(*arguments)
        from torch._dynamo.exc import TorchDynamoException

        try:
            with warnings.catch_warnings():
                # the cached tables of shells and moments are constants: tracing through them is right
                warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`")
                result: Tensor = chosen[0](*arguments)
        except (TorchDynamoException, OSError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            warnings.warn(f"not compiled, running eagerly instead: {reason}", RuntimeWarning, stacklevel=2)
            chosen[0] = function
            return function(*arguments)
        return result

    return run
