"""Rules that write the weights of other networks (meta-neural cellular automata)."""

from .model import Writer, build_rule, writer
from .settings import EXPERIMENTS, MetaSettings, WeightRuleSettings, load_meta
from .training import load_meta_run, train_meta

__all__ = [
    "EXPERIMENTS",
    "MetaSettings",
    "WeightRuleSettings",
    "Writer",
    "build_rule",
    "load_meta",
    "load_meta_run",
    "train_meta",
    "writer",
]
