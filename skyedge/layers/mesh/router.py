"""Where each request of a batch goes: rule, destination, priority, locality, endpoint, for one caller's proxy.

    router = Router(mesh, caller)
    keys = router.keys.numbers(requests)                      # once; the same request has the same key
    routed = router.route(keys, BatchDraws.of(random, len(keys)))
    router.finish(routed.endpoints)                           # when the answers are there

The batch is decided in columns, and comes out as if its requests had been routed one after another by the functions of
:mod:`~skyedge.layers.mesh.http_route`, :mod:`~skyedge.layers.mesh.priority_load`, :mod:`~skyedge.layers.mesh.balancing` and
:mod:`~skyedge.layers.mesh.hash_tables` with the same draws.  A change of endpoints (:meth:`Router.update`,
:meth:`Router.eject`) rewrites the rows of one service.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyedge.errors import InputError
from skyedge.layers.mesh.compiled import NO_ROW, RequestKeys
from skyedge.layers.mesh.endpoint_table import EndpointTable
from skyedge.layers.mesh.http_route import Destination
from skyedge.layers.mesh.objects import Caller, DestinationRule, Mesh, MeshEndpoint, Service, effective_policy
from skyedge.layers.mesh.picking import Picker
from skyedge.layers.mesh.pools import Cluster, cluster_of
from skyedge.layers.mesh.rows import Indices
from skyedge.layers.mesh.virtual_hosts import Domains, VirtualHosts

UNAVAILABLE = 503
"""The answer where a route leads to nobody: no such service or subset, or no endpoint that is well."""

NOBODY, NO_CLUSTER = -1, -1
Draws = NDArray[np.float64]


@dataclass(frozen=True)
class BatchDraws:
    """The chance of a batch, uniform in [0, 1).

    Attributes:
        destination: (n,), which destination of the rule.
        pool: (n,), which priority and locality.
        endpoints: (n, 2), which endpoints are looked at.
        abort, delay: (n,), whether a fault strikes; None: as all 0, so that every fault strikes.
    """

    destination: Draws
    pool: Draws
    endpoints: Draws
    abort: Draws | None = None
    delay: Draws | None = None

    @classmethod
    def of(cls, random: np.random.Generator, count: int, *, faults: bool = False) -> BatchDraws:
        """Draws for ``count`` requests from a stream."""
        drawn = random.random((6 if faults else 4, count))
        pair = drawn[2:4].T
        return cls(drawn[0], drawn[1], pair, *(drawn[4:6] if faults else ()))


@dataclass(frozen=True)
class Routed:
    """What became of a batch, one entry for each request.

    Attributes:
        status: 200 where an endpoint was chosen; else the answer of the proxy itself.
        rules: number of the rule of the virtual host that it met; -1 for none.
        destinations: number of the destination in the rule; -1 if the proxy answers.
        clusters: number of the cluster that it leads to; -1 if the proxy answers, or there is none such.
        endpoints: number of the endpoint; -1 for nobody.
        priorities, localities: of the pool that it was chosen from; -1 for none, or for several localities.
        delay_s: what a fault adds before all else.
    """

    status: NDArray[np.int32]
    rules: Indices
    destinations: Indices
    clusters: Indices
    endpoints: Indices
    priorities: Indices
    localities: Indices
    delay_s: Draws


class Router:
    """The routes of one caller, compiled as they are needed.

    Args:
        mesh: services, endpoints and rules.
        caller: whose proxy it is.

    Attributes:
        keys: requests as numbers.
        table: endpoints as numbers.
        clusters: what routes lead to, by number.

    Raises:
        InputError: as :class:`~skyedge.layers.mesh.endpoint_table.EndpointTable`.
    """

    def __init__(self, mesh: Mesh, caller: Caller) -> None:
        self.mesh, self.caller = mesh, caller
        self._services = {service.host: service for service in mesh.services}
        self.table = EndpointTable([service.host for service in mesh.services], mesh.endpoints)
        self._rules = destination_rules(mesh, caller)
        self.clusters: list[Cluster] = []
        self._cluster_numbers: dict[tuple[str, str, int | None], int] = {}
        self._clusters_of: dict[int, list[int]] = {}
        self._picker = Picker(self.table, caller)
        self.keys = RequestKeys(
            VirtualHosts(mesh, caller), caller, self._cluster_of_destination, allow_any=mesh.defaults.allow_any
        )

    def route(self, keys: Indices, draws: BatchDraws) -> Routed:
        """Route a batch, in order; requests count as active at their endpoints until :meth:`finish`.

        Args:
            keys: (n,), numbers of :attr:`keys`.
            draws: for the batch.
        """
        known, count = self.keys, len(keys)
        status, rows = known.status[keys], known.row[keys]
        delay_s = np.zeros(count)
        if known.has_faults:
            aborted, delay_s = self._faults(keys, draws)
            status = np.where(aborted, known.abort_status[keys], status)
            rows = np.where(aborted, NO_ROW, rows)
        if rows.size and rows.min() >= 0:
            destinations, clusters = known.clusters(rows, draws.destination)
            endpoints, priorities, localities = self.pick(keys, clusters, draws)
        else:
            destinations, clusters, endpoints, priorities, localities = np.full((5, count), NOBODY, np.intp)
            going = np.flatnonzero(rows >= 0)
            if going.size:
                part = BatchDraws(draws.destination[going], draws.pool[going], draws.endpoints[going])
                destinations[going], clusters[going] = known.clusters(rows[going], part.destination)
                picked = self.pick(keys[going], clusters[going], part)
                endpoints[going], priorities[going], localities[going] = picked
        lost = (rows >= 0) & (endpoints < 0)
        if lost.any():
            status[lost] = UNAVAILABLE
        return Routed(status, known.rule[keys], destinations, clusters, endpoints, priorities, localities, delay_s)

    def pick(self, keys: Indices, clusters: Indices, draws: BatchDraws) -> tuple[Indices, Indices, Indices]:
        """Endpoints for requests whose clusters are known, as for another try; numbers of endpoint, priority, locality.

        Args:
            keys: (n,), by which consistent hashing knows them.
            clusters: (n,); -1 for none.
            draws: ``pool`` and ``endpoints`` are used.
        """
        return self._picker.pick(keys, clusters, draws.pool, draws.endpoints, self.keys)

    def finish(self, endpoints: ArrayLike) -> None:
        """Requests at these endpoints are over; -1 stands for nobody."""
        rows = np.asarray(endpoints, np.intp)
        if rows.size and rows.min() < 0:
            rows = rows[rows >= 0]
        np.subtract.at(self.table.active, rows, 1)

    def update(self, service: str, endpoints: Iterable[MeshEndpoint]) -> None:
        """The endpoints of a service are now these.  Costs in proportion to the service.

        Raises:
            InputError: as :meth:`~skyedge.layers.mesh.endpoint_table.EndpointTable.update`.
        """
        self.table.update(service, endpoints)
        for cluster in self._clusters_of.get(self.table.number(service), ()):
            self._picker.regroup(cluster)

    def eject(self, endpoints: ArrayLike) -> None:
        """Leave endpoints out, by number.  Costs in proportion to their services."""
        self._set_ejected(np.asarray(endpoints, np.intp), ejected=True)

    def restore(self, endpoints: ArrayLike) -> None:
        """Take ejected endpoints back."""
        self._set_ejected(np.asarray(endpoints, np.intp), ejected=False)

    def reweigh(self, endpoints: ArrayLike, weights: ArrayLike) -> None:
        """Give endpoints other weights, as a warm-up does, without moving shares between localities."""
        rows = np.asarray(endpoints, np.intp)
        self.table.weight[rows] = weights
        self._refresh(rows)

    def cluster(self, host: str, subset: str = "", port: int | None = None) -> int:
        """The number of a cluster; -1 if there is no such service or subset."""
        place = (host, subset, port)
        if place not in self._cluster_numbers:
            service = self._services.get(host)
            self._cluster_numbers[place] = NO_CLUSTER if service is None else self._new_cluster(service, subset, port)
        return self._cluster_numbers[place]

    def _cluster_of_destination(self, to: Destination, port: int) -> int:
        service = self._services.get(to.host)
        if service is None:
            return NO_CLUSTER
        reached = service.reached_by(to.port if to.port is not None else port)
        return NO_CLUSTER if reached is None else self.cluster(to.host, to.subset, reached)

    def _new_cluster(self, service: Service, subset: str, port: int | None) -> int:
        rule = self._rules.find(service.host.lower())
        named = rule.subset(subset) if rule is not None else None
        if subset and named is None:
            return NO_CLUSTER
        labels = named.labels if named is not None else {}
        policy = effective_policy(rule, subset, port)
        cluster = cluster_of(service, subset, port, labels, policy, self.mesh.defaults)
        number = len(self.clusters)
        self.clusters.append(cluster)
        self._clusters_of.setdefault(self.table.services[service.host], []).append(number)
        self._picker.add(cluster)
        return number

    def _faults(self, keys: Indices, draws: BatchDraws) -> tuple[NDArray[np.bool_], Draws]:
        known, zeros = self.keys, np.zeros(len(keys))
        aborted = (zeros if draws.abort is None else draws.abort) * 100 < known.abort_percent[keys]
        delayed = (zeros if draws.delay is None else draws.delay) * 100 < known.delay_percent[keys]
        return aborted, np.where(delayed, known.delay_s[keys], 0.0)

    def _set_ejected(self, rows: Indices, *, ejected: bool) -> None:
        changed = rows[self.table.ejected[rows] != ejected]
        self.table.ejected[changed] = ejected
        self._refresh(changed)

    def _refresh(self, rows: Indices) -> None:
        for service in np.unique(self.table.service[rows]).tolist():
            for cluster in self._clusters_of.get(service, ()):
                self._picker.refresh(cluster)


def destination_rules(mesh: Mesh, caller: Caller) -> Domains[DestinationRule]:
    """The destination rule of each host: of several the caller's namespace's, then the first.

    Raises:
        InputError: if a rule has two subsets of one name.
    """
    for rule in mesh.rules:
        names = [subset.name for subset in rule.subsets]
        if len(set(names)) != len(names):
            raise InputError(f"the destination rule of '{rule.host}' has two subsets of one name")
    ordered = sorted(mesh.rules, key=lambda rule: rule.namespace != caller.namespace)
    return Domains((rule.host, rule) for rule in ordered)
