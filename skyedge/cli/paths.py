"""`skyedge paths`: how a packet gets from one place to another through a constellation, second by second."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from skyedge.cli.ground import Ground, Places, Row, ground_of
from skyedge.cli.paths_traffic import Queues, Traffic, read_traffic
from skyedge.cli.whole_files import check_files, whole_file
from skyedge.errors import InputError, nearest
from skyedge.layers.paths import Journey, earliest_delivery, follow
from skyedge.resources import find
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
LAST = parse_utc("9999-12-31T23:59:59")
"""The last second that has a date."""
MOST_STEPS = 200_000
_LISTED = 5


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
        if span.start + span.duration_us > LAST:
            raise InputError("the path ends after the year 9999, for which there is no date", where="--start")
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


@dataclass(frozen=True)
class Affinity:
    """Which gateways the path may end at, and which are taken before a nearer one; names with ``|`` between them."""

    land_in: str | None = None
    prefer: str | None = None
    prefer_within: float = 0.2


@dataclass(frozen=True)
class Others:
    """Traffic beside the path, from a file, and what links carry; ``own_class`` is the path's."""

    file: Path
    isl_mbps: float = 10_000
    ground_mbps: float = 4_000
    own_class: int = 0

    @classmethod
    def asked(
        cls, file: Path | None, isl_mbps: float | None, ground_mbps: float | None, own_class: int | None
    ) -> Others | None:
        """From the options; None if no traffic was given.

        Raises:
            InputError: for an option that means nothing without traffic, or a rate that is no number.
        """
        given = {"--isl-mbps": isl_mbps, "--ground-mbps": ground_mbps, "--class": own_class}
        for option, value in given.items():
            if value is not None and file is None:
                raise InputError("this is an option of --traffic, and no traffic was given", where=option)
            if value is not None and not np.isfinite(value):
                raise InputError("must be a number", where=option)
        if file is None:
            return None
        rates = (cls.isl_mbps if isl_mbps is None else isl_mbps, cls.ground_mbps if ground_mbps is None else ground_mbps)
        return cls(file, *rates, own_class or cls.own_class)

    def read(self, places: Places, ground: Ground, rows: list[Row]) -> Traffic:
        """The traffic between its places."""
        return read_traffic(
            find(str(self.file), kind="orbit"),
            places,
            ground,
            rows,
            isl_mbps=self.isl_mbps,
            ground_mbps=self.ground_mbps,
            own_class=self.own_class,
        )


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
    affinity: Affinity | None = None,
    others: Others | None = None,
    csv_path: Path | None = None,
    plot: Path | None = None,
) -> None:
    """Print what the path was like; write every step and draw it if asked."""
    _check_files(csv_path, plot)
    if store and others is not None:
        raise InputError("storage looks at no volumes, and goes without --traffic", where="--store")
    affinity = affinity or Affinity()
    places = Places(None if gateways is None else Sites.from_csv(find(gateways, kind="orbit")))
    ground, rows = ground_of(places, source, target, land_in=affinity.land_in, prefer=affinity.prefer)
    traffic = None if others is None else others.read(places, ground, rows)
    if traffic is not None:
        ground = traffic.ground
    satellites, pairs = _satellites(constellation, links, span.start)
    ephemeris = Ephemeris.of(satellites, span.start, span.start + span.duration_us)
    farthest = np.inf if longest_range_km is None else longest_range_km
    topology = Topology(ephemeris, pairs, ground.sites, mask_deg, farthest)
    snapshots = topology.snapshots(span.times_us())
    queues = None if traffic is None else Queues(traffic, len(ephemeris))
    first, last = len(ephemeris) + ground.source, [len(ephemeris) + row for row in ground.targets]
    journey = follow(
        snapshots if queues is None else queues.over(snapshots),
        first,
        last,
        keep_within,
        preferred=[len(ephemeris) + row for row in ground.preferred],
        prefer_within=affinity.prefer_within,
    )
    delivered_s = _delivered(topology, span, first, last) if store else None
    title = f"{ground.title} over {Path(constellation).stem}"
    if csv_path is not None:
        _write(csv_path, journey, topology, delivered_s)
    if plot is not None:
        _draw(plot, journey, span, title)
    console = Console()
    _print(console, title, journey, span, ground, queues)
    if delivered_s is not None:
        _print_delivery(console, delivered_s)


