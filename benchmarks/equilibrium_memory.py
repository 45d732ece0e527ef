"""Peak memory and time of one training gradient, in a process of its own.

    python benchmarks/equilibrium_memory.py implicit 64

Prints JSON: bytes that the process grew by above its size after a warm-up in small, bytes that autograd kept
at most, and seconds. ``implicit``: the gradient through the equilibrium after as many evaluations of plain
iteration; ``unrolled``: through as many steps.
"""

import json
import sys
import time

import torch
from torch import Tensor

from pdenca.automaton import Automaton, FixedKernels, HiddenChannels, Increment, PointwiseMLP
from pdenca.core import peak_memory
from pdenca.equilibrium import EquilibriumRecord, EquilibriumSettings, fixed_point
from pdenca.solvers import Grid

NUM_CELLS, NUM_CHANNELS, NUM_UNITS = 32, 16, 64
BACKWARD_BASIS = 10


class Kept:
    """Counts the bytes of tensors that autograd holds, each storage once, and their peak."""

    def __init__(self) -> None:
        self.holders: dict[int, int] = {}
        self.now = self.peak = 0

    def pack(self, tensor: Tensor) -> "Held":
        """Take note of a tensor that is kept."""
        return Held(self, tensor)

    @staticmethod
    def unpack(held: "Held") -> Tensor:
        """Give it back."""
        return held.tensor


class Held:
    """A tensor that is kept as long as this is."""

    def __init__(self, kept: Kept, tensor: Tensor) -> None:
        self.kept, self.tensor = kept, tensor
        self.place, self.size = tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()
        if self.place not in kept.holders:
            kept.now += self.size
            kept.peak = max(kept.peak, kept.now)
        kept.holders[self.place] = kept.holders.get(self.place, 0) + 1

    def __del__(self) -> None:
        self.kept.holders[self.place] -= 1
        if not self.kept.holders[self.place]:
            del self.kept.holders[self.place]
            self.kept.now -= self.size


def gradient(kind: str, num_steps: int, num_cells: int) -> int:
    """Take one gradient of a random but tame automaton in float32; return the evaluations it took."""
    generator = torch.Generator().manual_seed(0)
    perception = FixedKernels(NUM_CHANNELS, ("identity", "gradient", "laplacian"))
    rule = PointwiseMLP(
        perception.num_features,
        0,
        NUM_CHANNELS,
        NUM_UNITS,
        activation="relu",
        spread=0.1,
        generator=generator,
    )
    with torch.no_grad():
        rule.output_weight.normal_(0, 0.002, generator=generator)
        rule.output_bias.normal_(0, 0.1, generator=generator)
        rule.skip_weight[:, :NUM_CHANNELS] = -0.02 * torch.eye(NUM_CHANNELS)
    automaton = Automaton(perception, rule, Increment(), HiddenChannels(4, NUM_CHANNELS - 4))
    grid = Grid.uniform(num_cells, 1.0)
    start = torch.zeros(1, NUM_CHANNELS, num_cells, num_cells)
    record = EquilibriumRecord()
    if kind == "unrolled":
        state = automaton.advance(start, {}, grid, num_steps)
    else:
        settings = EquilibriumSettings(
            method="picard",
            tolerance=0,  # to the last evaluation
            max_evaluations=num_steps,
            backward_basis=BACKWARD_BASIS,
            backward_products=2 * BACKWARD_BASIS,
        )
        state = fixed_point(automaton.bind(grid, {}, num_steps=1), start, settings, record=record)
    state.square().mean().backward()
    return num_steps if record.solution is None else int(record.solution.evaluations[0])


def main() -> None:
    """Measure once."""
    kind, num_steps = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    gradient(kind, 4, 4)
    before = peak_memory()
    began = time.perf_counter()
    taken = gradient(kind, num_steps, NUM_CELLS)
    seconds = time.perf_counter() - began
    grown = peak_memory() - before
    # on its own, so that counting does not enter the size of the process
    kept = Kept()
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, kept.unpack):
        gradient(kind, num_steps, NUM_CELLS)
    found = {"resident": grown, "kept": kept.peak, "seconds": seconds, "evaluations": taken}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
