"""What else is on the links while `skyedge paths` follows one path: traffic from a file, placed anew at every step."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyedge.cli.ground import ANY, Ground, Places, Row, sites_of
from skyedge.errors import InputError, nearest
from skyedge.layers.paths.load import Demands, Loaded, place_demands, with_waits
from skyedge.layers.paths.shortest import delay_over, shortest_to_any
from skyedge.space.sites import Sites
from skyedge.space.topology import Snapshot
from skyedge.time import Instant

COLUMNS = ("from", "to", "mbps", "class")
MOST_DEMANDS = 10_000
MOST_CLASSES = 8
MOST_MBPS = 1e9


@dataclass(frozen=True, eq=False)
class Traffic:
    """Demands between places, rates of links, and whose class the followed path is of.

    Attributes:
        ground: the places, those of the traffic included.
        source, targets: rows of ``ground.sites``, (demands,) and (demands, sites).
        rate_mbps, qos: (demands,).
        isl_mbps, ground_mbps: what a link between satellites, or to the ground, carries in each direction.
        own_class: of the path that is followed.
    """

    ground: Ground
    source: NDArray[np.intp]
    targets: NDArray[np.bool_]
    rate_mbps: NDArray[np.float64]
    qos: NDArray[np.intp]
    isl_mbps: float
    ground_mbps: float
    own_class: int = 0

    def place(self, snapshot: Snapshot, satellites: int) -> tuple[Loaded, NDArray[np.float64]]:
        """The demands on one snapshot, and the rates of its links, (links,)."""
        rates = np.where(snapshot.second >= satellites, self.ground_mbps, self.isl_mbps).astype(float)
        targets = np.zeros((len(self.source), snapshot.nodes), np.bool_)
        targets[:, satellites:] = self.targets
        relays = np.arange(snapshot.nodes) < satellites + self.ground.relaying
        demands = Demands(satellites + self.source, targets, self.rate_mbps, self.qos, relays)
        return place_demands(snapshot, rates, demands), rates


@dataclass(eq=False)
class Queues:
    """Snapshots with their queues, and what was seen on the way, one entry a step."""

    traffic: Traffic
    satellites: int
    shortest_s: list[float] = field(default_factory=list)
    """What the path that looks at distance alone would take, with its waits."""
    delivered: list[float] = field(default_factory=list)
    """Share of all traffic that arrives past full links."""
    busiest: list[float] = field(default_factory=list)
    """Load of the busiest direction of a link."""

    def over(self, snapshots: Iterator[Snapshot]) -> Iterator[Snapshot]:
        """Each snapshot as a packet of the traffic's own class finds it, without places that relay nothing."""
        ground = self.traffic.ground
        source, targets = self.satellites + ground.source, self.satellites + np.array(ground.targets)
        for snapshot in snapshots:
            placed, rates = self.traffic.place(snapshot, self.satellites)
            kept = np.maximum(snapshot.first, snapshot.second) < self.satellites + ground.relaying
            bare, queued = (
                _some_links(whole, kept)
                for whole in (snapshot, with_waits(snapshot, placed.load_mbps, rates, self.traffic.own_class))
            )
            direct = shortest_to_any(bare, source, targets)
            self.shortest_s.append(np.nan if direct is None else delay_over(queued, direct.nodes))
            total = self.traffic.rate_mbps.sum()
            self.delivered.append(float((placed.delivered * self.traffic.rate_mbps).sum() / total))
            self.busiest.append(float((placed.load_mbps.sum(axis=-1) / rates).max(initial=0.0)))
            yield queued


def _some_links(snapshot: Snapshot, kept: NDArray[np.bool_]) -> Snapshot:
    at: Instant = snapshot.at
    return Snapshot(at, snapshot.nodes, snapshot.first[kept], snapshot.second[kept], snapshot.delay_s[kept])


