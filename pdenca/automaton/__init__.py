"""Neural cellular automata: perceive, decide, update."""

from .automaton import Automaton, BoundAutomaton
from .codec import HiddenChannels
from .depthwise_kernels import DepthwiseKernels
from .emission import Emission
from .factored_codes import FactoredCodes
from .feed_forward import FeedForward, widths_from_name
from .fixed_kernels import FixedKernels
from .full_kernels import FullKernels
from .gradient_invariants import GradientInvariants
from .graph import Graph
from .graph_perception import GraphPerception
from .group_kernels import GroupKernels
from .interleaved import Finer, Interleaved, bind_anywhere
from .lattice import Lattice
from .layered_mlp import LayeredMLP
from .lesson import NUM_SIGNALS, Lesson, LessonPerception
from .mixing import NormalisedMixing
from .moments import ParameterWeights
from .perception import IsotropicKernels, Perception, require_isotropic
from .rescaling import can_rescale, rescaled, substeps_for
from .rule import (
    InjectedActivation,
    LocalRule,
    ParameterAffineMLP,
    PointwiseMLP,
    ProductRule,
    RuleInHalves,
    Standardised,
    TransportReaction,
)
from .update import Increment, Leaky, Replace, Saturate, Update
from .vector_kernels import GatedRule, VectorKernels
from .weight_perception import WeightAttention, WeightPerception

__all__ = [
    "NUM_SIGNALS",
    "Automaton",
    "BoundAutomaton",
    "DepthwiseKernels",
    "Emission",
    "FactoredCodes",
    "FeedForward",
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
    "LayeredMLP",
    "Leaky",
    "Lesson",
    "LessonPerception",
    "LocalRule",
    "NormalisedMixing",
    "ParameterAffineMLP",
    "ParameterWeights",
    "Perception",
    "PointwiseMLP",
    "ProductRule",
    "Replace",
    "RuleInHalves",
    "Saturate",
    "Standardised",
    "TransportReaction",
    "Update",
    "VectorKernels",
    "WeightAttention",
    "WeightPerception",
    "bind_anywhere",
    "can_rescale",
    "require_isotropic",
    "rescaled",
    "substeps_for",
    "widths_from_name",
]
