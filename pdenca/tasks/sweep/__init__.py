"""Any grid of trainings: run once, kept for ever, one tidy table, and figures from that table alone."""

from .figures import draw_figures
from .grid import Axis, FigureSettings, GridSettings
from .plan import Combination, list_combinations
from .settings import (
    SWEEPS,
    ImageEvaluation,
    ImageFigureSettings,
    ImageSweepSettings,
    SweepEvaluation,
    SweepSettings,
    load_sweep,
)
from .sweeping import Planned, Summary, plan_sweep, run_sweep
from .table import Table, read_table

__all__ = [
    "SWEEPS",
    "Axis",
    "Combination",
    "FigureSettings",
    "GridSettings",
    "ImageEvaluation",
    "ImageFigureSettings",
    "ImageSweepSettings",
    "Planned",
    "Summary",
    "SweepEvaluation",
    "SweepSettings",
    "Table",
    "draw_figures",
    "list_combinations",
    "load_sweep",
    "plan_sweep",
    "read_table",
    "run_sweep",
]
