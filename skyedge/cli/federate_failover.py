"""`skyedge federate --fail`: what happens to a federation, as it was just placed, when clusters die."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from skyedge.errors import InputError, nearest
from skyedge.layers.federation.failover_settings import settings_named
from skyedge.layers.federation.governing import Governed, fit_to_move
from skyedge.layers.federation.objects import Cluster, Workload
from skyedge.layers.federation.remaining import remaining
from skyedge.layers.federation.scene import TimelineRow
from skyedge.layers.federation.timeline import Failover, Failure, failover_timeline
from skyedge.time import SECOND, format_utc, parse_duration, parse_utc
from skyedge.wording import counted

DEFAULT_FAILOVER = "skyedge"

MOST_NAMES = 8
"""Of clusters, in a sentence about a name that is like none of them."""


def read_failures(options: Sequence[str], clusters: Sequence[str], now_s: float | None) -> list[Failure]:
    """What ``--fail CLUSTER[@T]`` asks for; T is so long after now, or a time in UTC.

    Raises:
        InputError: for a cluster that there is not or that fails twice, or a T that is no time, or lies before now.
    """
    failures: dict[str, Failure] = {}
    for option in options:
        name, at_s = cluster_and_time(option, clusters, now_s, where="--fail")
        if name in failures:
            raise InputError(f"'{name}' fails once", where="--fail")
        failures[name] = Failure(name, at_s)
    return list(failures.values())


def cluster_and_time(option: str, clusters: Sequence[str], now_s: float | None, *, where: str) -> tuple[str, float]:
    """A cluster of ``CLUSTER[@T]``, and T as so many seconds after now, which it is if none is given.

    Raises:
        InputError: for a cluster that is missing or that there is not, or a T that is no time, or lies before now.
    """
    name, at, text = option.partition("@")
    if not name:
        raise InputError(f"the name of a cluster is missing in '{option}'", where=where)
    if name not in clusters:
        right = nearest(name, clusters)
        which = "" if right else f"; there are {', '.join(clusters[:MOST_NAMES])}{', …' * (len(clusters) > MOST_NAMES)}"
        raise InputError(f"there is no cluster '{name}'{which}", where=where, nearest=right)
    if at and not text:
        raise InputError(f"a time is missing after the @ of '{option}'", where=where)
    return name, _seconds_after(text, now_s, where=where) if at else 0.0


def _seconds_after(text: str, now_s: float | None, *, where: str) -> float:
    """A duration, or a time in UTC.

    Raises:
        InputError: if it is no time, or lies before now.
    """
    try:
        if text.replace(".", "", 1).isdecimal():
            return parse_duration(float(text)) / SECOND
        if text[:4].isdecimal() and text[4:5] == "-":
            if now_s is None:
                raise InputError("a time in UTC needs --at, which says when now is")
            if (after_s := parse_utc(text) / SECOND - now_s) < 0:
                raise InputError(f"{text} is before now")
            return after_s
        return parse_duration(text) / SECOND
    except InputError as error:
        raise InputError(error.message, where=where) from None


def failover_rows(
    governed: Governed, failures: Sequence[Failure], *, failover: str, seed: int, now_s: float | None
) -> dict[str, Any]:
    """What happens by name: ``timeline``, a mapping for each event in the order of time, and the ``afterwards``.

    Raises:
        InputError: if there are no such settings.
    """
    settings = settings_named(failover, where="--failover")
    left, workloads, shares = running_now(governed)
    quotas = governed.reading.governance.quotas
    told = failover_timeline(left, workloads, shares, failures, settings, quotas=quotas, seed=seed)
    return {"timeline": as_rows(told.rows, now_s), "afterwards": _afterwards(told)}


def _afterwards(told: Failover) -> dict[str, Any]:
    """How many replicas serve at the end and how many do not, in total and of each workload that was hurt."""
    total = {
        "replicas": sum(one.replicas for one in told.aftermath),
        "serving": sum(one.serving for one in told.aftermath),
        "lost": sum(one.lost for one in told.aftermath),
        "ended_with_their_cluster": sum(one.ended for one in told.aftermath),
        "not_served_replica_s": round(sum(one.not_served_replica_s for one in told.aftermath), 3),
    }
    hurt = [
        {
            "workload": one.workload,
            "replicas": one.replicas,
            "serving": one.serving,
            "lost": one.lost,
            "lost_with": list(one.lost_with),
            "ended_with_their_cluster": one.ended,
            "not_served_replica_s": round(one.not_served_replica_s, 3),
        }
        for one in told.aftermath
        if one.lost or one.ended or one.not_served_replica_s
    ]
    return {"at_s": round(told.end_s, 3), **total, "workloads": hurt}


def afterwards_words(after: Mapping[str, Any]) -> list[str]:
    """What is left, in sentences: of each workload that lost replicas, and of all together."""
    sentences = []
    for row in after["workloads"]:
        if row["lost"]:
            of = f"{row['lost']:,} of {counted(row['replicas'], 'replica(s)')} of {row['workload']}"
            serve = "serves" if row["lost"] == 1 else "serve"
            sentences.append(f"{of} {serve} no longer: dead with {', '.join(row['lost_with'])}, and not moved")
    total = f"at the end ({after['at_s']:,.1f} s) {after['serving']:,} of {counted(after['replicas'], 'replica(s)')} serve"
    ended = after["ended_with_their_cluster"]
    gone = f", {ended:,} ended with a cluster of which others have their own copies" if ended else ""
    return [*sentences, f"{total}{gone}; {after['not_served_replica_s']:,.1f} replica-seconds were not served"]


def running_now(governed: Governed) -> tuple[tuple[Cluster, ...], list[Workload], dict[str, dict[str, int]]]:
    """What a timeline begins with: clusters with what is left on them, workloads, and their replicas by name and cluster.

    Workloads of two kinds may share a name; in a timeline such a name says the kind as well.  A DaemonSet has no replicas,
    and is there to be named when its cluster goes.
    """
    placements, fit = governed.placements, fit_to_move(governed)
    rows = [
        row
        for row, one in enumerate(governed.reading.selected)
        if placements.placed[row] and (one.workload.replicas or one.read.resource.kind == "DaemonSet")
    ]
    times = Counter(fit[row].name for row in rows)
    workloads = [fit[row] if times[fit[row].name] == 1 else _with_kind(fit[row]) for row in rows]
    shares = {workload.name: placements.of(row) for row, workload in zip(rows, workloads, strict=True)}
    added = placements.added
    clusters = placements.clusters
    new = [{clusters[at]: int(count) for at, count in enumerate(added[row].tolist()) if count > 0} for row in rows]
    left = remaining(governed.reading.clusters, workloads, new)
    return left, workloads, shares


def _with_kind(workload: Workload) -> Workload:
    resource = workload.resource
    return replace(workload, resource=replace(resource, name=f"{resource.name} ({resource.kind})"))


def as_rows(events: Sequence[TimelineRow], now_s: float | None) -> list[dict[str, Any]]:
    """Events as they are printed.

    Raises:
        InputError: if one lies after the last year that a time in UTC can name.
    """
    return [
        {
            **({"at": _at_utc(now_s + event.at_s)} if now_s is not None else {}),
            "at_s": round(event.at_s, 3),
            "event": event.event,
            "cluster": event.cluster,
            "workload": event.workload,
            "replicas": event.replicas,
            "words": event.words,
        }
        for event in events
    ]


def _at_utc(at_s: float) -> str:
    try:
        return format_utc(round(at_s * SECOND))
    except OverflowError:
        raise InputError("what happens then lies after the year 9999", where="--at") from None