def _delivered(topology: Topology, span: Span, source: int, targets: list[int]) -> NDArray[np.float64]:
    """Seconds until a target has what the source sends at each step, (times,), if all on the way can store it."""
    try:
        backwards = earliest_delivery(topology.snapshots(span.times_us()[::-1]), np.array(targets))
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


def _print(console: Console, title: str, journey: Journey, span: Span, ground: Ground, queues: Queues | None) -> None:
    steps, step_s = len(journey.routes), span.step_us / SECOND
    outages = journey.outages()
    up = np.isfinite(journey.delay_s)
    if not up.any():
        _say(console, f"{title}: no path at any of {steps:,} steps")
        return
    delay_s = journey.delay_s[up]
    _say(console, f"{title}: {'1 step' if steps == 1 else f'{steps:,} steps'} of {step_s:g} s")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("", "least", "median", "most"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    figures: list[tuple[str, NDArray[Any], str]] = [
        ("one way, ms", delay_s * 1e3, ".2f"),
        ("round trip, ms", delay_s * 2e3, ".2f"),
    ]
    if ground.one_target:
        bound_s = great_circle_km(*ground.sites.positions_km()[[ground.source, ground.targets[0]]]) / LIGHT_KM_S
        figures.append(("over the great circle at c", delay_s / bound_s, ".2f"))
    figures.append(("hops", journey.hops[up], ".0f"))
    if queues is not None:
        figures += [
            ("one way on the shortest path, ms", np.array(queues.shortest_s)[up] * 1e3, ".2f"),
            ("traffic delivered, %", np.array(queues.delivered) * 100, ".1f"),
            ("busiest link, %", np.array(queues.busiest) * 100, ".0f"),
        ]
    for name, values, form in figures:
        table.add_row(name, *(format(float(pick(values)), form) for pick in (np.min, np.median, np.max)))
    console.print(table)
    _say(console, f"hand-overs: {journey.hand_overs.sum()}, changes of the path: {journey.new_route.sum()}")
    if not ground.one_target:
        _say(console, f"ends at: {_ends(journey, ground)}")
    if not outages:
        _say(console, "outages: none")
        return
    total_s = sum(span.seconds(begin, end) for begin, end in outages)
    _say(console, f"outages: {len(outages)}, {total_s:g} s in all, {(~up).mean():.1%} of the steps")
    for begin, end in outages[:_LISTED]:
        _say(console, f"  {format_utc(int(journey.times_us[begin]), 'seconds')} for {span.seconds(begin, end):g} s")
    if len(outages) > _LISTED:
        _say(console, f"  and {len(outages) - _LISTED} more")


def _ends(journey: Journey, ground: Ground) -> str:
    """Where the path ended, in percent of the steps at which there was one, the most frequent first."""
    satellites = next(route.nodes[0] for route in journey.routes if route is not None) - ground.source
    ends = Counter(ground.sites.names[route.nodes[-1] - satellites] for route in journey.routes if route is not None)
    shares = sorted(ends.items(), key=lambda end: (-end[1], end[0]))
    return ", ".join(f"{name} {count / ends.total():.0%}" for name, count in shares)


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
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
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
        with whole_file(path) as partial:
            figure.savefig(partial)
    finally:
        pyplot.close(figure)


def _check_files(csv_path: Path | None, plot: Path | None) -> None:
    """Say before the work that its result could not be written."""
    if plot is not None and plot.suffix.lower() not in PLOTS:
        raise InputError("a plot is a .png, .svg or .pdf file", where=plot)
    check_files({"--csv": csv_path, "--plot": plot})


def _of(where: str, parse: Callable[[str], int], text: str) -> int:
    """``parse`` of an option, whose name goes with what is wrong."""
    try:
        return parse(text)
    except InputError as error:
        raise InputError(error.message, where=where) from None


def _say(console: Console, sentence: str, style: str | None = None) -> None:
    console.print(sentence, style=style, highlight=False, markup=False, soft_wrap=True)
