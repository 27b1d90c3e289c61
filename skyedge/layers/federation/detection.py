"""When the control plane sees which of many clusters die: reports on their way, late, lost or never sent.

A cluster that is dead sends nothing and answers nobody.  One that is only slow answers late; a report may be lost.  Most
clusters are well most of the time, so only those that give cause for it are looked at one step at a time, by the rules of
:mod:`skyedge.layers.federation.health`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.federation.health import ClusterHealth, Condition, HealthSettings
from skyedge.streams import stream

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

CLUSTERS_AT_ONCE = 100
"""Of whose heartbeats a table is made."""


def _no_rows() -> Rows:
    return np.empty(0, np.intp)


def _no_times() -> Floats:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Spells:
    """Spans of time of clusters, columns of one length; those of one cluster do not overlap.

    Attributes:
        cluster: which.
        from_s, until_s: of which the first belongs to the span and the last does not.
        delay_s: of a slow spell: how much later all that the cluster sends and answers arrives.
    """

    cluster: Rows = field(default_factory=_no_rows)
    from_s: Floats = field(default_factory=_no_times)
    until_s: Floats = field(default_factory=_no_times)
    delay_s: Floats = field(default_factory=_no_times)

    @classmethod
    def of(cls, spells: Sequence[tuple[int, float, float]]) -> Spells:
        """From triples of cluster, beginning and end."""
        columns = np.array(spells, np.float64).reshape(-1, 3).T
        return cls(columns[0].astype(np.intp), columns[1], columns[2], np.zeros(len(spells)))

    def holds(self, cluster: Rows, at_s: Floats) -> NDArray[np.bool_]:
        """Whether each cluster is within one of its spells, (clusters, times)."""
        within = np.zeros(at_s.shape, bool)
        for row in np.flatnonzero(np.isin(self.cluster, cluster)):
            line = np.searchsorted(cluster, self.cluster[row])
            within[line] |= (at_s[line] >= self.from_s[row]) & (at_s[line] < self.until_s[row])
        return within

    def later_by_s(self, cluster: Rows, at_s: Floats) -> Floats:
        """The delay of each cluster at each time, (clusters, times)."""
        delay_s = np.zeros(at_s.shape)
        for row in np.flatnonzero(np.isin(self.cluster, cluster)):
            line = np.searchsorted(cluster, self.cluster[row])
            within = (at_s[line] >= self.from_s[row]) & (at_s[line] < self.until_s[row])
            delay_s[line, within] = self.delay_s[row]
        return delay_s


@dataclass(frozen=True, eq=False)
class Weather:
    """What befalls reports.

    Attributes:
        down: when clusters are dead.
        slow: when they are slow.
        lost_share: of reports that never arrive, though they were sent; also of each witness's question.
        delay_s: of every report that does.
        witnesses: other regions that look for themselves; one answer is enough.
    """

    down: Spells = field(default_factory=Spells)
    slow: Spells = field(default_factory=Spells)
    lost_share: float = 0.0
    delay_s: float = 0.0
    witnesses: int = 3


class Sighting(NamedTuple):
    """A cluster that was doubted.

    Attributes:
        cluster: which.
        suspected_at_s: the first report that failed, or the silence that was too long.
        declared_at_s: when it was not ready any more; infinite: the doubt passed.
        cleared_at_s: when it was ready again, or the doubt had passed; infinite: not while anyone looked.
    """

    cluster: int
    suspected_at_s: float
    declared_at_s: float
    cleared_at_s: float


def watch(settings: HealthSettings, clusters: int, weather: Weather, until_s: float, seed: int) -> list[Sighting]:
    """What is seen of ``clusters`` clusters from 0 to ``until_s``, in order of time and cluster.

    Doubts about a probed cluster that pass before it is declared are not told: one failed probe is one.  The seed keys when
    reports are due and which are lost: the same moments of each cluster's period, whatever the period is.
    """
    phase = stream(seed, "federation", "when reports are due").random(clusters)
    lost = stream(seed, "federation", "lost reports")
    period_s = settings.report_period_s
    reports = math.ceil(until_s / period_s) + 1
    hit = np.zeros(clusters, bool)
    hit[weather.down.cluster] = hit[weather.slow.cluster] = True
    found: list[Sighting] = []
    for first in range(0, clusters, CLUSTERS_AT_ONCE):
        cluster = np.arange(first, min(first + CLUSTERS_AT_ONCE, clusters))
        reports_lost = lost.random((len(cluster), reports + 1), np.float32) < weather.lost_share
        doubtful = hit[cluster] | _misses_in_a_row(reports_lost, _misses_to_doubt(settings))
        cluster, reports_lost = cluster[doubtful], reports_lost[doubtful]
        due_s = (phase[cluster, None] + np.arange(-1, reports)) * period_s
        missed = weather.down.holds(cluster, due_s) | reports_lost
        delay_s = weather.delay_s + weather.slow.later_by_s(cluster, due_s)
        if settings.watched == "probed":
            found += _probed(settings, cluster, due_s, ~missed & (delay_s <= period_s), until_s)
        else:
            arrived_s = np.where(missed, np.inf, due_s + delay_s)
            found += _listened(settings, cluster, np.sort(arrived_s, axis=1), weather, until_s, seed)
    return sorted((sighting for sighting in found if sighting.suspected_at_s < until_s), key=lambda s: (s.suspected_at_s, s))


def _misses_to_doubt(settings: HealthSettings) -> int:
    """How many lost reports in a row, at least, make a cluster that is well doubtful."""
    if settings.watched == "probed":
        return math.ceil(settings.failure_threshold_s / settings.report_period_s) + 1
    silence_s = settings.grace_s if settings.watched == "leased" else settings.missed_heartbeats * settings.report_period_s
    return max(1, math.floor(silence_s / settings.report_period_s))


def _misses_in_a_row(missed: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Which rows have so many in a row."""
    run = missed
    for _ in range(count - 1):
        run = run[:, :-1] & missed[:, -run.shape[1] + 1 :]
        if not run.any():
            break
    found: NDArray[np.bool_] = np.any(run, axis=1)
    return found


