"""Graphs as lattices: cells are nodes, and the neighbours of a cell are where its edges come from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid
from pdenca.solvers.padding import pad


@final
@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes and directed edges; a node sees the nodes from which its edges come.

        mean_i = Σ_e w_e z_source(e) / Σ_e w_e   over the edges e with target(e) = i

    An edge that is given twice counts twice, and a self loop makes a node a neighbour of itself, as a
    reflecting wall does. A node without incoming edges is its own mean: nothing flows into it, and a state
    that is the same everywhere is its own mean everywhere.

    Arguments:
        num_nodes: number of nodes.
        source: node that each edge comes from.
        target: node that it leads to.
        weights: of the edges, positive; None: all alike.

    Raises:
        BadInputError: for a graph without nodes, index tensors that are not int64 or differ in length, an
            index that is no node, or a weight that is not positive and finite.
    """

    num_nodes: int
    source: Int[Tensor, " edge"]
    target: Int[Tensor, " edge"]
    weights: Float[Tensor, " weight"] | None = None

    def __post_init__(self) -> None:
        if self.num_nodes < 1:
            raise BadInputError(f"a graph needs at least one node, got {self.num_nodes}")
        for name, ends in (("source", self.source), ("target", self.target)):
            if ends.dtype != torch.int64 or ends.ndim != 1:
                raise BadInputError(
                    f"{name} must be one axis of int64 node numbers, got {tuple(ends.shape)} of "
                    f"{ends.dtype}; usual cure: Graph.from_edges"
                )
            outside = (ends < 0) | (ends >= self.num_nodes)
            if bool(outside.any()):
                edge = int(outside.nonzero()[0])
                raise BadInputError(
                    f"edge {edge} has {name} {int(ends[edge])}; expected 0 to {self.num_nodes - 1}; usual "
                    "cure: count nodes from 0, or a larger num_nodes"
                )
        if len(self.source) != len(self.target):
            raise BadInputError(
                f"every edge has two ends, got {len(self.source)} sources and {len(self.target)} targets"
            )
        if self.weights is not None:
            _check_weights(self.weights, len(self.source))

    @classmethod
    def from_edges(
        cls,
        edges: Sequence[tuple[int, int]] | Int[Tensor, "edge 2"],
        num_nodes: int | None = None,
        weights: Sequence[float] | Float[Tensor, " weight"] | None = None,
        *,
        directed: bool = False,
    ) -> "Graph":
        """Make a graph from pairs of nodes.

        Arguments:
            edges: pairs (source, target).
            num_nodes: by default up to the largest node named.
            weights: one per pair.
            directed: whether a pair leads from its first node to its second only. Otherwise each is an edge
                in both directions; a self loop is one edge all the same.

        Raises:
            BadInputError: for edges that are no pairs, or as the class.
        """
        # a list without pairs has no second axis of its own
        pairs = edges if isinstance(edges, Tensor) else torch.tensor(edges or [], dtype=torch.int64)
        pairs = pairs.reshape(0, 2) if pairs.numel() == 0 else pairs
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise BadInputError(f"expected pairs of nodes, 'edge 2', got shape {tuple(pairs.shape)}")
        source, target = pairs.unbind(1)
        if num_nodes is None:
            num_nodes = int(pairs.max()) + 1 if len(pairs) else 0
        weighed = None if weights is None else torch.as_tensor(weights, dtype=torch.float64)
        one_way = cls(num_nodes, source.contiguous(), target.contiguous(), weighed)
        if directed:
            return one_way
        back = source != target
        source, target = torch.cat((source, target[back])), torch.cat((target, source[back]))
        return cls(
            num_nodes, source, target, None if weighed is None else torch.cat((weighed, weighed[back]))
        )

    @classmethod
    def of_grid(cls, grid: Grid) -> "Graph":
        """Return the nearest neighbours on a grid as a graph; nodes are its cells in row-major order.

        A reflecting wall is a self loop, since what lies beyond it is the cell itself: the mean is the grid's
        own mean over 2 d neighbours, and mean - self is h² ∇² / (2 d) of second order in the spacing h. Where
        the spacings of the axes differ, edges along axis k weigh 1 / h_k².

        Arguments:
            grid: periodic and no-flux axes in any combination.

        Raises:
            BadInputError: for other boundaries, which need values that no node has.
        """
        if set(grid.boundaries) - {"periodic", "no-flux"}:
            raise BadInputError(
                f"a graph has nothing beyond its nodes to hold a value, got boundaries {grid.boundaries}; "
                "usual cure: periodic or no-flux axes"
            )
        numbers = torch.arange(grid.num_cells).reshape(1, 1, *grid.shape)
        beyond = pad(numbers, grid, 1)[0, 0]
        centre = tuple(slice(1, cells + 1) for cells in grid.shape)
        sources, weights = [], []
        for axis, (cells, h) in enumerate(zip(grid.shape, grid.spacing, strict=True)):
            for first in (0, 2):
                place = list(centre)
                place[axis] = slice(first, first + cells)
                sources.append(beyond[tuple(place)].flatten())
                weights += [(min(grid.spacing) / h) ** 2] * grid.num_cells
        alike = all(math.isclose(h, grid.spacing[0], rel_tol=1e-9) for h in grid.spacing)
        target = numbers.flatten().repeat(2 * grid.num_dims)
        values = None if alike else torch.tensor(weights, dtype=torch.float64)
        return cls(grid.num_cells, torch.cat(sources), target, values)

    @classmethod
    def random_geometric(
        cls, num_nodes: int, radius: float, generator: torch.Generator, num_dims: int = 2
    ) -> "Graph":
        """Scatter nodes over the unit square or cube and join those that are near.

        All n² distances are formed: for some thousand nodes.

        Arguments:
            num_nodes: number of nodes n.
            radius: largest distance of neighbours (sides of the square); nodes without any are isolated.
            generator: of the places.
            num_dims: axes of the square or cube.

        Raises:
            BadInputError: for numbers that are not positive.
        """
        if num_nodes < 1 or num_dims < 1 or not radius > 0:
            raise BadInputError(
                f"expected num_nodes >= 1, num_dims >= 1 and radius > 0, got {num_nodes}, {num_dims} and "
                f"{radius}"
            )
        places = torch.rand(num_nodes, num_dims, generator=generator, dtype=torch.float64)
        near = (torch.cdist(places, places) <= radius).fill_diagonal_(False)
        source, target = near.nonzero().unbind(1)
        return cls(num_nodes, source.contiguous(), target.contiguous())

    @property
    def shape(self) -> tuple[int, ...]:
        """Nodes along the one axis that they have."""
        return (self.num_nodes,)

    @property
    def num_dims(self) -> int:
        """Axes of a state besides batch and channel: one."""
        return 1

    @property
    def num_cells(self) -> int:
        """Number of nodes."""
        return self.num_nodes

    @property
    def num_edges(self) -> int:
        """Number of directed edges."""
        return len(self.source)

    @cached_property
    def num_incoming(self) -> Int[Tensor, " node"]:
        """Edges that lead to each node."""
        return torch.bincount(self.target, minlength=self.num_nodes)

    @cached_property
    def isolated(self) -> Int[Tensor, " isolated"]:
        """The nodes without incoming edges, which see only themselves."""
        return (self.num_incoming == 0).nonzero().flatten()

    @cached_property
    def _shares(self) -> tuple[Tensor, Tensor, Tensor]:
        """(source, target, share of the target's mean), isolated nodes as their own neighbours."""
        weights = self.weights
        if weights is None:
            weights = torch.ones(self.num_edges, dtype=torch.float64, device=self.source.device)
        source, target = torch.cat((self.source, self.isolated)), torch.cat((self.target, self.isolated))
        weights = torch.cat((weights.double(), weights.new_ones(len(self.isolated)).double()))
        total = weights.new_zeros(self.num_nodes).index_add(0, target, weights)
        return source, target, weights / total[target]

    def matrix(self) -> Float[Tensor, "target source"]:
        """Return the mean as a sparse matrix (float64, COO): rows sum to 1."""
        source, target, shares = self._shares
        places = torch.stack((target, source))
        size = (self.num_nodes, self.num_nodes)
        return torch.sparse_coo_tensor(places, shares, size, check_invariants=False).coalesce()

    def mean(self, state: Float[Tensor, "batch node channel"]) -> Float[Tensor, "batch node channel"]:
        """Return the weighted mean over the neighbours of every node, channels last.

        Time and memory grow with the number of edges. On a GPU the order of the sums, and so their rounding,
        may differ from call to call.

        Raises:
            BadInputError: if the state has other than ``num_nodes`` nodes.
        """
        if state.shape[1] != self.num_nodes:
            raise BadInputError(
                f"the state has {state.shape[1]} nodes, the graph {self.num_nodes}; usual cure: states "
                "'batch channel node' of this graph"
            )
        # an edge list instead of a sparse product: it has derivatives of every order, forward and backward
        source, target, shares = (part.to(state.device) for part in self._shares)
        arriving = state.index_select(1, source) * shares.to(state.dtype)[:, None]
        return torch.zeros_like(state).index_add(1, target, arriving)

    def to(self, device: torch.device | str) -> "Graph":
        """Return the graph on a device; without it, every step moves the edges to the state's."""
        weights = None if self.weights is None else self.weights.to(device)
        return Graph(self.num_nodes, self.source.to(device), self.target.to(device), weights)


def _check_weights(weights: Tensor, num_edges: int) -> None:
    if weights.shape != (num_edges,):
        raise BadInputError(f"expected one weight for each of {num_edges} edges, got {tuple(weights.shape)}")
    wrong = ~((weights > 0) & weights.isfinite())
    if bool(wrong.any()):
        edge = int(wrong.nonzero()[0])
        raise BadInputError(
            f"edge {edge} weighs {float(weights[edge])}; expected a positive number; usual cure: leave out "
            "edges of weight 0"
        )
