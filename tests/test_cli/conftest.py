"""How the tests of the command line call it: in this process, or as a program of its own."""

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from pdenca.cli import cli

PROGRAM = [sys.executable, "-P", "-m", "pdenca"]


@pytest.fixture(scope="session")
def call() -> Callable[..., Result]:
    """Run a command line in this process; defects of the program are raised."""

    def run(*args: object) -> Result:
        return CliRunner().invoke(cli, [str(arg) for arg in args], catch_exceptions=False)

    return run


@pytest.fixture(scope="session")
def refused(call) -> Callable[..., str]:
    """Run a command line that must fail with exit code 2 and one sentence on stderr; return the sentence."""

    def run(*args: object) -> str:
        result = call(*args)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert result.stderr.startswith("pdenca: ")
        assert result.stderr.count("\n") == 1
        return result.stderr

    return run


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def program() -> Callable[..., subprocess.Popen[str]]:
    """Start a command line as a program of its own."""

    def start(*args: object, **options: object) -> subprocess.Popen[str]:
        command = [*PROGRAM, *(str(arg) for arg in args)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        # a suite that runs in the background of a shell ignores Ctrl-C, and its children would inherit that
        return subprocess.Popen(command, preexec_fn=_hear_interrupts, **pipes, **options)

    return start


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """Flags of a dataset that is made in a moment."""
    return ["--grid", "16", "--trajectories", "2", "--frames", "9", "--refine", "1", "--regimes", "maze"]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory, call, tiny):
    """A tiny dataset with all kinds of splits that the commands treat differently."""
    out = tmp_path_factory.mktemp("dataset") / "data"
    result = call("generate", "gray-scott", "--out", out, *tiny, "--splits", "train,valid,test,ood_domain")
    assert result.exit_code == 0, result.output
    return out
