"""The rule made readable: which derivatives its kernels take, which equation its reaction is."""

from .explaining import TOLERANCE, Explanation, data_of, explain, single_run
from .flow import rate_of_step
from .moments import KernelReading
from .reading import ReactionReading, StepReading, TermReading
from .report import describe, draw, to_json
from .terms import Fit, Term, columns_of, fit, polynomial_terms, select_terms

__all__ = [
    "TOLERANCE",
    "Explanation",
    "Fit",
    "KernelReading",
    "ReactionReading",
    "StepReading",
    "Term",
    "TermReading",
    "columns_of",
    "data_of",
    "describe",
    "draw",
    "explain",
    "fit",
    "polynomial_terms",
    "rate_of_step",
    "select_terms",
    "single_run",
    "to_json",
]