def _probed(
    settings: HealthSettings, cluster: Rows, due_s: Floats, answered: NDArray[np.bool_], until_s: float
) -> Iterator[Sighting]:
    """Runs of failed probes, by the state machine, of the clusters that have one that is long enough."""
    for row in np.flatnonzero(_misses_in_a_row(~answered, _misses_to_doubt(settings))):
        health = ClusterHealth()
        suspected_s = declared_s = math.inf
        for at_s, well in zip(due_s[row].tolist(), answered[row].tolist(), strict=True):
            before, health = health, health.reported(well, at_s, settings)
            if before.condition is Condition.READY and health.condition is Condition.FAILING:
                suspected_s = at_s
            if before.condition.counts_as_ready and not health.condition.counts_as_ready:
                declared_s = at_s
            elif health.condition is Condition.READY and declared_s < math.inf:
                yield Sighting(int(cluster[row]), suspected_s, declared_s, at_s)
                declared_s = math.inf
        if declared_s < until_s:
            yield Sighting(int(cluster[row]), suspected_s, declared_s, math.inf)


def _listened(
    settings: HealthSettings, cluster: Rows, arrived_s: Floats, weather: Weather, until_s: float, seed: int
) -> Iterator[Sighting]:
    """Silences that are too long, of leases and of heartbeats."""
    beating = settings.watched == "beating"
    silence_s = settings.missed_heartbeats * settings.report_period_s if beating else settings.grace_s
    with np.errstate(invalid="ignore"):  # infinite less infinite, after the last
        gap = np.diff(arrived_s, axis=1) > silence_s
    for row in np.flatnonzero(gap.any(axis=1)):
        times = arrived_s[row]
        ends = np.flatnonzero(gap[row])
        silences = [(float(times[end]), float(times[end + 1])) for end in ends]
        questions = stream(seed, f"federation cluster {int(cluster[row])}", "witnesses")
        yield from _silences(settings, int(cluster[row]), silences, silence_s, weather, questions, until_s)


def _silences(
    settings: HealthSettings,
    cluster: int,
    silences: list[tuple[float, float]],
    silence_s: float,
    weather: Weather,
    questions: np.random.Generator,
    until_s: float,
) -> Iterator[Sighting]:
    declared_s, suspected_s, cleared_s = math.inf, math.inf, math.inf
    reprieve_s = settings.reprieve_s
    for heard_s, heard_again_s in silences:
        suspicion_s = _next_look_s(heard_s + silence_s, settings.monitor_period_s)
        if suspicion_s >= min(heard_again_s, until_s):
            continue  # it was heard before anyone looked
        if declared_s < math.inf and suspicion_s < cleared_s:
            cleared_s = heard_again_s + settings.success_threshold_s  # silent again while it proved itself
            continue
        if declared_s < math.inf:
            yield Sighting(cluster, suspected_s, declared_s, cleared_s)
            declared_s = math.inf
        answered_s = _nobody_answers_s(settings, cluster, suspicion_s, heard_again_s, weather, questions)
        if answered_s >= min(heard_again_s, until_s):
            yield Sighting(cluster, suspicion_s, math.inf, heard_again_s)
            continue
        suspected_s, declared_s = suspicion_s, answered_s
        reprieved = heard_again_s - declared_s <= reprieve_s
        cleared_s = heard_again_s + (0.0 if reprieved else settings.success_threshold_s)
        reprieve_s = -1.0  # once
    if declared_s < math.inf:
        yield Sighting(cluster, suspected_s, declared_s, cleared_s if cleared_s < until_s else math.inf)


def _nobody_answers_s(
    settings: HealthSettings,
    cluster: int,
    suspicion_s: float,
    heard_again_s: float,
    weather: Weather,
    questions: np.random.Generator,
) -> float:
    """When a round of witnesses has waited in vain; they ask again as long as one of them has an answer."""
    if settings.watched == "leased":
        return suspicion_s
    this = np.array([cluster])
    asked_s = suspicion_s
    while asked_s < heard_again_s:
        moment = np.array([[asked_s]])
        dead = bool(weather.down.holds(this, moment)[0, 0])
        delay_s = weather.delay_s + float(weather.slow.later_by_s(this, moment)[0, 0])
        all_lost = bool((questions.random(weather.witnesses) < weather.lost_share).all())
        if dead or all_lost or delay_s > settings.witness_timeout_s:
            return asked_s + settings.witness_timeout_s
        asked_s += max(settings.witness_timeout_s, settings.monitor_period_s)
    return math.inf


def _next_look_s(after_s: float, period_s: float) -> float:
    """The first look of the monitor that comes after ``after_s``."""
    looks = math.floor(after_s / period_s) + 1
    return looks * period_s if looks * period_s > after_s else (looks + 1) * period_s
