"""pdenca: learn the local rule behind a pattern-forming system, and prove how far it can be trusted.

The package is one house on several floors: :mod:`pdenca.core` (steps, fields, settings, errors),
:mod:`pdenca.solvers` and :mod:`pdenca.symmetry`, :mod:`pdenca.datasets`, then the automaton, training,
evaluation and plots, and on top the tasks and the command line. Importing :mod:`pdenca` itself loads
nothing heavy; import the parts you need.
"""

from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pdenca.tasks.pretrained import load_pretrained

__version__ = _version("pdenca")

__all__ = ["__version__", "load_pretrained"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  # what the name stands for
    """Find ``load_pretrained`` when it is asked for, so that the package itself loads at once."""
    if name == "load_pretrained":
        from pdenca.tasks.pretrained import load_pretrained

        return load_pretrained
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
