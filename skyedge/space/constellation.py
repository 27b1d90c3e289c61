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
from sgp4 import omm
from sgp4.api import WGS72, Satrec, SatrecArray
from sgp4.earth_gravity import wgs72

from skyedge.errors import InputError, nearest
from skyedge.time import DAY, Instant, format_utc, parse_utc

SGP4_EPOCH = parse_utc("1949-12-31")
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

    def check(self, where: object) -> None:
        """Raise an InputError for a shell that cannot be."""
        if self.total <= 0 or self.planes <= 0 or self.total % self.planes:
            raise InputError(f"{self.total} satellites do not divide over {self.planes} planes", where=where)
        if not 160 <= self.altitude_km <= 40_000:
            raise InputError(f"altitude_km: {self.altitude_km} is not between 160 and 40000", where=where)
        if not 0 <= self.inclination_deg <= 180:
            raise InputError(f"inclination_deg: {self.inclination_deg} is not between 0 and 180", where=where)
        if self.pattern not in ("delta", "star"):
            raise InputError(
                f"unknown pattern '{self.pattern}'", where=where, nearest=nearest(self.pattern, ("delta", "star"))
            )


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
        names: list[str] = []
        records: list[Satrec] = []
        title, first = "", ""
        for number, text in enumerate(_read(path).splitlines(), start=1):
            line = text.rstrip()
            where = f"{path}:{number}"
            if not line:
                continue
            if line.startswith("1 ") and not first:
                check_tle_line(line, where)
                first = line
            elif first:
                if not line.startswith("2 "):
                    raise InputError("line 2 of an element set should follow here", where=where)
                check_tle_line(line, where)
                if line[2:7] != first[2:7]:
                    raise InputError(f"line 2 is of satellite {line[2:7]}, line 1 of {first[2:7]}", where=where)
                records.append(Satrec.twoline2rv(first, line))
                names.append(title or line[2:7].strip())
                title, first = "", ""
            else:
                title = line.removeprefix("0 ").strip()
        if first:
            raise InputError("the last element set has no line 2", where=path)
        if not records:
            raise InputError("there is no element set in this file", where=path)
        return cls(_unique(names), tuple(records))

    @classmethod
    def from_omm(cls, path: Path) -> Constellation:
        """Orbit mean-elements messages (CCSDS 502.0) in CSV or XML."""
        parse = omm.parse_csv if path.suffix == ".csv" else omm.parse_xml
        names: list[str] = []
        records: list[Satrec] = []
        try:
            with path.open() as stream:
                for message in parse(stream):
                    record = Satrec()
                    omm.initialize(record, message)
                    records.append(record)
                    names.append(str(message["OBJECT_NAME"]))
        except (KeyError, ValueError, SyntaxError) as error:
            raise InputError(f"this is no orbit mean-elements message: {error}", where=path) from None
        if not records:
            raise InputError("there is no message in this file", where=path)
        return cls(_unique(names), tuple(records))

    @classmethod
    def walker(cls, shell: WalkerShell, *, where: object = None) -> Constellation:
        """The satellites of a Walker shell, plane by plane."""
        shell.check(where)
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
                        parse_utc(shell.epoch),
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
            accepted = [field.name for field in fields(WalkerShell)]
            _check_keys(mapping["walker"], accepted, where)
            try:
                figures: dict[str, Any] = {k: str(v) if k == "epoch" else v for k, v in mapping["walker"].items()}
                shell = WalkerShell(**figures)
            except TypeError as error:
                raise InputError(f"walker: {error}", where=where) from None
            return cls.walker(shell, where=where)
        _check_keys(mapping, ["epoch", "satellites"], where)
        accepted = ["name", "altitude_km", "inclination_deg", "raan_deg", "mean_anomaly_deg", "eccentricity"]
        names: list[str] = []
        records: list[Satrec] = []
        for number, satellite in enumerate(mapping.get("satellites", ()), start=1):
            _check_keys(satellite, accepted, where)
            elements = dict(satellite)
            names.append(str(elements.pop("name", f"satellite-{number}")))
            try:
                records.append(mean_elements(number, parse_utc(str(mapping["epoch"])), **elements))
            except (KeyError, TypeError) as error:
                raise InputError(f"satellites: {error}", where=where) from None
        if not records:
            raise InputError("this constellation has no satellites", where=where)
        return cls(_unique(names), tuple(records))


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


def check_tle_line(line: str, where: str) -> None:
    """Check length and checksum (the sum of the digits, a minus counting as one, modulo ten) of a TLE line."""
    if len(line) < 69:
        raise InputError(f"a line of an element set has 69 characters, this one {len(line)}", where=where)
    total = sum(int(c) if c.isdigit() else c == "-" for c in line[:68]) % 10
    if not line[68].isdigit() or int(line[68]) != total:
        raise InputError(f"the checksum is {line[68]} but the line adds up to {total}", where=where)


def load_elements(path: Path) -> Constellation:
    """A constellation from a TLE (``.tle``, ``.txt``) or OMM (``.csv``, ``.xml``) file."""
    return Constellation.from_omm(path) if path.suffix in (".csv", ".xml") else Constellation.from_tle(path)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read this file: {getattr(error, 'strerror', None) or error}", where=path) from None


def _check_keys(mapping: Mapping[str, Any], accepted: Sequence[str], where: object) -> None:
    for key in mapping:
        if key not in accepted:
            raise InputError(f"unknown key '{key}'", where=where, nearest=nearest(key, accepted))


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return tuple(unique)
