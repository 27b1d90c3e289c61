"""`skyedge passes`: when satellites pass over sites.  Useful alone, to anyone with a TLE."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from skyedge.errors import InputError
from skyedge.layers.contacts.antennas import Assignment
from skyedge.layers.contacts.optimal import optimal
from skyedge.layers.contacts.policy import AntennaRules, check_policy
from skyedge.space.constellation import load_elements
from skyedge.space.contacts import ContactTable, elevation_deg, find_contacts
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.link import LinkProfile
from skyedge.space.sites import Sites
from skyedge.time import DAY, HOUR, format_utc, parse_duration, parse_utc

COLUMNS = ("satellite", "site", "rise", "culmination", "set", "max_elevation_deg")
LONGEST = 366 * DAY
PLOTS = (".png", ".svg", ".pdf")
LANES = 12
"""Up to so many satellites have a lane and a colour of their own in the picture."""


def passes_command(
    tle: Path,
    sites_path: Path,
    start_text: str,
    duration: str,
    mask_deg: float,
    form: str,
    plot: Path | None,
    antennas: str | None = None,
    antennas_per_site: int = 1,
) -> None:
    """Print the passes, and draw them if asked; with ``antennas``, a policy, only the sessions that get an antenna."""
    policy = None if antennas is None else check_policy(antennas, where="--antennas")
    if plot is not None and plot.suffix.lower() not in PLOTS:
        raise InputError("a plot is a .png, .svg or .pdf file", where=plot)
    constellation = load_elements(tle)
    sites = Sites.from_csv(sites_path)
    start, length = _at("--start", parse_utc, start_text), _at("--duration", parse_duration, duration)
    if not 0 < length <= LONGEST:
        raise InputError("must be longer than nothing and at most 366d", where="--duration")
    warn = Console(stderr=True)
    stale = constellation.stale(start)
    if stale:
        more = f" (and {len(stale) - 1} more)" if len(stale) > 1 else ""
        warn.print(f"warning: {stale[0]}{more}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    ephemeris = Ephemeris.of(constellation, start, start + length)
    contacts = find_contacts(ephemeris, sites, start, start + length, mask_deg)
    if not len(contacts):
        sentence = f"no satellite of {tle.name} rises above {mask_deg:g}° over a site of {sites_path.name} within {duration}"
        warn.print(sentence, highlight=False, markup=False, soft_wrap=True)
    if policy is not None and len(contacts):
        contacts = _with_antennas(contacts, ephemeris, sites, AntennaRules(policy, antennas=antennas_per_site), warn)
    if plot is not None:
        title = f"{_passes(len(contacts))} of {tle.name} above {mask_deg:g}°"
        _draw(plot, contacts, constellation.names, sites.names, start, start + length, title)
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_rows(contacts, constellation.names, sites.names))
    elif form == "json":
        rows = _rows(contacts, constellation.names, sites.names)
        print(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=1))
    elif len(contacts):
        Console().print(_table(contacts, constellation.names, sites.names, mask_deg))


def _with_antennas(
    contacts: ContactTable, ephemeris: Ephemeris, sites: Sites, rules: AntennaRules, say: Console
) -> ContactTable:
    """The sessions of a policy; what they carry and what the best could are said beside the table."""
    contest = rules.contest(ephemeris, sites, contacts, LinkProfile())
    best = optimal(contest, time_limit_s=rules.time_limit_s)
    chosen = best.assignment if rules.policy == "optimal" else rules.decide(contest)
    say.print(
        f"{rules.policy}: {len(chosen)} session{'' if len(chosen) == 1 else 's'} in {chosen.contacts_used} of "
        f"{_passes(len(contacts))}, {_gigabytes(chosen.total)} at nominal yield",
        highlight=False,
        soft_wrap=True,
    )
    totals = {"first-come": best.first_come_total, "greedy": best.greedy_total, "optimal": best.assignment.total}
    words = [f"{name} {_gigabytes(total)} ({best.gap(total):.2%} below)" for name, total in totals.items()]
    say.print(
        f"changing over at rises and sets carries at most {_gigabytes(best.bound)}: {', '.join(words)}",
        highlight=False,
        soft_wrap=True,
    )
    if best.struck:
        parts = f"{best.struck} of {best.pieces} parts"
        say.print(
            f"warning: the time limit of {rules.time_limit_s:g} s stopped the search in {parts}",
            style="yellow",
            highlight=False,
        )
    return _cut_to(contacts, chosen, ephemeris, sites)


def _cut_to(contacts: ContactTable, chosen: Assignment, ephemeris: Ephemeris, sites: Sites) -> ContactTable:
    """The parts of contacts that are sessions; the highest point of a part may be one of its ends."""
    sessions = contacts.take(chosen.contact)
    top = np.clip(sessions.culmination_us, chosen.begin_us, chosen.end_us)
    highest, _ = elevation_deg(ephemeris, sites, sessions.satellite, sessions.site, top)
    return replace(sessions, rise_us=chosen.begin_us, set_us=chosen.end_us, culmination_us=top, max_elevation_deg=highest)


def _gigabytes(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:,.1f} GB"


def _at(where: str, parse: Callable[[str], int], text: str) -> int:
    """``parse`` of an option, whose name goes with what is wrong."""
    try:
        return parse(text)
    except InputError as error:
        raise InputError(error.message, where=where) from None


def _passes(count: int) -> str:
    return "1 pass" if count == 1 else f"{count} passes"


def _table(contacts: ContactTable, satellites: tuple[str, ...], sites: tuple[str, ...], mask_deg: float) -> Table:
    """To the second, and the date once a row, so that it fits a terminal of 80 columns."""
    table = Table(title=f"{_passes(len(contacts))} above {mask_deg:g}°, UTC", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("satellite", "site"):
        table.add_column(column, overflow="fold")
    for column in ("rise", "culmination", "set"):
        table.add_column(column, no_wrap=True)
    table.add_column("max", justify="right", no_wrap=True)
    for i in range(len(contacts)):
        rise, top, set_ = (
            format_utc(int(at[i]), "seconds").rstrip("Z")
            for at in (contacts.rise_us, contacts.culmination_us, contacts.set_us)
        )
        table.add_row(
            Text(satellites[contacts.satellite[i]]),
            Text(sites[contacts.site[i]]),
            rise.replace("T", " "),
            top.partition("T")[2],
            set_.partition("T")[2],
            f"{contacts.max_elevation_deg[i]:.1f}°",
        )
    return table


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
    path: Path,
    contacts: ContactTable,
    satellites: tuple[str, ...],
    sites: tuple[str, ...],
    start: int,
    end: int,
    title: str,
) -> None:
    """A timeline, one row a site: few satellites in lanes and colours of their own, many on top of one another."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    seen = np.unique(contacts.satellite)
    apart = 0 < len(seen) <= LANES
    lanes = len(seen) if apart else 1
    figure, axes = pyplot.subplots(figsize=(11, 1.6 + max(0.45, 0.12 * lanes) * len(sites)), layout="constrained")
    colours = pyplot.get_cmap("tab20" if lanes > 10 else "tab10")
    height = 0.8 / lanes
    rise_h, length_h = (contacts.rise_us - start) / HOUR, (contacts.set_us - contacts.rise_us) / HOUR
    for lane in range(lanes):
        mine = np.flatnonzero(contacts.satellite == seen[lane]) if apart else np.arange(len(contacts))
        for site in np.unique(contacts.site[mine]):
            rows = mine[contacts.site[mine] == site]
            axes.broken_barh(
                list(zip(rise_h[rows].tolist(), length_h[rows].tolist(), strict=True)),
                (site - 0.4 + lane * height, height),
                color=colours(lane),
                # A line around a bar keeps a short pass of a long plot visible.
                linewidth=0.6,
                alpha=1.0 if apart else 0.4,
            )
    axes.set(yticks=range(len(sites)), yticklabels=sites, xlim=(0, (end - start) / HOUR), ylim=(len(sites) - 0.5, -0.5))
    axes.set_yticks(np.arange(len(sites) - 1) + 0.5, minor=True)
    axes.grid(axis="y", which="minor", linewidth=0.4, color="0.8")
    axes.tick_params(axis="y", which="both", length=0)
    note = "" if apart or not len(contacts) else "; darker where several satellites pass at once"
    axes.set_xlabel(f"hours after {format_utc(start, 'seconds')}{note}")
    figure.suptitle(title, fontsize="medium")
    if apart:
        patches = [Patch(color=colours(lane), label=satellites[seen[lane]]) for lane in range(lanes)]
        figure.legend(handles=patches, ncols=6, fontsize="small", loc="outside lower center", frameon=False)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        figure.savefig(partial)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"cannot write: {error.strerror}", where=path) from None
    finally:
        pyplot.close(figure)
