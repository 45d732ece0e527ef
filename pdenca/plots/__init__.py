"""Figures, animations and the report page, drawn from arrays and tables alone.

Nothing here knows a model or a file format.

Every figure is a function that returns a :class:`matplotlib.figure.Figure` (pyplot is never used) and has one
line in :data:`FIGURES`.
"""

from collections.abc import Callable

from matplotlib.figure import Figure

from .animation import ANIMATION_FORMATS, animate
from .error_curves import Curve, errors
from .frame_panels import frames
from .kernel_panels import kernels
from .report import Section, render
from .result_tables import ROW_KEYS
from .saving import FORMATS, save, to_bytes
from .spectrum_curves import spectra
from .symmetry_dots import symmetry
from .training_curves import training

FIGURES: dict[str, Callable[..., Figure]] = {
    "frames": frames,
    "errors": errors,
    "spectra": spectra,
    "kernels": kernels,
    "symmetry": symmetry,
    "training": training,
}
"""Name -> the function that draws it."""

__all__ = [
    "ANIMATION_FORMATS",
    "FIGURES",
    "FORMATS",
    "ROW_KEYS",
    "Curve",
    "Section",
    "animate",
    "errors",
    "frames",
    "kernels",
    "render",
    "save",
    "spectra",
    "symmetry",
    "to_bytes",
    "training",
]
