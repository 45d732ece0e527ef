"""Who solves the batches: this process, worker processes on all cores, or a cluster."""

import torch

from pdenca.core import BadInputError
from pdenca.core.helpers import num_cores

from ..recipe import Recipe
from .assembly import Assembly
from .cluster import solve_on_cluster
from .here import solve_here
from .parts import Batch
from .processes import can_be_sent, solve_with_processes

LONG_SECONDS = 10.0
"""What would take longer in this process is worth the seconds that worker processes need to start."""


class Crew:
    """Who solves the batches; see :func:`pdenca.datasets.generate` for the arguments.

    Raises:
        BadInputError: for workers that cannot be had.
    """

    def __init__(
        self, recipe: Recipe, device: torch.device, num_workers: int | None, cluster: str | None
    ) -> None:
        self.device = device
        if num_workers is not None and num_workers < 1:
            raise BadInputError(f"num_workers must be at least 1, got {num_workers}")
        if cluster is not None and (num_workers is not None or device.type != "cpu"):
            raise BadInputError(
                "the workers of a cluster are its own, one thread of the processor each; usual cure: neither "
                "num_workers nor device beside cluster"
            )
        if device.type != "cpu" and (num_workers or 1) > 1:
            raise BadInputError(
                f"on the device {device} one process solves all, got num_workers={num_workers}; usual cure: "
                "num_workers=1 and a larger batch"
            )
        sendable = can_be_sent(recipe)
        if num_workers is not None and num_workers > 1 and not sendable:
            raise BadInputError(
                f"worker processes cannot import {type(recipe).__qualname__}; usual cure: define the recipe "
                "in a module or script, or num_workers=1"
            )
        self._num_workers = num_workers
        self._cluster = cluster
        importable = sendable and type(recipe).__module__ != "__main__"
        self._may_grow = num_workers is None and device.type == "cpu" and importable and num_cores() > 1

    def solve(self, recipe: Recipe, batches: list[Batch], assembly: Assembly) -> dict[Batch, str]:
        """Solve all batches; return those that were lost, and why."""
        if not batches:
            return {}
        if self._cluster is not None:
            return solve_on_cluster(self._cluster, recipe, batches, assembly)
        if self._num_workers is not None and self._num_workers > 1:
            return solve_with_processes(recipe, batches, self._num_workers, assembly)
        is_long = (lambda: assembly.seconds_left() > LONG_SECONDS) if self._may_grow else None
        rest = solve_here(recipe, batches, self.device, assembly, is_long)
        return solve_with_processes(recipe, rest, num_cores(), assembly) if rest else {}
