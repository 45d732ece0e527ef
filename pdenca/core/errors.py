"""The few ways in which pdenca refuses to go on.

Every message says what was got, what was expected and the usual cure, in one sentence; the command line
prints that sentence and leaves with exit code 2.
"""


class PdencaError(Exception):
    """Root of every error that is the input's or the data's fault, not a defect of the program."""


class BadInputError(PdencaError, ValueError):
    """An argument, setting or shape that cannot be used."""


class FormatError(PdencaError):
    """A file or folder that is missing, damaged or laid out differently than promised."""


class IncompleteError(PdencaError):
    """Work that could not be finished although its input is sound; running again continues it."""


class NonFiniteError(PdencaError, ArithmeticError):
    """A NaN or an infinity arose in a computation; the message says where."""


class StabilityError(PdencaError, ValueError):
    """A time step outside the stability limit of its scheme."""


class StorageError(PdencaError, OSError):
    """A disk that is full, or does not take what is written."""
