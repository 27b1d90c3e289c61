"""``layers.federation`` of the experiment file: regional clusters, what is propagated over them, and how they fail over.

Policies are Karmada's own: ``policy`` is a file with a ``PropagationPolicy``, or in place the ``placement`` of one with the
weights of ``scores`` beside it.  With this layer the one cloud is gone: the clusters are where pictures are looked at.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from skyedge.errors import InputError, nearest
from skyedge.experiment.durations import Duration, Length
from skyedge.kube import FEDERATION, Manifest, parse_manifests
from skyedge.kube.karmada import ClusterPropagationPolicy, PropagationPolicy
from skyedge.layers.federation.failover_settings import FailoverSettings, settings_named
from skyedge.layers.federation.membership import origin_from
from skyedge.layers.federation.objects import PODS, Cluster, Demand, NodePool, Workload
from skyedge.layers.federation.placement import PlacementRules
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.reading.figures import SCORES as SCORES_KEY
from skyedge.layers.federation.reading.figures import WEIGH_BY_SCORE
from skyedge.layers.federation.reading.rules import rules_of
from skyedge.layers.federation.scores import score_named
from skyedge.layers.federation.spread import SpreadConstraint
from skyedge.layers.paths.terrestrial import TerrestrialRules
from skyedge.layers.scheduler.objects import PodShape
from skyedge.nodes.workload import GPU
from skyedge.profiles import Part
from skyedge.resources import find
from skyedge.yaml_files import read_yaml

WHERE = "layers.federation"
CONTROL_PLANE = "control-plane"
IN_PLACE_KEYS = ("placement", "scores", "weigh_by_score")
ORIGIN_LABEL = "skyedge.io/origin"


def _content(value: Any) -> Any:
    """What a file holds in place of its name, so that the content and not the name decides the digest."""
    if not isinstance(value, str):
        return value
    try:
        return read_yaml(find(value, kind="experiments"))
    except InputError as error:
        raise ValueError(str(error)) from None


def _listed(value: Any) -> Any:
    content = _content(value)
    return content["clusters"] if isinstance(content, dict) and list(content) == ["clusters"] else content


Policy = Annotated[dict[str, Any], BeforeValidator(_content)]


class Machines(Part):
    """Machines of one kind."""

    nodes: int = Field(default=1, ge=1, le=10_000)
    cpu: float = Field(default=32, gt=0, le=4096, description="Cores of each.")
    memory_gb: float = Field(default=256, gt=0, le=1e6)
    gpus: int = Field(default=1, ge=0, le=64)

    def pool(self) -> NodePool:
        """As the federation counts them."""
        free = {"cpu": round(self.cpu * 1000), "memory": round(self.memory_gb * 1e9), GPU: self.gpus * 1000}
        return NodePool(self.nodes, free)


class Needs(Part):
    """What one replica asks of a node."""

    cpu: float = Field(default=4, gt=0, le=4096)
    memory_gb: float = Field(default=16, gt=0, le=1e6)
    gpus: float = Field(default=1, ge=0, le=64)

    def shape(self) -> PodShape:
        """As the federation sees a replica."""
        request = {"cpu": round(self.cpu * 1000), "memory": round(self.memory_gb * 1e9), GPU: round(self.gpus * 1000)}
        return PodShape(tuple(sorted((name, amount) for name, amount in request.items() if amount)))


class Region(Part):
    """A regional cluster."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    region: str = ""
    provider: str = ""
    origin: str = Field(default="public-cloud", description="public-cloud, data-centre, edge or third-party.")
    zones: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    at: str | None = Field(default=None, description="A station that it stands beside; else give its position.")
    lat_deg: float | None = Field(default=None, ge=-90, le=90)
    lon_deg: float | None = Field(default=None, ge=-180, le=360)
    room: int | None = Field(default=None, ge=0, le=10**6, description="Replicas that fit; else give its machines.")
    machines: tuple[Machines, ...] = ()
    carbon_g_per_kwh: float | None = Field(default=None, ge=0, le=10_000)
    price_per_core_h: float | None = Field(default=None, ge=0, le=1e6)

    def cluster(self, lat_deg: float, lon_deg: float, shapes: Sequence[PodShape]) -> Cluster:
        """As the federation sees it, at a place; with ``room`` every node has just what the largest replica asks."""
        pools = tuple(machines.pool() for machines in self.machines)
        if self.room:
            most: Counter[str] = Counter()
            for shape in shapes:
                most |= Counter(dict(shape.request))
            pools = (NodePool(self.room, {**most, PODS: 1000}), *pools)
        facts = self._known()
        labels = {ORIGIN_LABEL: self.origin, **self.labels}
        return Cluster(
            self.name,
            labels,
            self.provider,
            self.region,
            self.zones,
            pools=pools,
            facts=facts,
            lat_deg=lat_deg,
            lon_deg=lon_deg,
        )

    def prices(self, needs: Needs) -> dict[str, float]:
        """For the bill of its replicas."""
        return {"cores_per_replica": needs.cpu, **self._known()}

    def _known(self) -> dict[str, float]:
        given = {name: getattr(self, name) for name in ("carbon_g_per_kwh", "price_per_core_h")}
        return {name: value for name, value in given.items() if value is not None}


