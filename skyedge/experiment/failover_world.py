"""The world in which a region of a federation dies: what runs where, what it serves, what data it has, what fails when.

All of it is drawn from the seed; nothing that an arm says of failover has a say in it.  Room is counted in cores of a whole
cluster: how it lies on nodes is the business of placement (:mod:`skyedge.layers.federation.placing`) and of its benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from skyedge.layers.elastic.profile import Image, StartUp
from skyedge.layers.federation.data import DataSets, Network, seconds_to_bring
from skyedge.layers.federation.detection import Spells
from skyedge.layers.federation.failover_events import Copies, Counts, Floats, Rows
from skyedge.profiles import Part
from skyedge.streams import stream

REPLICA_CORES = (1, 2, 4, 8)
CLUSTERS_OF_A_WORKLOAD = (1, 2, 3)
HOUR_S = 3600.0


class Heartbeats(Part):
    """How the arms that listen to heartbeats do so."""

    period_s: float = Field(default=0.5, ge=0.05, le=60, description="A choice.")
    missed: int = Field(default=4, ge=1, le=100, description="In a row, before witnesses are asked; a choice.")
    witness_timeout_s: float = Field(default=1.0, ge=0, le=60, description="A choice.")
    monitor_period_s: float = Field(default=0.1, ge=0.01, le=60, description="A choice.")
    reprieve_s: float = Field(
        default=5.0, ge=0, le=600, description="A cluster heard of so soon after it was declared dead was not; a choice."
    )


class Reports(Part):
    """What befalls heartbeats, probes and answers on their way."""

    lost_share: float = Field(default=0.01, ge=0, le=0.9, description="Assumed.")
    delay_s: float = Field(default=0.05, ge=0, le=10, description="Assumed.")
    slow_clusters: float = Field(default=0.02, ge=0, le=1, description="Share of clusters that are slow once; assumed.")
    slow_for_s: float = Field(default=120.0, gt=0, le=1e5, description="Assumed.")
    slow_delay_s: float = Field(default=1.0, ge=0, le=1000, description="Median of a log-normal; assumed.")
    slow_spread: float = Field(default=0.8, ge=0, le=3, description="Sigma of it; assumed.")


class Data(Part):
    """What has to move with a workload."""

    share: float = Field(default=0.5, ge=0, le=1, description="Of workloads that have data; assumed.")
    median_bytes: float = Field(default=5e9, ge=0, le=1e15, description="Of a log-normal; assumed.")
    spread: float = Field(default=1.5, ge=0, le=4, description="Sigma of it; assumed.")
    changed_per_hour: float = Field(default=0.02, ge=0, le=100, description="Share that is written anew; assumed.")
    backup_period_s: float = Field(default=3600.0, ge=0, le=1e7, description="Of a copy in another region; assumed.")
    lag_s: float = Field(default=5.0, ge=0, le=1e5, description="Of copies that follow at once; assumed.")
    standby: bool = Field(default=False, description="One such copy in another region, and workloads go where it is.")


class Links(Part):
    """Between and within regions."""

    between_bytes_per_s: float = Field(default=1.25e9, gt=0, le=1e15, description="10 Gbit/s a pair; assumed.")
    within_bytes_per_s: float = Field(default=1.25e10, gt=0, le=1e15, description="100 Gbit/s; assumed.")
    delay_s: float = Field(default=0.04, ge=0, le=10, description="One way between regions; assumed.")
    hops_between: int = Field(default=8, ge=1, le=100, description="Assumed.")
    hops_within: int = Field(default=3, ge=1, le=100, description="Assumed.")


class FederationFailoverParameters(Part):
    """A federation, what runs on it, what fails, and who answers how."""

    regions: int = Field(default=10, ge=2, le=1000)
    clusters: int = Field(default=1000, ge=2, le=100_000, description="As many in every region, or one more.")
    nodes: int = Field(default=1000, ge=1, le=100_000, description="Of a cluster: no more of them can be free.")
    node_cores: int = Field(default=32, ge=8, le=1024)
    workloads: int = Field(default=5000, ge=1, le=10**6)
    median_replicas: float = Field(default=20.0, ge=1, le=1e5, description="Of a log-normal of sigma 1; assumed.")
    requests_per_s: float = Field(default=20.0, gt=0, le=1e6, description="Of a replica, median; assumed.")
    headroom: float = Field(default=0.2, ge=0, le=10, description="What a replica can serve beyond its share; assumed.")
    room: float = Field(
        default=3.0, ge=0, le=100, description="Cores free in all other regions ÷ cores in use in the one that dies."
    )
    fails_after_s: float = Field(default=600.0, ge=0, le=1e6)
    fails_within_s: float = Field(default=300.0, ge=0, le=1e6, description="The seed draws the moment.")
    outage_s: float = Field(default=1800.0, gt=0, le=1e6)
    horizon_s: float = Field(default=3600.0, gt=0, le=1e6)
    failover: Literal["no-failover", "karmada-defaults", "karmada-eviction-on", "skyedge"] = "skyedge"
    decision_s: float = Field(
        default=0.3,
        ge=0,
        le=3600,
        description="To place all that one moment asks for: measured by benchmarks/federation.py, 100 clusters lost.",
    )
    heartbeats: Heartbeats = Heartbeats()
    reports: Reports = Reports()
    image: Image = Image()
    start_up: StartUp = StartUp()
    data: Data = Data()
    links: Links = Links()


@dataclass(frozen=True, eq=False)
class World:
    """What a seed decides, whoever answers: what runs where, what it serves, what data it has, and what fails."""

    region: Rows  # of each cluster
    room: Counts  # free cores of each cluster
    cores: Counts  # of one replica of each workload
    wanted: Counts  # replicas of each workload
    demand_rps: Floats
    running: Copies
    down: Spells
    fails_at_s: float
    returns_at_s: float
    network: Network
    sets: DataSets
    set_of: Rows

    def waits_s(self, workload: Rows) -> Floats:
        """How long each cluster would wait for the data of each workload, while the region is dead."""
        alive = np.ones(len(self.region), bool)
        alive[self.down.cluster] = False
        waits = np.zeros((len(workload), len(self.region)))
        rows = np.flatnonzero(self.set_of[workload] >= 0)
        waits[rows] = seconds_to_bring(self.sets, self.network, alive, self.set_of[workload[rows]])
        return waits


def world_of(parameters: FederationFailoverParameters, seed: int) -> World:
    """The world of a seed; nothing that an arm says of failover has a say in it, and standby copies only add to it."""
    draw = stream(seed, "federation-failover", "world")
    clusters, workloads = parameters.clusters, parameters.workloads
    region, down = _regions(parameters), outage(parameters, seed)
    dies = down.cluster
    cores = draw.choice(REPLICA_CORES, workloads).astype(np.int64)
    replicas = np.ceil(parameters.median_replicas * np.exp(draw.standard_normal(workloads))).astype(np.int64)
    rps_of_replica = parameters.requests_per_s * np.exp(draw.standard_normal(workloads))
    demand_rps: Floats = replicas.astype(np.float64) * rps_of_replica
    spread = np.minimum(np.minimum(draw.choice(CLUSTERS_OF_A_WORKLOAD, workloads, p=(0.5, 0.3, 0.2)), replicas), clusters)
    first = draw.integers(clusters, size=workloads)
    step = draw.integers(1, max(2, clusters // len(CLUSTERS_OF_A_WORKLOAD)), size=workloads)
    workload = np.repeat(np.arange(workloads), spread)
    rank = np.arange(len(workload)) - np.repeat(np.cumsum(spread) - spread, spread)
    cluster = (first[workload] + rank * step[workload]) % clusters
    share, rest = replicas // spread, replicas % spread
    running = Copies.running(workload, cluster, share[workload] + (rank < rest[workload]))

    weight = draw.exponential(size=clusters)
    used = int((running.replicas * cores[workload])[np.isin(cluster, dies)].sum())
    weight *= parameters.room * used / max(weight[region != region[dies[0]]].sum(), 1e-9)
    room = np.minimum(weight, parameters.nodes * parameters.node_cores).astype(np.int64)
    sets, set_of = _data_sets(parameters, draw, region, running)
    return World(
        region,
        room,
        cores,
        replicas,
        demand_rps,
        running,
        down,
        float(down.from_s[0]),
        float(down.until_s[0]),
        _network(parameters, region),
        sets,
        set_of,
    )


def _regions(parameters: FederationFailoverParameters) -> Rows:
    """Of each cluster; neighbours share one."""
    return np.arange(parameters.clusters) * parameters.regions // parameters.clusters


def outage(parameters: FederationFailoverParameters, seed: int) -> Spells:
    """When which clusters are gone."""
    draw = stream(seed, "federation-failover", "failure")
    at_s = parameters.fails_after_s + parameters.fails_within_s * float(draw.random())
    dies = np.flatnonzero(_regions(parameters) == draw.integers(parameters.regions)).tolist()
    return Spells.of([(cluster, at_s, at_s + parameters.outage_s) for cluster in dies])


def _data_sets(
    parameters: FederationFailoverParameters, draw: np.random.Generator, region: Rows, running: Copies
) -> tuple[DataSets, Rows]:
    """Data of some workloads: written on their first cluster, followed on their others, backed up in another region."""
    data, workloads, clusters = parameters.data, parameters.workloads, len(region)
    has = np.flatnonzero(draw.random(workloads) < data.share)
    size = data.median_bytes * np.exp(data.spread * draw.standard_normal(workloads))[has]
    age_s = data.backup_period_s * draw.random(workloads)[has]
    anywhere = draw.integers(clusters, size=(2, workloads))[:, has]
    set_of = np.full(workloads, -1, np.intp)
    set_of[has] = np.arange(len(has))
    first = np.searchsorted(running.workload, has)
    home = running.cluster[first]
    # Half a turn away is another region, whatever the draw says within it.
    elsewhere = [np.where(region[other] == region[home], (other + clusters // 2) % clusters, other) for other in anywhere]
    with_data = np.flatnonzero(set_of[running.workload] >= 0)
    follows = ~np.isin(with_data, first)
    of_copy = [set_of[running.workload[with_data]], np.arange(len(has))]
    where = [running.cluster[with_data], elsewhere[0]]
    lag_s = [np.where(follows, data.lag_s, 0.0), age_s]
    if data.standby:
        of_copy.append(np.arange(len(has)))
        where.append(elsewhere[1])
        lag_s.append(np.full(len(has), data.lag_s))
    of, at, lag = np.concatenate(of_copy), np.concatenate(where), np.concatenate(lag_s)
    order = np.argsort(of, kind="stable")
    return DataSets(size, size * data.changed_per_hour / HOUR_S, of[order], at[order], lag[order]), set_of


def _network(parameters: FederationFailoverParameters, region: Rows) -> Network:
    links = parameters.links
    within = np.eye(parameters.regions, dtype=bool)
    return Network(
        region,
        np.where(within, links.within_bytes_per_s, links.between_bytes_per_s),
        np.where(within, 0.0, links.delay_s),
        np.where(within, links.hops_within, links.hops_between).astype(np.int64),
    )
