"""Settings are frozen, explain what is wrong with them, and survive being written down."""

from pathlib import Path

import pydantic
import pytest

from pdenca.core import BadInputError, Settings


class Inner(Settings):
    width: int = 16


class Example(Settings):
    num_steps: int = pydantic.Field(default=8, ge=1)
    learning_rate: float = 1e-3
    regimes: tuple[str, ...] = ("maze", "spots")
    folder: Path | None = None
    inner: Inner = Inner()
    layers: tuple[Inner, ...] = ()

    @pydantic.field_validator("learning_rate")
    @classmethod
    def _positive(cls, value: float) -> float:
        if value <= 0:
            raise ValueError("expected a positive learning rate; usual cure: 1e-3")
        return value


def test_defaults_and_given_values():
    settings = Example.parse({"num_steps": 3, "regimes": ["worms"]})
    assert settings.num_steps == 3
    assert settings.regimes == ("worms",)
    assert settings.learning_rate == 1e-3


def test_unknown_name_is_refused_and_the_nearest_named():
    with pytest.raises(
        BadInputError, match=r"unknown setting 'learning_rat': did you mean 'learning_rate'\?"
    ):
        Example.parse({"learning_rat": 0.1})


def test_unknown_name_unlike_any_lists_what_there_is():
    with pytest.raises(BadInputError, match="known settings: num_steps, learning_rate, regimes"):
        Example.parse({"zzzzqq": 0.1})


def test_wrong_value_names_setting_and_value():
    with pytest.raises(BadInputError, match="setting 'num_steps' got 0"):
        Example.parse({"num_steps": 0})
    with pytest.raises(BadInputError, match="setting 'num_steps' got 'many'"):
        Example.parse({"num_steps": "many"})


def test_own_validators_speak_for_themselves():
    with pytest.raises(BadInputError, match=r"got -1: expected a positive learning rate; usual cure: 1e-3$"):
        Example.parse({"learning_rate": -1})


def test_several_faults_are_all_told():
    with pytest.raises(BadInputError, match=r"num_steps.*; .*regims") as caught:
        Example.parse({"num_steps": 0, "regims": []})
    assert "regimes" in str(caught.value)


def test_unknown_name_inside_nested_settings():
    with pytest.raises(BadInputError, match=r"'inner.widht': did you mean 'width'\?"):
        Example.parse({"inner": {"widht": 3}})
    with pytest.raises(BadInputError, match=r"'layers.1.widht': did you mean 'width'\?"):
        Example.parse({"layers": [{}, {"widht": 3}]})


def test_frozen():
    settings = Example()
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        settings.num_steps = 4
    assert settings.num_steps == 8


def test_json_round_trip(tmp_path):
    settings = Example(
        num_steps=5, learning_rate=0.1 + 0.2, regimes=("maze",), folder=tmp_path, inner=Inner(width=3)
    )
    again = Example.from_json(settings.to_json())
    assert again == settings
    assert again.learning_rate == 0.1 + 0.2
    assert again.folder == tmp_path


def test_json_with_unknown_names_or_damage_is_bad_input():
    with pytest.raises(BadInputError, match=r"unknown setting 'num_step': did you mean 'num_steps'\?"):
        Example.from_json('{"num_step": 3}')
    with pytest.raises(BadInputError, match="JSON"):
        Example.from_json('{"num_steps": 3')


def test_replace_validates():
    settings = Example(inner=Inner(width=4))
    assert settings.replace(num_steps=2) == Example(num_steps=2, inner=Inner(width=4))
    assert settings.num_steps == 8
    with pytest.raises(BadInputError, match="num_steps"):
        settings.replace(num_steps=-2)
