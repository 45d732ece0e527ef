"""What every command shares: how it fails, how it is interrupted, how its arguments are read.

Whatever is the user's or the data's fault leaves as one sentence on stderr and exit code 2; an interrupt
leaves with 130 and a sentence that says how to go on; a defect of the program shows its traceback. Exit code
1 belongs to ``pdenca check`` alone: it found errors.
"""

import difflib
import errno
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

BAD_INPUT = 2
INTERRUPTED = 130
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


class Door(click.Group):
    """A group of commands that turns errors into one sentence and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,  # noqa: ANN401  # as click declares it
    ) -> Any:  # noqa: ANN401
        """Run a command line; in standalone mode never return, but leave with the exit code."""
        try:
            code = super().main(args, prog_name or self.name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            _leave("interrupted", INTERRUPTED)
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "pdenca"
            _leave(f"{error.format_message().rstrip('.')}; see `{where} --help`", BAD_INPUT)
        except click.ClickException as error:
            _leave(error.format_message(), error.exit_code)
        except Exception as error:
            sentence = _sentence(error)
            if sentence is None:
                raise
            _leave(sentence, BAD_INPUT)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is told which known name is nearest."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            ctx.fail(unknown("command", args[0], self.list_commands(ctx)))
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which one uses them."""
        return list(self.commands)


class Interrupted(click.ClickException):
    """Ctrl-C, with a sentence that says how to go on."""

    exit_code = INTERRUPTED


class BadArgument(click.ClickException):
    """An argument that the door itself refuses, in one sentence."""

    exit_code = BAD_INPUT


class KnownName(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic since click 8.4
    """A name out of a list; another one is refused with the nearest of the list.

    Arguments:
        what: what is named, for the error.
        known: returns the names; asked only when a value is given, so that help stays quick.
    """

    def __init__(self, what: str, known: Callable[[], Iterable[str]]) -> None:
        self.name = what
        self._known = known

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name if it is known."""
        known = list(self._known())
        if value not in known:
            self.fail(unknown(self.name, value, known), param, ctx)
        return value


class Names(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Names separated by commas.

    Arguments:
        what: what is named, for the error.
        known: returns the names that are allowed; None leaves the check to who knows them.
        everything: a word for all of them; None for no such word.
    """

    def __init__(
        self, what: str, known: Callable[[], Iterable[str]] | None = None, everything: str | None = None
    ) -> None:
        self.name = what
        self._known = known
        self._everything = everything

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names as a tuple."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in value.split(","))
        if not all(names):
            self.fail(f"{value!r} has an empty name; expected names separated by commas", param, ctx)
        if self._known is None:
            return names
        known = list(self._known())
        if self._everything is not None and names == (self._everything,):
            return tuple(known)
        for name in names:
            if name not in known:
                self.fail(unknown(self.name, name, known), param, ctx)
        return names


class Assignment(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """``key=value``, kept as a pair of texts."""

    name = "key=value"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return (key, value)."""
        if isinstance(value, tuple):
            return value
        key, sign, text = value.partition("=")
        if not sign or not key.strip():
            self.fail(f"{value!r} is no assignment; expected key=value", param, ctx)
        return key.strip(), text.strip()


def plain_value(text: str) -> Any:  # noqa: ANN401  # whatever TOML can say
    """Read a value as TOML would (``3``, ``0.5``, ``true``, ``[1, 2]``); anything else is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def numbers(assignments: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Read constants of an equation: numbers, or lists with one per axis."""
    constants: dict[str, Any] = {}
    for key, text in assignments:
        value = constants[key] = plain_value(text)
        for number in value if isinstance(value, list) and value else [value]:
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise BadArgument(f"--set {key}={text}: expected a number, or one per axis: {key}=[1, 2]")
    return constants


def find_modules_here() -> None:
    """Let ``module:Class`` name a module in the current folder, searched last so that it hides nothing."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, which one is nearest and which there are."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {what} {name!r}: {hint}expected one of {', '.join(names) or '(none)'}"


def examples(*lines: str) -> str:
    """Lay out the last part of a help text, which click must not wrap."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@contextmanager
def on_interrupt(advice: str) -> Iterator[None]:
    """Turn Ctrl-C inside the block into exit code 130 and this advice."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {advice}") from None


def _sentence(error: Exception) -> str | None:
    """Return what to tell the user, or None if the error is a defect of the program."""
    errors = sys.modules.get("pdenca.core.errors")  # importing it would load torch
    if errors is not None and isinstance(error, errors.PdencaError):
        return str(error)
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _DISK_ERRORS):
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror or error}"
    return None


def _leave(sentence: str, code: int) -> None:
    click.echo("pdenca: " + re.sub(r"\s+", " ", sentence).strip(), err=True)
    sys.exit(code)
