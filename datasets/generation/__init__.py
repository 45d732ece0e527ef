"""Making a dataset: on one core, on all of them or on a cluster, always the same bits."""

from .generate import Summary, generate
from .repair import Diagnosis, Fault, repair
from .resume import stored_recipe

__all__ = ["Diagnosis", "Fault", "Summary", "generate", "repair", "stored_recipe"]