def read_traffic(
    path: Path, places: Places, ground: Ground, rows: list[Row], *, isl_mbps: float, ground_mbps: float, own_class: int
) -> Traffic:
    """The traffic of a CSV file: ``from,to,mbps,class``, of which the class may be left out (0, the most urgent).

    ``to`` is a place, ``any`` gateway, or gateways with ``|`` between them: the best of them is taken.

    Raises:
        InputError: with the line of what is wrong.
    """
    rows = list(rows)
    at = {row[0]: number for number, row in enumerate(rows)}
    gateways = [at[row[0]] for row in places.gateways]

    def number(row: Row) -> int:
        if row[0] not in at:
            at[row[0]] = len(rows)
            rows.append(row)
        return at[row[0]]

    found: list[tuple[int, list[int], float, int]] = []
    for line, where in _lines(path):
        source = number(places.place(line["from"], where))
        if line["to"].strip().casefold() == ANY:
            if not gateways:
                raise InputError("'any' is any gateway: give --gateways", where=where)
            ends = gateways
        elif "|" in line["to"]:
            ends = [at[places.gateway(name, where)[0]] for name in line["to"].split("|")]
        else:
            ends = [number(places.place(line["to"], where))]
        if ends == [source]:
            raise InputError("this demand ends where it begins", where=where)
        rate = _figure(line["mbps"], "mbps", where)
        found.append((source, ends, rate, _class(line.get("class") or "0", where)))
    if not found or not sum(rate for _, _, rate, _ in found):
        raise InputError("there is no traffic in this", where=path)
    if len(found) > MOST_DEMANDS:
        raise InputError(f"{len(found):,} demands are more than {MOST_DEMANDS:,}", where=path)
    sites: Sites = sites_of(rows)
    targets = np.zeros((len(found), len(rows)), np.bool_)
    for demand, (_, ends, _, _) in enumerate(found):
        targets[demand, ends] = True
    whole = Ground(sites, ground.source, ground.targets, ground.preferred, ground.relaying)
    source_rows, _, rates, classes = zip(*found, strict=True)
    return Traffic(
        whole, np.array(source_rows, np.intp), targets, np.array(rates), np.array(classes, np.intp), isl_mbps, ground_mbps,
        own_class,
    )  # fmt: skip


def _lines(path: Path) -> Iterator[tuple[dict[str, str], str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("there is no such file", where=path) from None
    except OSError as error:
        raise InputError(f"cannot read this file: {error.strerror}", where=path) from None
    except UnicodeDecodeError:
        raise InputError("this is not a text file in UTF-8", where=path) from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line[0] != "#"]
    try:
        yield from _rows(path, lines)
    except csv.Error as error:
        raise InputError(f"this is not CSV: {error}", where=path) from None


def _rows(path: Path, lines: Sequence[tuple[int, str]]) -> Iterator[tuple[dict[str, str], str]]:
    reader = csv.DictReader([line for _, line in lines])
    names = list(reader.fieldnames or ())
    for at, name in enumerate(names):
        if name not in COLUMNS:
            raise InputError(f"unknown column '{name}'", where=path, nearest=nearest(str(name), COLUMNS))
        if name in names[:at]:
            raise InputError(f"there is a column '{name}' already", where=path)
    missing = [name for name in COLUMNS[:3] if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"the column '{missing[0]}' is missing", where=path)
    for (number, _), row in zip(lines[1:], reader, strict=False):
        where = f"{path}:{number}"
        if None in row or any(row[name] in (None, "") for name in COLUMNS[:3]):
            raise InputError("a line has from, to, mbps and perhaps class (LAT,LON in quotes)", where=where)
        yield row, where


def _figure(text: str, name: str, where: str) -> float:
    try:
        figure = float(text)
    except ValueError:
        figure = -1.0
    if not 0 <= figure <= MOST_MBPS:
        raise InputError(f"{name} must be a number from 0 to {MOST_MBPS:,.0f}, not '{text}'", where=where)
    return figure


def _class(text: str, where: str) -> int:
    text = text.strip()
    if text not in map(str, range(MOST_CLASSES)):
        raise InputError(f"a class is a whole number from 0 to {MOST_CLASSES - 1}, not '{text}'", where=where)
    return int(text)
