"""`skyedge route --rollout`: a canary of the files meets requests, and is promoted or rolled back by what they show."""

from __future__ import annotations

from typing import Any

from skyedge.cli.route_figures import short
from skyedge.cli.route_requests import requests_of
from skyedge.kube import Manifests
from skyedge.layers.mesh.objects import Mesh
from skyedge.layers.mesh.reading import MeshReading, read_behaviours, read_controls
from skyedge.layers.mesh.reading.rollouts import Rollout, read_rollout
from skyedge.layers.mesh.rollout import DURATION, SUCCESS_RATE, Phase
from skyedge.layers.mesh.rollout_traffic import Course, Interval, intervals_needed, roll_out
from skyedge.layers.mesh.traffic import Network, Traffic


def rolled_out(
    manifests: Manifests,
    reading: MeshReading,
    name: str,
    requests: str,
    *,
    source: str | None,
    seed: int,
    rate_per_s: float,
    network: Network,
) -> tuple[dict[str, Any], Traffic]:
    """How a rollout went, as ``-o json`` prints it, and the traffic that it met.

    Args:
        requests: a file, or how many to make up; those go to the service that is rolled out.

    Raises:
        InputError: as :func:`~skyedge.layers.mesh.reading.rollouts.read_rollout`, and for requests that are none.
    """
    rollout = read_rollout(manifests, reading, name)
    asked = requests_of(requests, rollout.reading_to_ask, source, seed, rate_per_s)
    everything = Mesh(tuple(one.thing for one in rollout.reading.services), rollout.reading.endpoints)
    course = roll_out(
        everything,
        [one.timed for one in asked],
        rollout.trial,
        read_behaviours(manifests, rollout.reading, network),
        seed,
        read_controls(manifests, rollout.reading),
    )
    return _as_mapping(rollout, course), course.traffic


def rollout_sentence(result: dict[str, Any]) -> str:
    """The end of it, in words."""
    said = result["rollout"]
    seen = f"{said['new_version']:,} of {said['requests']:,} requests ({said['share']:.1%}) asked it while on trial"
    lost = f"{said['failed']:,} failed there"
    if said["over_s"] is not None:
        done = "promoted" if said["phase"] == Phase.SUCCEEDED.value else f"rolled back: {said['said']}"
        return f"{said['name']} ({said['strategy']}): after {said['over_s']:g} s {done}; {seen}, {lost}"
    return (
        f"{said['name']} ({said['strategy']}): not over when the requests ended: {said['phase']} after "
        f"{said['intervals']} intervals, and a good version needs {said['intervals_needed']}, {said['needed_s']:g} s; "
        f"{seen}, {lost}"
    )


def _as_mapping(rollout: Rollout, course: Course) -> dict[str, Any]:
    needed = intervals_needed(rollout.analysis)
    return {
        "rollout": {
            "name": rollout.name,
            "service": short(rollout.host),
            "strategy": rollout.analysis.strategy.value,
            "phase": course.status.phase.value,
            "said": course.status.said,
            "over_s": course.over_s,
            "intervals": len(course.intervals),
            "intervals_needed": needed,
            "needed_s": needed * rollout.analysis.interval_s,
            "requests": course.requests,
            "new_version": course.new_version,
            "share": round(course.new_version / course.requests, 4) if course.requests else 0.0,
            "failed": course.failed,
        },
        "intervals": [_row(one) for one in course.intervals],
        "warnings": list(rollout.warnings),
    }


def _row(one: Interval) -> dict[str, Any]:
    rate, p99_ms = one.values.get(SUCCESS_RATE), one.values.get(DURATION)
    return {
        "from_s": round(one.start_s, 6),
        "to_s": round(one.end_s, 6),
        "phase": one.status.phase.value,
        "weight": one.status.weight,
        "mirrored": "yes" if one.status.mirrored else "",
        "requests": one.requests,
        "new_version": one.new_version,
        "failed_there": one.failed,
        "success_percent": None if rate is None else round(rate, 3),
        "p99_ms": None if p99_ms is None else round(p99_ms, 3),
        "failed_checks": one.after.failed_checks,
        "verdict": one.after.said,
        "then": f"{one.after.phase.value} {one.after.weight:g} %",
    }
