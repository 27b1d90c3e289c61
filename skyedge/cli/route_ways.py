"""Ways between networks, as `skyedge route` is asked for them and says them: lines that are down, gateways, channels.

Where nobody names a network, or nothing is between those that there are, none of this is printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from skyedge.cli.route_requests import Asked
from skyedge.errors import InputError
from skyedge.kube import Manifests
from skyedge.layers.mesh.objects import Caller, MeshEndpoint
from skyedge.layers.mesh.reach import Kind, Reach, Way
from skyedge.layers.mesh.reading import MeshReading
from skyedge.layers.mesh.reading.reach import site_of
from skyedge.layers.mesh.traffic import Calls
from skyedge.wording import counted

PREPOSITIONS = {Kind.GATEWAY: "by the", Kind.EDGE_CHANNEL: "over the"}


def with_lines_down(reading: MeshReading, manifests: Manifests, nodes: Sequence[str]) -> MeshReading:
    """The same while the lines of these edge nodes' sites are down.

    Raises:
        InputError: for what is no edge node, with the nearest.
    """
    if not nodes:
        return reading
    try:
        sites = [site_of(manifests, node) for node in nodes]
    except InputError as error:
        raise InputError(error.message, where="--down", nearest=error.nearest) from None
    assert reading.reach is not None, "where there is a site, networks differ"
    return replace(reading, reach=reading.reach.with_lines_down(sites))


def ways_as_mappings(reach: Reach, caller: Caller, endpoints: Iterable[MeshEndpoint]) -> list[dict[str, Any]]:
    """The way to each endpoint as ``-o json`` prints it; its delay comes on top of that of the distance."""
    return [_as_mapping(reach.way(caller.network, one.network)) for one in endpoints]


def way_in_words(way: Way) -> str:
    """``over the channel of farm (12 ms more each way)``, or ``directly``."""
    if way.kind is Kind.DIRECT:
        return "directly"
    return f"{PREPOSITIONS[way.kind]} {way.why} ({way.delay_ms:g} ms more each way)"


def within_reach(reach: Reach, caller: Caller, endpoints: Iterable[MeshEndpoint]) -> tuple[MeshEndpoint, ...]:
    """Those of the endpoints that a caller can reach."""
    return tuple(one for one in endpoints if reach.way(caller.network, one.network).kind is not Kind.NONE)


def out_of_reach(reach: Reach, caller: Caller, endpoints: Iterable[MeshEndpoint]) -> list[str]:
    """A sentence for each reason why a caller cannot reach some of these endpoints."""
    found: dict[str, list[str]] = {}
    for endpoint in endpoints:
        way = reach.way(caller.network, endpoint.network)
        if way.kind is Kind.NONE:
            found.setdefault(way.why, []).append(endpoint.address)
    return [f"cannot be reached: {', '.join(sorted(addresses))}: {why}" for why, addresses in sorted(found.items())]


def between_networks(reading: MeshReading, asked: Sequence[Asked], calls: Calls) -> dict[str, Any] | None:
    """What ``-o json`` says of all attempts together, those of endpoints and mirrored copies too; None for one network.

    ``ways`` are those on which something is passed, with the attempts that took each; ``lines_down`` are edge sites.
    """
    if reading.reach is None:
        return None
    callers = {one.caller.name: one.caller.network for one in asked}
    callers |= {one.full_name: one.network for one in reading.endpoints}
    endpoints = {(one.service, one.address): one.network for one in reading.endpoints}
    starts = [callers.get(one.name, "") for one in calls.callers]
    ends = [endpoints.get((one.service, one.address), "") for one in calls.endpoints]
    pairs, counts = np.unique(np.stack([calls.attempts.caller, calls.attempts.endpoint]), axis=1, return_counts=True)
    found: dict[str, dict[str, Any]] = {}
    for start, end, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        way = reading.reach.way(starts[start], ends[end])
        if way.kind is not Kind.DIRECT:
            row = found.setdefault(way.why, {**_as_mapping(way), "calls": 0})
            row["calls"] += count
    down = sorted(one.name for one in reading.reach.networks.values() if one.channel is not None and not one.channel.up)
    return {"ways": [found[why] for why in sorted(found)], "lines_down": down}


def summary_of_ways(said: Mapping[str, Any]) -> str:
    """One line of it; empty if there is nothing to say."""
    words = [f"{counted(row['calls'], 'call(s)')} {PREPOSITIONS[Kind(row['way'])]} {row['through']}" for row in said["ways"]]
    words += [f"the line of {site} was down" for site in said["lines_down"]]
    return f"between networks: {', '.join(words)}" if words else ""


def _as_mapping(way: Way) -> dict[str, Any]:
    passed = "" if way.kind is Kind.DIRECT else way.why
    return {"way": way.kind.value, "through": passed, "one_way_ms": round(way.delay_ms, 4)}
