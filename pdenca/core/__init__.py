"""The ground floor: steps, fields, settings, errors. Knows nothing of what stands on it."""

from .atomic import atomic_path, write_text
from .devices import AUTO, device_named, device_of
from .errors import (
    BadInputError,
    FormatError,
    IncompleteError,
    NonFiniteError,
    PdencaError,
    StabilityError,
    StorageError,
)
from .field import Field
from .memory import peak_memory
from .settings import Settings
from .step import Codec, Context, Emulator, InTurn, LastFrame, Repeated, Step, rollout
from .trainable import FrameCodec, Learned, Trainable

__all__ = [
    "AUTO",
    "BadInputError",
    "Codec",
    "Context",
    "Emulator",
    "Field",
    "FormatError",
    "FrameCodec",
    "InTurn",
    "IncompleteError",
    "LastFrame",
    "Learned",
    "NonFiniteError",
    "PdencaError",
    "Repeated",
    "Settings",
    "StabilityError",
    "Step",
    "StorageError",
    "Trainable",
    "atomic_path",
    "device_named",
    "device_of",
    "peak_memory",
    "rollout",
    "write_text",
]
