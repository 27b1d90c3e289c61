"""Which kinds there are: (group of the API, kind) to the type that its manifests become.

A reader is given the kinds that it is to read, so that each part of the control plane brings its own; what else
Kubernetes has is known by name, to tell a manifest that has no bearing here from a misspelt one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from skyedge.errors import nearest
from skyedge.kube.cluster import ConfigMap, Node, PriorityClass
from skyedge.kube.pods import Pod
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Shape, right_word
from skyedge.kube.volcano import HyperNode, Job, PodGroup, Queue, SchedulerConfiguration


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    Args:
        versions: those that are read; they have the same fields as far as skyedge models them.
        namespaced: whether two namespaces may each have one of the same name.
        bare_keys: for a file that is no object of the API, the keys by which it is told.
    """

    group: str
    name: str
    type: type[Shape]
    versions: tuple[str, ...] = ("v1",)
    namespaced: bool = False
    bare_keys: frozenset[str] = frozenset()

    @property
    def api_versions(self) -> tuple[str, ...]:
        """As ``apiVersion`` says it."""
        return tuple(f"{self.group}/{version}" if self.group else version for version in self.versions)


SCHEDULING = (
    Kind("", "Node", Node),
    Kind("", "Pod", Pod, namespaced=True),
    Kind("", "ConfigMap", ConfigMap, namespaced=True),
    Kind("scheduling.k8s.io", "PriorityClass", PriorityClass),
    Kind("scheduling.volcano.sh", "Queue", Queue, ("v1beta1",)),
    Kind("scheduling.volcano.sh", "PodGroup", PodGroup, ("v1beta1",), namespaced=True),
    Kind("batch.volcano.sh", "Job", Job, ("v1alpha1",), namespaced=True),
    Kind("topology.volcano.sh", "HyperNode", HyperNode, ("v1alpha1",)),
    Kind("", "SchedulerConfiguration", SchedulerConfiguration, bare_keys=frozenset({"actions", "tiers"})),
)
"""What the batch scheduler reads."""

KNOWN_ELSEWHERE = {
    "": "Namespace Service ServiceAccount Endpoints Event LimitRange PersistentVolume PersistentVolumeClaim PodTemplate "
    "ReplicationController ResourceQuota Secret Binding ComponentStatus",
    "apps": "Deployment StatefulSet DaemonSet ReplicaSet ControllerRevision",
    "batch": "Job CronJob",
    "autoscaling": "HorizontalPodAutoscaler",
    "policy": "PodDisruptionBudget",
    "networking.k8s.io": "Ingress IngressClass NetworkPolicy",
    "rbac.authorization.k8s.io": "Role RoleBinding ClusterRole ClusterRoleBinding",
    "storage.k8s.io": "StorageClass CSIDriver CSINode CSIStorageCapacity VolumeAttachment",
    "coordination.k8s.io": "Lease",
    "discovery.k8s.io": "EndpointSlice",
    "node.k8s.io": "RuntimeClass",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "events.k8s.io": "Event",
    "batch.volcano.sh": "CronJob",
    "bus.volcano.sh": "Command",
    "flow.volcano.sh": "JobFlow JobTemplate",
    "nodeinfo.volcano.sh": "Numatopology",
}
"""Kinds that a cluster has and that a reader which was not given them passes over."""


class Registry:
    """Kinds by what a manifest says of itself."""

    def __init__(self, kinds: Iterable[Kind] = SCHEDULING) -> None:
        self.kinds = tuple(kinds)
        self._by_words = {(word, kind.name): kind for kind in self.kinds if not kind.bare_keys for word in kind.api_versions}

    @cached_property
    def _names(self) -> dict[str, list[Kind]]:
        names: dict[str, list[Kind]] = {}
        for kind in self.kinds:
            if not kind.bare_keys:
                names.setdefault(kind.name, []).append(kind)
        return names

    def bare(self, keys: Iterable[str]) -> Kind | None:
        """The kind of a mapping that does not say what it is."""
        given = set(keys)
        return next((kind for kind in self.kinds if kind.bare_keys & given), None)

    def find(self, api_version: str, kind: str) -> Kind | None:
        """The kind of a manifest; None if Kubernetes has it and this reader was not given it.

        Raises:
            Problem: if there is none, with the nearest.
        """
        found = self._by_words.get((api_version, kind))
        if found is not None:
            return found
        group = api_version.rpartition("/")[0]
        if kind in KNOWN_ELSEWHERE.get(group, "").split():
            return None
        same_name = self._names.get(kind, [])
        words = [word for other in same_name for word in other.api_versions]
        if words:
            right = nearest(api_version, words) or words[0]
            raise Problem(("apiVersion",), f"there is no {kind} in '{api_version}'", right)
        known = [*self._names, *(word for words in KNOWN_ELSEWHERE.values() for word in words.split())]
        raise Problem(("kind",), f"there is no kind '{kind}'", right_word(kind, known))
