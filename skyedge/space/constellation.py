"""Satellites by their orbital elements: two-line elements, orbit mean-elements messages and Walker shells.

All are propagated with SGP4 (Hoots & Roehrich 1980; Vallado et al. 2006) by the ``sgp4`` package.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sgp4.api import WGS72, Satrec, SatrecArray
from sgp4.earth_gravity import wgs72

from skyedge.errors import InputError, nearest
from skyedge.space.omm import parse_omm
from skyedge.space.tle import parse_tle
from skyedge.time import DAY, Instant, format_utc, parse_utc

SGP4_EPOCH = parse_utc("1949-12-31")
OMM_SUFFIXES = (".csv", ".xml", ".json")
STALE_AFTER = 14 * DAY
"""SGP4's error grows by one to three kilometres a day; after two weeks a pass may be off by many seconds."""


@dataclass(frozen=True)
class WalkerShell:
    """A Walker constellation i: t/p/f (Walker 1984) of circular orbits.

    ``pattern`` is ``delta`` (planes over 360°) or ``star`` (over 180°).
    """

    total: int
    planes: int
    phasing: int
    altitude_km: float
    inclination_deg: float
    epoch: str
    pattern: str = "delta"
    first_raan_deg: float = 0.0
    name: str = "walker"

    @classmethod
    def from_mapping(cls, mapping: object, *, where: object = None) -> WalkerShell:
        """From parsed YAML, the part under ``walker``."""
        figures = _mapping(mapping, "walker", where)
        _check_keys(figures, [field.name for field in fields(cls)], where)
        if "epoch" in figures:
            figures["epoch"] = str(figures["epoch"])
        try:
            shell = cls(**figures)
        except TypeError as error:
            raise InputError(f"walker: {error}", where=where) from None
        shell.check(where)
        return shell

    def check(self, where: object) -> None:
        """Raise an InputError for a shell that cannot be."""
        for key in ("total", "planes", "phasing"):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int):
                raise InputError(f"walker.{key}: '{value}' is not a whole number", where=where)
        if self.total <= 0 or self.planes <= 0 or self.total % self.planes:
            raise InputError(f"{self.total} satellites do not divide over {self.planes} planes", where=where)
        _check_number("walker.altitude_km", self.altitude_km, 160, 40_000, where)
        _check_number("walker.inclination_deg", self.inclination_deg, 0, 180, where)
        _check_number("walker.first_raan_deg", self.first_raan_deg, -360, 360, where)
        if self.pattern not in ("delta", "star"):
            hint = nearest(str(self.pattern), ("delta", "star"))
            raise InputError(f"unknown pattern '{self.pattern}'", where=where, nearest=hint)


@dataclass(frozen=True, eq=False)
class Constellation:
    """Named satellites and their SGP4 records."""

    names: tuple[str, ...]
    records: tuple[Satrec, ...]

    def __len__(self) -> int:
        return len(self.names)

    def array(self) -> SatrecArray:
        """The records as one object that propagates them all."""
        return SatrecArray(list(self.records))

    def epochs_us(self) -> NDArray[np.int64]:
        """Epoch of each element set, (satellites,)."""
        days = [(r.jdsatepoch - 2440587.5, r.jdsatepochF) for r in self.records]
        return np.array([round(whole * DAY) + round(part * DAY) for whole, part in days], np.int64)

    def stale(self, start: Instant) -> list[str]:
        """A sentence for each element set whose epoch is more than 14 days from ``start``."""
        age = start - self.epochs_us()
        return [
            f"{self.names[i]}: its elements are of {format_utc(int(start - age[i]), 'seconds')}, "
            f"{abs(int(age[i])) // DAY} days from the start; positions may be off by many kilometres"
            for i in np.flatnonzero(np.abs(age) > STALE_AFTER)
        ]

    @classmethod
    def from_tle(cls, path: Path) -> Constellation:
        """Two- or three-line element sets.

        Raises:
            InputError: with file and line, for a bad checksum or a line that is not what it should be.
        """
        sets = parse_tle(_read(path), path)
        if not sets:
            raise InputError("there is no element set in this file", where=path)
        return cls._of(sets)

    @classmethod
    def from_omm(cls, path: Path) -> Constellation:
        """Orbit mean-elements messages (CCSDS 502.0): ``.csv``, ``.xml`` or ``.json``.

        Raises:
            InputError: with the file, the message and the field that is missing or wrong.
        """
        messages = parse_omm(_read(path), path)
        if not messages:
            raise InputError("there is no message in this file", where=path)
        return cls._of(messages)

    @classmethod
    def _of(cls, satellites: Sequence[tuple[str, Satrec]]) -> Constellation:
        names, records = zip(*satellites, strict=True)
        return cls(_unique(names), tuple(records))

    @classmethod
    def walker(cls, shell: WalkerShell, *, where: object = None) -> Constellation:
        """The satellites of a Walker shell, plane by plane."""
        shell.check(where)
        epoch = _epoch(shell.epoch, where)
        spread_deg = 360.0 if shell.pattern == "delta" else 180.0
        per_plane = shell.total // shell.planes
        names: list[str] = []
        records: list[Satrec] = []
        for plane in range(shell.planes):
            for slot in range(per_plane):
                names.append(f"{shell.name}-{plane + 1:02d}-{slot + 1:02d}")
                records.append(
                    mean_elements(
                        len(records) + 1,
                        epoch,
                        altitude_km=shell.altitude_km,
                        inclination_deg=shell.inclination_deg,
                        raan_deg=(shell.first_raan_deg + spread_deg * plane / shell.planes) % 360.0,
                        mean_anomaly_deg=(360.0 * slot / per_plane + 360.0 * shell.phasing * plane / shell.total) % 360.0,
                    )
                )
        return cls(tuple(names), tuple(records))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, where: object = None) -> Constellation:
        """From parsed YAML: ``walker: {...}``, or ``epoch`` and ``satellites: [{name, altitude_km, ...}]``."""
        if "walker" in mapping:
            _check_keys(mapping, ["walker"], where)
            return cls.walker(WalkerShell.from_mapping(mapping["walker"], where=where), where=where)
        _check_keys(mapping, ["epoch", "satellites"], where)
        if "epoch" not in mapping:
            raise InputError("these elements have no 'epoch'", where=where)
        epoch = _epoch(mapping["epoch"], where)
        satellites = mapping.get("satellites") or ()
        if not isinstance(satellites, Sequence) or isinstance(satellites, str):
            raise InputError("satellites: this should be a list", where=where)
        made: list[tuple[str, Satrec]] = []
        for number, satellite in enumerate(satellites, start=1):
            key = f"satellites.{number}"
            elements = _mapping(satellite, key, where)
            _check_keys(elements, ["name", *_REQUIRED_ELEMENTS, *_OTHER_ELEMENTS], where)
            name = str(elements.pop("name", f"satellite-{number}"))
            made.append((name, _checked_elements(number, epoch, elements, key, where)))
        if not made:
            raise InputError("this constellation has no satellites", where=where)
        return cls._of(made)


