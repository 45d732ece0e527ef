"""Imports point down the floors of the house, and never past its package name."""

import ast

import pytest

GROUND = {"core"}
DATA = GROUND | {"solvers", "symmetry", "datasets"}
MODELS = DATA | {"equilibrium", "automaton", "baselines"}

# folder -> what it may import, itself apart; strangers on one floor do not meet
FLOORS = {
    "core": set(),
    "solvers": GROUND,
    "symmetry": GROUND,
    "datasets": DATA - {"datasets"},
    "equilibrium": GROUND,
    "automaton": DATA,
    "baselines": DATA,
    "training": MODELS,
    "evaluation": MODELS,
    "plots": GROUND,  # arrays and tables only: never models, never files
    "tasks": MODELS | {"training", "evaluation", "plots"},
    "cli": MODELS | {"training", "evaluation", "plots", "tasks"},
}

# the modules that lie on no floor
ROOF = {"pdenca.__main__": {"cli"}, "pdenca": {"tasks"}}


def imported_names(source: str, package: str) -> list[tuple[int, str]]:
    """Return (line, full dotted name) of everything imported, however deep inside functions."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join(parts[: len(parts) - node.level + 1] + ([base] if base else []))
            names += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return names


def complaints(source: str, module: str, is_package: bool) -> list[str]:
    """Return what is wrong with the imports of one module."""
    package = module if is_package else module.rpartition(".")[0]
    here = module.split(".")[1] if "." in module else ""
    found = []
    for line, name in imported_names(source, package):
        top, *rest = name.split(".")
        if top in {"solvers", "datasets", "symmetry", "tests"}:
            found.append(f"{module}:{line} imports {name}; usual cure: pdenca.{name}")
        if top != "pdenca":
            continue
        there = rest[0] if rest and rest[0] in FLOORS else ""
        if there and there != here and there not in FLOORS.get(here, ROOF.get(module, set())):
            found.append(f"{module}:{line} imports {name}: {here or module} must not know {there}")
    return found


def test_every_folder_has_a_floor(modules):
    folders = {
        name.split(".")[1] for name, path in modules.items() if path.name == "__init__.py" and "." in name
    }
    assert folders <= FLOORS.keys(), "say in FLOORS what a new folder may import"


def test_imports_point_down(modules):
    found = []
    for module, path in modules.items():
        found += complaints(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")
    assert not found, "\n".join(found)


def test_tests_and_benchmarks_use_the_package_name(root):
    found = []
    for folder in ("tests", "benchmarks", "docs", ".ci"):
        for path in sorted((root / folder).rglob("*.py")):
            for line, name in imported_names(path.read_text(encoding="utf-8"), "nowhere"):
                if name.split(".")[0] in {"solvers", "datasets", "symmetry", "tests"}:
                    found.append(f"{path}:{line} imports {name}")
    assert not found, "\n".join(found)


def test_relative_imports_stay_inside_one_folder(modules):
    found = []
    for module, path in modules.items():
        depth = module.count(".") + (path.name == "__init__.py")  # 1: pdenca/x.py, 2: pdenca/automaton/x.py
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level and depth > 1 and node.level >= depth:
                found.append(f"{module}:{node.lineno}")
    assert not found, found


@pytest.mark.parametrize(
    ("module", "source", "named"),
    [
        ("pdenca.core.step", "from pdenca.solvers.grid import Grid", "solvers"),
        ("pdenca.solvers.grid", "from pdenca import symmetry", "symmetry"),
        ("pdenca.symmetry.actions", "import pdenca.solvers.grid", "solvers"),
        ("pdenca.training.loop", "from pdenca.evaluation.metrics import vrmse", "evaluation"),
        ("pdenca.evaluation.metrics", "def f():\n    from pdenca.training import loop", "training"),
        ("pdenca.plots.fields", "from pdenca.datasets import Windows", "datasets"),
        ("pdenca.plots.fields", "from pdenca.automaton import Automaton", "automaton"),
        ("pdenca.tasks.emulation", "from pdenca.cli import main", "cli"),
        ("pdenca.solvers.grid", "from ..datasets import format", "datasets"),
        ("pdenca.solvers.grid", "from solvers.stencils import laplacian", "pdenca.solvers"),
        ("pdenca.baselines.unet", "import datasets", "pdenca.datasets"),
    ],
)
def test_the_check_sees_what_is_wrong(module, source, named):
    (complaint,) = complaints(source, module, is_package=False)
    assert named in complaint


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("pdenca.solvers.equations.heat", "from ..equation import Equation"),
        ("pdenca.automaton.lattice", "from pdenca.solvers.boundary import pad"),
        ("pdenca.cli", "def demo():\n    from pdenca.tasks.emulation import run"),
        ("pdenca.core.step", "from .errors import BadInputError\nimport torch"),
    ],
)
def test_the_check_lets_pass_what_is_right(module, source):
    assert complaints(source, module, is_package=False) == []
