"""How much a restorer computes."""

from collections.abc import Callable

from torch.utils.flop_counter import FlopCounterMode


def count_flops(function: Callable[..., object], *inputs: object) -> int:
    """Return the floating point operations of one call.

    A multiplication and the addition that follows count as two. Counted are matrix products, convolutions and
    attention, in the backward pass too if the call has one. Not counted is all the rest: pointwise operations
    (activations, biases, masks, the sweeps of a Laplace fill), normalisations, pooling, softmax, resampling,
    Fourier transforms. So the number is a lower bound, near for networks made of convolutions, and 0 for a
    function that has none of the former.

    Arguments:
        function: what is called, once. A search that stops at a tolerance counts what it took this time.
        inputs: what it is called with; divide by the batch for the operations per image.

    Source: PyTorch's ``torch.utils.flop_counter``.
    """
    with FlopCounterMode(display=False) as counter:
        function(*inputs)
    return int(counter.get_total_flops())
