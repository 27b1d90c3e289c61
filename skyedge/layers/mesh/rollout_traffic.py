"""A rollout over the mesh in virtual time: requests run, and after each interval what was seen of the new version decides.

Routes change while requests are under way, as they do for proxies: connections, queues and ejections stay.  What counts is
what ended at the new version within a metric's window before each look, copies that mirrors sent among it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from skyedge.layers.mesh.objects import Caller, Mesh
from skyedge.layers.mesh.rollout import DURATION, ON_TRIAL, SUCCESS_RATE, Analysis, Phase, Status, step
from skyedge.layers.mesh.telemetry.golden_signals import failed, quantile_ms
from skyedge.layers.mesh.traffic import Behaviours, Calls, Controls, TimedRequest, Traffic
from skyedge.layers.mesh.traffic.simulation import Simulation


@dataclass(frozen=True)
class Trial:
    """What is tried, and what proxies are told meanwhile.

    Attributes:
        host: of the service.
        subset: of it that is the new version.
        view: the mesh as each caller sees it while the rollout stands somewhere.
        windows_s: over how long each figure is taken; one interval where none is said.
    """

    analysis: Analysis
    host: str
    subset: str
    view: Callable[[Status], Callable[[Caller], Mesh]]
    windows_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Interval:
    """Between two looks.

    Attributes:
        status: that held.
        values: measured of the new version, by name; nothing if nobody called it.
        after: the status after it.
        requests: to the service that began in it, copies not counted.
        new_version: of these, those that asked the new version.
        failed: of these, those that failed there at last.
    """

    start_s: float
    end_s: float
    status: Status
    values: Mapping[str, float]
    after: Status
    requests: int = 0
    new_version: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Course:
    """How a rollout went.

    Attributes:
        over_s: when it was promoted or rolled back; None: requests ended first.
    """

    intervals: tuple[Interval, ...]
    traffic: Traffic

    @property
    def status(self) -> Status:
        """Where it ended."""
        return self.intervals[-1].after if self.intervals else Status()

    @property
    def over_s(self) -> float | None:
        """When it was promoted or rolled back; None: requests ended first."""
        return self.intervals[-1].end_s if self.status.over else None

    @property
    def requests(self) -> int:
        """To the service, until it was over."""
        return sum(one.requests for one in self.intervals)

    @property
    def new_version(self) -> int:
        """Of these, those that asked the new version while it was on trial."""
        return sum(one.new_version for one in self.intervals if one.status.phase in ON_TRIAL)

    @property
    def failed(self) -> int:
        """Of these, those that failed there at last."""
        return sum(one.failed for one in self.intervals if one.status.phase in ON_TRIAL)


def roll_out(
    mesh: Mesh,
    requests: Sequence[TimedRequest],
    trial: Trial,
    behaviours: Behaviours | None = None,
    seed: int = 0,
    controls: Controls | None = None,
) -> Course:
    """What happens to requests, and to a new version that they meet.

    The new version is up at the start; the first share goes to it one interval later.  When requests have ended nobody
    looks any more.

    Args:
        mesh: all services and endpoints; routes come from ``trial``.
        requests, behaviours, seed, controls: as :func:`~skyedge.layers.mesh.traffic.simulation.simulate` takes them.

    Raises:
        InputError: as ``simulate``.
    """
    interval_us = round(trial.analysis.interval_s * 1e6)
    last_us = max((one.at_us for one in requests), default=0)
    status = step(trial.analysis, Status(), {})
    controls = replace(controls or Controls(), view=trial.view(status))
    simulation = Simulation(mesh, behaviours or Behaviours(), seed, controls)
    intervals: list[Interval] = []

    def look(now_us: int) -> None:
        nonlocal status
        values = _values(simulation, trial, now_us)
        after = step(trial.analysis, status, values)
        intervals.append(Interval((now_us - interval_us) / 1e6, now_us / 1e6, status, values, after))
        if (after.weight, after.mirrored, after.phase) != (status.weight, status.mirrored, status.phase):
            simulation.reroute(trial.view(after))
        status = after
        if not status.over and now_us + interval_us <= last_us:
            simulation.at(now_us + interval_us, look)

    if interval_us <= last_us:
        simulation.at(interval_us, look)
    traffic = simulation.run(requests)
    return Course(tuple(_counted(intervals, trial, traffic.calls)), traffic)


def intervals_needed(analysis: Analysis) -> int:
    """Of a version that passes every check, until it is promoted."""
    status, count = step(analysis, Status(), {}), 0
    while not status.over:
        status = step(replace(analysis, checks=()), status, {})
        count += 1
    return count


def is_promoted(status: Status) -> bool:
    """Whether the old version's place has taken the new one on."""
    return status.phase in (Phase.PROMOTING, Phase.FINALISING, Phase.SUCCEEDED)


def _values(simulation: Simulation, trial: Trial, now_us: int) -> dict[str, float]:
    values = {}
    for name in (SUCCESS_RATE, DURATION):
        window_us = round(trial.windows_s.get(name, trial.analysis.interval_s) * 1e6)
        ended = [
            one
            for one in simulation.ended(now_us - window_us, now_us)
            if (one.lane.host, one.lane.subset_name) == (trial.host, trial.subset)
        ]
        if not ended:
            continue
        if name == DURATION:
            values[name] = quantile_ms(np.array([one.end_us - one.start_us for one in ended], np.int64), 0.99)
        else:
            bad = failed(*(np.array([getattr(one, key) for one in ended], np.int64) for key in ("status", "grpc_status")))
            values[name] = 100.0 * (1.0 - float(bad.mean()))
    return values


def _counted(intervals: Sequence[Interval], trial: Trial, calls: Calls) -> list[Interval]:
    """The same with the requests that began in each."""
    rows, attempts = calls.requests, calls.attempts
    if trial.host not in calls.services:
        return list(intervals)
    mine = ~rows.mirror & (rows.service == calls.services.index(trial.host))
    subset = calls.subsets.index(trial.subset) if trial.subset in calls.subsets else -1
    asked_new, last_at_new = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    asked_new[attempts.request[attempts.subset == subset]] = True
    last_at_new[attempts.request] = attempts.subset == subset  # attempts are in order of time: the last one stays
    bad = failed(rows.status, rows.grpc_status) & last_at_new
    result = []
    for one in intervals:
        began = mine & (rows.start_us >= round(one.start_s * 1e6)) & (rows.start_us < round(one.end_s * 1e6))
        counts = [int((began & which).sum()) for which in (began, asked_new, bad)]
        result.append(replace(one, requests=counts[0], new_version=counts[1], failed=counts[2]))
    return result
