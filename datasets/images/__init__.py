"""Image time series: read from files or arrays, and written as trajectories."""

from .folders import natural_key
from .glyphs import GLYPHS, draw_glyph
from .orientation import to_images, to_space
from .reading import read_frames, read_series
from .series import ImageSeries
from .synthetic import branching, microscopy
from .writing import import_images

__all__ = [
    "GLYPHS",
    "ImageSeries",
    "branching",
    "draw_glyph",
    "import_images",
    "microscopy",
    "natural_key",
    "read_frames",
    "read_series",
    "to_images",
    "to_space",
]
