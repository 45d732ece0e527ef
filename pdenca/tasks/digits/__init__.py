"""Handwritten digits: an implicit classifier on the automata, loop and equilibria of all else."""

from .classify import evaluate_classifier, load_classifier, train_classifier
from .judging import Judgement
from .settings import EXPERIMENTS, ClassifierSettings, load_digit_experiment

__all__ = [
    "EXPERIMENTS",
    "ClassifierSettings",
    "Judgement",
    "evaluate_classifier",
    "load_classifier",
    "load_digit_experiment",
    "train_classifier",
]
