"""Long studies made of measurements: each is made once and kept, tables can be carried on elsewhere."""

from .in_parts import in_parts
from .measured import Key, Measured, by_model, of_part, spread, worst
from .measuring import Measuring, by_count
from .table import NOTHING, Table, read_table

__all__ = [
    "NOTHING",
    "Key",
    "Measured",
    "Measuring",
    "Table",
    "by_count",
    "by_model",
    "in_parts",
    "of_part",
    "read_table",
    "spread",
    "worst",
]
