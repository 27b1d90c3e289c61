"""`skyedge route --without-zone`: the control plane loses zones under the requests, beside a run in which it loses none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from skyedge.cli.route_figures import short
from skyedge.cli.route_requests import Asked
from skyedge.cli.route_world import World, how_quick, lost, moment_us, seconds_of, zone_of
from skyedge.errors import InputError, nearest
from skyedge.layers.mesh.reading import MeshReading
from skyedge.layers.mesh.reading.workloads import Workload
from skyedge.layers.mesh.traffic import Traffic
from skyedge.layers.mesh.traffic.zone_loss import Told, ZoneLoss, differing, zones_lost
from skyedge.wording import counted

LOST_AFTER, GONE_AFTER = 0.5, 0.55
"""Of the time that requests take: when zones are lost, and when an endpoint goes."""
APP = ("app", "istiod")
"""The label by which Istio's control plane is known."""
OPTION = "--without-zone"


def without_control_plane(reading: MeshReading) -> MeshReading:
    """The same without the control plane's own pods, which call nobody through the mesh."""
    return replace(reading, workloads=tuple(one for one in reading.workloads if not _is_control_plane(one)))


def zone_losses_compared(
    reading: MeshReading, world: World, asked: Sequence[Asked], zones: Sequence[str], seed: int
) -> tuple[dict[str, Any], Traffic]:
    """Two runs of the same requests, as ``-o json`` prints them, and the traffic of the one in which zones are lost.

    Args:
        zones: to lose, as ``region/zone`` or by the zone's own name.

    Raises:
        InputError: if there is no control plane, or none in such a zone.
    """
    every = _zones(reading)
    gone = tuple(dict.fromkeys(_named(zone, every) for zone in zones))
    timed = [one.timed for one in asked]
    whole = ZoneLoss(
        every, (), lambda caller: zone_of(caller.locality), moment_us(asked, LOST_AFTER), moment_us(asked, GONE_AFTER)
    )
    runs = {
        name: zones_lost(world.mesh, timed, replace(whole, lost=without), world.behaviours, seed, controls=world.controls)
        for name, without in (("no zone lost", ()), (f"{counted(len(gone), 'zone(s)')} lost", gone))
    }
    first, last = runs.values()
    result = {
        "control_plane": {
            "zones": list(every),
            "lost": list(gone),
            "proxies": len(last.proxies),
            "lost_at_s": seconds_of(whole.lost_us),
            "gone_at_s": seconds_of(whole.gone_us),
            "gone_service": short(last.gone.service),
            "gone_endpoint": last.gone.address,
        },
        "runs": [_row(name, run, first, len(asked)) for name, run in runs.items()],
        "warnings": [],
    }
    return result, last.traffic


def zones_sentence(result: Mapping[str, Any]) -> str:
    """What happened, and what it came to, in words."""
    said, (_, row) = result["control_plane"], result["runs"]
    left = len(said["zones"]) - len(said["lost"])
    return (
        f"At {said['lost_at_s']:g} s the control plane loses {' and '.join(said['lost'])} and keeps {left} of "
        f"{counted(len(said['zones']), 'zone(s)')}: of the proxies of {counted(said['proxies'], 'caller(s)')} "
        f"{row['found_another_zone']:,} had to find another zone and did, {row['listen_to_none']:,} listen to none. "
        f"At {said['gone_at_s']:g} s {said['gone_endpoint']} of {said['gone_service']} goes, the endpoint that was asked "
        f"most until then: {row['told']:,} were told, {row['not_told']:,} were not. "
        f"Of {counted(row['requests'], 'request(s)')} {row['other_way']:,} went another way than with all zones, and "
        f"{row['sent_to_gone']:,} asked the endpoint that had gone"
    )


def _is_control_plane(one: Workload) -> bool:
    return one.labels.get(APP[0]) == APP[1]


def _zones(reading: MeshReading) -> tuple[str, ...]:
    """Where the control plane runs, by name."""
    pods = [one for one in reading.workloads if _is_control_plane(one)]
    if not pods:
        raise InputError("no pod is labelled app: istiod, so it is not known where the control plane runs", where=OPTION)
    for one in pods:
        if not one.locality.zone:
            message = f"the control plane's pod '{one.name}' is in no zone, as its node says none"
            raise InputError(message, where=one.manifest.place())
    well = {zone_of(one.locality) for one in pods if one.healthy}
    if not well:
        raise InputError("the control plane runs on no node that is ready", where=OPTION)
    return tuple(sorted(well))


def _named(zone: str, every: Sequence[str]) -> str:
    """The zone of the control plane that a user means."""
    found = [one for one in every if zone in (one, one.rpartition("/")[2])]
    if len(found) > 1:
        raise InputError(f"there are several zones '{zone}': {', '.join(found)}", where=OPTION)
    if not found:
        known = [*every, *(one.rpartition("/")[2] for one in every)]
        message = f"the control plane has no zone '{zone}', only {', '.join(every)}"
        raise InputError(message, where=OPTION, nearest=nearest(zone, known))
    return found[0]


def _row(name: str, run: Told, first: Told, count: int) -> dict[str, Any]:
    calls = run.traffic.calls
    return {
        "run": name,
        "requests": count,
        "failed": int(lost(calls, count).sum()),
        "found_another_zone": len(run.moved),
        "listen_to_none": len(run.searching),
        "told": len(run.told),
        "not_told": len(run.not_told),
        "sent_to_gone": len(run.sent_to_gone),
        "other_way": differing(calls, first.traffic.calls, count),
        "retries": int((calls.attempts.retry > 0).sum()),
        **how_quick(calls, count),
    }
