"""The automata of the study of equilibria: random, on a torus, between walls and on a graph."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pdenca.automaton import (
    Automaton,
    BoundAutomaton,
    FixedKernels,
    Graph,
    GraphPerception,
    HiddenChannels,
    Increment,
    PointwiseMLP,
    Replace,
)
from pdenca.solvers import Grid

NUM_CHANNELS, NUM_UNITS = 4, 8
TIME_STEP, DIFFUSIVITY = 0.5, 0.15


def lattices(num_cells: int) -> Mapping[str, Grid | Graph]:
    """Return one domain of each kind with ``num_cells`` squared cells or nodes."""
    # about seven neighbours within this radius
    radius = (7 / torch.pi / num_cells**2) ** 0.5
    return {
        "torus": Grid.uniform(num_cells, 1.0, "periodic"),
        "walls": Grid.uniform(num_cells, 1.0, "no-flux"),
        "graph": Graph.random_geometric(num_cells**2, radius, torch.Generator().manual_seed(0)),
    }


def bound(
    lattice: Grid | Graph, seed: int, coupling: float, supply: float = 1.0
) -> tuple[BoundAutomaton, Tensor]:
    """Return a random automaton in float64, bound to a random field, and the zero state.

        z <- z + Δt [D L z - z + W2 tanh(W1 z + v p)],   W2 = coupling · R W1ᵀ,   W1ᵀ W1 = I,   RᵀR = I

    with W1 and R random, L the Laplacian kernel of a grid (centre -3, neighbours 3 in sum) or the difference
    to the neighbours' mean. All weights of z + Δt (D L z - z) are positive and sum to 1 - Δt, so in the
    largest length of any cell's state the step contracts by 1 - Δt (1 - coupling) if the coupling is below 1.

    Arguments:
        lattice: the domain.
        seed: of the weights and of the field p.
        coupling: of a cell to itself, the product of the spectral norms of W1 and W2.
        supply: standard deviation of the field.
    """
    generator = torch.Generator().manual_seed(seed)
    rule, perception = _random_rule(lattice, generator)
    with torch.no_grad():
        inward, _ = torch.linalg.qr(rule.hidden_weight[:, :NUM_CHANNELS])
        turn, _ = torch.linalg.qr(rule.output_weight[:, :NUM_CHANNELS])
        rule.output_weight.copy_(coupling * turn @ inward.T)
        rule.hidden_weight[:, :NUM_CHANNELS] = inward
        rule.hidden_weight[:, NUM_CHANNELS : 2 * NUM_CHANNELS] = 0
        own = torch.eye(NUM_CHANNELS, dtype=torch.float64)
        told = own.new_zeros(NUM_CHANNELS, 1)
        rule.skip_weight = torch.nn.Parameter(torch.cat((-own, DIFFUSIVITY * own, told), dim=1))
    return _bind(lattice, perception, rule, Increment(), generator, supply)


def replacing(lattice: Grid | Graph, seed: int, gain: float) -> tuple[BoundAutomaton, Tensor]:
    """Return z <- gain · W2 tanh(W1 [z, L z] + v p), all random, bound to a field, and the zero state."""
    generator = torch.Generator().manual_seed(seed)
    rule, perception = _random_rule(lattice, generator)
    with torch.no_grad():
        rule.output_weight *= gain
        rule.hidden_weight[:, NUM_CHANNELS : 2 * NUM_CHANNELS] *= 0.2
    return _bind(lattice, perception, rule, Replace(), generator, 1.0)


def _random_rule(
    lattice: Grid | Graph, generator: torch.Generator
) -> tuple[PointwiseMLP, FixedKernels | GraphPerception]:
    perception = (
        GraphPerception(NUM_CHANNELS, ("identity", "difference"))
        if isinstance(lattice, Graph)
        else FixedKernels(NUM_CHANNELS, ("identity", "laplacian"))
    )
    rule = PointwiseMLP(
        perception.num_features,
        1,
        NUM_CHANNELS,
        NUM_UNITS,
        hidden_bias=False,
        skip=False,
        generator=generator,
    ).double()
    with torch.no_grad():
        weight = torch.randn(NUM_CHANNELS, NUM_UNITS, generator=generator, dtype=torch.float64)
        rule.output_weight.copy_(weight / NUM_UNITS**0.5)
    return rule, perception


def _bind(lattice, perception, rule, update, generator, supply):
    automaton = Automaton(
        perception, rule, update, HiddenChannels(NUM_CHANNELS), context_names=("supply",), time_step=TIME_STEP
    )
    field = supply * torch.randn(1, *lattice.shape, generator=generator, dtype=torch.float64)
    start = torch.zeros(1, NUM_CHANNELS, *lattice.shape, dtype=torch.float64)
    return automaton.bind(lattice, {"supply": field}, num_steps=1), start
