"""`skyedge passes`: when satellites pass over sites.  Useful alone, to anyone with a TLE."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from skyedge.errors import InputError
from skyedge.space.constellation import load_elements
from skyedge.space.contacts import ContactTable, find_contacts
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.sites import Sites
from skyedge.time import HOUR, format_utc, parse_duration, parse_utc

COLUMNS = ("satellite", "site", "rise", "culmination", "set", "max_elevation_deg")


def passes_command(
    tle: Path, sites_path: Path, start_text: str, duration: str, mask_deg: float, form: str, plot: Path | None
) -> None:
    """Print the passes, and draw them if asked."""
    constellation = load_elements(tle)
    sites = Sites.from_csv(sites_path)
    start = parse_utc(start_text)
    length = parse_duration(duration)
    if length <= 0:
        raise InputError("must be longer than nothing", where="--duration")
    warn = Console(stderr=True)
    stale = constellation.stale(start)
    if stale:
        more = f" (and {len(stale) - 1} more)" if len(stale) > 1 else ""
        warn.print(f"warning: {stale[0]}{more}", style="yellow", highlight=False, soft_wrap=True)
    ephemeris = Ephemeris.of(constellation, start, start + length)
    contacts = find_contacts(ephemeris, sites, start, start + length, mask_deg)
    rows = _rows(contacts, constellation.names, sites.names)
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    elif form == "json":
        print(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=1))
    else:
        table = Table(title=f"{len(rows)} passes above {mask_deg:g}°")
        for column in COLUMNS:
            table.add_column(column, justify="right" if column == "max_elevation_deg" else "left", no_wrap=True)
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        Console().print(table)
    if plot is not None:
        _draw(plot, contacts, constellation.names, sites.names, start, start + length)


def _rows(contacts: ContactTable, satellites: tuple[str, ...], sites: tuple[str, ...]) -> list[list[str | float]]:
    return [
        [
            satellites[contacts.satellite[i]],
            sites[contacts.site[i]],
            *(format_utc(int(at[i])) for at in (contacts.rise_us, contacts.culmination_us, contacts.set_us)),
            round(float(contacts.max_elevation_deg[i]), 3),
        ]
        for i in range(len(contacts))
    ]


def _draw(
    path: Path, contacts: ContactTable, satellites: tuple[str, ...], sites: tuple[str, ...], start: int, end: int
) -> None:
    """A timeline, one row a site, one colour a satellite."""
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError("a plot is a .png, .svg or .pdf file", where=path)
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(11, 1.5 + 0.45 * len(sites)), layout="constrained")
    colours = pyplot.get_cmap("viridis")
    for satellite in range(len(satellites)):
        mine = contacts.take(contacts.satellite == satellite)
        colour = colours(satellite / max(1, len(satellites) - 1))
        axes.barh(
            mine.site,
            (mine.set_us - mine.rise_us) / HOUR,
            left=(mine.rise_us - start) / HOUR,
            color=colour,
            height=0.7,
            label=satellites[satellite] if len(satellites) <= 12 else None,
        )
    axes.set(yticks=range(len(sites)), yticklabels=sites, xlim=(0, (end - start) / HOUR))
    axes.set_xlabel(f"hours after {format_utc(start, 'seconds')}")
    if len(satellites) <= 12:
        axes.legend(ncols=6, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        figure.savefig(partial)
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=path) from None