class Training(Part):
    """A training that comes round and runs on one cluster, on the pictures that all of them have put by."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    every: Length = "24h"
    duration: Length = "2h"
    needs: Needs = Needs()
    policy: Policy = Field(default={"scores": {"data": 1}}, description="Where it runs; where most of its data is.")


class Network(Part):
    """What distance over the ground comes to."""

    base_hops: int = Field(default=2, ge=0, le=1000, description="Of any path, however short; assumed.")
    km_per_hop: float = Field(default=1000, gt=0, le=1e9, description="A further router every so many; assumed.")
    equipment_ms: float = Field(default=1.0, ge=0.001, le=10_000, description="One way, of a whole path; assumed.")

    def rules(self) -> TerrestrialRules:
        """As the layer understands them."""
        return TerrestrialRules(self.base_hops, self.km_per_hop, self.equipment_ms)


class Federation(Part):
    """Regional clusters in place of the one cloud."""

    clusters: Annotated[tuple[Region, ...], BeforeValidator(_listed)] = Field(
        min_length=1, description="The regional clusters, or a file with a list of them under `clusters`."
    )
    replicas: int = Field(default=1, ge=1, le=10**6, description="Of the big model; each is one models.ground_device.")
    needs: Needs = Needs()
    policy: Policy = Field(
        default_factory=dict, description="Where the big model runs: a PropagationPolicy, or its placement and scores."
    )
    trainings: tuple[Training, ...] = ()
    failover: str = Field(
        default="no-failover", description="no-failover, karmada-defaults, karmada-eviction-on or skyedge."
    )
    rebalance: Duration = Field(default="0s", description="Place the big model anew so often; 0s only once.")
    outlook: Length = Field(default="24h", description="How far ahead contact-window looks, if nothing is rebalanced.")
    start_s: float = Field(default=20.0, ge=0, le=3600, description="From order to service, with the image there; assumed.")
    image_mb: float = Field(default=1000.0, ge=0, le=1e6, description="Of the big model with its container; assumed.")
    control_plane_at: str | None = Field(default=None, description="The cluster beside which it stands; the first.")
    network: Network = Network()

    def names(self) -> list[str]:
        """Of the clusters, in the order of the file."""
        return [one.name for one in self.clusters]

    def score_names(self) -> list[str]:
        """Of all scores that its policies weigh."""
        policies = [(self.policy, f"{WHERE}.policy"), *((one.policy, f"{WHERE}.trainings") for one in self.trainings)]
        return [name for policy, where in policies for name in rules_from(policy, where).scores]

    def settings(self) -> FailoverSettings:
        """How it answers to a cluster that is out.

        Raises:
            InputError: if there are none of the name.
        """
        return settings_named(self.failover, where=f"{WHERE}.failover")

    def model(self, demand: Sequence[Demand]) -> Workload:
        """The big model as a workload.

        Raises:
            InputError: for a policy that is none.
        """
        rules = rules_from(self.policy, f"{WHERE}.policy")
        return _workload("big-model", "Deployment", self.replicas, self.needs.shape(), rules, demand)

    def training(self, number: int, demand: Sequence[Demand]) -> Workload:
        """A training as a workload of one replica.

        Raises:
            InputError: for a policy that is none.
        """
        training = self.trainings[number]
        rules = rules_from(training.policy, f"{WHERE}.trainings.{number}.policy")
        # It runs on one cluster; without a word about spreading it would go to each, as all that is duplicated does.
        rules = replace(rules, spread=rules.spread or (SpreadConstraint("cluster", 1, 1),))
        return _workload(training.name, "Job", 1, training.needs.shape(), rules, demand)

    def check(self, stations: Sequence[str]) -> None:
        """Check all that can be said without the sky.

        Raises:
            InputError: for a name that points to nothing or is there twice, or a place or room that is not said.
        """
        self.settings()
        names = self.names()
        _once(names, "clusters")
        _once([training.name for training in self.trainings], "trainings")
        for number, one in enumerate(self.clusters):
            where = f"{WHERE}.clusters.{number}"
            _check_origin(one.origin, f"{where}.origin")
            if (one.lat_deg is None) is not (one.lon_deg is None) or (one.at is None) is (one.lat_deg is None):
                raise InputError("say where it is: at, or lat_deg and lon_deg", where=where)
            if one.at is not None and one.at not in stations:
                raise InputError(f"there is no station '{one.at}'", where=f"{where}.at", nearest=nearest(one.at, stations))
            if (one.room is None) is (not one.machines):
                raise InputError("say how much fits: room, or machines", where=where)
        if self.control_plane_at is not None and self.control_plane_at not in names:
            at, where = self.control_plane_at, f"{WHERE}.control_plane_at"
            raise InputError(f"there is no cluster '{at}'", where=where, nearest=nearest(at, names))
        policies = [(self.policy, f"{WHERE}.policy")]
        policies += [(one.policy, f"{WHERE}.trainings.{number}.policy") for number, one in enumerate(self.trainings)]
        for policy, where in policies:
            _check_names(rules_from(policy, where), names, where)


def rules_from(policy: dict[str, Any], where: str) -> PlacementRules:
    """The rules of a policy: of a whole manifest, or of its placement with scores beside it.

    Raises:
        InputError: for what is no policy.
    """
    manifest = policy
    if "kind" not in policy:
        for key in policy:
            if key not in IN_PLACE_KEYS:
                raise InputError(f"a policy has no '{key}'", where=where, nearest=nearest(key, IN_PLACE_KEYS))
        annotations = {}
        if scores := policy.get("scores"):
            if not isinstance(scores, dict):
                raise InputError("scores are a mapping of names to weights", where=f"{where}.scores")
            annotations[SCORES_KEY] = ", ".join(f"{name}={weight}" for name, weight in scores.items())
        if policy.get("weigh_by_score"):
            annotations[WEIGH_BY_SCORE] = "true"
        manifest = {
            "apiVersion": "policy.karmada.io/v1alpha1",
            "kind": "PropagationPolicy",
            "metadata": {"name": "in-place", "namespace": "default", "annotations": annotations},
            "spec": {
                "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
                "placement": policy.get("placement") or {},
            },
        }
    read = parse_manifests(json.dumps(manifest), file=where, kinds=FEDERATION)
    found: list[Manifest[Any]] = [*read.of(PropagationPolicy), *read.of(ClusterPropagationPolicy)]
    if len(found) != 1:
        raise InputError("this should be one PropagationPolicy, or a placement", where=where)
    rules = rules_of(found[0])
    for name in rules.scores:
        score_named(name, where=f"{where}.scores")
    return rules


def _workload(
    name: str, kind: str, replicas: int, shape: PodShape, rules: PlacementRules, demand: Sequence[Demand]
) -> Workload:
    api = "apps/v1" if kind == "Deployment" else "batch/v1"
    return Workload(Resource(kind, name, "default", api), replicas, shape, rules, uid=name, demand=tuple(demand))


def _check_names(rules: PlacementRules, names: Sequence[str], where: str) -> None:
    affinities = [one for group in rules.groups for one in (group.affinity, *group.overflow)]
    affinities += [one.affinity for one in rules.static_weights]
    for affinity in affinities:
        for name in (*affinity.cluster_names, *affinity.exclude_clusters):
            if name not in names:
                raise InputError(f"there is no cluster '{name}'", where=where, nearest=nearest(name, names))


def _check_origin(word: str, where: str) -> None:
    try:
        origin_from(word)
    except InputError as error:
        raise InputError(error.message, where=where, nearest=error.nearest) from None


def _once(names: Sequence[str], what: str) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"'{twice}' is there twice", where=f"{WHERE}.{what}")
