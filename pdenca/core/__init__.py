"""The ground floor: steps, fields, settings, errors. Knows nothing of what stands on it."""

from .atomic import atomic_path, write_text
from .errors import BadInputError, FormatError, NonFiniteError, PdencaError, StabilityError
from .field import Field
from .settings import Settings
from .step import Codec, Context, Emulator, LastFrame, Repeated, Step, rollout

__all__ = [
    "BadInputError",
    "Codec",
    "Context",
    "Emulator",
    "Field",
    "FormatError",
    "LastFrame",
    "NonFiniteError",
    "PdencaError",
    "Repeated",
    "Settings",
    "StabilityError",
    "Step",
    "atomic_path",
    "rollout",
    "write_text",
]
