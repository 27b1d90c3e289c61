"""Durations as a user writes them, such as 90s or 6h, as fields of the experiment file."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from skyedge.errors import InputError
from skyedge.time import parse_duration


def _duration(value: Any) -> Any:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            length = parse_duration(value)
        except InputError as error:
            raise ValueError(str(error)) from None
        # A bare number is of seconds.
        return value if isinstance(value, str) else f"{length}us"
    return value


def _positive(value: str) -> str:
    if parse_duration(value) <= 0:
        raise ValueError("this must last for some time")
    return value


Duration = Annotated[str, BeforeValidator(_duration)]
Length = Annotated[Duration, AfterValidator(_positive)]
"""A duration that is not zero."""
