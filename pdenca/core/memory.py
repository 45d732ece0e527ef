"""How much memory this process has needed so far."""

import sys
from pathlib import Path


def peak_memory() -> int:
    """Return the largest size that this process ever had in main memory (bytes), libraries and all."""
    try:
        # on Linux a child inherits ru_maxrss of the process that started it
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
    except (OSError, StopIteration):
        import resource  # not on Windows, which nobody has asked for yet

        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
