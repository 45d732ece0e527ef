"""Help, unknown words, and what leaves as one sentence."""

import click
import pytest

from pdenca.cli import cli
from pdenca.cli.door import Door, Interrupted, on_interrupt, plain_value
from pdenca.core import NonFiniteError
from pdenca.datasets import RECIPES, SPLITS
from pdenca.solvers import REGIMES


@pytest.mark.parametrize("command", list(cli.commands))
def test_every_command_explains_itself_with_an_example(call, command):
    result = call(command, "--help")
    assert result.exit_code == 0
    assert f"Usage: pdenca {command}" in result.stdout
    assert "Examples:" in result.stdout
    assert f"  pdenca {command}" in result.stdout
    assert all(option.help for option in cli.commands[command].params if isinstance(option, click.Option))


def test_the_help_lists_the_commands(call):
    for arguments in ([], ["--help"], ["-h"]):
        result = call(*arguments)
        assert result.exit_code == 0
        for command in cli.commands:
            assert f"\n  {command} " in result.stdout
        assert "..." not in result.stdout.replace("[ARGS]...", "")


def test_the_help_of_generate_names_what_there_is(call):
    words = call("generate", "--help").stdout
    for name in (*RECIPES, *REGIMES, *SPLITS):
        assert name in words


def test_help_as_a_program_of_its_own(program):
    done = program("--help")
    stdout, stderr = done.communicate()
    assert (done.returncode, stderr) == (0, "")
    assert stdout.startswith("Usage: pdenca ")


def test_version(call):
    assert call("--version").stdout.startswith("pdenca, version ")


def test_unknown_words_name_the_nearest(refused):
    assert "did you mean 'generate'?" in refused("genrate")
    assert "see `pdenca --help`" in refused("genrate")
    assert "--out" in refused("generate", "gray-scott", "--oot", "x")
    assert "did you mean 'gray-scott'?" in refused("generate", "gray-scot", "--out", "x")
    assert "did you mean 'test'?" in refused("generate", "gray-scott", "--out", "x", "--splits", "train,tset")
    assert "did you mean 'gzip'?" in refused("generate", "gray-scott", "--out", "x", "--compression", "gz")


def test_missing_and_wrong_arguments(refused):
    assert "RECIPE" in refused("generate")
    assert "see `pdenca generate --help`" in refused("generate", "gray-scott")
    assert "'many' is not a valid integer" in refused("generate", "gray-scott", "--grid", "many")
    assert "expected key=value" in refused("generate", "gray-scott", "--out", "x", "--set", "seed")
    assert "empty name" in refused("generate", "gray-scott", "--out", "x", "--regimes", "maze,")


def leave_with(error: BaseException) -> Door:
    """Make a program whose only command raises."""
    door = Door("pdenca")

    @door.command("fail")
    def fail() -> None:
        with on_interrupt("go on tomorrow"):
            raise error

    return door


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (NonFiniteError("a NaN\nhere"), 2, "pdenca: a NaN here\n"),
        (FileNotFoundError(2, "No such file or directory", "x.hdf5"), 2, "pdenca: x.hdf5: No such file"),
        (OSError(28, "No space left on device"), 2, "pdenca: No space left on device\n"),
        (KeyboardInterrupt(), 130, "pdenca: interrupted; go on tomorrow\n"),
        (Interrupted("stopped"), 130, "pdenca: stopped\n"),
    ],
)
def test_errors_leave_as_one_sentence(error, code, words, capsys):
    with pytest.raises(SystemExit) as left:
        leave_with(error).main(["fail"])
    assert left.value.code == code
    assert capsys.readouterr().err.lstrip("\n").startswith(words)


@pytest.mark.parametrize("error", [TypeError("a defect"), ValueError("a defect"), OSError("a defect")])
def test_a_defect_keeps_its_traceback(error):
    with pytest.raises(type(error), match="a defect"):
        leave_with(error).main(["fail"])


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.5", 0.5), ("true", True), ("[1, 2]", [1, 2]), ("maze", "maze"), ("'3'", "3"), ("", "")],
)
def test_values_are_read_as_toml_reads_them(text, value):
    assert plain_value(text) == value
