"""Neural cellular automata: perceive, decide, update."""

from .automaton import Automaton, BoundAutomaton
from .codec import HiddenChannels
from .depthwise_kernels import DepthwiseKernels
from .emission import Emission
from .full_kernels import FullKernels
from .gradient_invariants import GradientInvariants
from .graph import Graph
from .graph_perception import GraphPerception
from .group_kernels import GroupKernels
from .interleaved import Finer, Interleaved, bind_anywhere
from .lattice import Lattice
from .mixing import NormalisedMixing
from .moments import ParameterWeights
from .perception import FixedKernels, IsotropicKernels, Perception, require_isotropic
from .rescaling import can_rescale, rescaled, substeps_for
from .rule import (
    InjectedActivation,
    LocalRule,
    ParameterAffineMLP,
    PointwiseMLP,
    ProductRule,
    Standardised,
    TransportReaction,
)
from .update import Increment, Replace, Update
from .vector_kernels import GatedRule, VectorKernels

__all__ = [
    "Automaton",
    "BoundAutomaton",
    "DepthwiseKernels",
    "Emission",
    "Finer",
    "FixedKernels",
    "FullKernels",
    "GatedRule",
    "GradientInvariants",
    "Graph",
    "GraphPerception",
    "GroupKernels",
    "HiddenChannels",
    "Increment",
    "InjectedActivation",
    "Interleaved",
    "IsotropicKernels",
    "Lattice",
    "LocalRule",
    "NormalisedMixing",
    "ParameterAffineMLP",
    "ParameterWeights",
    "Perception",
    "PointwiseMLP",
    "ProductRule",
    "Replace",
    "Standardised",
    "TransportReaction",
    "Update",
    "VectorKernels",
    "bind_anywhere",
    "can_rescale",
    "require_isotropic",
    "rescaled",
    "substeps_for",
]
