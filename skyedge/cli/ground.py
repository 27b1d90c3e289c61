"""The ground of a path: where it begins, where it may end, what relays, and who else has traffic.

A place is a city of :data:`CITIES`, a gateway, or ``LAT,LON``.  As nodes, places come in this order: the source, the target
if it is one place, the gateways, and then places that only traffic begins or ends at, which relay nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skyedge.errors import InputError, nearest
from skyedge.resources import find
from skyedge.space.sites import Sites
from skyedge.space.topology import great_circle_km

CITIES = "sites/cities.csv"
ANY = "any"
"""In place of a target: whichever gateway is best."""
_NEAREST_KM = 0.01
Row = tuple[str, float, float, float]


@dataclass(frozen=True, eq=False)
class Ground:
    """Places, by their row among ``sites``.

    Attributes:
        targets: where the path may end; ``preferred`` are those of them that are taken before a nearer one.
        relaying: how many of the sites, from the first on, a way may go through.
    """

    sites: Sites
    source: int
    targets: tuple[int, ...]
    preferred: tuple[int, ...]
    relaying: int

    @property
    def title(self) -> str:
        """From where to where."""
        return f"{self.sites.names[self.source]} to {self.sites.names[self.targets[0]] if self.one_target else 'a gateway'}"

    @property
    def one_target(self) -> bool:
        """Whether there is one place where the path may end."""
        return len(self.targets) == 1


class Places:
    """Places by name, and those that a command line or a file has named so far."""

    def __init__(self, gateways: Sites | None) -> None:
        self.gateways = [] if gateways is None else rows_of(gateways)
        self._known = {
            row[0].casefold(): row for row in [*rows_of(Sites.from_csv(find(CITIES, kind="orbit"))), *self.gateways]
        }

    def place(self, text: str, where: str) -> Row:
        """A place by its name, whatever its case, or as LAT,LON in degrees.

        Raises:
            InputError: if there is none.
        """
        parts = text.split(",")
        try:
            figures = [float(part) for part in parts]
        except ValueError:
            figures = []
        if not figures:
            name = text.strip().casefold()
            if (row := self._known.get(name)) is None:
                close = nearest(name, self._known)
                hint = self._known[close][0] if close is not None else None
                words = f"unknown place '{text}'; give LAT,LON or a city of orbit/{CITIES}"
                raise InputError(words, where=where, nearest=hint)
            return row
        if len(figures) != 2:
            raise InputError(f"'{text}' is not LAT,LON", where=where)
        site = Sites.from_rows([({"name": text, "lat_deg": figures[0], "lon_deg": figures[1], "height_m": 0}, where)])
        return rows_of(site)[0]

    def gateway(self, text: str, where: str) -> Row:
        """One of the gateways, by name.

        Raises:
            InputError: if there is none.
        """
        named = {row[0].casefold(): row for row in self.gateways}
        name = text.strip().casefold()
        if name not in named:
            close = nearest(name, named)
            hint = None if close is None else named[close][0]
            raise InputError(f"there is no gateway '{text.strip()}' in --gateways", where=where, nearest=hint)
        return named[name]


def ground_of(
    places: Places, source: str, target: str, *, land_in: str | None = None, prefer: str | None = None
) -> tuple[Ground, list[Row]]:
    """The ends of a path and the gateways, and their rows, to which those of traffic may be added.

    Raises:
        InputError: for a place that there is not, or options that do not go together.
    """
    rows = [places.place(source, "--from")]
    if target.strip().casefold() != ANY:
        for option, value in (("--land-in", land_in), ("--prefer", prefer)):
            if value is not None:
                raise InputError("this chooses among gateways, and needs --to any", where=option)
        rows.append(places.place(target, "--to"))
        if _apart_km(rows[0], rows[1]) < _NEAREST_KM:
            raise InputError("this is where the path begins", where="--to")
        rows += places.gateways
        return Ground(sites_of(rows), 0, (1,), (), len(rows)), rows
    if not places.gateways:
        raise InputError("which gateway is best can be said only if there are some: give --gateways", where="--to")
    rows += places.gateways
    names = [row[0] for row in rows]
    landing = _listed(places, land_in, "--land-in") or names[1:]
    preferred = _listed(places, prefer, "--prefer")
    for name in preferred:
        if name not in landing:
            raise InputError(f"'{name}' is not among those of --land-in", where="--prefer", nearest=nearest(name, landing))
    ends = tuple(
        row for row in range(1, len(rows)) if names[row] in landing and _apart_km(rows[0], rows[row]) >= _NEAREST_KM
    )
    if not ends:
        raise InputError("the path begins where it is to end", where="--to")
    wanted = tuple(row for row in ends if names[row] in preferred)
    return Ground(sites_of(rows), 0, ends, wanted, len(rows)), rows


def rows_of(sites: Sites) -> list[Row]:
    """Name, latitude, longitude (degrees) and height (m) of each."""
    columns = (sites.lat_deg.tolist(), sites.lon_deg.tolist(), sites.height_m.tolist())
    return list(zip(sites.names, *columns, strict=True))


def sites_of(rows: list[Row]) -> Sites:
    """The places as columns."""
    names, lat, lon, height = zip(*rows, strict=True)
    return Sites(tuple(names), np.array(lat, float), np.array(lon, float), np.array(height, float))


def _apart_km(one: Row, other: Row) -> float:
    return great_circle_km(*sites_of([one, other]).positions_km())


def _listed(places: Places, text: str | None, where: str) -> list[str]:
    return [] if text is None else [places.gateway(name, where)[0] for name in text.split("|")]
