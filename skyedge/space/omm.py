"""Orbit mean-elements messages (CCSDS 502.0) as CelesTrak and Space-Track hand them out: CSV, XML and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sgp4.api import WGS72, Satrec

from skyedge.errors import InputError

_EPOCH = datetime(1949, 12, 31, tzinfo=UTC)
_RANGES: dict[str, tuple[float, float]] = {
    "MEAN_MOTION": (1e-3, 20.0),  # revolutions a day
    "ECCENTRICITY": (0.0, 0.999999),
    "INCLINATION": (0.0, 180.0),
    "RA_OF_ASC_NODE": (-360.0, 360.0),
    "ARG_OF_PERICENTER": (-360.0, 360.0),
    "MEAN_ANOMALY": (-360.0, 360.0),
    "BSTAR": (-10.0, 10.0),
}
_THEORIES = ("SGP", "SGP4", "SGP/SGP4")


def parse_omm(text: str, path: Path) -> list[tuple[str, Satrec]]:
    """Names and records of the messages of a file, whose suffix says which of the three kinds it is.

    Raises:
        InputError: with the file, the message and the field that is missing or wrong.
    """
    kinds = {".csv": _from_csv, ".xml": _from_xml, ".json": _from_json}
    return [_record(fields, where) for fields, where in kinds[path.suffix.lower()](text, path)]


def _from_csv(text: str, path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            yield row, f"{path}:{reader.line_num}"
    except csv.Error as error:
        raise InputError(f"this is not CSV: {error}", where=f"{path}:{reader.line_num}") from None


def _from_xml(text: str, path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    try:
        root = ET.fromstring(text.encode())
    except (ET.ParseError, LookupError, ValueError) as error:
        raise InputError(f"this is not XML: {error}", where=path) from None
    for number, segment in enumerate(root.iter("segment"), start=1):
        yield {leaf.tag: leaf.text for leaf in segment.iter() if not len(leaf)}, f"{path}, message {number}"


def _from_json(text: str, path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"this is not JSON: {error.msg}", where=f"{path}:{error.lineno}") from None
    except (RecursionError, ValueError):
        raise InputError("this is not JSON that holds messages", where=path) from None
    messages = content if isinstance(content, list) else [content]
    for number, message in enumerate(messages, start=1):
        where = f"{path}, message {number}"
        if not isinstance(message, dict):
            raise InputError("a message is a JSON object", where=where)
        yield message, where


def _record(fields: Mapping[str, Any], where: str) -> tuple[str, Satrec]:
    name = str(_field(fields, "OBJECT_NAME", where)).strip()
    where = f"{where} ({name})"
    theory = str(fields.get("MEAN_ELEMENT_THEORY") or "SGP4").strip()
    if theory not in _THEORIES:
        raise InputError(f"MEAN_ELEMENT_THEORY: '{theory}' is not SGP4", where=where)
    figures = {key: _figure(fields, key, where) for key in _RANGES}
    epoch = str(_field(fields, "EPOCH", where)).strip()
    try:
        moment = datetime.fromisoformat(epoch)
    except ValueError:
        raise InputError(f"EPOCH: '{epoch}' is not an ISO 8601 time", where=where) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    record = Satrec()
    record.sgp4init(
        WGS72,
        "i",
        0,  # the catalogue number, which plays no part
        (moment - _EPOCH) / timedelta(days=1),
        figures["BSTAR"],
        0.0,  # the derivatives of the mean motion, which SGP4 does not use
        0.0,
        figures["ECCENTRICITY"],
        math.radians(figures["ARG_OF_PERICENTER"]),
        math.radians(figures["INCLINATION"]),
        math.radians(figures["MEAN_ANOMALY"]),
        figures["MEAN_MOTION"] * math.tau / 1440.0,
        math.radians(figures["RA_OF_ASC_NODE"]),
    )
    return name, record


def _field(fields: Mapping[str, Any], key: str, where: str) -> Any:
    value = fields.get(key)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise InputError(f"there is no {key}", where=where)
    return value


def _figure(fields: Mapping[str, Any], key: str, where: str) -> float:
    value = _field(fields, key, where)
    low, high = _RANGES[key]
    try:
        figure = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{key}: '{value}' is not a number", where=where) from None
    if not low <= figure <= high:
        raise InputError(f"{key}: {value} is not between {low:g} and {high:g}", where=where)
    return figure
