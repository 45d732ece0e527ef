"""Trajectory datasets: HDF5 files that The Well and xarray both read."""

if __name__ != "pdenca.datasets":
    raise ImportError(
        f"import this folder as pdenca.datasets, not as {__name__!r}; usual cure: pip install -e ."
    )

from .check import Finding, check
from .format import TrajectoryFile, read_header, write_blocks, write_trajectories
from .generation import Diagnosis, Fault, Summary, generate, repair, stored_recipe
from .header import Header, TrajectorySet, file_name
from .inactive import Inactive, find_inactive
from .info import info
from .layout import data_files, splits_of
from .recipe import Recipe
from .recipes import RECIPES, GrayScottRecipe
from .shard import SPLITS, Shard
from .statistics import Statistics, compute_statistics, read_stats, write_statistics
from .windows import Windows, load_split
from .xarray import open_xarray

__all__ = [
    "RECIPES",
    "SPLITS",
    "Diagnosis",
    "Fault",
    "Finding",
    "GrayScottRecipe",
    "Header",
    "Inactive",
    "Recipe",
    "Shard",
    "Statistics",
    "Summary",
    "TrajectoryFile",
    "TrajectorySet",
    "Windows",
    "check",
    "compute_statistics",
    "data_files",
    "file_name",
    "find_inactive",
    "generate",
    "info",
    "load_split",
    "open_xarray",
    "read_header",
    "read_stats",
    "repair",
    "splits_of",
    "stored_recipe",
    "write_blocks",
    "write_statistics",
    "write_trajectories",
]
