"""Making a dataset: on one core, on all of them or on a cluster, always the same bits."""

from .generate import Summary, generate

__all__ = ["Summary", "generate"]
