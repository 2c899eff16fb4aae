"""Serializers that refuse what they do not know, and bodies that no column could hold."""

from collections.abc import Iterator, Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from config.errors import FieldProblem, InvalidInput
from config.pointers import pointer

NUL = "\0"


class StrictCharField(serializers.CharField):
    """Refuses numbers, which REST framework would take as their digits."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictSerializer(serializers.Serializer[Any]):
    """Unknown fields are refused, each with its pointer: a misspelt field must not be dropped in silence."""

    def to_internal_value(self, data: Any) -> Any:
        refuse_nul(data)
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError(
                    {name: ["There is no such field here."] for name in unknown} | self._what_else_is_wrong(data)
                )
        return super().to_internal_value(data)

    def _what_else_is_wrong(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """So that whoever sent it need not ask twice."""
        try:
            super().to_internal_value(data)
        except serializers.ValidationError as error:
            return error.detail if isinstance(error.detail, dict) else {}
        return {}


def refuse_nul(body: Any) -> None:
    """JSON text may hold the character NUL, PostgreSQL's may not: at no depth, nor in a name. Errors: `InvalidInput`.

    Lone surrogates and numbers beyond a double do not get as far: the parser refuses them.
    """
    detail = "Text and names must not hold the character NUL."
    problems = [FieldProblem(pointer=pointer(*place), detail=detail) for place in _places_of_nul(body, ())]
    if problems:
        raise InvalidInput(errors=problems)


def _places_of_nul(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, str) and NUL in value:
        yield place
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _places_of_nul(each, (*place, index))
    elif isinstance(value, Mapping):
        yield from ((*place, name) for name in value if NUL in name)
        for name, each in value.items():
            yield from _places_of_nul(each, (*place, name))


def checked(kind: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """The body, strictly. Errors: REST framework's `ValidationError`, told as `invalid-input`."""
    given = kind(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)