_REQUIRED_ELEMENTS = {
    "altitude_km": (100.0, 400_000.0),
    "inclination_deg": (0.0, 180.0),
    "raan_deg": (-360.0, 360.0),
    "mean_anomaly_deg": (-360.0, 360.0),
}
_OTHER_ELEMENTS = {"eccentricity": (0.0, 0.99), "argument_of_perigee_deg": (-360.0, 360.0)}
_LOWEST_PERIGEE_KM = 100.0


def _checked_elements(number: int, epoch: Instant, elements: Mapping[str, Any], key: str, where: object) -> Satrec:
    for name in _REQUIRED_ELEMENTS:
        if name not in elements:
            raise InputError(f"{key} has no '{name}'", where=where)
    for name, value in elements.items():
        _check_number(f"{key}.{name}", value, *{**_REQUIRED_ELEMENTS, **_OTHER_ELEMENTS}[name], where)
    eccentricity = elements.get("eccentricity", 0.0)
    perigee_km = (wgs72.radiusearthkm + elements["altitude_km"]) * (1 - eccentricity) - wgs72.radiusearthkm
    if perigee_km < _LOWEST_PERIGEE_KM:
        raise InputError(
            f"{key}.eccentricity: {eccentricity} at altitude_km {elements['altitude_km']} puts the perigee at "
            f"{perigee_km:.0f} km, below {_LOWEST_PERIGEE_KM:.0f}",
            where=where,
        )
    return mean_elements(number, epoch, **elements)


def mean_elements(
    number: int,
    epoch: Instant,
    *,
    altitude_km: float,
    inclination_deg: float,
    raan_deg: float,
    mean_anomaly_deg: float,
    eccentricity: float = 0.0001,
    argument_of_perigee_deg: float = 0.0,
) -> Satrec:
    """An SGP4 record of an orbit whose semi-major axis is the Earth's radius plus ``altitude_km``; no drag."""
    semi_major_axis_km = wgs72.radiusearthkm + altitude_km
    radians_per_minute = 60.0 * math.sqrt(wgs72.mu / semi_major_axis_km**3)
    record = Satrec()
    days = (epoch - SGP4_EPOCH) / DAY
    record.sgp4init(
        WGS72,
        "i",
        number,
        days,
        0.0,  # drag: an operator keeps the altitude
        0.0,
        0.0,
        eccentricity,
        math.radians(argument_of_perigee_deg),
        math.radians(inclination_deg),
        math.radians(mean_anomaly_deg),
        radians_per_minute,
        math.radians(raan_deg),
    )
    return record


def load_elements(path: Path) -> Constellation:
    """A constellation from an OMM (``.csv``, ``.xml``, ``.json``) or a TLE file (any other suffix)."""
    return Constellation.from_omm(path) if path.suffix.lower() in OMM_SUFFIXES else Constellation.from_tle(path)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("this is not a text file in UTF-8", where=path) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read this file: {getattr(error, 'strerror', None) or error}", where=path) from None


def _epoch(value: object, where: object) -> Instant:
    try:
        return parse_utc(str(value))
    except InputError as error:
        raise InputError(f"epoch: {error.message}", where=where) from None


def _mapping(value: object, key: str, where: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{key}: this should be a mapping of keys to values", where=where)
    return dict(value)


def _check_number(key: str, value: object, low: float, high: float, where: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{key}: '{value}' is not a number", where=where)
    if not low <= value <= high:
        raise InputError(f"{key}: {value} is not between {low:g} and {high:g}", where=where)


def _check_keys(mapping: Mapping[str, Any], accepted: Sequence[str], where: object) -> None:
    for key in mapping:
        if key not in accepted:
            raise InputError(f"unknown key '{key}'", where=where, nearest=nearest(str(key), accepted))


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return tuple(unique)
