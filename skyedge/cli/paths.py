"""`skyedge paths`: how a packet gets from one place to another through a constellation, second by second."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from skyedge.errors import InputError, nearest
from skyedge.layers.paths import Journey, earliest_delivery, follow
from skyedge.resources import check_folder, find
from skyedge.space.constellation import Constellation, WalkerShell, load_elements
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.frames import LIGHT_KM_S
from skyedge.space.isl import NEIGHBOURS, plus_grid
from skyedge.space.sites import Sites
from skyedge.space.topology import Topology, great_circle_km
from skyedge.time import DAY, SECOND, Instant, format_utc, parse_duration, parse_utc
from skyedge.yaml_files import read_yaml

COLUMNS = ("time", "one_way_ms", "round_trip_ms", "hops", "hand_overs", "path")
STORED = "delivered_after_s"
PLOTS = (".png", ".svg", ".pdf")
LINKS = (*NEIGHBOURS, "none")
LONGEST = 7 * DAY
MOST_STEPS = 200_000
CITIES = "sites/cities.csv"
_LISTED = 5
_NEAREST_KM = 0.01


@dataclass(frozen=True)
class Span:
    """From when to when, and in what steps."""

    start: Instant
    duration_us: int
    step_us: int

    @classmethod
    def parse(cls, start: str, duration: str, step: str) -> Span:
        """From the three options."""
        span = cls(
            _of("--start", parse_utc, start),
            _of("--duration", parse_duration, duration),
            _of("--step", parse_duration, step),
        )
        if not 0 < span.duration_us <= LONGEST:
            raise InputError("must be longer than nothing and at most 7d", where="--duration")
        if span.step_us <= 0:
            raise InputError("must be longer than nothing", where="--step")
        if span.step_us > span.duration_us:
            raise InputError(f"a step of {step} is longer than the duration of {duration}", where="--step")
        if (count := len(span.times_us())) > MOST_STEPS:
            raise InputError(f"{count:,} steps are more than {MOST_STEPS:,}; take longer ones", where="--step")
        return span

    def times_us(self) -> NDArray[np.int64]:
        """The start of each step, (times,)."""
        return np.arange(self.start, self.start + self.duration_us, self.step_us, dtype=np.int64)

    def seconds(self, begin: int, end: int) -> float:
        """How long it is from one step to the start of another, or to the end of all, as the last may be shorter."""
        return (min(end * self.step_us, self.duration_us) - begin * self.step_us) / SECOND


def paths_command(
    constellation: str,
    source: str,
    target: str,
    span: Span,
    *,
    links: str = "row",
    gateways: str | None = None,
    mask_deg: float = 25.0,
    longest_range_km: float | None = None,
    keep_within: float = 0.0,
    store: bool = False,
    csv_path: Path | None = None,
    plot: Path | None = None,
) -> None:
    """Print what the path was like; write every step and draw it if asked."""
    _check_files(csv_path, plot)
    relays = None if gateways is None else Sites.from_csv(find(gateways, kind="orbit"))
    sites = _ends(source, target, relays)
    satellites, pairs = _satellites(constellation, links, span.start)
    ephemeris = Ephemeris.of(satellites, span.start, span.start + span.duration_us)
    farthest = np.inf if longest_range_km is None else longest_range_km
    topology = Topology(ephemeris, pairs, sites, mask_deg, farthest)
    first, last = len(ephemeris), len(ephemeris) + 1
    journey = follow(topology.snapshots(span.times_us()), first, last, keep_within)
    delivered_s = _delivered(topology, span, first, last) if store else None
    title = f"{sites.names[0]} to {sites.names[1]} over {Path(constellation).stem}"
    if csv_path is not None:
        _write(csv_path, journey, topology, delivered_s)
    if plot is not None:
        _draw(plot, journey, span, title)
    console = Console()
    _print(console, title, journey, span, sites)
    if delivered_s is not None:
        _print_delivery(console, delivered_s)


def _delivered(topology: Topology, span: Span, source: int, target: int) -> NDArray[np.float64]:
    """Seconds until the target has what the source sends at each step, (times,), if all on the way can store it."""
    try:
        backwards = earliest_delivery(topology.snapshots(span.times_us()[::-1]), np.array([target]))
    except InputError as error:
        raise InputError(error.message, where="--step") from None
    return backwards[::-1, source]


def _satellites(source: str, links: str, start: Instant) -> tuple[Constellation, NDArray[np.intp]]:
    """The constellation of a file, or of a name in orbit/constellations/, and its links (links, 2)."""
    if links not in LINKS:
        raise InputError(f"unknown links '{links}': {', '.join(LINKS)}", where="--links", nearest=nearest(links, LINKS))
    given = Path(source)
    path = find(source if given.suffix or given.exists() else f"constellations/{source}.yaml", kind="orbit")
    if path.suffix.lower() in (".yaml", ".yml"):
        content = read_yaml(path)
        satellites = Constellation.from_mapping(content, where=path)
        shell = WalkerShell.from_mapping(content["walker"], where=path) if "walker" in content else None
    else:
        satellites, shell = load_elements(path), None
    if links == "none":
        pairs = np.empty((0, 2), np.intp)
    elif shell is not None:
        pairs = plus_grid(shell, links, where=path)
    else:
        raise InputError("a +Grid needs the planes of a Walker shell; without them give --links none", where=path)
    if shell is None and (stale := satellites.stale(start)):
        more = f" (and {len(stale) - 1} more)" if len(stale) > 1 else ""
        _say(Console(stderr=True), f"warning: {stale[0]}{more}", style="yellow")
    return satellites, pairs


def _ends(source: str, target: str, relays: Sites | None) -> Sites:
    """The two ends of the path, and then the gateways."""
    known = Sites.from_csv(find(CITIES, kind="orbit"))
    ends = [_place(text, where, known, relays) for text, where in ((source, "--from"), (target, "--to"))]
    rows = [*ends, *(() if relays is None else _rows(relays))]
    names, lat, lon, height = zip(*rows, strict=True)
    sites = Sites(tuple(names), np.array(lat, float), np.array(lon, float), np.array(height, float))
    begin, end = sites.positions_km()[:2]
    if great_circle_km(begin, end) < _NEAREST_KM:
        raise InputError("this is where the path begins", where="--to")
    return sites


def _rows(sites: Sites) -> list[tuple[str, float, float, float]]:
    columns = (sites.lat_deg.tolist(), sites.lon_deg.tolist(), sites.height_m.tolist())
    return list(zip(sites.names, *columns, strict=True))


def _place(text: str, where: str, known: Sites, relays: Sites | None) -> tuple[str, float, float, float]:
    """A place by its name, whatever its case, or as LAT,LON in degrees."""
    parts = text.split(",")
    try:
        figures = [float(part) for part in parts]
    except ValueError:
        figures = []
    if not figures:
        named = {row[0].casefold(): row for row in [*_rows(known), *(_rows(relays) if relays is not None else ())]}
        if (row := named.get(text.strip().casefold())) is None:
            close = nearest(text.strip().casefold(), named)
            hint = named[close][0] if close is not None else None
            raise InputError(f"unknown place '{text}'; give LAT,LON or a city of orbit/{CITIES}", where=where, nearest=hint)
        return row
    if len(figures) != 2:
        raise InputError(f"'{text}' is not LAT,LON", where=where)
    site = Sites.from_rows([({"name": text, "lat_deg": figures[0], "lon_deg": figures[1], "height_m": 0}, where)])
    return _rows(site)[0]


def _print(console: Console, title: str, journey: Journey, span: Span, sites: Sites) -> None:
    steps, step_s = len(journey.routes), span.step_us / SECOND
    outages = journey.outages()
    up = np.isfinite(journey.delay_s)
    if not up.any():
        _say(console, f"{title}: no path at any of {steps:,} steps")
        return
    bound_s = great_circle_km(*sites.positions_km()[:2]) / LIGHT_KM_S
    delay_s = journey.delay_s[up]
    _say(console, f"{title}: {'1 step' if steps == 1 else f'{steps:,} steps'} of {step_s:g} s")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("", "least", "median", "most"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for name, values, form in (
        ("one way, ms", delay_s * 1e3, ".2f"),
        ("round trip, ms", delay_s * 2e3, ".2f"),
        ("over the great circle at c", delay_s / bound_s, ".2f"),
        ("hops", journey.hops[up], ".0f"),
    ):
        table.add_row(name, *(format(float(pick(values)), form) for pick in (np.min, np.median, np.max)))
    console.print(table)
    _say(console, f"hand-overs: {journey.hand_overs.sum()}, changes of the path: {journey.new_route.sum()}")
    if not outages:
        _say(console, "outages: none")
        return
    total_s = sum(span.seconds(begin, end) for begin, end in outages)
    _say(console, f"outages: {len(outages)}, {total_s:g} s in all, {(~up).mean():.1%} of the steps")
    for begin, end in outages[:_LISTED]:
        _say(console, f"  {format_utc(int(journey.times_us[begin]), 'seconds')} for {span.seconds(begin, end):g} s")
    if len(outages) > _LISTED:
        _say(console, f"  and {len(outages) - _LISTED} more")


def _print_delivery(console: Console, delivered_s: NDArray[np.float64]) -> None:
    known = delivered_s[np.isfinite(delivered_s)]
    if not len(known):
        _say(console, "with storage: nothing is delivered before the end")
        return
    least, median, most = (_lasting(float(pick(known))) for pick in (np.min, np.median, np.max))
    late = len(delivered_s) - len(known)
    rest = f"; not before the end: {late:,} of {len(delivered_s):,} steps" if late else ""
    _say(console, f"with storage: delivered after {least} at least, {median} in the median, {most} at most{rest}")


def _lasting(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else str(timedelta(seconds=round(seconds)))


def _write(path: Path, journey: Journey, topology: Topology, delivered_s: NDArray[np.float64] | None) -> None:
    with _whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS if delivered_s is None else [*COLUMNS, STORED])
        for number, route in enumerate(journey.routes):
            at = format_utc(int(journey.times_us[number]))
            stored = (
                [] if delivered_s is None else [f"{delivered_s[number]:.6f}" if np.isfinite(delivered_s[number]) else ""]
            )
            if route is None:
                writer.writerow([at, "", "", 0, 0, "", *stored])
                continue
            delay_ms = route.delay_s * 1e3
            names = ">".join(topology.name(node) for node in route.nodes)
            handed = int(journey.hand_overs[number])
            writer.writerow([at, f"{delay_ms:.6f}", f"{2 * delay_ms:.6f}", route.hops, handed, names, *stored])


def _draw(path: Path, journey: Journey, span: Span, title: str) -> None:
    """Round trip over time, its hand-overs and outages, and the hops below."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    at_s = (journey.times_us - span.start) / SECOND
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(10, 5), sharex=True, height_ratios=(3, 1), layout="constrained")
    above.step(at_s, journey.delay_s * 2e3, where="post", linewidth=1.2)
    handed = np.flatnonzero(journey.hand_overs)
    above.plot(at_s[handed], journey.delay_s[handed] * 2e3, "o", markersize=3, color="tab:red", label="hand-over")
    for number, (begin, end) in enumerate(journey.outages()):
        for axes in (above, below):
            axes.axvspan(
                at_s[begin], at_s[begin] + span.seconds(begin, end), color="0.85", label="outage" if number == 0 else None
            )
    below.step(at_s, np.where(np.isfinite(journey.delay_s), journey.hops, np.nan), where="post", color="tab:green")
    above.set(ylabel="round trip, ms", xlim=(0, span.duration_us / SECOND))
    below.set(ylabel="hops", xlabel=f"seconds after {format_utc(span.start, 'seconds')}")
    if len(handed) or journey.outages():
        above.legend(fontsize="small", frameon=False)
    figure.suptitle(title, fontsize="medium")
    try:
        with _whole(path) as partial:
            figure.savefig(partial)
    finally:
        pyplot.close(figure)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write, which takes its place at the end, and is gone if there is none."""
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=path) from None
    finally:
        partial.unlink(missing_ok=True)


def _check_files(csv_path: Path | None, plot: Path | None) -> None:
    """Say before the work that its result could not be written."""
    if plot is not None and plot.suffix.lower() not in PLOTS:
        raise InputError("a plot is a .png, .svg or .pdf file", where=plot)
    for path, where in ((csv_path, "--csv"), (plot, "--plot")):
        if path is not None:
            if path.is_dir():
                raise InputError(f"{path} is a folder; a file is wanted", where=where)
            if not path.parent.is_dir():
                raise InputError(f"there is no folder {path.parent}", where=where)
            check_folder(path.parent, where=where)
    if csv_path is not None and plot is not None and csv_path.resolve() == plot.resolve():
        raise InputError("--csv and --plot name the same file", where=csv_path)


def _of(where: str, parse: Callable[[str], int], text: str) -> int:
    """``parse`` of an option, whose name goes with what is wrong."""
    try:
        return parse(text)
    except InputError as error:
        raise InputError(error.message, where=where) from None


def _say(console: Console, sentence: str, style: str | None = None) -> None:
    console.print(sentence, style=style, highlight=False, markup=False, soft_wrap=True)
