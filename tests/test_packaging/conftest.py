"""The repository as data: where it is, its source files and the modules they are."""

import os
import subprocess
from pathlib import Path

import pytest

FOLDERS = {
    "pdenca": "pdenca",
    "solvers": "pdenca.solvers",
    "datasets": "pdenca.datasets",
    "symmetry": "pdenca.symmetry",
}


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the repository."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def modules(root) -> dict[str, Path]:
    """Module name -> file, for every module of the package."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((root / folder).rglob("*.py")):
            parts = (package, *path.relative_to(root / folder).with_suffix("").parts)
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


@pytest.fixture(scope="session")
def text_files(root) -> list[Path]:
    """Every text file of the repository: what git would commit, or all of an unpacked sdist."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, check=True, capture_output=True, text=True)
        paths = [root / name for name in listing.stdout.splitlines()]
    else:
        paths = [path for path in root.rglob("*") if not {".venv", "build", "dist"} & set(path.parts)]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8192]]


@pytest.fixture
def plain_environment() -> dict[str, str]:
    """The environment of a user's process: nothing that pytest or a developer set for Python."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
