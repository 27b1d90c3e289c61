"""What runs: pods, virtual machines and machines without any, and where.

A pod's locality is that of its node, unless its label ``istio-locality`` says otherwise.  What stands outside of clusters is
a ``WorkloadEntry``, which names its locality itself and may say with ``skyedge.io/runs-in`` that it is ``bare-metal``.

Its label ``topology.istio.io/network`` names its network, or else that of the namespace ``istio-system`` (Istio's rule).
Between the two comes the label of a pod's node: files may hold several clusters, and in Istio each has such a namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from skyedge.errors import nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube.cluster import Namespace, Node, NodeCondition
from skyedge.kube.istio_hosts import ServiceEntry, WorkloadEntry, WorkloadEntrySpec
from skyedge.kube.pods import Pod, PodCondition
from skyedge.layers.mesh.locality import NETWORK, NOWHERE, Locality
from skyedge.layers.mesh.objects import CLUSTER_DOMAIN, Caller, RunsIn
from skyedge.layers.mesh.reading.names import ROOT_NAMESPACE, namespace_of

REGION, ZONE, SUBZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"
HOSTNAME = "kubernetes.io/hostname"
INJECT = "sidecar.istio.io/inject"
POD_LOCALITY = "istio-locality"
RUNS_IN = "skyedge.io/runs-in"
TRUST_DOMAIN = CLUSTER_DOMAIN.removeprefix("svc.")


@dataclass(frozen=True, eq=False)
class Workload:
    """Something that runs.

    Attributes:
        name: unique in its namespace.
        labels: its own and those that say where it is, as failover priorities compare them.
        ports: numbers by the names of a service's ports, as far as it says them.
        container_ports: numbers by the names that its containers give them.
        annotations: for how it behaves.
    """

    name: str
    namespace: str
    address: str
    manifest: Manifest[Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    locality: Locality = NOWHERE
    network: str = ""
    node: str = ""
    service_account: str = "default"
    runs_in: RunsIn = RunsIn.CONTAINER
    weight: int = 1
    ports: Mapping[str, int] = field(default_factory=dict)
    container_ports: Mapping[str, int] = field(default_factory=dict)
    healthy: bool = True
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_proxy(self) -> bool:
        """Whether it has a proxy of the mesh, which shows its certificate and asks who calls.

        It has one unless it says otherwise, or a ``ServiceEntry`` writes it as one outside of the mesh (Istio).
        """
        written = self.manifest.object
        if isinstance(written, ServiceEntry) and written.spec.location == "MESH_EXTERNAL":
            return False
        return "false" not in (self.labels.get(INJECT), self.annotations.get(INJECT))

    @property
    def caller(self) -> Caller:
        """The same as somebody who calls."""
        return Caller(f"{self.namespace}/{self.name}", self.locality, self.labels, self.namespace, self.network, self.node)


@dataclass(frozen=True)
class Place:
    """Where a node is."""

    locality: Locality
    network: str
    ready: bool


def read_locality(text: str) -> Locality:
    """``region/zone/subzone``, or with dots in their place where there is no slash (Istio's label)."""
    parts = text.split("/") if "/" in text else text.split(".")
    return Locality(*parts[:3])


def located(labels: Mapping[str, str], locality: Locality, network: str, node: str) -> dict[str, str]:
    """Labels, and with them where their owner is, as Istio adds it to those of an endpoint."""
    more = {REGION: locality.region, ZONE: locality.zone, SUBZONE: locality.subzone, NETWORK: network, HOSTNAME: node}
    return {**{label: value for label, value in more.items() if value}, **labels}


def default_network(manifests: Manifests, warnings: list[str]) -> str:
    """The network of whatever does not name one; empty if it has no name."""
    system = [one for one in manifests.of(Namespace) if one.object.metadata.name == ROOT_NAMESPACE]
    said = {one.object.metadata.labels.get(NETWORK, "") for one in system}
    if len(said) > 1:
        place = system[-1].place("metadata", "labels", NETWORK)
        warnings.append(f"{place}: not used: clusters have different networks, and only labels of nodes tell them apart")
    return said.pop() if len(said) == 1 else ""


def read_places(manifests: Manifests, default: str = "") -> dict[str, Place]:
    """Where each node is; ``default`` is the network of those that name none."""
    places = {}
    for manifest in manifests.of(Node):
        node = manifest.object
        labels = node.metadata.labels
        locality = Locality(*(labels.get(label, "") for label in (REGION, ZONE, SUBZONE)))
        places[node.metadata.name] = Place(locality, labels.get(NETWORK) or default, _is_ready(node.status.conditions))
    return places


def _is_ready(conditions: Iterable[NodeCondition | PodCondition]) -> bool:
    """Whether a node or a pod is ready; one that does not say is."""
    return all(condition.status == "True" for condition in conditions if condition.type == "Ready")


def read_workloads(
    manifests: Manifests, places: Mapping[str, Place], warnings: list[str], default: str = ""
) -> list[Workload]:
    """Everything that runs, by namespace and name; a pod that has ended or has no node yet does not.

    Args:
        places: of nodes.
        warnings: is told of nodes that are not there, and of pods that have no address yet.
        default: the network of those that name none.

    Raises:
        InputError: if one is there twice, or says that it runs in what is unknown.
    """
    found: dict[tuple[str, str], Workload] = {}
    everything = [_pod(one, places, warnings, default) for one in manifests.of(Pod) if _runs(one, warnings)]
    everything += [_entry(one, default) for one in manifests.of(WorkloadEntry)]
    for workload in everything:
        key = (workload.namespace, workload.name)
        if key in found:
            there = found[key].manifest.place()
            path = ("metadata", "name")
            raise workload.manifest.error(path, f"'{workload.name}' is there already in '{workload.namespace}': {there}")
        found[key] = workload
    return [found[key] for key in sorted(found)]


def runs_in(manifest: Manifest[Any], said: Mapping[str, str], path: tuple[str, ...]) -> RunsIn:
    """What a machine outside of a cluster is; a virtual one if it does not say."""
    text = said.get(RUNS_IN, RunsIn.VIRTUAL_MACHINE.value)
    words = [one.value for one in RunsIn]
    if text not in words:
        message = f"this should be one of {', '.join(words)}, not '{text}'"
        raise manifest.error((*path, RUNS_IN), message, nearest(text, words))
    return RunsIn(text)


def of_entry(
    manifest: Manifest[Any],
    name: str,
    namespace: str,
    spec: WorkloadEntrySpec,
    annotations: Mapping[str, str],
    default_network: str = "",
) -> Workload:
    """A workload as an entry writes it, one of its own or one within a ``ServiceEntry``."""
    locality = read_locality(spec.locality) if spec.locality else NOWHERE
    network = spec.network or spec.labels.get(NETWORK) or default_network
    own = {**spec.labels, **annotations}
    path = ("metadata", "annotations") if RUNS_IN in annotations else ("spec", "labels")
    return Workload(
        name,
        namespace,
        spec.address or name,
        manifest,
        labels=located(spec.labels, locality, network, ""),
        locality=locality,
        network=network,
        service_account=spec.service_account or "default",
        runs_in=runs_in(manifest, own, path),
        weight=spec.weight or 1,
        ports=spec.ports,
        annotations=own,
    )


def _entry(manifest: Manifest[WorkloadEntry], default: str) -> Workload:
    metadata, spec = manifest.object.metadata, manifest.object.spec
    annotations = {**metadata.labels, **metadata.annotations}
    return of_entry(manifest, metadata.name, namespace_of(metadata), spec, annotations, default)


def _runs(manifest: Manifest[Pod], warnings: list[str]) -> bool:
    """Whether a pod runs; one that waits on its node for an address is no endpoint, as in Kubernetes.

    A file that people wrote often says nothing of the status; then the pod's name stands for its address.
    """
    pod = manifest.object
    phase, node = pod.status.phase, pod.spec.node_name
    ended = phase in ("Succeeded", "Failed")
    waits = phase in ("", "Pending") and not node
    if ended or waits or pod.metadata.deletion_timestamp:
        return False
    starts = phase == "Pending" and not pod.status.pod_ip
    if starts:
        warnings.append(f"{manifest.place('status')}: the pod '{pod.metadata.name}' has no podIP yet, so nobody can ask it")
    return not starts


def _pod(manifest: Manifest[Pod], places: Mapping[str, Place], warnings: list[str], default: str) -> Workload:
    pod = manifest.object
    metadata, node = pod.metadata, pod.spec.node_name
    place = places.get(node, Place(NOWHERE, default, True))
    if node and places and node not in places:
        close = nearest(node, places)
        hint = f" (did you mean '{close}'?)" if close else ""
        warnings.append(
            f"{manifest.place('spec', 'nodeName')}: there is no node '{node}', so where the pod is is not known{hint}"
        )
    said = metadata.labels.get(POD_LOCALITY)
    locality = place.locality if said is None else read_locality(said)
    network = metadata.labels.get(NETWORK) or place.network
    return Workload(
        metadata.name,
        namespace_of(metadata),
        pod.status.pod_ip or metadata.name,
        manifest,
        labels=located(metadata.labels, locality, network, node),
        locality=locality,
        network=network,
        node=node,
        service_account=pod.spec.service_account_name or "default",
        healthy=place.ready and pod.status.phase != "Unknown" and _is_ready(pod.status.conditions),
        container_ports=_container_ports(pod),
        annotations=metadata.annotations,
    )


def _container_ports(pod: Pod) -> dict[str, int]:
    """Ports that have a name, of containers and sidecars; the first of a name counts (Kubernetes)."""
    sidecars = [one for one in pod.spec.init_containers if one.restart_policy == "Always"]
    found: dict[str, int] = {}
    for port in (port for container in (*pod.spec.containers, *sidecars) for port in container.ports):
        if port.name and port.protocol == "TCP":
            found.setdefault(port.name, port.container_port)
    return found
