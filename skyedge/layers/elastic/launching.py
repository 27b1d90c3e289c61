"""From the wish for instances to the moment at which each is ready, for a whole cohort at once.

Steps of a start, each of which scales with a log-normal of its own: admission (a token bucket), scheduling, the image (one
pull a host where hosts keep it; the host's rate and the registry's are shared first in, first out), the sandbox (a host
starts so many a second), the model.  Hosts fill up one after the other, so that the fewest have to pull.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.elastic.profile import Image, StartUp
from skyedge.streams import stream
from skyedge.time import SECOND, Instant

Instants = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Timeline:
    """Milestones of a cohort of launches, microseconds, each (instances,)."""

    requested_us: Instants
    admitted_us: Instants
    provisioned_us: Instants
    pulled_us: Instants
    started_us: Instants
    ready_us: Instants

    def table(self) -> Instants:
        """All milestones in the order of the life of an instance, (instances, 6)."""
        columns = (self.requested_us, self.admitted_us, self.provisioned_us, self.pulled_us, self.started_us, self.ready_us)
        return np.stack(columns, axis=1)


def first_in_first_out(at: Instants, service_us: int, server: NDArray[np.intp], free_us: Instants) -> Instants:
    """When each request is served, (requests,), by the one of several servers that it needs.

    finish[i] = max(at[i], finish[i-1]) + service in the order of arrival at a server (Lindley 1952), ties in the order
    given.  ``free_us``, (servers,), when each server is free, is brought up to date.
    """
    order = np.lexsort((at, server))
    of = server[order]
    first = np.flatnonzero(np.diff(of, prepend=-1))
    group = np.zeros(len(of), np.int64)
    group[first[1:]] = 1
    group = np.cumsum(group)
    rank = np.arange(len(of)) - first[group]
    begun = np.maximum(at[order], free_us[of]) - rank * service_us
    # A running maximum within each group: lift each group above the ones before.
    lowest = begun.min(initial=0)
    lift = (begun.max(initial=0) - lowest + 1) * group
    finish = np.maximum.accumulate(begun - lowest + lift) - lift + lowest + (rank + 1) * service_us
    free_us[of] = finish  # the last of each server stays
    in_given_order = np.empty_like(finish)
    in_given_order[order] = finish
    return in_given_order


class Launcher:
    """A platform that launches instances: what is left in its bucket, which hosts have room and which the image.

    Args:
        start_up: rates and durations.
        image: what has to be on a host.
        name: of the pool; keys the random stream with ``seed``.
        seed: of the run.
    """

    def __init__(self, start_up: StartUp, image: Image, *, name: str, seed: int) -> None:
        self._start_up = start_up
        self._image = image
        self._draws = stream(seed, name, "start")
        hosts = -(-start_up.quota // start_up.instances_per_host)
        self._free_place = np.ones(start_up.quota, bool)
        self._bucket_us = 0.0  # theoretical arrival time of the next launch
        pulls = image.pulled_bytes() > 0
        self._image_at = np.full(hosts, np.iinfo(np.int64).max if pulls else 0, np.int64)
        self._pull_free = np.zeros(hosts, np.int64)
        self._registry_free = np.zeros(1, np.int64)
        self._sandbox_free = np.zeros(hosts, np.int64)
        self._room = start_up.quota

    @property
    def room(self) -> int:
        """How many more instances the quota allows."""
        return self._room

    def release(self, place: int) -> None:
        """The instance at ``place`` is gone."""
        self._free_place[place] = True
        self._room += 1

    def launch(self, count: int, now: Instant) -> tuple[Timeline, NDArray[np.intp]]:
        """Launch ``count`` instances, no more than there is room for: their milestones and places, in order of admission."""
        start_up = self._start_up
        places = np.flatnonzero(self._free_place)[:count]
        self._free_place[places] = False
        self._room -= count
        host = places // start_up.instances_per_host
        factors = np.exp(start_up.spread * self._draws.standard_normal((count, 4)))
        requested = np.full(count, now, np.int64)
        admitted = self._admit(count, now)
        provisioned = admitted + _us(start_up.scheduling_s * factors[:, 0])
        pulled = self._pull(host, provisioned, factors[:, 1])
        spacing_us = round(SECOND / start_up.sandboxes_per_s)
        turn = first_in_first_out(pulled, spacing_us, host, self._sandbox_free) - spacing_us
        started = turn + _us(start_up.sandbox_s * factors[:, 2])
        ready = started + _us(start_up.model_load_s * factors[:, 3])
        return Timeline(requested, admitted, provisioned, pulled, started, ready), places

    def _admit(self, count: int, now: Instant) -> Instants:
        """A token bucket as virtual scheduling (the GCRA of ITU-T I.371): exact, and without a count of tokens."""
        interval_us = SECOND / self._start_up.launches_per_s
        tolerance_us = (self._start_up.launch_burst - 1) * interval_us
        first = max(self._bucket_us, float(now))
        due = first + interval_us * np.arange(count)
        self._bucket_us = first + interval_us * count
        return np.maximum(now, np.ceil(due - tolerance_us).astype(np.int64))

    def _pull(self, host: NDArray[np.intp], provisioned: Instants, factor: NDArray[np.float64]) -> Instants:
        """When each instance has its image."""
        image, needed = self._image, self._image.pulled_bytes()
        if not needed:
            return provisioned
        if image.kept_on_hosts:
            missing = np.flatnonzero(self._image_at[host] == np.iinfo(np.int64).max)
            # The first instance that a host is given begins the pull for all of that host.
            order = missing[np.lexsort((provisioned[missing], host[missing]))]
            row = order[np.flatnonzero(np.diff(host[order], prepend=-1))]
        else:
            row = np.arange(len(host))
        asked, of = provisioned[row], host[row]
        over_registry = first_in_first_out(
            asked,
            round(needed / image.registry_bytes_per_s * SECOND),
            np.zeros(len(row), np.intp),
            self._registry_free,
        )
        alone_us = round(needed / image.host_bytes_per_s * SECOND)
        on_host = first_in_first_out(asked, alone_us, of, self._pull_free) + _us(alone_us * (factor[row] - 1) / SECOND)
        done = np.maximum(np.maximum(on_host, over_registry), asked)
        if not image.kept_on_hosts:
            return done
        self._image_at[of] = done
        return np.maximum(provisioned, self._image_at[host])


def _us(duration_s: NDArray[np.float64]) -> Instants:
    return np.rint(duration_s * SECOND).astype(np.int64)
