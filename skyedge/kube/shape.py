"""How the kinds of the Kubernetes API are written down: frozen structs that know what they do not model.

A field of the API is one of four: modelled (an attribute with a type), the API's own bookkeeping (named in ``bookkeeping``),
known and not modelled (named in ``unmodelled``), or not there at all.  The second sort is read over without a word, since
nothing would be decided otherwise by it; the third is accepted and named in a warning; the fourth is an error.  A null is a
field that is not there, as in the API.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from skyedge.errors import nearest
from skyedge.kube.problem import Problem
from skyedge.kube.quantity import Resources

Step = str | int

Whole = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""The API's int32."""


EXPLAINED_BY = "explained_by"
"""In ``extra`` of a type's ``Meta``: raises a :class:`Problem` for values of which the type can say more than that."""


ANYTHING = "*"
"""As ``unmodelled``: the API may know any field, since somebody else has defined the kind."""


class Shape(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Base of every part of a manifest.  Attributes are the API's fields in snake_case.

    Shapes hold no circles, so the garbage collector need not look at a million of them.
    """

    unmodelled: ClassVar[str] = ""
    """Fields that the API knows and skyedge does not model, with spaces between them."""
    bookkeeping: ClassVar[str] = ""
    """Fields that decide nothing here, with spaces between them; ``field=value`` does so only with this value, which the API
    fills in by itself."""

    def check(self) -> None:
        """Raise a :class:`~skyedge.kube.problem.Problem` for what types alone cannot tell."""


class Field(NamedTuple):
    """A modelled field: the attribute, its type, and whether it must be there."""

    attribute: str
    kind: Any
    required: bool


@cache
def fields(cls: type[Shape]) -> Mapping[str, Field]:
    """The modelled fields of a shape by their name in the manifest."""
    hints = get_type_hints(cls, include_extras=True)
    return {f.encode_name: Field(f.name, _not_none(hints[f.name]), f.required) for f in msgspec.structs.fields(cls)}


def _not_none(kind: Any) -> Any:
    """The type of a field that is there."""
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [inner for inner in get_args(kind) if inner is not type(None)]
        return kinds[0] if len(kinds) == 1 else kind
    return kind


def decode_hook(wanted: type, value: Any) -> Any:
    """Reads what msgspec does not know; for all else it wants to hear this error, and gives its own."""
    if wanted is Resources:
        return Resources.read(value)
    raise NotImplementedError(wanted)


_WORDS = {str: "a word", int: "a whole number", float: "a number", bool: "true or false"}


def explain(kind: Any, value: Any) -> None:
    """Raise a :class:`Problem` for the first thing in ``value`` that is not as ``kind``, which holds no shapes, has it."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        _explain_limits(kind, value)
    elif origin is Literal:
        if value not in arguments:
            right = right_word(value, arguments) if isinstance(value, str) else None
            words = ", ".join(word for word in arguments if word)
            raise Problem((), f"this should be one of {words}, not {shown(value)}", right)
    elif kind is Resources:
        Resources.read(value)
    elif origin is dict:
        if not isinstance(value, dict):
            raise Problem((), f"this should be a mapping, not {shown(value)}")
        for key, inner in value.items():
            _explain_below(key, arguments[1], inner)
    elif origin is tuple:
        if not isinstance(value, list):
            raise Problem((), f"this should be a list, not {shown(value)}")
        for number, inner in enumerate(value):
            _explain_below(number, arguments[0], inner)
    elif kind in _WORDS:
        fits = isinstance(value, (int, float) if kind is float else kind) and isinstance(value, bool) == (kind is bool)
        if not fits:
            quotes = "; put it in quotes" if kind is str and isinstance(value, bool | int | float) else ""
            raise Problem((), f"this should be {_WORDS[kind]}, not {shown(value)}{quotes}")


def right_word(word: str, words: Iterable[str]) -> str | None:
    """The entry of ``words`` that differs from ``word`` in capitals only, or else the nearest."""
    known = list(words)
    return next((right for right in known if right.lower() == word.lower()), nearest(word, known))


def _explain_below(step: Step, kind: Any, value: Any) -> None:
    try:
        explain(kind, value)
    except Problem as problem:
        raise problem.below(step) from None


def _explain_limits(kind: Any, value: Any) -> None:
    inner, *limits = get_args(kind)
    for limit in limits:
        if limit.extra is not None:
            limit.extra[EXPLAINED_BY](value)
    explain(inner, value)
    for limit in limits:
        if limit.ge is not None and value < limit.ge:
            raise Problem((), f"{value} is negative" if value < 0 == limit.ge else f"{value} is less than {limit.ge}")
        if limit.le is not None and value > limit.le:
            raise Problem((), f"{value} is more than {limit.le}")


def shown(value: Any) -> str:
    """A value as a sentence shows it."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return msgspec.json.encode(value).decode()
