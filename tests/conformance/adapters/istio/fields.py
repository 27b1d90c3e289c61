"""What all of Istio's cases share: reading what is given, and refusing what the schema does not have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from skyedge.errors import InputError, nearest
from skyedge.kube import MESH, Manifests
from skyedge.kube.reading import Reader

Given = Mapping[str, Any]
Answer = dict[str, Any]

READER = Reader(MESH)
"""One for all cases: what a kind looks like is worked out at its first manifest."""


def manifests_from(*written: Given) -> Manifests:
    """Manifests, each a document of its own."""
    READER.manifests = Manifests()
    READER.read("manifest", "\n---\n".join(json.dumps(one) for one in written).encode())
    return READER.manifests


def only(given: Given, known: Sequence[str], what: str) -> None:
    """Refuse what is not in the schema: a field that is passed over could make a case pass by luck."""
    for field in given:
        if field not in known:
            raise InputError(f"the schema has no '{field}' in {what}", nearest=nearest(field, known))


def seconds_from(given: str | float) -> float:
    """Seconds of '1h', '24h', '5s', '100ms' or a number."""
    if not isinstance(given, str):
        return float(given)
    for unit, seconds in (("ms", 0.001), ("h", 3600.0), ("m", 60.0), ("s", 1.0)):
        if given.endswith(unit):
            return float(given.removesuffix(unit)) * seconds
    raise InputError(f"'{given}' is no duration")


def percent_from(given: Any) -> float:
    if given is None:
        return 100.0
    return float(given.get("value", 0.0) if isinstance(given, Mapping) else given)


def written_out(value: Any) -> Any:
    """A value in which something long is written short.

    ``{"$repeat": [TEXT, TIMES, END]}`` is a text, ``{"$counted": [STEM, FIRST, COUNT]}`` names that end in numbers, and
    ``{"$runs": [[VALUE, TIMES], ...]}`` a list.
    """
    if isinstance(value, dict):
        if "$repeat" in value:
            text, times, end = value["$repeat"]
            return text * times + end
        if "$counted" in value:
            stem, first, count = value["$counted"]
            return [f"{stem}{first + number}" for number in range(count)]
        if "$runs" in value:
            return [one for one, times in value["$runs"] for _ in range(times)]
        return {key: written_out(one) for key, one in value.items()}
    return [written_out(one) for one in value] if isinstance(value, list) else value
