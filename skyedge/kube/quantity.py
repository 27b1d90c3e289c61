"""Quantities as Kubernetes writes them (``2``, ``500m``, ``1.5Gi``, ``1e3``), read exactly.

A manifest of a hundred thousand pods holds a few dozen distinct quantities, so each text is read once.  Amounts become
whole numbers in the unit that the scheduler counts in, rounded up as the Kubernetes API does: ``cpu`` in milli-cores,
memory, storage and huge pages in bytes, every other resource in thousandths of one.

Source of the form: the documentation of ``resource.Quantity`` in Kubernetes' apimachinery.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from skyedge.errors import nearest
from skyedge.kube.problem import Problem

BYTE_RESOURCES = ("memory", "ephemeral-storage", "storage", "hugepages-")
"""Names, or beginnings of names, of the resources that are counted in bytes."""

GREATEST = 2**60
"""No amount is larger, so that sums of a few still fit into 64 bits (an exbibyte of memory is 2^60 bytes)."""

DECIMAL_EXPONENT = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY_EXPONENT = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
UNITS = (*(unit for unit in DECIMAL_EXPONENT if unit), *BINARY_EXPONENT)

LONGEST = 64
"""No quantity is written with more characters."""

_FORM = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3})|([^\d\s.]*))")
_PREFIXES = {unit[0].lower(): unit for unit in BINARY_EXPONENT}


@lru_cache(maxsize=65536)
def scaled(text: str, thousandths: bool) -> int:
    """A quantity as a whole number of ones, or of thousandths of one, rounded up.

    Raises:
        Problem: if ``text`` is no quantity, is negative, or is larger than anything that there is.
    """
    match = _FORM.fullmatch(text) if len(text) <= LONGEST else None
    if match is None or not (match[2] or match[3]):
        raise Problem((), f"'{text[:LONGEST]}' is not a quantity such as 2, 500m or 1.5Gi")
    sign, whole, fraction, exponent, unit = match.groups(default="")
    if unit and unit not in DECIMAL_EXPONENT and unit not in BINARY_EXPONENT:
        raise Problem((), *_unknown_unit(text, unit))
    digits = int(whole + fraction)
    if sign == "-" and digits:
        raise Problem((), f"{text} is negative")
    power = (int(exponent) if exponent else DECIMAL_EXPONENT.get(unit, 0)) - len(fraction) + (3 if thousandths else 0)
    digits <<= BINARY_EXPONENT.get(unit, 0)
    amount = digits * 10**power if power >= 0 else -(-digits // 10**-power)
    if amount > GREATEST:
        raise Problem((), f"{text} is larger than anything that there is")
    return amount


def amount_of(resource: str, value: Any) -> int:
    """The quantity ``value`` of ``resource`` in the unit that the resource is counted in; see the module.

    Raises:
        Problem: if it is none.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Problem((), f"this should be a quantity such as 2, 500m or 1.5Gi, not {_shown(value)}")
    return scaled(value if isinstance(value, str) else repr(value), not resource.startswith(BYTE_RESOURCES))


class Resources(Mapping[str, int]):
    """Amount of each resource by name, as a manifest gives them; see the module for the units."""

    __slots__ = ("_amounts",)

    def __init__(self, amounts: Mapping[str, int] | None = None) -> None:
        self._amounts = dict(amounts or {})

    @classmethod
    def read(cls, value: Any) -> Resources:
        """From the mapping of a manifest.

        Raises:
            Problem: with the resource whose quantity is wrong.
        """
        if not isinstance(value, Mapping):
            raise Problem((), f"this should be a mapping of resources to quantities, not {_shown(value)}")
        amounts = {}
        for resource, quantity in value.items():
            try:
                amounts[resource] = amount_of(resource, quantity)
            except Problem as problem:
                raise problem.below(resource) from None
        return cls(amounts)

    def __getitem__(self, resource: str) -> int:
        return self._amounts[resource]

    def __iter__(self) -> Iterator[str]:
        return iter(self._amounts)

    def __len__(self) -> int:
        return len(self._amounts)

    def __repr__(self) -> str:
        return f"Resources({self._amounts})"


NOTHING = Resources()


def _unknown_unit(text: str, unit: str) -> tuple[str, str | None]:
    """What to say of a unit that there is not.  ``Gb``, ``GB`` and ``gib`` mean ``Gi`` to those who write them."""
    number = text.removesuffix(unit)
    bytes_meant = unit[0].lower() in _PREFIXES and unit[1:].lower() in ("", "b", "i", "ib")
    right = _PREFIXES[unit[0].lower()] if bytes_meant else nearest(unit, UNITS)
    what = f"'{text}' is not a quantity: there is no unit '{unit}'"
    if bytes_meant:
        decimal = "k" if right == "Ki" else right[0] if right else ""
        what += f" ({number}{decimal} counts in powers of 1,000, {number}{right} in powers of 1,024)"
    return what, f"{number}{right}" if right else None


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return "a mapping" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else repr(value)
