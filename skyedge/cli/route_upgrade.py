"""`skyedge route --upgrade-proxies`: the same requests without an upgrade, with a patient one, and with one that kills."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.cli.route_requests import Asked
from skyedge.cli.route_world import World, how_quick, lost, moment_us, seconds_of, zone_of
from skyedge.errors import InputError
from skyedge.kube import Manifests
from skyedge.kube.istio_values import seconds
from skyedge.kube.problem import Problem
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.reading import MeshReading
from skyedge.layers.mesh.reading.workloads import read_places
from skyedge.layers.mesh.traffic import Traffic
from skyedge.layers.mesh.traffic.proxy_upgrade import ASSUMED, Upgraded, upgraded
from skyedge.layers.mesh.upgrade import DRAIN_S, KILL_AT_ONCE, UpgradePlan
from skyedge.wording import counted

BEGINS_AFTER = 0.1
"""Of the time that requests take; what comes before shows how things are without an upgrade."""
NO_UPGRADE, GRACEFUL, KILLED = "no upgrade", "graceful", "killed at once"


@dataclass(frozen=True)
class ProxyUpgrade:
    """How the proxies of nodes are to be upgraded."""

    drain_s: float = DRAIN_S
    max_unavailable: int = 1

    @classmethod
    def asked(cls, wanted: bool, drain: str | None, max_unavailable: int | None) -> ProxyUpgrade | None:
        """From the options; None if no upgrade is wanted.

        Raises:
            InputError: for an option that means nothing without one, or a drain time that is no duration.
        """
        for option, value in {"--drain": drain, "--max-unavailable": max_unavailable}.items():
            if value is not None and not wanted:
                raise InputError("this is an option of --upgrade-proxies, which was not given", where=option)
        if not wanted:
            return None
        try:
            drain_s = cls.drain_s if drain is None else seconds(drain.strip())
        except Problem as problem:
            raise InputError(problem.message, where="--drain", nearest=problem.nearest) from None
        return cls(drain_s, max_unavailable or cls.max_unavailable)


def upgrades_compared(
    manifests: Manifests, reading: MeshReading, world: World, asked: Sequence[Asked], wish: ProxyUpgrade, seed: int
) -> tuple[dict[str, Any], Traffic]:
    """Three runs of the same requests, as ``-o json`` prints them, and the traffic of the patient upgrade.

    Raises:
        InputError: if nothing is on a node.
    """
    zones = _zones(manifests, reading)
    begin_us = moment_us(asked, BEGINS_AFTER)
    plans = {
        NO_UPGRADE: None,
        GRACEFUL: UpgradePlan(zones, max_unavailable=wish.max_unavailable, drain_s=wish.drain_s),
        KILLED: UpgradePlan(zones, max_unavailable=wish.max_unavailable, table=KILL_AT_ONCE),
    }
    timed = [one.timed for one in asked]
    runs = {
        name: upgraded(world.mesh, timed, plan, begin_us, world.behaviours, seed, controls=world.controls)
        for name, plan in plans.items()
    }
    failed_without = lost(runs[NO_UPGRADE].traffic.calls, len(asked))
    graceful, killed = runs[GRACEFUL], runs[KILLED]
    result = {
        "upgrade": {
            "nodes": len(zones),
            "workloads_without_a_node": sum(not one.node for one in reading.workloads),
            "max_unavailable": wish.max_unavailable,
            "drain_s": wish.drain_s,
            "begins_s": seconds_of(begin_us),
            "new_proxy_starts_in_s": ASSUMED.start_s,
            "takes_sockets_in_s": ASSUMED.take_s,
        },
        "runs": [_row(name, run, begin_us, failed_without) for name, run in runs.items()],
        "nodes": [
            {
                "node": node,
                "zone": zones[node],
                "graceful_ready_s": seconds_of(graceful.ready_us[node]),
                "killed_ready_s": seconds_of(killed.ready_us[node]),
            }
            for node in sorted(zones, key=lambda one: (graceful.ready_us[one], one))
        ],
        "warnings": _too_short(graceful, begin_us, failed_without.size),
    }
    return result, graceful.traffic


def upgrade_sentence(result: Mapping[str, Any]) -> str:
    """What was compared, and what it came to, in words."""
    said, (_, graceful, killed) = result["upgrade"], result["runs"]
    without = said["workloads_without_a_node"]
    plan = (
        f"{counted(said['nodes'], 'node(s)')}, zone by zone and {said['max_unavailable']} at a time, from "
        f"{said['begins_s']:g} s on: a new proxy starts in {said['new_proxy_starts_in_s']:g} s and takes the sockets in "
        f"{said['takes_sockets_in_s']:g} s (assumed), an old one drains for {said['drain_s']:g} s at most"
    )
    stay = f"; {counted(without, 'workload(s)')} on no node stay as they are" if without else ""
    cost = (
        f"Of {counted(graceful['requests'], 'request(s)')} the graceful upgrade cost {graceful['met_no_proxy']:,}, and "
        f"killing {killed['met_no_proxy']:,}, because a proxy was gone"
    )
    otherwise = any(row["failed_only_here"] > row["met_no_proxy"] for row in (graceful, killed))
    rest = "; what else failed only there met new proxies that knew no ejections, or load and chance" if otherwise else ""
    return f"{plan}{stay}. {cost}{rest}"


def _zones(manifests: Manifests, reading: MeshReading) -> dict[str, str]:
    """The zone of each node on which something runs."""
    places = {name: one.locality for name, one in read_places(manifests).items()}
    found: dict[str, Locality] = {}
    whereabouts = [(one.node, one.locality) for one in reading.workloads]
    whereabouts += [(one.node, one.locality) for one in reading.endpoints]
    for node, locality in whereabouts:
        if node:
            found.setdefault(node, places.get(node, locality))
    if not found:
        message = "nothing says which node it is on (spec.nodeName of a pod, nodeName in a slice), so no node has a proxy"
        raise InputError(message, where="--upgrade-proxies")
    return {node: zone_of(one) for node, one in found.items()}


def _row(name: str, run: Upgraded, begin_us: int, failed_without: NDArray[np.bool_]) -> dict[str, Any]:
    calls, count = run.traffic.calls, failed_without.size
    failed = lost(calls, count)
    only_here = failed & ~failed_without
    met_no_proxy = np.isin(np.flatnonzero(only_here), list(run.struck))
    return {
        "run": name,
        "requests": count,
        "failed": int(failed.sum()),
        "failed_only_here": int(only_here.sum()),
        "met_no_proxy": int(met_no_proxy.sum()),
        "retries": int((calls.attempts.retry > 0).sum()),
        "connections": run.opened,
        **how_quick(calls, count),
        "upgrade_s": None if run.done_us is None else seconds_of(run.done_us - begin_us),
        "done_in_time": None if run.done_us is None else run.done_us <= _last_us(run, count),
    }


def _last_us(run: Upgraded, count: int) -> int:
    """When the last of the requests from outside ended."""
    return int(run.traffic.calls.requests.end_us[:count].max())


def _too_short(run: Upgraded, begin_us: int, count: int) -> list[str]:
    """A warning if requests ended before the upgrade did."""
    last_us = _last_us(run, count)
    if run.done_us is None or run.done_us <= last_us:
        return []
    under_load = sum(ready_us <= last_us for ready_us in run.ready_us.values())
    needed_s = math.ceil((run.done_us - begin_us) / 1e6 / (1 - BEGINS_AFTER))
    return [
        f"requests ended at {last_us / 1e6:.1f} s, with {under_load} of {counted(len(run.ready_us), 'node(s)')} upgraded, "
        f"and the graceful upgrade at {run.done_us / 1e6:.1f} s: all of it is seen with requests over {needed_s:,} s or more"
    ]
