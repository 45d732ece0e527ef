"""Neural cellular automata: perceive, decide, update."""

from .automaton import Automaton, BoundAutomaton
from .codec import HiddenChannels
from .emission import Emission
from .gradient_invariants import GradientInvariants
from .group_kernels import GroupKernels
from .perception import FixedKernels, IsotropicKernels, Perception, require_isotropic
from .rule import LocalRule, ParameterAffineMLP, PointwiseMLP, ProductRule, Standardised, TransportReaction
from .update import Increment, Replace, Update
from .vector_kernels import GatedRule, VectorKernels

__all__ = [
    "Automaton",
    "BoundAutomaton",
    "Emission",
    "FixedKernels",
    "GatedRule",
    "GradientInvariants",
    "GroupKernels",
    "HiddenChannels",
    "Increment",
    "IsotropicKernels",
    "LocalRule",
    "ParameterAffineMLP",
    "Perception",
    "PointwiseMLP",
    "ProductRule",
    "Replace",
    "Standardised",
    "TransportReaction",
    "Update",
    "VectorKernels",
    "require_isotropic",
]
