"""Trajectory datasets: HDF5 files that The Well and xarray both read."""

if __name__ != "pdenca.datasets":
    raise ImportError(
        f"import this folder as pdenca.datasets, not as {__name__!r}; usual cure: pip install -e ."
    )

from .check import Finding, check
from .convert import convert, open_trajectories
from .format import TrajectoryFile, read_header, write_blocks, write_trajectories
from .generation import Diagnosis, Fault, Summary, generate, repair, stored_recipe
from .header import Header, TrajectorySet, file_name
from .inactive import Inactive, find_inactive
from .info import info
from .layout import data_files, splits_of
from .pdebench import PDEBenchFile
from .recipe import Recipe
from .recipes import RECIPES, GrayScottRecipe
from .shard import SPLITS, Shard
from .statistics import Statistics, compute_statistics, read_stats, write_statistics
from .trajectories import Trajectories
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
    "PDEBenchFile",
    "Recipe",
    "Shard",
    "Statistics",
    "Summary",
    "Trajectories",
    "TrajectoryFile",
    "TrajectorySet",
    "Windows",
    "check",
    "compute_statistics",
    "convert",
    "data_files",
    "file_name",
    "find_inactive",
    "generate",
    "info",
    "load_split",
    "open_trajectories",
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
