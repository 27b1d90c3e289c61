"""Parsed YAML becomes a profile in one place, so that every profile refuses the same mistakes in the same words.

A profile is a frozen dataclass of figures and words.  A misspelt key, a word for a number, a yes for a number, something
that is not finite and a figure out of its range are each answered with one sentence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from skyedge.errors import InputError, nearest

Profile = TypeVar("Profile")

Ranges = Mapping[str, tuple[float, float]]
"""Least and greatest value of each figure."""


class Part(BaseModel):
    """A mapping of a file that is checked by pydantic: frozen, closed, and strict where pydantic is lenient."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_yes_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        kind = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and kind in (int, float, int | None, float | None):
            raise ValueError(f"this should be a number, not {str(value).lower()}")
        return value


def profile_from(cls: type[Profile], mapping: Mapping[str, Any], ranges: Ranges, *, what: str, where: object) -> Profile:
    """A ``cls``, called ``what`` in sentences, from ``mapping``, which stands at ``where``.

    Raises:
        InputError: for an unknown or missing key, a value of the wrong type, or one out of its range.
    """
    known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in known:
            raise InputError(f"{what} has no '{key}'", where=where, nearest=nearest(str(key), known))
    for name, field in known.items():
        if name not in mapping and field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{what} needs '{name}'", where=where)
    types = get_type_hints(cls)
    for key, value in mapping.items():
        check_value(key, value, types[key], where=where)
        if key in ranges:
            low, high = ranges[key]
            if not low <= value <= high:
                raise InputError(f"{key}: {value} is not between {low:,g} and {high:,g}", where=where)
    # 16.0 is as good as 16 to whoever writes it, and not to whatever counts with it.
    return cls(**{key: int(value) if types[key] is int else value for key, value in mapping.items()})


def check_value(key: str, value: object, kind: object, *, where: object) -> None:
    """Check that ``value``, which stands at ``key``, is what a field of type ``kind`` can hold.

    Raises:
        InputError: if it is not.
    """
    if kind is float or kind is int:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{key} must be a number, not '{value}'{_as_float(value)}", where=where)
        if not math.isfinite(value):
            raise InputError(f"{key} must be a finite number, not {value}", where=where)
        if kind is int and value != int(value):
            raise InputError(f"{key} must be a whole number, not {value}", where=where)
    elif kind is str and not isinstance(value, str):
        raise InputError(f"{key} must be a word, not {value}", where=where)
    elif kind is bool and not isinstance(value, bool):
        raise InputError(f"{key} must be true or false, not '{value}'", where=where)


def _as_float(value: object) -> str:
    """A hint for 1e9, which YAML reads as a word."""
    try:
        number = float(str(value)) if isinstance(value, str) else math.nan
    except ValueError:
        return ""
    return f"; YAML reads that as a word, and {number!r} as a number" if math.isfinite(number) else ""
