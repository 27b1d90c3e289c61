"""Places on the ground."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError, nearest
from skyedge.space.frames import from_geodetic, zenith

COLUMNS = ("name", "lat_deg", "lon_deg", "height_m")


@dataclass(frozen=True, eq=False)
class Sites:
    """Named places, columns of one length."""

    names: tuple[str, ...]
    lat_deg: NDArray[np.float64]
    lon_deg: NDArray[np.float64]
    height_m: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.names)

    def positions_km(self) -> NDArray[np.float64]:
        """Earth-fixed, (sites, 3)."""
        return self._positions_km

    def zeniths(self) -> NDArray[np.float64]:
        """Unit vectors straight up, Earth-fixed, (sites, 3)."""
        return self._zeniths

    # The search for contacts asks hundreds of times.
    @cached_property
    def _positions_km(self) -> NDArray[np.float64]:
        return from_geodetic(self.lat_deg, self.lon_deg, self.height_m / 1000.0)

    @cached_property
    def _zeniths(self) -> NDArray[np.float64]:
        return zenith(self.lat_deg, self.lon_deg)

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[Mapping[str, Any], object]]) -> Sites:
        """Sites from pairs of (mapping with the keys of :data:`COLUMNS`, where it stands).

        Raises:
            InputError: naming the place of a missing key, a word for a number, a range or a name used twice.
        """
        if not rows:
            raise InputError("there are no sites")
        names: list[str] = []
        figures = []
        for row, where in rows:
            for key in row:
                if key is None:
                    raise InputError("there are more fields here than columns in the first line", where=where)
                if key not in COLUMNS:
                    raise InputError(f"unknown column '{key}'", where=where, nearest=nearest(str(key), COLUMNS))
            try:
                name = row["name"]
                latitude, longitude = _number(row["lat_deg"]), _number(row["lon_deg"])
                height = _number(row["height_m"] or 0)
            except KeyError as error:
                raise InputError(f"a site needs {error}", where=where) from None
            except (TypeError, ValueError):
                raise InputError("latitude, longitude and height must be numbers", where=where) from None
            if not isinstance(name, str) or not name.strip():
                raise InputError("a site needs a name", where=where)
            if not -90 <= latitude <= 90:
                raise InputError(f"lat_deg: {latitude} is not between -90 and 90", where=where)
            if not -180 <= longitude <= 360:
                raise InputError(f"lon_deg: {longitude} is not between -180 and 360", where=where)
            if not -1_000 <= height <= 100_000:
                raise InputError(f"height_m: {height} is not between -1,000 and 100,000", where=where)
            if name in names:
                raise InputError(f"there are two sites called '{name}'", where=where)
            names.append(name)
            figures.append((latitude, longitude, height))
        lat, lon, height_m = np.array(figures, float).T
        return cls(tuple(names), lat, lon, height_m)

    @classmethod
    def from_csv(cls, path: Path) -> Sites:
        """Sites from a CSV file with the columns ``name,lat_deg,lon_deg,height_m``."""
        try:
            with path.open(newline="", encoding="utf-8-sig") as stream:
                lines = [(number, line) for number, line in enumerate(stream, start=1) if not line.startswith("#")]
                reader = csv.DictReader(line for _, line in lines)
                header = tuple(reader.fieldnames or ())
                if missing := [column for column in COLUMNS if column not in header]:
                    raise InputError(f"the first line should be '{','.join(COLUMNS)}'; no '{missing[0]}'", where=path)
                rows = [(row, f"{path}:{lines[reader.line_num - 1][0]}") for row in reader]
        except UnicodeDecodeError:
            raise InputError("this is not a text file in UTF-8", where=path) from None
        except csv.Error as error:
            raise InputError(f"this is not CSV: {error}", where=path) from None
        except OSError as error:
            raise InputError(f"cannot read this file: {error.strerror}", where=path) from None
        if not rows:
            raise InputError("there are no sites in this file", where=path)
        return cls.from_rows(rows)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError("a yes is no number")
    return float(value)
