"""pdenca: learn the local rule behind a pattern-forming system, and prove how far it can be trusted.

The package is one house on several floors: :mod:`pdenca.core` (steps, fields, settings, errors),
:mod:`pdenca.solvers` and :mod:`pdenca.symmetry`, :mod:`pdenca.datasets`, then the automaton, training,
evaluation and plots, and on top the tasks and the command line. Importing :mod:`pdenca` itself loads
nothing heavy; import the parts you need.
"""

from importlib.metadata import version as _version

__version__ = _version("pdenca")

__all__ = ["__version__"]
