"""Four folders, one package: what is declared is what is there."""

import subprocess
import sys
import tomllib

import pytest
import yaml


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_folder_with_an_init_is_listed(project, modules):
    # a forgotten one works in the editable install and is silently missing from the wheel
    folders = {name for name, path in modules.items() if path.name == "__init__.py"}
    assert set(project["tool"]["setuptools"]["packages"]) == folders
    homeless = {name for name, path in modules.items() if not (path.parent / "__init__.py").exists()}
    assert not homeless, "folders without __init__.py hold modules"


def test_listed_packages_are_sorted_and_single(project):
    packages = project["tool"]["setuptools"]["packages"]
    assert packages == sorted(set(packages))


def test_tests_are_no_package(root):
    assert not list((root / "tests").rglob("__init__.py"))


@pytest.mark.parametrize("folder", ["datasets", "solvers", "symmetry"])
def test_a_bare_import_names_the_cause(root, plain_environment, folder):
    # started in the checkout without -P, the folder is importable by accident: as a second copy of every
    # class, and in front of anybody's `datasets`
    done = subprocess.run(
        [sys.executable, "-c", f"import {folder}"],
        check=False,
        cwd=root,
        env=plain_environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"ImportError: import this folder as pdenca.{folder}, not as '{folder}'" in done.stderr


def test_nothing_of_ours_is_importable_at_the_top(tmp_path, root, plain_environment):
    program = (
        "import importlib.util, sysconfig\n"
        "for name in ('solvers', 'symmetry', 'datasets', 'tests'):\n"
        "    spec = importlib.util.find_spec(name)\n"
        "    origin = spec and spec.origin\n"
        # what others install is not ours: Hershey-Fonts brings a `tests`
        "    foreign = origin and origin.startswith(sysconfig.get_paths()['purelib'])\n"
        "    print(name, None if foreign else origin)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        cwd=tmp_path,
        env=plain_environment,
        capture_output=True,
        text=True,
    )
    assert str(root) not in done.stdout
    assert "solvers None" in done.stdout


def test_the_command_line_is_quick_to_load(tmp_path, plain_environment):
    program = (
        "import sys, pdenca.cli\nprint(*sorted({'torch', 'numpy', 'matplotlib', 'h5py'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        cwd=tmp_path,
        env=plain_environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == []


def test_one_version(project, root):
    version = project["project"]["version"]
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    assert f"## [{version}]" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_citation_has_what_the_format_asks_for(root):
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert len(citation["references"]) >= 7
    for reference in citation["references"]:
        assert {"type", "title", "authors", "year"} <= reference.keys(), reference
        assert "doi" in reference or "url" in reference, reference["title"]
