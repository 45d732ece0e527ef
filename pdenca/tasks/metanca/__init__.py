"""Rules that write the weights of other networks (meta-neural cellular automata)."""

from .model import Writer, build_rule, writer
from .sampling import SampledNetworks, sample_networks, save_networks
from .settings import EXPERIMENTS, MetaSettings, WeightRuleSettings, load_meta
from .training import load_meta_run, train_meta

__all__ = [
    "EXPERIMENTS",
    "MetaSettings",
    "SampledNetworks",
    "WeightRuleSettings",
    "Writer",
    "build_rule",
    "load_meta",
    "load_meta_run",
    "sample_networks",
    "save_networks",
    "train_meta",
    "writer",
]
