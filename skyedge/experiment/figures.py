"""The report's pictures, each a function from results to an SVG or PNG that stands in the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib

matplotlib.use("agg")

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patheffects import AbstractPathEffect, withStroke
from numpy.typing import NDArray
from PIL import Image

from skyedge.earth import CLIMATE_ZONES, Earth
from skyedge.experiment.metrics import confusion, counted_answers, worth_answering
from skyedge.experiment.outcome import Outcome
from skyedge.experiment.records import RunRecord
from skyedge.experiment.world import World
from skyedge.space.frames import to_geodetic
from skyedge.space.plan import ContactPlan
from skyedge.time import DAY, HOUR, MINUTE, SECOND, Instant

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999933", "#dd7733", "#777777", "#114477")
MARKERS = ("o", "s", "^", "D")
Records = Mapping[str, RunRecord]


def svg(draw: Callable[[Axes], None], width: float = 7.0, height: float = 3.6) -> str:
    """What ``draw`` draws on a pair of axes, as an SVG element."""
    figure, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
    draw(axes)
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def data_uri(picture: NDArray[np.uint8], scale: int = 1, form: str = "PNG") -> str:
    """A picture as an address that holds it."""
    image = Image.fromarray(picture)
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, form)
    return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def pareto(outcome: Outcome, bent_pipe: str) -> str:
    """Accuracy against bytes demanded of the downlink, with intervals and the frontier of what is no oracle."""

    def draw(axes: Axes) -> None:
        for number, (arm, table) in enumerate(outcome.arms.items()):
            bytes_, accuracy = table["downlink_demanded_mb"], table["accuracy"]
            low = accuracy.mean - accuracy.low if accuracy.low is not None else 0
            high = accuracy.high - accuracy.mean if accuracy.high is not None else 0
            axes.errorbar(
                max(bytes_.mean, 1e-3),
                accuracy.mean,
                yerr=[[max(0, low)], [max(0, high)]],
                fmt=MARKERS[number // len(COLOURS) % len(MARKERS)],
                capsize=3,
                color=COLOURS[number % len(COLOURS)],
                label=arm,
            )
        axes.plot(*_frontier(outcome), drawstyle="steps-post", color="#999999", lw=1, zorder=0, label="best for its bytes")
        if bent_pipe in outcome.arms:
            tenth = 0.1 * outcome.arms[bent_pipe]["downlink_demanded_mb"].mean
            axes.axvline(tenth, color="#b42318", lw=1, ls=":", zorder=0, label=f"a tenth of {bent_pipe}")
        axes.set(xscale="log", xlabel="megabytes demanded of the downlink", ylabel="accuracy")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 11.0, 4.6)


def _frontier(outcome: Outcome) -> tuple[list[float], list[float]]:
    """Bytes and accuracy of the arms that no cheaper arm beats; oracles are bounds and not arms."""
    points = sorted(
        (max(table["downlink_demanded_mb"].mean, 1e-3), table["accuracy"].mean)
        for arm, table in outcome.arms.items()
        if not arm.startswith("oracle")
    )
    bytes_: list[float] = []
    accuracy: list[float] = []
    for demanded, correct in points:
        if not accuracy or correct > accuracy[-1]:
            bytes_.append(demanded)
            accuracy.append(correct)
    return bytes_, accuracy


def world_map(world: World) -> str:
    """Ground tracks of the first day, captures and stations on the Earth."""
    earth = Earth.load()
    figure, axes = pyplot.subplots(figsize=(11, 5.6), layout="constrained")
    axes.imshow(earth.pictures[0][::2, ::2], extent=(-180, 180, -90, 90), interpolation="bilinear")
    times = np.arange(world.start, min(world.end, world.start + DAY), 30 * SECOND, dtype=np.int64)
    for satellite in range(len(world.constellation)):
        lat, lon, _ = to_geodetic(world.ephemeris.at(satellite, times))
        jump = np.abs(np.diff(lon, prepend=lon[0])) > 180
        axes.plot(np.where(jump, np.nan, lon), lat, lw=0.5, alpha=0.7, color=COLOURS[satellite % len(COLOURS)])
    scenes = world.scenes
    clear = ~scenes.cloudy
    axes.scatter(scenes.lon_deg[~clear], scenes.lat_deg[~clear], s=1.5, c="white", alpha=0.5, label="cloudy capture")
    axes.scatter(scenes.lon_deg[clear], scenes.lat_deg[clear], s=1.5, c="#ffdd33", label="clear capture")
    axes.scatter(world.sites.lon_deg, world.sites.lat_deg, s=60, marker="^", c="#ff3355", edgecolors="white")
    outline: list[AbstractPathEffect] = [
        withStroke(linewidth=2.5, foreground="#1d2939")
    ]  # names stand among dots as bright as they are
    for name, lat_deg, lon_deg in zip(world.sites.names, world.sites.lat_deg, world.sites.lon_deg, strict=True):
        written = axes.annotate(
            name, (lon_deg, lat_deg), xytext=(5, 4), textcoords="offset points", color="white", fontsize=8
        )
        written.set_path_effects(outline)
    axes.set(xlim=(-180, 180), ylim=(-90, 90), xticks=[], yticks=[])
    axes.legend(loc="lower left", fontsize="small", markerscale=5, facecolor="#33415c", labelcolor="white")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=100, pil_kwargs={"quality": 82})
    pyplot.close(figure)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def pass_timeline(plan: ContactPlan, start: Instant) -> str:
    """Sessions of the first three days, one row a satellite; height is the yield of the pass."""

    def draw(axes: Axes) -> None:
        early = np.flatnonzero(plan.opens_us < start + 3 * DAY)
        for site, name in enumerate(plan.site_names):
            rows = early[plan.site[early] == site]
            axes.bar(
                (plan.opens_us[rows] - start) / HOUR,
                0.8 * plan.pass_yield[rows],
                width=np.maximum((plan.closes_us[rows] - plan.opens_us[rows]) / HOUR, 0.15),
                bottom=plan.satellite[rows],
                align="edge",
                color=COLOURS[site % len(COLOURS)],
                label=name,
            )
        axes.set(yticks=np.arange(len(plan.satellite_names)) + 0.4, yticklabels=plan.satellite_names)
        axes.set_xlabel("hours after the start")
        axes.legend(ncols=6, fontsize="small", frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))

    return svg(draw, 11.0, 3.6)


def gauges(records: Records, world: World, column: str, label: str, factor: float) -> str:
    """A reading over time, the mean over the satellites of each arm in bins of six hours."""

    def draw(axes: Axes) -> None:
        edges = np.arange(world.start, world.end + 6 * HOUR, 6 * HOUR)
        for number, (arm, record) in enumerate(records.items()):
            at = record.gauges["at"]
            if not len(at):
                continue
            place = np.digitize(at, edges) - 1
            count = np.bincount(place, minlength=len(edges))
            total = np.bincount(place, record.gauges[column].astype(float), len(edges))
            seen = count > 0
            days = (edges[seen] - world.start) / DAY
            axes.plot(days, total[seen] / count[seen] * factor, color=COLOURS[number % len(COLOURS)], label=arm)
        axes.set(xlabel="days after the start", ylabel=label)
        if column == "queue_bytes":
            # A congested arm must not press the others flat against nothing.
            axes.set_yscale("symlog", linthresh=0.01)
            axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 11.0, 3.2)


def latencies(records: Records, world: World, deadlines_us: Mapping[str, int]) -> str:
    """Share of scored scenes answered within a time of their capture."""
    scored = worth_answering(world.scenes, max(deadlines_us.values()), world.end)

    def draw(axes: Axes) -> None:
        for number, (arm, record) in enumerate(records.items()):
            counted = counted_answers(record, world.scenes, deadlines_us[arm])
            minutes = np.sort(counted.latency_us[scored & (counted.predicted >= 0)] / MINUTE)
            share = np.arange(1, len(minutes) + 1) / max(1, scored.sum())
            axes.plot(minutes / 60, share, color=COLOURS[number % len(COLOURS)], label=arm)
        axes.set(xlabel="hours from capture to answer", ylabel="share of the scored scenes", ylim=(0, 1))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 11.0, 3.6)


def pool_waits(records: Records) -> str:
    """Share of the pictures that a pool answered within a time of reaching it; nothing where no layer has a pool."""
    served = {arm: record.served for arm, record in records.items() if record.served}
    if not served:
        return ""

    def draw(axes: Axes) -> None:
        for number, (arm, columns) in enumerate(served.items()):
            waited_s = np.sort(columns["finished_us"] - columns["arrived_us"]) / SECOND
            share = np.arange(1, len(waited_s) + 1) / len(waited_s)
            axes.plot(np.maximum(waited_s, 0.1), share, color=COLOURS[number % len(COLOURS)], label=arm)
        axes.set(xscale="log", xlabel="seconds from the pool to the answer", ylabel="share of the pictures", ylim=(0, 1))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 11.0, 3.6)


def cluster_shares(records: Records) -> str:
    """Which cluster looked at which share of the pictures, arm by arm; nothing where there is no federation."""
    federated = {arm: record.federation["clusters"] for arm, record in records.items() if "clusters" in record.federation}
    if not federated:
        return ""
    names = list(dict.fromkeys(row["cluster"] for rows in federated.values() for row in rows))

    def draw(axes: Axes) -> None:
        for place, rows in enumerate(federated.values()):
            answered = {row["cluster"]: row["answered"] for row in rows}
            total, left = max(1, sum(answered.values())), 0.0
            for number, name in enumerate(names):
                share = answered.get(name, 0) / total
                label = name if place == 0 else None
                axes.barh(place, share, left=left, color=COLOURS[number % len(COLOURS)], label=label)
                left += share
        axes.set(yticks=range(len(federated)), yticklabels=list(federated), xlabel="share of the pictures", xlim=(0, 1))
        axes.invert_yaxis()
        axes.legend(fontsize="small", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 11.0, 0.8 + 0.35 * len(federated))


def confusions(records: Records, world: World, deadlines_us: Mapping[str, int]) -> str:
    """Truth against answer, in shares of the truth, for each arm."""
    scored = worth_answering(world.scenes, max(deadlines_us.values()), world.end)
    classes = world.classes
    count = len(records)
    columns = min(3, count)
    rows = -(-count // columns)
    figure, grid = pyplot.subplots(rows, columns, figsize=(3.4 * columns, 3.3 * rows), squeeze=False, layout="constrained")
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (arm, record) in zip(grid.flat, records.items(), strict=False):
        table = confusion(record, world.scenes, scored, len(classes), deadlines_us[arm]).astype(float)
        share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        axes.set_axis_on()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axes.set_title(arm, fontsize=9)
        axes.set_xticks(range(len(classes) + 1), [*classes, "no answer"], rotation=90, fontsize=6)
        axes.set_yticks(range(len(classes)), classes, fontsize=6)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def zones(outcome: Outcome) -> str:
    """Accuracy by climate zone."""

    def draw(axes: Axes) -> None:
        names = [zone for zone in CLIMATE_ZONES if any(f"accuracy_{zone}" in table for table in outcome.arms.values())]
        width = 0.8 / len(outcome.arms)
        for number, (arm, table) in enumerate(outcome.arms.items()):
            values: list[Any] = [table[f"accuracy_{z}"].mean if f"accuracy_{z}" in table else 0 for z in names]
            place = np.arange(len(names)) + number * width
            axes.bar(place, values, width, color=COLOURS[number % len(COLOURS)], label=arm)
        axes.set_xticks(np.arange(len(names)) + 0.4, names)
        axes.set_ylabel("accuracy")
        axes.legend(fontsize="x-small", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 11.0, 3.4)
