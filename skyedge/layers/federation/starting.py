"""How long new copies take: the image, the container, the data, the model, each with a draw of its workload.

Constants are those of :mod:`skyedge.layers.elastic.profile`.  A copy is ready when its last replica is; replicas start side
by side, as many to a host as the profile says, and hosts pull the image at their own rate and at that of their region's
registry, which serves one copy after the other.
"""

from __future__ import annotations

import numpy as np

from skyedge.layers.elastic.profile import Image, StartUp
from skyedge.layers.federation.data import DataSets, LinkQueues, Network, Transfers, plan_transfers
from skyedge.layers.federation.detection import Spells
from skyedge.layers.federation.failover_events import Begun, Counts, Floats, Rows
from skyedge.streams import stream


class Starting:
    """Starts copies, and keeps what was moved for it.

    Args:
        start_up: rates and durations.
        image: what has to be on a host.
        network: regions and the links between them.
        workloads: how many there are.
        seed: keys one draw for each step of each workload.
        sets: data sets.
        set_of: the data set of each workload, (workloads,); -1: none.
        down: when clusters are dead, and no data can be read there.
    """

    def __init__(
        self,
        start_up: StartUp,
        image: Image,
        network: Network,
        workloads: int,
        seed: int,
        sets: DataSets | None = None,
        set_of: Rows | None = None,
        down: Spells | None = None,
    ) -> None:
        self._start_up, self._image, self._network = start_up, image, network
        self._factors = np.exp(start_up.spread * stream(seed, "federation", "starts").standard_normal((workloads, 4)))
        self._sets = sets
        self._set_of = np.full(workloads, -1, np.intp) if set_of is None else set_of
        self._links = LinkQueues(network)
        self._registry_free_s = np.full(len(network.hops), -np.inf)
        self._down = Spells() if down is None else down
        self.moved: list[Transfers] = []

    def begin(self, at_s: float, workload: Rows, cluster: Rows, replicas: Counts) -> Begun:
        """Copies that begin to start now; see :class:`skyedge.layers.federation.failover_events.Starts`."""
        start_up, factor = self._start_up, self._factors[workload]
        hosts = -(-replicas // start_up.instances_per_host)
        hosted_s = at_s + start_up.scheduling_s * factor[:, 0]
        pulled_s = self._pulled_s(hosted_s, cluster, hosts, factor[:, 1])
        in_turn_s = (np.minimum(replicas, start_up.instances_per_host) - 1) / start_up.sandboxes_per_s
        started_s = pulled_s + in_turn_s + start_up.sandbox_s * factor[:, 2]
        data_s = self._data_s(at_s, workload, cluster)
        return Begun(started_s, data_s, np.maximum(started_s, data_s) + start_up.model_load_s * factor[:, 3])

    def _pulled_s(self, hosted_s: Floats, cluster: Rows, hosts: Counts, factor: Floats) -> Floats:
        image, needed = self._image, self._image.pulled_bytes()
        if not needed:
            return hosted_s
        region = self._network.region[cluster]
        registry_s = np.empty(len(hosted_s))
        takes_s = hosts * needed / image.registry_bytes_per_s
        for one in np.unique(region):
            rows = np.flatnonzero(region == one)
            rows = rows[np.argsort(hosted_s[rows], kind="stable")]
            ahead_s = np.cumsum(takes_s[rows])
            asked_s = np.maximum(hosted_s[rows], self._registry_free_s[one])
            registry_s[rows] = np.maximum.accumulate(asked_s - (ahead_s - takes_s[rows])) + ahead_s
            self._registry_free_s[one] = registry_s[rows[-1]]
        return np.maximum(registry_s, hosted_s + needed / image.host_bytes_per_s * factor)

    def _data_s(self, at_s: float, workload: Rows, cluster: Rows) -> Floats:
        arrived_s = np.full(len(workload), at_s)
        rows = np.flatnonzero(self._set_of[workload] >= 0)
        if self._sets is None or not len(rows):
            return arrived_s
        alive = np.ones(len(self._network.region), bool)
        alive[self._down.cluster[(self._down.from_s <= at_s) & (at_s < self._down.until_s)]] = False
        transfers = plan_transfers(self._sets, self._network, alive, self._set_of[workload[rows]], cluster[rows])
        self.moved.append(transfers)
        arrived_s[rows] = self._links.send(at_s, transfers)
        # Data that is lost is not waited for: the workload begins anew, without.
        arrived_s[rows[transfers.data_lost]] = at_s
        return arrived_s
