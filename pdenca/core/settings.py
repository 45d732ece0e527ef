"""Settings: frozen, typed, validated, and saved word for word in every file they shaped."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Self, get_args

import pydantic

from .errors import BadInputError


class Settings(pydantic.BaseModel):
    """Base of all settings: immutable, unknown keys refused, defaults only here.

    Subclasses declare typed attributes with defaults; ``parse`` reads a mapping (a TOML table, command-line
    flags) and explains what is wrong with it in one sentence.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=False)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Build settings from plain values.

        Arguments:
            values: setting name -> value.

        Returns:
            The validated settings.

        Raises:
            BadInputError: for an unknown name (the nearest known one is named) or a value of the wrong kind.
        """
        try:
            return cls(**values)
        except pydantic.ValidationError as error:
            raise cls._bad_input(error) from None

    @classmethod
    def _bad_input(cls, error: pydantic.ValidationError) -> BadInputError:
        return BadInputError("; ".join(cls._explain(item) for item in error.errors()))

    @classmethod
    def _explain(cls, item: Any) -> str:  # noqa: ANN401  # pydantic's ErrorDetails
        where = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = cls._known_names(item["loc"][:-1])
            near = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known settings: {', '.join(known)}"
            return f"unknown setting {where!r}: {hint}"
        message = item["msg"].removeprefix("Value error, ")
        if isinstance(item["input"], Mapping):  # a whole group of settings, which the message names itself
            return f"settings {where!r}: {message}" if where else message
        return f"setting {where!r} got {item['input']!r}: {message}" if where else message

    @classmethod
    def _known_names(cls, path: Sequence[str | int]) -> list[str]:
        model: type[Settings] = cls
        for part in path:
            if part in model.model_fields:
                model = _settings_in(model.model_fields[str(part)].annotation) or model
        return list(model.model_fields)

    def to_json(self) -> str:
        """Return the settings as JSON text."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read settings back from the text of :meth:`to_json`; what cannot be read is a BadInputError."""
        try:
            return cls.model_validate_json(text)
        except pydantic.ValidationError as error:
            raise cls._bad_input(error) from None

    def replace(self, **changes: Any) -> Self:  # noqa: ANN401
        """Return a validated copy with some values changed."""
        return type(self).parse(
            {**{name: getattr(self, name) for name in type(self).model_fields}, **changes}
        )


def _settings_in(annotation: Any) -> type[Settings] | None:  # noqa: ANN401  # any type hint
    """Return the settings class that a type hint holds, also inside ``tuple[...]`` or ``... | None``."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    return next(filter(None, map(_settings_in, get_args(annotation))), None)
