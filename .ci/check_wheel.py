"""Fail unless an installed wheel holds, and can import, everything the checkout has.

Called as ``python -P check_wheel.py CHECKOUT SITE`` with SITE, where the wheel was installed, on PYTHONPATH.
The environment's editable install would stand in for a module that the wheel lacks, so every module has to
say that it comes from SITE.
"""

import importlib
import subprocess
import sys
from pathlib import Path

ROOTS = {
    "pdenca": "pdenca",
    "solvers": "pdenca/solvers",
    "datasets": "pdenca/datasets",
    "symmetry": "pdenca/symmetry",
}


def main(checkout: Path, site: Path) -> int:
    """Compare the tracked files with the installed ones, import all modules, and return the exit code."""
    listing = subprocess.run(
        ["git", "-C", str(checkout), "ls-files", *ROOTS], check=True, capture_output=True, text=True
    ).stdout
    problems = []
    modules = []
    for name in listing.splitlines():
        root, _, rest = name.partition("/")
        installed = Path(ROOTS[root], rest)
        if not (site / installed).is_file():
            problems.append(f"{name} is not in the wheel; usual cure: add its folder to pyproject.toml")
        elif installed.suffix == ".py" and installed.stem != "__main__":
            parts = installed.with_suffix("").parts
            modules.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    for module in modules:
        file = importlib.import_module(module).__file__
        if file is None or site not in Path(file).parents:
            problems.append(f"{module} was imported from {file}, not from the wheel")
    leaked = sorted(
        path.name for path in site.iterdir() if not path.name.startswith("pdenca") and path.name != "bin"
    )
    problems += [f"the wheel would install a top-level {name!r}" for name in leaked]
    for problem in problems:
        print(problem)
    print(f"{len(modules)} modules imported from the wheel, {len(problems)} problems")
    return int(bool(problems or not modules))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
