"""Figures in annotations: ``NAME=NUMBER, NAME=NUMBER``, and times, as manifests write them."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from skyedge.errors import InputError
from skyedge.kube import Manifest
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Path, Problem
from skyedge.kube.quantity import scaled
from skyedge.layers.federation.objects import Demand
from skyedge.time import SECOND, parse_utc

FACTS = "skyedge.io/facts"
"""Of a cluster: figures for scores, as ``carbon_g_per_kwh=80, price_per_core_h=0.03``."""

LATITUDE, LONGITUDE = "skyedge.io/latitude-deg", "skyedge.io/longitude-deg"
"""Of a cluster: where it is."""

SCORES = "skyedge.io/scores"
"""Of a propagation policy: how much each score counts, as ``locality=1, carbon=3``."""

WEIGH_BY_SCORE = "skyedge.io/weigh-by-score"
"""Of a propagation policy with dynamic weights: ``true`` divides replicas by room x score."""

DEMAND = "skyedge.io/demand"
"""Of a workload: where it is used, as ``Manila@14.6/121.0=2, Dalian``; position and weight may be left out."""

DATA_BYTES = "skyedge.io/data-bytes"
"""Of a workload: how much of its data lies on which cluster, as ``hub-manila=40Gi``."""


def annotated(manifest: Manifest[Any], key: str) -> str | None:
    """What an annotation says, or None."""
    return _metadata(manifest).annotations.get(key)


def figures(manifest: Manifest[Any], key: str) -> dict[str, float]:
    """The figures of an annotation by name; none, if it is not there.

    Raises:
        InputError: with the place, if a part of it is no ``NAME=NUMBER``.
    """
    found: dict[str, float] = {}
    for name, text in _entries(manifest, key):
        if not text:
            raise _wrong(manifest, key, f"'{name}' needs a number: NAME=NUMBER, with commas between")
        found[name] = number(manifest, key, text)
    return found


def number(manifest: Manifest[Any], key: str, text: str) -> float:
    """A number in an annotation.

    Raises:
        InputError: with the place, if it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _wrong(manifest, key, f"'{text}' is not a number")
    return value


def degrees(manifest: Manifest[Any], key: str, most: float) -> float | None:
    """An angle in an annotation, from ``-most`` to ``most``; None, if it is not there.

    Raises:
        InputError: with the place, if it is none.
    """
    text = annotated(manifest, key)
    if text is None:
        return None
    value = number(manifest, key, text)
    if abs(value) > most:
        raise _wrong(manifest, key, f"{text} is beyond {most:g} degrees")
    return value


def demands(manifest: Manifest[Any]) -> tuple[Demand, ...]:
    """Where a workload is used.

    Raises:
        InputError: with the place, if a part of it is no ``PLACE[@LATITUDE/LONGITUDE][=WEIGHT]``.
    """
    found = []
    for name, text in _entries(manifest, DEMAND):
        place, at, position = name.partition("@")
        lat, slash, lon = position.partition("/")
        if at and not slash:
            raise _wrong(manifest, DEMAND, f"'{position}' is not LATITUDE/LONGITUDE")
        corner = (number(manifest, DEMAND, lat), number(manifest, DEMAND, lon)) if at else (None, None)
        if at and (abs(corner[0] or 0) > 90 or abs(corner[1] or 0) > 180):
            raise _wrong(manifest, DEMAND, f"there is no place at {position}")
        weight = number(manifest, DEMAND, text) if text else 1.0
        if weight < 0:
            raise _wrong(manifest, DEMAND, f"{text} is negative")
        found.append(Demand(place.strip(), corner[0], corner[1], weight))
    return tuple(found)


def data_bytes(manifest: Manifest[Any]) -> dict[str, int]:
    """How much of a workload's data lies on which cluster.

    Raises:
        InputError: with the place, if a part of it is no ``CLUSTER=QUANTITY``.
    """
    found = {}
    for cluster, text in _entries(manifest, DATA_BYTES):
        try:
            found[cluster] = scaled(text, False)
        except Problem as problem:
            raise manifest.error(("metadata", "annotations", DATA_BYTES), problem.message, problem.nearest) from None
    return found


def seconds(manifest: Manifest[Any], path: Path, text: str | None) -> float | None:
    """A time in seconds since 1970, or None.

    Raises:
        InputError: with the place, if it is none.
    """
    if text is None:
        return None
    try:
        return _seconds(text)
    except InputError as error:
        raise manifest.error(path, error.message) from None


@lru_cache(maxsize=4096)
def _seconds(text: str) -> float:
    return parse_utc(text) / SECOND


def _entries(manifest: Manifest[Any], key: str) -> list[tuple[str, str]]:
    """Name and figure of each part; no figure is an empty text."""
    parts = [part.strip() for part in (annotated(manifest, key) or "").split(",") if part.strip()]
    entries = [(name.strip(), text.strip()) for name, _, text in (part.partition("=") for part in parts)]
    seen: set[str] = set()
    for name, _ in entries:
        if not name or name in seen:
            raise _wrong(manifest, key, f"'{name}' is there twice" if name else "a name is missing before '='")
        seen.add(name)
    return entries


def _metadata(manifest: Manifest[Any]) -> Metadata:
    metadata: Metadata = manifest.object.metadata
    return metadata


def _wrong(manifest: Manifest[Any], key: str, message: str) -> InputError:
    return manifest.error(("metadata", "annotations", key), message)
