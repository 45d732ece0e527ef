"""Fields refuse what cannot be named or turned."""

import dataclasses
import subprocess
import sys

import pytest

from pdenca.core import BadInputError, Field, FormatError, NonFiniteError, PdencaError, StabilityError


def test_defaults_and_equality():
    assert Field("A") == Field(name="A", unit="1", kind="scalar")
    assert Field("A") != Field("A", kind="pseudoscalar")
    assert len({Field("A"), Field("A"), Field("B")}) == 2


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Field("A").name = "B"


def test_a_field_needs_a_name():
    with pytest.raises(BadInputError, match="needs a name"):
        Field("")


def test_an_unknown_kind_is_refused_and_the_known_ones_named():
    # in a process of its own: here the type checker of the tests would speak first
    program = "from pdenca.core import Field; Field('A', kind='spinor')"
    done = subprocess.run([sys.executable, "-P", "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        "BadInputError: field kind 'spinor' is unknown; expected one of scalar, pseudoscalar" in done.stderr
    )


@pytest.mark.parametrize(
    ("error", "builtin"),
    [(BadInputError, ValueError), (StabilityError, ValueError), (NonFiniteError, ArithmeticError)],
)
def test_errors_can_be_caught_as_their_builtin_kin(error, builtin):
    assert issubclass(error, builtin)
    assert issubclass(error, PdencaError)


def test_a_damaged_file_is_no_value_error():
    assert issubclass(FormatError, PdencaError)
    assert not issubclass(FormatError, ValueError)
