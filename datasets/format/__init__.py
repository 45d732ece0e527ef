"""The only home of the HDF5 layout: one file that The Well's loader and xarray both read."""

from ..hdf5 import open_hdf5
from .reading import TrajectoryFile, header_of, read_header
from .schema import PROVENANCE, READABLE, SCHEMA, WELL_BOUNDARIES, Compression, well_boundary
from .writing import Blocks, write_blocks, write_trajectories

__all__ = [
    "PROVENANCE",
    "READABLE",
    "SCHEMA",
    "WELL_BOUNDARIES",
    "Blocks",
    "Compression",
    "TrajectoryFile",
    "header_of",
    "open_hdf5",
    "read_header",
    "well_boundary",
    "write_blocks",
    "write_trajectories",
]
